package adapter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/adapter"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// budget of epochs of the tests' trials.
const budget = 4

// fixture is a store with one trial of a custom trainer.
type fixture struct {
	store *storage.Store
	id    sweeps.TrialID
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{store: storage.New(mem.New())}
	trial := sweeps.Trial{
		Config:  sweeps.Config{Seed: 3, Custom: map[string]any{"rate": 0.5}, Train: sweeps.Train{Epochs: budget}},
		Trainer: `command:["sh"]`,
	}
	var err error
	if f.id, err = trial.ID(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.PutTrial(t.Context(), f.id, trial); err != nil {
		t.Fatal(err)
	}
	return f
}

// lines is a place for output that tells when a line has come.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	wait map[string]chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	for what, c := range l.wait {
		if strings.Contains(l.text.String(), what) {
			close(c)
			delete(l.wait, what)
		}
	}
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// seen is closed when the output has what it waits for.
func (l *lines) seen(what string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan struct{})
	if strings.Contains(l.text.String(), what) {
		close(c)
		return c
	}
	if l.wait == nil {
		l.wait = map[string]chan struct{}{}
	}
	l.wait[what] = c
	return c
}

// ran is the outcome of an attempt.
type ran struct {
	err    error
	stdout string
	stderr string
}

// run runs a shell script as the command of an attempt. change may be nil.
func (f fixture) run(ctx context.Context, t *testing.T, attempt int, script string, change func(*adapter.Options)) ran {
	t.Helper()
	var stdout, stderr lines
	o := adapter.Options{
		Store: f.store, Trial: f.id, Epochs: budget, Attempt: attempt,
		Command: []string{"/bin/sh", "-euc", script}, Scratch: t.TempDir(), Stdout: &stdout, Stderr: &stderr,
	}
	if change != nil {
		change(&o)
	}
	err := adapter.Run(ctx, o)
	if left, e := os.ReadDir(o.Scratch); o.Scratch != "" && (e != nil || len(left) > 0) {
		t.Errorf("the scratch directory has %v left, %v", left, e)
	}
	return ran{err, stdout.String(), stderr.String()}
}

// result is the committed one, without what differs from run to run.
func (f fixture) result(t *testing.T) sweeps.Result {
	t.Helper()
	r, err := f.store.Result(t.Context(), f.id, budget)
	if err != nil {
		t.Fatal(err)
	}
	r.Attempt, r.Seconds = 0, 0
	return r
}

// train is a command that counts: its network is the number of epochs, and its files
// say so. $save is a script that does epoch $n, and BETWEEN is run after each.
const train = `
export n=0 save='
  echo "{\"event\": \"epoch\", \"epoch\": $n, \"validation_error\": 0.$((5-n)), \"train_loss\": 1}"
  d=$TENFOLD_CHECKPOINT_DIR/$n
  mkdir -p "$d/deep" "$d/empty"; echo $n > "$d/deep/network"; echo "#!" > "$d/script"; chmod +x "$d/script"
  echo "{\"event\": \"checkpoint\", \"epoch\": $n}"'
if [ -n "$TENFOLD_RESUME" ]; then
  n=$(cat "$TENFOLD_RESUME/deep/network"); test -x "$TENFOLD_RESUME/script"; test -d "$TENFOLD_RESUME/empty"
  echo "resumed at $n"
fi
while [ $n -lt 4 ]; do
  n=$((n+1))
  eval "$save"
  BETWEEN
done
BEFORE
echo '{"validation_error": 0.25, "weights": '$n'}' > "$TENFOLD_OUT/result.json"
`

// between is train with commands after each epoch, and before with some at the end.
func between(commands string) string { return training(commands, "") }
func before(commands string) string  { return training("", commands) }

func training(between, before string) string {
	return strings.NewReplacer("BETWEEN", between, "BEFORE", before).Replace(train)
}

// events are the lines of an output that are JSON.
func events(t *testing.T, stdout string) (names []string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var e struct {
			Event string `json:"event"`
		}
		if strings.HasPrefix(line, "{") {
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			names = append(names, e.Event)
		}
	}
	return names
}

// arrays writes .npy files for a command to leave, and returns the script that does.
func arrays(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return `cp ` + dir + `/* "$TENFOLD_OUT/"`
}

func matrix(rows, columns int, values ...float32) []byte {
	return data.EncodeNPY([]int{rows, columns}, values)
}

func vector(values ...int32) []byte { return data.EncodeNPY([]int{len(values)}, values) }

// full is a backend that takes nothing more.
type full struct{ backend.Backend }

func (full) Put(context.Context, string, io.Reader) error         { return backend.ErrFull }
func (full) PutIfAbsent(context.Context, string, io.Reader) error { return backend.ErrFull }
