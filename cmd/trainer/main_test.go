package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// asTrainer makes the test binary run as the trainer, so that tests meet the real
// program, its signals and its exit codes.
const asTrainer = "TENFOLD_TEST_AS_TRAINER"

func TestMain(m *testing.M) {
	if os.Getenv(asTrainer) != "" {
		main()
	}
	os.Exit(m.Run())
}

// fixture is a store in a folder with one trial in it.
type fixture struct {
	url    string
	store  *storage.Store
	id     sweeps.TrialID
	epochs int
}

func newFixture(t *testing.T, cfg sweeps.Config) fixture {
	t.Helper()
	ctx := t.Context()
	f := fixture{url: (&url.URL{Scheme: "file", Path: t.TempDir()}).String(), epochs: cfg.Train.Epochs}
	var err error
	if f.store, err = storage.Open(ctx, f.url); err != nil {
		t.Fatal(err)
	}
	digest, err := data.Import(ctx, f.store, sweeps.Data{Name: datatest.Write(t, datatest.Small)}, data.Source{})
	if err != nil {
		t.Fatal(err)
	}
	trial := sweeps.Trial{Config: cfg, Dataset: digest, Trainer: trainer.Identity}
	if f.id, err = trial.ID(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.PutTrial(ctx, f.id, trial); err != nil {
		t.Fatal(err)
	}
	return f
}

func config(epochs int) sweeps.Config {
	return sweeps.Config{
		Seed: 1,
		Data: sweeps.Data{Name: "small", Validation: 100, SplitSeed: 1, Standardize: true},
		Model: sweeps.Model{
			Kind: "mlp", Hidden: []int{64, 64}, Activation: "relu",
			Init: sweeps.Init{Kind: "scaled", Scale: 1}, Dropout: sweeps.Dropout{Input: 0.1, Hidden: 0.3},
		},
		Train: sweeps.Train{
			BatchSize: 32, Epochs: epochs, LearningRate: 0.02, Momentum: 0.9, ClipNorm: 5,
			Schedule: sweeps.Schedule{Kind: "plateau", DivideBy: 1.01, Patience: 2, StopBelow: 1e-9},
		},
	}
}

// command is the trainer in its contract's environment.
func (f fixture) command(attempt int, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTrainer+"=1", "TENFOLD_STORE="+f.url, "TENFOLD_TRIAL="+string(f.id),
		fmt.Sprint("TENFOLD_EPOCHS=", f.epochs), fmt.Sprint("TENFOLD_ATTEMPT=", attempt), "TENFOLD_THREADS=1")
	return cmd
}

// run runs a command to its end.
func run(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// essence is what must not depend on how a run got to its end.
func essence(t *testing.T, f fixture) sweeps.Result {
	t.Helper()
	r, err := f.store.Result(t.Context(), f.id, f.epochs)
	if err != nil {
		t.Fatal(err)
	}
	r.Attempt, r.Seconds = 0, 0
	for i := range r.Curve {
		r.Curve[i].Seconds = 0
	}
	return r
}

// The real program, stopped by SIGTERM and SIGKILL at random moments, ends in the
// same weights as one that was left alone.
func TestKilledTrainersEndInTheSameWeights(t *testing.T) {
	t.Parallel()
	cfg := config(60)
	alone := newFixture(t, cfg)
	begin := time.Now()
	if code, _, stderr := run(t, alone.command(1, "train")); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	took := time.Since(begin)
	want := essence(t, alone)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f := newFixture(t, cfg)
	kills := map[syscall.Signal]int{}
	for attempt := 1; ; attempt++ {
		cmd := f.command(attempt, "train", "--checkpoint-every", "0s")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// From its first line on it is training; a moment later it is hit.
		lines := bufio.NewReader(stdout)
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("attempt %d printed nothing: %v; %s", attempt, err, stderr.String())
		}
		sig := syscall.SIGKILL
		if random.IntN(2) == 0 {
			sig = syscall.SIGTERM
		}
		after := time.Duration(random.Int64N(int64(took / 6)))
		if attempt > 25 {
			after = time.Hour // enough
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(sig) })
		_, _ = lines.WriteTo(discard{})
		err = cmd.Wait()
		timer.Stop()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		switch {
		case err == nil:
			t.Logf("%d attempts, killed by %v", attempt, kills)
			if diff := cmp.Diff(want, essence(t, f)); diff != "" {
				t.Error(diff)
			}
			if len(kills) == 0 {
				t.Error("the run was not hit once")
			}
			return
		case status.Signaled() && status.Signal() == syscall.SIGKILL && sig == syscall.SIGKILL:
		case status.ExitStatus() == trainer.ExitPreempted && sig == syscall.SIGTERM:
			if got := strings.TrimSpace(stderr.String()); got != "trainer: preempted" {
				t.Errorf("standard error %q", got)
			}
		default:
			t.Fatalf("attempt %d: %v: %s", attempt, err, stderr.String())
		}
		kills[sig]++
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// SIGINT is SIGTERM for somebody at a keyboard.
func TestInterruptSavesACheckpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t, config(1_000_000))
	cmd := f.command(1, "train")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"event":"epoch"`) {
			break
		}
	}
	begin := time.Now()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	more := true
	for more {
		more = lines.Scan()
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != trainer.ExitPreempted {
		t.Errorf("exit code %d: %v", code, err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to go", took)
	}
	good, bad, err := f.store.Checkpoints(t.Context(), f.id)
	if err != nil || len(good) == 0 || len(bad) > 0 {
		t.Errorf("checkpoints %v, %v, %v", good, bad, err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, config(1))
	text := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(text, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		env  []string
		code int
		want string // in the one line on standard error
	}{
		"committed":       {args: []string{"train"}},
		"no trial":        {[]string{"train", "--trial", "0123456789abcdef"}, nil, 64, "there is no trial 0123456789abcdef"},
		"bad trial":       {[]string{"train", "--trial", "x"}, nil, 64, `trial "x" is not 16 hex digits`},
		"nothing given":   {[]string{"train"}, []string{"TENFOLD_TRIAL="}, 64, "TENFOLD_TRIAL or --trial is needed"},
		"bad number":      {[]string{"train"}, []string{"TENFOLD_EPOCHS=many"}, 64, `TENFOLD_EPOCHS="many" is not what --epochs takes`},
		"negative":        {[]string{"train", "--epochs", "-1"}, nil, 64, "epochs: -1 is less than 1"},
		"no threads":      {[]string{"train", "--threads", "0"}, nil, 64, "threads: 0 is less than 1"},
		"bad BLAS":        {[]string{"train"}, []string{"TENFOLD_BLAS=mkl"}, 64, `blas: "mkl" is none of auto, openblas, gonum`},
		"bad store":       {[]string{"train", "--store", "nfs://x"}, nil, 64, "nfs://x"},
		"unknown flag":    {[]string{"train", "--epoch", "1"}, nil, 64, "unknown flag: --epoch; see trainer train --help"},
		"unknown command": {[]string{"tarin"}, nil, 64, `unknown command "tarin"`},
		"too many words":  {[]string{"train", "now"}, nil, 64, `unknown command "now"`},
		"no data set":     {[]string{"data", "describe", "/does/not/exist"}, nil, 65, "/does/not/exist: there is no such directory"},
		"bad data set":    {[]string{"data", "import", text}, nil, 65, "is not a directory"},
		"no checksum":     {[]string{"data", "import", "https://localhost/x.tar.gz"}, nil, 64, "data.sha256 must give"},
		"no argument":     {[]string{"data", "import"}, nil, 64, "accepts 1 arg(s), received 0"},
		"bad format":      {[]string{"version", "-o", "xml"}, nil, 64, "the formats are text and json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := f.command(1, c.args...)
			cmd.Env = append(cmd.Env, c.env...)
			code, _, stderr := run(t, cmd)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(stderr, c.want) {
				t.Errorf("standard error %q, want %q", stderr, c.want)
			}
			if c.code != 0 && (strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "trainer: ")) {
				t.Errorf("standard error is not one line of ours: %q", stderr)
			}
		})
	}
}

func TestDataImportAndDescribe(t *testing.T) {
	t.Parallel()
	dir := datatest.Write(t, datatest.Small)
	f := newFixture(t, config(1))
	code, stdout, stderr := run(t, f.command(1, "data", "import", dir))
	if code != 0 {
		t.Fatal(stderr)
	}
	digest := strings.TrimSpace(stdout)
	code, stdout, stderr = run(t, f.command(1, "data", "describe", digest, "-o", "json"))
	if code != 0 {
		t.Fatal(stderr)
	}
	var d data.Description
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err)
	}
	if d.Scale == nil || d.Scale.Features != 64 {
		t.Errorf("scale %+v", d.Scale)
	}
	d.Name, d.Scale = "", nil
	guessed := 1 - 38.0/150
	want := data.Description{
		Baseline: &data.Baseline{Error: &guessed},
		Digest:   digest, Shape: []int{8, 8}, Classes: 4,
		Train:      data.Counts{Cases: 600, PerClass: []int{150, 150, 150, 150}},
		Test:       data.Counts{Cases: 150, PerClass: []int{38, 38, 37, 37}},
		Duplicates: &data.Duplicates{},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	cmd := f.command(1, "data", "describe", dir)
	cmd.Env = append(cmd.Env, "TENFOLD_STORE=")
	if code, stdout, stderr = run(t, cmd); code != 0 || !strings.Contains(stdout, digest) || !strings.Contains(stdout, "shape    8x8") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	f := newFixture(t, config(1))
	code, stdout, stderr := run(t, f.command(1, "version", "-o", "json"))
	if code != 0 {
		t.Fatal(stderr)
	}
	var fields map[string]string
	if err := json.Unmarshal([]byte(stdout), &fields); err != nil {
		t.Fatal(err)
	}
	// Others read these fields: adding one is fine, renaming is not.
	for _, name := range []string{"version", "identity", "engine", "go", "platform"} {
		if fields[name] == "" {
			t.Errorf("%s is missing: %s", name, stdout)
		}
	}
	if fields["identity"] != trainer.Identity || !strings.HasPrefix(fields["engine"], "cpu ") {
		t.Errorf("%v", fields)
	}
}

func TestHelpShowsTheContract(t *testing.T) {
	t.Parallel()
	f := newFixture(t, config(1))
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--help"}, []string{"75  preempted", "train", "data", "version"}},
		{[]string{"train", "--help"}, []string{"TENFOLD_ATTEMPT", "Examples:", "--checkpoint-every"}},
		{[]string{"data", "import", "--help"}, []string{"Examples:", "--sha256"}},
	} {
		code, stdout, stderr := run(t, f.command(1, c.args...))
		for _, want := range c.want {
			if code != 0 || !strings.Contains(stdout, want) {
				t.Errorf("%v: exit code %d, no %q in %s%s", c.args, code, want, stdout, stderr)
			}
		}
	}
}
