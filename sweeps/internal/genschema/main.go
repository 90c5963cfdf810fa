// Command genschema writes the JSON Schema of a spec to the file named by its
// one argument. It is run by go generate.
package main

import (
	"fmt"
	"os"

	"github.com/tenfold-ml/tenfold/sweeps"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "genschema:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("need one argument, the file to write; got %d", len(args))
	}
	schema, err := sweeps.JSONSchema()
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], schema, 0o644)
}
