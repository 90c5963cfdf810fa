package adapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/adapter"
)

func TestRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := f.run(t.Context(), t, 1, between(""), nil)
	if got.err != nil || got.stderr != "" {
		t.Fatalf("%v\n%s", got.err, got.stderr)
	}
	r := f.result(t)
	var errs []float64
	for _, m := range r.Curve {
		errs = append(errs, m.ValidationError)
	}
	if r.Status != sweeps.Completed || r.ValidationError != 0.25 || r.Weights != 4 || !slices.Equal(errs, []float64{0.4, 0.3, 0.2, 0.1}) {
		t.Errorf("result %+v", r)
	}
	good, bad, err := f.store.Checkpoints(t.Context(), f.id)
	if err != nil || len(bad) > 0 || len(good) != 1 || good[0].Epoch != 4 || good[0].Weights != r.Checkpoint {
		t.Errorf("checkpoints %+v, %v, %v; want the last alone, which is the result's: %+v", good, bad, err, r.Checkpoint)
	}
	if err := f.store.VerifyArtifact(t.Context(), r.Checkpoint); err != nil {
		t.Error(err)
	}
	names := events(t, got.stdout)
	if names[0] != "start" || names[len(names)-1] != "end" || !slices.Contains(names, "stored") {
		t.Errorf("events %v", names)
	}
	kept, err := f.store.ReadAll(t.Context(), storage.MetricsKey(f.id, 1))
	if err != nil || strings.Count(string(kept), `"event": "epoch"`) != 4 {
		t.Errorf("metrics %s, %v", kept, err)
	}

	// Another attempt takes the result for its own, without running anything.
	again := f.run(t.Context(), t, 2, "touch /nowhere/at/all", nil)
	if again.err != nil || !strings.Contains(again.stdout, `"committed":false`) {
		t.Errorf("again: %v, %s", again.err, again.stdout)
	}
}

// TestEnvironment is what a command finds.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := f.run(t.Context(), t, 7, `
echo "config $(cat "$TENFOLD_CONFIG")"
echo "resume [$TENFOLD_RESUME] python $PYTHONUNBUFFERED mine $MINE"
[ -z "$(ls "$TENFOLD_CHECKPOINT_DIR" "$TENFOLD_OUT" | grep -v :)" ] && [ -d "$TENFOLD_SCRATCH" ]
echo '{"validation_error": 0.5}' > "$TENFOLD_OUT/result.json"`,
		func(o *adapter.Options) { o.Env, o.Scratch = []string{"PATH=" + os.Getenv("PATH"), "MINE=1"}, "" })
	if got.err != nil {
		t.Fatalf("%v: %s", got.err, got.stderr)
	}
	text, found := strings.CutPrefix(strings.Split(got.stdout, "\n")[1], "config ")
	var config map[string]any
	if err := json.Unmarshal([]byte(text), &config); err != nil || !found {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	want := map[string]any{
		"config": map[string]any{"rate": 0.5}, "seed": 3.0, "epochs": 4.0, "epoch": 0.0, "step": 0.0,
		"trial": string(f.id), "attempt": 7.0,
	}
	if diff := cmp.Diff(want, config); diff != "" {
		t.Errorf("config.json (-want +got):\n%s", diff)
	}
	if !strings.Contains(got.stdout, "resume [] python 1 mine 1\n") {
		t.Errorf("output %s", got.stdout)
	}
}

// preempt cancels a context as a launcher's SIGTERM does.
func preempt(t *testing.T) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, func() { cancel(trainer.ErrPreempted) }
}

// A command that is preempted goes on where it was, and ends in the same result as one
// that was not.
func TestPreempted(t *testing.T) {
	t.Parallel()
	alone := newFixture(t)
	if got := alone.run(t.Context(), t, 1, between(""), nil); got.err != nil {
		t.Fatal(got.err)
	}
	for name, script := range map[string]string{
		// It saves at once after each epoch anyway, and waits for the signal.
		"exits with 75": `if [ $n = 2 ]; then trap 'exit 75' TERM; echo ready; while :; do sleep 0.01 || :; done; fi`,
		// As every program does that has no handler.
		"dies of it": `if [ $n = 2 ]; then echo ready; sleep 1000; fi`,
		// The shell goes at once, and what it has started saves meanwhile.
		"saves in a child": `if [ $n = 2 ]; then
  sh -c 'trap "sleep 0.2; n=3; eval \"\$save\"; exit" TERM; echo ready; while :; do sleep 0.01 || :; done' & wait
fi`,
		"does not listen": `if [ $n = 2 ]; then trap '' TERM; echo ready; while :; do sleep 0.01; done; fi`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ctx, stop := preempt(t)
			var out lines
			go func() {
				<-out.seen("ready")
				stop()
			}()
			got := f.run(ctx, t, 1, between(script), func(o *adapter.Options) {
				o.Stdout = &out
				if name == "does not listen" {
					o.Grace = 50 * time.Millisecond
				}
			})
			if !errors.Is(got.err, trainer.ErrPreempted) {
				t.Fatalf("%v, want ErrPreempted\n%s%s", got.err, out.String(), got.stderr)
			}
			if _, err := f.store.Result(t.Context(), f.id, budget); !errors.Is(err, backend.ErrNotFound) {
				t.Errorf("there is a result: %v", err)
			}
			want := "resumed at 2"
			if name == "saves in a child" {
				want = "resumed at 3"
			}
			next := f.run(t.Context(), t, 2, between(""), nil)
			if next.err != nil || !strings.Contains(next.stdout, want) {
				t.Fatalf("%v, want %q\n%s", next.err, want, next.stdout)
			}
			if diff := cmp.Diff(alone.result(t), f.result(t)); diff != "" {
				t.Errorf("the result of an interrupted run (-alone +interrupted):\n%s", diff)
			}
		})
	}
}

// A command that ends in the moment of the signal has a result all the same.
func TestPreemptedAtTheEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, stop := preempt(t)
	var out lines
	go func() {
		<-out.seen("ready")
		stop()
	}()
	got := f.run(ctx, t, 1, before(`d=; trap 'd=1' TERM; echo ready; while [ -z "$d" ]; do sleep 0.01 || :; done`),
		func(o *adapter.Options) { o.Stdout = &out })
	if got.err != nil {
		t.Fatalf("%v\n%s", got.err, out.String())
	}
	f.result(t)
}

// When the context just ends, nothing of the command is left, and nothing is awaited.
func TestCancelled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out lines
	go func() {
		<-out.seen("ready")
		cancel()
	}()
	died, stderr, err := os.Pipe() // held by all that the command starts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = died.Close() }()
	got := f.run(ctx, t, 1, `trap '' TERM; sleep 1000 & echo ready; wait`, func(o *adapter.Options) { o.Stdout, o.Stderr = &out, stderr })
	_ = stderr.Close()
	if !errors.Is(got.err, context.Canceled) || errors.Is(got.err, trainer.ErrPreempted) {
		t.Errorf("%v, want context.Canceled", got.err)
	}
	if n, err := died.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes, %v; want the end", n, err)
	}
}

// TestExit is what becomes of a command's own end.
func TestExit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for script, want := range map[string]struct {
		code int
		says string
	}{
		"exit 64":                 {64, "exited with 64"},
		"exit 65":                 {65, "exited with 65"},
		"exit 1":                  {1, "exited with 1"},
		"exit 3":                  {3, "exited with 3"},
		"exit 74":                 {1, "/bin/sh has exited with 74"}, // that is about a store
		"kill -9 $$":              {137, "/bin/sh was ended by signal 9 (killed)"},
		"exit 75":                 {75, "preempted"},
		"exit 0":                  {64, "/bin/sh has exited with 0 and left no result.json in $TENFOLD_OUT"},
		"echo some > /dev/stderr": {64, "left no result.json"},
	} {
		got := f.run(t.Context(), t, 1, script, nil)
		var exit *adapter.ExitError
		code := trainer.ExitCode(got.err)
		if errors.As(got.err, &exit) {
			code = exit.Code
		}
		if got.err == nil || code != want.code || !strings.Contains(got.err.Error(), want.says) {
			t.Errorf("%s: code %d, %v; want %d, %q", script, code, got.err, want.code, want.says)
		}
	}
}

// TestNotStarted has commands that no retry helps.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct{ command, says string }{
		"not in PATH":    {"tenfold-no-such-command", `command "tenfold-no-such-command" not found`},
		"no such file":   {filepath.Join(dir, "none"), "not found"},
		"not executable": {file("plain", "#!/bin/sh\n", 0o644), "is not executable"},
		"no interpreter": {file("script", "#!/no/such/interpreter\n", 0o755), "not found"},
		"not a program":  {file("garbage", "\x01\x02\x03", 0o755), "neither a program"},
	} {
		got := f.run(t.Context(), t, 1, "", func(o *adapter.Options) { o.Command = []string{tc.command} })
		if trainer.ExitCode(got.err) != trainer.ExitConfig || !strings.Contains(got.err.Error(), tc.says) || strings.Contains(got.err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, got.err, tc.says)
		}
	}
	builtIn := sweeps.Trial{Config: sweeps.Config{Seed: 9}, Trainer: trainer.Identity}
	id, err := builtIn.ID()
	if err == nil {
		err = f.store.PutTrial(t.Context(), id, builtIn)
	}
	if err != nil {
		t.Fatal(err)
	}
	for trial, says := range map[sweeps.TrialID]string{id: "is for the built-in trainer", "0123456789abcdef": "there is no trial 0123456789abcdef"} {
		got := f.run(t.Context(), t, 1, "", func(o *adapter.Options) { o.Trial = trial })
		if trainer.ExitCode(got.err) != trainer.ExitConfig || !strings.Contains(got.err.Error(), says) {
			t.Errorf("%s: %v, want %q", trial, got.err, says)
		}
	}
}

// What the command has printed arrives whole and in order, whatever it is.
func TestOutputIsPassedOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := f.run(t.Context(), t, 1, `
printf 'a\000\377\r\n{"not": json\n{}\n'
head -c 3000000 /dev/zero | tr '\0' x; echo
echo oops >&2
echo '{"validation_error": 1}' > "$TENFOLD_OUT/result.json"
printf 'no newline'`, nil)
	if got.err != nil || got.stderr != "oops\n" {
		t.Fatalf("%v, %q", got.err, got.stderr)
	}
	_, printed, _ := strings.Cut(got.stdout, "\n") // after the start
	want := "a\x00\xff\r\n{\"not\": json\n{}\n" + strings.Repeat("x", 3_000_000) + "\nno newline\n"
	if rest, ok := strings.CutPrefix(printed, want); !ok || !strings.HasPrefix(rest, `{"event":"end"`) {
		t.Errorf("%d bytes were printed, not as they were", len(printed))
	}
}

// TestBadMetrics are lines that are wrong; all but those about numbers that are not
// finite end the command at once.
func TestBadMetrics(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for line, says := range map[string]string{
		`{"event": "epoch", "epoch": 1}`:                            `line 2: has no number for "validation_error"`,
		`{"event": "epoch", "epoch": 1, "validation_error": null}`:  `line 2: has no number for "validation_error"`,
		`{"event": "epoch", "validation_error": 0.5}`:               `line 2: has no number for "epoch"`,
		`{"event": "epoch", "epoch": "1", "validation_error": 0.5}`: `"epoch" cannot be a string`,
		`{"event": "epoch", "epoch": 0, "validation_error": 0.5}`:   "has epoch 0 after epoch 0",
		`{"event": "epoch", "epoch": 5, "validation_error": 0.5}`:   "has epoch 5, and the budget is 4",
		`{"event": "epoch", "epoch": 1, "validation_error": -0.5}`:  "below 0",
		`{"event": "epoch", "epoch": 1, "validation_error": 0.5`:    "is no JSON: unexpected end",
		`{"event": "checkpoint"}`:                                   `line 2: has no number for "epoch"`,
		`{"event": "checkpoint", "epoch": 5}`:                       "has a checkpoint of epoch 5, step 0, and the budget is 4",
		`{"event": "checkpoint", "epoch": 4, "step": 1}`:            "has a checkpoint of epoch 4, step 1",
		`{"event": "checkpoint", "epoch": 1}`:                       "no folder 1 in $TENFOLD_CHECKPOINT_DIR",
		`{"event": "checkpoint", "epoch": 2}`:                       "the folder $TENFOLD_CHECKPOINT_DIR/2 is empty",
		`{"event": "checkpoint", "epoch": 3}`:                       "$TENFOLD_CHECKPOINT_DIR/3 cannot be read: not a directory",
	} {
		got := f.run(t.Context(), t, 1, `cd "$TENFOLD_CHECKPOINT_DIR"; mkdir 2; echo > 3; echo first; echo '`+line+`'; exec sleep 1000`, nil)
		if trainer.ExitCode(got.err) != trainer.ExitData || !strings.HasPrefix(got.err.Error(), "standard output, line 2: ") || !strings.Contains(got.err.Error(), says) {
			t.Errorf("%s: %v, want %q", line, got.err, says)
		}
	}
	for script, says := range map[string]string{
		`echo '{"event": "epoch", "epoch": 1, "validation_error": NaN}'; echo '{"validation_error": 1}' > "$TENFOLD_OUT/result.json"`:                        "line 1: has NaN for a number; where training has diverged",
		`echo '{"event": "epoch", "epoch": 1, "validation_error": 0, "train_loss": -Infinity}'; echo '{"validation_error": 1}' > "$TENFOLD_OUT/result.json"`: "line 1: has -Infinity for a number",
		`echo '{"event": "epoch", "epoch": 3, "validation_error": 12.5}'; echo '{"validation_error": 1}' > "$TENFOLD_OUT/result.json"`:                       "epoch 3 has a validation_error of 12.5; it is a share",
		`echo '{"event": "epoch", "epoch": 2, "validation_error": 1}'; echo '{"event": "epoch", "epoch": 2, "validation_error": 1}'`:                         "has epoch 2 after epoch 2",
	} {
		got := f.run(t.Context(), t, 1, script, nil)
		if trainer.ExitCode(got.err) != trainer.ExitData || !strings.Contains(got.err.Error(), says) {
			t.Errorf("%s: %v, want %q", script, got.err, says)
		}
	}
	// Which a run that has diverged may print.
	got := f.run(t.Context(), t, 1, `echo '{"event": "epoch", "epoch": 1, "validation_error": NaN}'
echo '{"status": "diverged", "note": "too fast"}' > "$TENFOLD_OUT/result.json"; echo junk > "$TENFOLD_OUT/test.npy"`, nil)
	if r := f.result(t); got.err != nil || r.Status != sweeps.Diverged || r.ValidationError != 1 || r.Note != "too fast" {
		t.Errorf("%v, result %+v", got.err, r)
	}
}

// A checkpoint of what cannot be kept is none, and says why.
func TestBadCheckpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := f.run(t.Context(), t, 1, `cd "$TENFOLD_CHECKPOINT_DIR"; mkdir 1; ln -s /etc 1/link
echo '{"event": "checkpoint", "epoch": 1}'; echo '{"validation_error": 1}' > "$TENFOLD_OUT/result.json"`, nil)
	if trainer.ExitCode(got.err) != trainer.ExitData || !strings.Contains(got.err.Error(), "checkpoint 1: link: only files and folders can be kept") {
		t.Error(got.err)
	}
}

// A checkpoint that is announced twice is one, and one within an epoch is newer than the
// epoch before.
func TestCheckpointsWithinEpochs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	save := `save() { mkdir -p "$TENFOLD_CHECKPOINT_DIR/$1"; echo $1 > "$TENFOLD_CHECKPOINT_DIR/$1/at"; echo "{\"event\": \"checkpoint\", \"epoch\": ${1%.*}, \"step\": ${2:-0}}"; }
`
	if got := f.run(t.Context(), t, 1, save+`save 1; save 1.20 20; echo '{"event": "checkpoint", "epoch": 1, "step": 20}'; exit 75`, nil); !errors.Is(got.err, trainer.ErrPreempted) {
		t.Fatal(got.err, got.stdout, got.stderr)
	}
	got := f.run(t.Context(), t, 2, `cat "$TENFOLD_RESUME/at" "$TENFOLD_CONFIG"; exit 75`, nil)
	if !strings.Contains(got.stdout, "1.20\n") || !strings.Contains(got.stdout, `"epoch":1,"step":20`) {
		t.Errorf("resumed with %s", got.stdout)
	}
}

// A damaged checkpoint is passed over for an older one.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if got := f.run(t.Context(), t, 1, between("[ $n != 2 ] || exit 75"), nil); !errors.Is(got.err, trainer.ErrPreempted) {
		t.Fatal(got.err)
	}
	good, _, err := f.store.Checkpoints(t.Context(), f.id)
	if err != nil || len(good) == 0 || good[0].Epoch != 2 {
		t.Fatal(good, err)
	}
	b, err := f.store.ReadArtifact(t.Context(), good[0].Weights)
	if err != nil {
		t.Fatal(err)
	}
	b[600] ^= 1
	if err := f.store.PutAll(t.Context(), good[0].Weights.Key, b); err != nil {
		t.Fatal(err)
	}
	got := f.run(t.Context(), t, 2, between(""), nil)
	if got.err != nil || !strings.Contains(got.stdout, `"event":"warning","message":"passing over a damaged checkpoint: epoch 2`) || strings.Contains(got.stdout, "resumed at 2") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
}

// Of two attempts that run at the same time, both succeed and one commits.
func TestTwoAttempts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	meet := t.TempDir()
	// Each waits for the other before it leaves its result.
	script := before("touch " + meet + "/$$; while [ $(ls " + meet + " | wc -l) -lt 2 ]; do sleep 0.01; done")
	outs := make(chan ran, 2)
	for attempt := 1; attempt <= 2; attempt++ {
		go func() { outs <- f.run(t.Context(), t, attempt, script, nil) }()
	}
	committed := 0
	for range 2 {
		got := <-outs
		if got.err != nil {
			t.Error(got.err)
		}
		committed += strings.Count(got.stdout, `"committed":true`)
	}
	if committed != 1 {
		t.Errorf("%d attempts have committed the result, want 1", committed)
	}
	if err := f.store.VerifyArtifact(t.Context(), f.result(t).Checkpoint); err != nil {
		t.Error(err)
	}
}

// A trial whose command was killed after its last checkpoint only needs its result.
func TestResumedAtTheEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if got := f.run(t.Context(), t, 1, between("[ $n != 4 ] || kill -9 $$"), nil); got.err == nil {
		t.Fatal("it was not killed")
	}
	got := f.run(t.Context(), t, 2, between("exit 1"), nil)
	if got.err != nil || !strings.Contains(got.stdout, "resumed at 4") {
		t.Fatalf("%v\n%s", got.err, got.stdout)
	}
	r := f.result(t)
	if len(r.Curve) != 4 {
		t.Errorf("the curve has %d epochs", len(r.Curve))
	}
	if err := f.store.VerifyArtifact(t.Context(), r.Checkpoint); err != nil {
		t.Error(err)
	}
}

// A store that does not take checkpoints does not end the training, only its end.
func TestStoreThatIsFull(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	full := full{f.store.Backend()}
	f.store = storage.New(full)
	got := f.run(t.Context(), t, 1, between(""), nil)
	if trainer.ExitCode(got.err) != trainer.ExitStore || strings.Count(got.stdout, `"event": "epoch"`) != 4 {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
	got = f.run(t.Context(), t, 1, between("exit 75"), nil)
	if trainer.ExitCode(got.err) != trainer.ExitStore || !strings.Contains(got.err.Error(), "preempted without a checkpoint") {
		t.Errorf("%v\n%s", got.err, got.stdout)
	}
}

func TestTraceback(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	// A traceback's exit code is 1, and its last line is the last on standard error.
	f := newFixture(t)
	got := f.run(t.Context(), t, 1, "", func(o *adapter.Options) { o.Command = []string{"python3", "-c", "raise ValueError('so what')"} })
	var exit *adapter.ExitError
	if !errors.As(got.err, &exit) || exit.Code != 1 || exit.Problem != "" || !strings.HasSuffix(got.stderr, "ValueError: so what\n") {
		t.Errorf("%v, %q", got.err, got.stderr)
	}
}
