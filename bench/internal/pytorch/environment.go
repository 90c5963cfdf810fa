// Package pytorch puts PyTorch into a folder of its own, for the measurements and
// checks that compare the trainer with it. networks.py there builds the trainer's
// models in PyTorch.
package pytorch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// sources is where the Python files of this package lie, from the root of the
	// repository.
	sources = "bench/internal/pytorch"
	// cpuIndex is PyTorch's own index of wheels that are built without CUDA.
	cpuIndex = "https://download.pytorch.org/whl/cpu"
)

// dependencies are all that PyTorch imports on a CPU; its wheel also asks for
// gigabytes of CUDA.
var dependencies = []string{
	"filelock", "typing-extensions", "setuptools", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "fsspec",
	"numpy", "safetensors",
}

// Environment is a virtual environment with PyTorch's newest release.
type Environment struct {
	// Origin says what was installed: "torch 2.15.0 from the package registry, …".
	Origin string
	dir    string
}

// Install makes a virtual environment in dir, unless a finished one is there, and
// tells log what it does. It takes half a minute and 1.4 GB; removing dir undoes it.
//
// Wheels without CUDA come from PyTorch's own index where that can be reached,
// else the package registry's wheel is taken, alone: the CUDA libraries
// that it names as needed are replaced by empty ones (standins.py). What
// it computes on a CPU is the same.
//
// It has to be called from the root of the repository.
func Install(ctx context.Context, dir, python string, log io.Writer) (*Environment, error) {
	if _, err := os.Stat(sources); err != nil {
		return nil, fmt.Errorf("looking for %s, from the root of the repository: %w", sources, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of the virtual environment: %w", err)
	}
	e := &Environment{dir: dir}
	done := filepath.Join(dir, "origin")
	origin, err := os.ReadFile(done)
	if err == nil {
		e.Origin = string(origin)
		return e, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading what is installed: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil { // a beginning that was interrupted
		return nil, fmt.Errorf("removing half a virtual environment: %w", err)
	}
	fmt.Fprintf(log, "installing PyTorch into %s\n", dir)
	if err := output(exec.CommandContext(ctx, python, "-m", "venv", dir), nil); err != nil {
		return nil, err
	}
	pip := func(args ...string) error {
		return output(exec.CommandContext(ctx, e.python(), append([]string{"-m", "pip", "install", "--quiet"}, args...)...), nil)
	}
	from := "from " + cpuIndex
	if err := pip("--no-deps", "--retries", "0", "--timeout", "5", "--index-url", cpuIndex, "torch"); err != nil {
		from = "from the package registry"
		if err := pip("--no-deps", "torch"); err != nil {
			return nil, err
		}
	}
	if err := pip(dependencies...); err != nil {
		return nil, err
	}
	var version strings.Builder
	if ask := e.Command(ctx, "-c", versionOf); output(ask, &version) != nil {
		from += ", its CUDA libraries replaced by empty ones"
		if err := e.standIn(ctx, log); err != nil {
			return nil, fmt.Errorf("PyTorch can't be imported, and its CUDA libraries can't be replaced: %w", err)
		}
		if err := output(e.Command(ctx, "-c", versionOf), &version); err != nil {
			return nil, err
		}
	}
	e.Origin = fmt.Sprintf("torch %s %s", strings.TrimSpace(version.String()), from)
	if err := os.WriteFile(done, []byte(e.Origin), 0o600); err != nil {
		return nil, fmt.Errorf("writing what is installed: %w", err)
	}
	return e, nil
}

const versionOf = "import torch; print(torch.__version__)"

// standIn puts empty libraries where CUDA's would be.
func (e *Environment) standIn(ctx context.Context, log io.Writer) error {
	libraries, err := filepath.Glob(filepath.Join(e.dir, "lib", "python*", "site-packages", "torch", "lib"))
	if err != nil || len(libraries) != 1 {
		return fmt.Errorf("looking for PyTorch's libraries: found %q: %w", libraries, err)
	}
	return output(exec.CommandContext(ctx, e.python(), filepath.Join(sources, "standins.py"), libraries[0]), log)
}

func (e *Environment) python() string { return filepath.Join(e.dir, "bin", "python") }

// Command runs Python with PyTorch and networks.py within reach. What is compiled
// for torch.compile is kept in the environment.
func (e *Environment) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.python(), args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+sources, "PYTHONDONTWRITEBYTECODE=1",
		"TORCHINDUCTOR_CACHE_DIR="+filepath.Join(e.dir, "compiled"))
	return cmd
}

// output runs cmd, with its standard output to w; what it says on standard error is
// in the error if it fails.
func output(cmd *exec.Cmd, w io.Writer) error {
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = w, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said.String())
	}
	return nil
}
