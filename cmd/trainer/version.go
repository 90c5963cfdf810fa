package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
)

// version is set by the linker.
var version = ""

// versionJSON is what `trainer version -o json` prints.
type versionJSON struct {
	// Version of the module this was built from.
	Version string `json:"version"`
	// Identity is part of every trial's ID.
	Identity string `json:"identity"`
	// Engine names the BLAS that was found: "cpu openblas 0.3.21 threads=1".
	Engine   string `json:"engine"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(stdout io.Writer) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the trainer's identity and what computes",
		Example: `  trainer version -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			v, err := currentVersion()
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(stdout).Encode(v)
			}
			_, err = fmt.Fprintf(stdout, "trainer %s (%s)\nengine  %s\nbuilt   with %s for %s\n", v.Version, v.Identity, v.Engine, v.Go, v.Platform)
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func currentVersion() (versionJSON, error) {
	v := versionJSON{
		Version: buildVersion(), Identity: trainer.Identity,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		return v, fmt.Errorf("looking for a BLAS: %w", err)
	}
	v.Engine = b.Name()
	return v, b.Close()
}

// buildVersion is what the linker was told, else what Go recorded: what
// `sweep version` says of the same build.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
