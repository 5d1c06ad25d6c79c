package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"gopkg.in/yaml.v3"
)

// A blob is text that Tilt's built-ins hand around. It has none of a string's methods: str() makes it one.
type blob string

func (b blob) String() string        { return string(b) }
func (b blob) Type() string          { return "blob" }
func (b blob) Freeze()               {}
func (b blob) Truth() starlark.Bool  { return len(b) > 0 }
func (b blob) Hash() (uint32, error) { return starlark.String(b).Hash() }

func decodeYAMLStream(given arguments) (starlark.Value, error) {
	decoder := yaml.NewDecoder(strings.NewReader(given.text("yaml")))
	documents := []starlark.Value{}
	for {
		var document any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return starlark.NewList(documents), nil
		} else if err != nil {
			return nil, err
		}
		documents = append(documents, toStarlark(document))
	}
}

func encodeYAMLStream(given arguments) (starlark.Value, error) {
	documents, ok := toGo(given["objs"]).([]any)
	if !ok {
		return nil, fmt.Errorf("encode_yaml_stream wants a list, not %s", given["objs"].Type())
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	for _, document := range documents {
		if err := encoder.Encode(document); err != nil {
			return nil, err
		}
	}
	return blob(out.String()), nil
}

func toStarlark(value any) starlark.Value {
	switch value := value.(type) {
	case nil:
		return starlark.None
	case bool:
		return starlark.Bool(value)
	case int:
		return starlark.MakeInt(value)
	case float64:
		return starlark.Float(value)
	case []any:
		list := []starlark.Value{}
		for _, item := range value {
			list = append(list, toStarlark(item))
		}
		return starlark.NewList(list)
	case map[string]any:
		names := []string{}
		for name := range value {
			names = append(names, name)
		}
		sort.Strings(names)
		dict := starlark.NewDict(len(names))
		for _, name := range names {
			dict.SetKey(starlark.String(name), toStarlark(value[name])) // a new dict is not frozen
		}
		return dict
	}
	return starlark.String(fmt.Sprint(value))
}

func toGo(value starlark.Value) any {
	switch value := value.(type) {
	case nil, starlark.NoneType:
		return nil
	case starlark.Bool:
		return bool(value)
	case starlark.Int:
		number, _ := value.Int64()
		return number
	case starlark.Float:
		return float64(value)
	case starlark.String:
		return string(value)
	case starlark.IterableMapping:
		object := map[string]any{}
		for _, item := range value.Items() {
			object[fmt.Sprint(toGo(item[0]))] = toGo(item[1])
		}
		return object
	case starlark.Iterable:
		list := []any{}
		for item := range starlark.Elements(value) {
			list = append(list, toGo(item))
		}
		return list
	case *starlarkstruct.Struct:
		members := starlark.StringDict{}
		value.ToStringDict(members)
		return arguments(members).json()
	}
	return value.String()
}
