// evaluate prints as JSON what a Tiltfile asks Tilt for: `evaluate CONTEXT TILTFILE`. Tilt's built-ins are stubs which
// know the parameters of the real ones (Tilt 0.36) and write down what they are given; nothing is built or deployed.
// Only helm is run, since what follows depends on its output.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// The Starlark that Tilt speaks.
var dialect = &syntax.FileOptions{Set: true, GlobalReassign: true, TopLevelControl: true, Recursion: true}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: evaluate CONTEXT TILTFILE")
		os.Exit(2)
	}
	asked := []call{}
	thread := &starlark.Thread{Name: "Tiltfile"}
	_, err := starlark.ExecFileOptions(dialect, thread, os.Args[2], nil, builtins(os.Args[1], &asked))
	if err != nil {
		if failed, ok := err.(*starlark.EvalError); ok {
			fmt.Fprintln(os.Stderr, failed.Backtrace())
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
