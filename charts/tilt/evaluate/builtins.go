package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// A call is what was asked of a built-in.
type call struct {
	Call string         `json:"call"`
	With map[string]any `json:"with"`
}

// The parameters of Tilt's built-ins, in their order; the optional ones end with a question mark.
var recorded = map[string]string{
	"allow_k8s_contexts": "contexts",
	"custom_build": "ref command deps tag? disable_push? skips_local_docker? live_update? match_in_env_vars? ignore? " +
		"entrypoint? container_args? command_bat_val? outputs_image_ref_to? command_bat? image_deps? env? dir?",
	"k8s_yaml": "yaml allow_duplicates?",
	"k8s_resource": "workload? new_name? port_forwards? extra_pod_selectors? trigger_mode? resource_deps? objects? " +
		"auto_init? pod_readiness? links? labels? discovery_strategy?",
	"local": "command quiet? command_bat? echo_off? env? dir? stdin?",
	"local_resource": "name cmd? deps? trigger_mode? resource_deps? ignore? auto_init? serve_cmd? cmd_bat? " +
		"serve_cmd_bat? allow_parallel? links? labels? env? serve_env? readiness_probe? dir? serve_dir?",
}

// Those whose answer is given to another built-in.
var values = map[string]string{
	"fall_back_on": "paths",
	"sync":         "local_path remote_path",
	"run":          "cmd trigger? echo_off?",
	"link":         "url name?",
}

func builtins(context string, asked *[]call) starlark.StringDict {
	all := starlark.StringDict{
		"TRIGGER_MODE_AUTO":   starlark.String("auto"),
		"TRIGGER_MODE_MANUAL": starlark.String("manual"),
		"os": &starlarkstruct.Module{Name: "os", Members: starlark.StringDict{
			"getenv": builtin("os.getenv", "key default?", getenv),
			"putenv": builtin("os.putenv", "key value", putenv),
		}},
		"k8s_context": builtin("k8s_context", "", func(arguments) (starlark.Value, error) {
			return starlark.String(context), nil
		}),
		"helm": builtin("helm", "path name? namespace? values? set? kube_version? skip_crds?",
			func(given arguments) (starlark.Value, error) {
				*asked = append(*asked, call{"helm", given.json()})
				return helm(given)
			}),
		"decode_yaml_stream": builtin("decode_yaml_stream", "yaml", decodeYAMLStream),
		"encode_yaml_stream": builtin("encode_yaml_stream", "objs", encodeYAMLStream),
	}
	for name, parameters := range recorded {
		all[name] = builtin(name, parameters, func(given arguments) (starlark.Value, error) {
			*asked = append(*asked, call{name, given.json()})
			if name == "local" {
				return blob(""), nil
			}
			return starlark.None, nil
		})
	}
	for name, parameters := range values {
		all[name] = builtin(name, parameters, func(given arguments) (starlark.Value, error) {
			members := starlark.StringDict{"step": starlark.String(name)}
			for key, value := range given {
				members[key] = value
			}
			return starlarkstruct.FromStringDict(starlarkstruct.Default, members), nil
		})
	}
	return all
}

type arguments map[string]starlark.Value

func (given arguments) json() map[string]any {
	out := map[string]any{}
	for name, value := range given {
		out[name] = toGo(value)
	}
	return out
}

func (given arguments) text(name string) string {
	switch value := given[name].(type) {
	case starlark.String:
		return string(value)
	case blob:
		return string(value)
	}
	return ""
}

// builtin makes a function that refuses what the real one refuses: unknown, missing and repeated parameters.
func builtin(name, parameters string, do func(arguments) (starlark.Value, error)) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple,
		kwargs []starlark.Tuple) (starlark.Value, error) {
		names := strings.Fields(parameters)
		found := make([]starlark.Value, len(names))
		pairs := []any{}
		for i, parameter := range names {
			pairs = append(pairs, parameter, &found[i])
		}
		if err := starlark.UnpackArgs(name, args, kwargs, pairs...); err != nil {
			return nil, err
		}
		given := arguments{}
		for i, parameter := range names {
			if found[i] != nil {
				given[strings.TrimSuffix(parameter, "?")] = found[i]
			}
		}
		return do(given)
	})
}

func getenv(given arguments) (starlark.Value, error) {
	if value, found := os.LookupEnv(given.text("key")); found {
		return starlark.String(value), nil
	}
	if value, found := given["default"]; found {
		return value, nil
	}
	return starlark.None, nil
}

func putenv(given arguments) (starlark.Value, error) {
	return starlark.None, os.Setenv(given.text("key"), given.text("value"))
}

func helm(given arguments) (starlark.Value, error) {
	flags := []string{"template", given.text("name"), given.text("path"), "--include-crds"}
	for name, flag := range map[string]string{"namespace": "--namespace", "kube_version": "--kube-version"} {
		if value := given.text(name); value != "" {
			flags = append(flags, flag, value)
		}
	}
	for name, flag := range map[string]string{"values": "--values", "set": "--set"} {
		if list, ok := toGo(given[name]).([]any); ok {
			for _, value := range list {
				flags = append(flags, flag, fmt.Sprint(value))
			}
		}
	}
	out, err := exec.Command("helm", flags...).Output()
	if failed, ok := err.(*exec.ExitError); ok {
		return nil, fmt.Errorf("helm %s: %s", strings.Join(flags, " "), failed.Stderr)
	}
	return blob(out), err
}
