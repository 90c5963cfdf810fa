package adapter

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// Variables that the command finds beside the contract's own.
const (
	configVariable      = "TENFOLD_CONFIG"
	resumeVariable      = "TENFOLD_RESUME"
	checkpointsVariable = "TENFOLD_CHECKPOINT_DIR"
	outVariable         = "TENFOLD_OUT"
	scratchVariable     = "TENFOLD_SCRATCH"
)

// folder is where a command finds and leaves its files.
type folder struct{ root string }

func newFolder(scratch string) (folder, error) {
	if scratch != "" {
		if err := os.MkdirAll(scratch, 0o700); err != nil {
			return folder{}, fmt.Errorf("make the scratch directory: %w", err)
		}
	}
	root, err := os.MkdirTemp(scratch, "exec-")
	if err == nil {
		root, err = filepath.Abs(root)
	}
	f := folder{root}
	for _, dir := range []string{f.checkpoints(), f.out(), f.own()} {
		if err == nil {
			err = os.Mkdir(dir, 0o700)
		}
	}
	if err != nil {
		return folder{}, fmt.Errorf("make a folder for the command: %w", err)
	}
	return f, nil
}

// remove tolerates a root that was never made.
func (f folder) remove() error { return os.RemoveAll(f.root) }

func (f folder) config() string      { return filepath.Join(f.root, "config.json") }
func (f folder) resume() string      { return filepath.Join(f.root, "resume") }
func (f folder) checkpoints() string { return filepath.Join(f.root, "checkpoints") }
func (f folder) out() string         { return filepath.Join(f.root, "out") }

// own is where the command has no business.
func (f folder) own() string { return filepath.Join(f.root, "adapter") }

func (f folder) hasResult() bool {
	_, err := os.Lstat(filepath.Join(f.out(), resultFile))
	return err == nil
}

// config is what a command finds in $TENFOLD_CONFIG.
type config struct {
	// Config is the spec's config with the trial's values in their places.
	Config map[string]any `json:"config"`
	Seed   uint64         `json:"seed"`
	// Epochs is the budget, Epoch how many of them are done, and Step how much of the
	// next one is, by the checkpoint in $TENFOLD_RESUME.
	Epochs  int            `json:"epochs"`
	Epoch   int            `json:"epoch"`
	Step    int            `json:"step"`
	Trial   sweeps.TrialID `json:"trial"`
	Attempt int            `json:"attempt"`
}

func (f folder) writeConfig(s *session) error {
	c := config{
		Config: s.trial.Config.Custom, Seed: s.trial.Config.Seed, Epochs: s.o.Epochs,
		Epoch: s.resumed.epoch, Step: s.resumed.step, Trial: s.o.Trial, Attempt: s.o.Attempt,
	}
	if c.Config == nil {
		c.Config = map[string]any{}
	}
	b, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(f.config(), append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the command's configuration: %w", err)
	}
	return nil
}

// environment is the command's. Of equal names the last counts.
func (s *session) environment() []string {
	resume := ""
	if s.resumed.tar != "" {
		resume = s.folder.resume()
	}
	env := []string{
		// What Python keeps back nobody can store or show.
		"PYTHONUNBUFFERED=1",
	}
	env = append(env, s.o.Env...)
	env = append(env,
		configVariable+"="+s.folder.config(), resumeVariable+"="+resume,
		checkpointsVariable+"="+s.folder.checkpoints(), outVariable+"="+s.folder.out(),
	)
	if s.o.Scratch == "" {
		env = append(env, scratchVariable+"="+s.folder.root)
	}
	return env
}

// checkpointName is that of the folder with a checkpoint: "7", or "7.120" for one taken
// after 120 steps of the eighth epoch.
func checkpointName(epoch, step int) string {
	name := strconv.Itoa(epoch)
	if step > 0 {
		name += "." + strconv.Itoa(step)
	}
	return name
}
