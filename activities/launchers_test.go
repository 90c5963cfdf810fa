package activities_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/activities/simulated"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// faulty wants an application error of a type, and returns its message.
func faulty(t *testing.T, err error, kind string) string {
	t.Helper()
	var application *temporal.ApplicationError
	if !errors.As(err, &application) || application.Type() != kind {
		t.Fatalf("got the error %v, want one of type %s", err, kind)
	}
	return application.Message()
}

var errForbidden = fmt.Errorf("register the job: %w: 403, the token has expired", activities.ErrDenied)

// A launcher that may not be used is no fault of the run's.
func TestTrainIsDenied(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		l    broken
		says string
	}{
		"launch": {broken{launch: errForbidden}, "launch the trainer: register the job: access denied: 403, the token has expired; resume the sweep when that is settled"},
		"watch":  {broken{watch: errForbidden}, "watch the trainer: register the job: access denied: 403, the token has expired; resume the sweep when that is settled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, func(context.Context, *stage, *simulated.Run) activities.Exit { return activities.Exit{} })
			tc.l.Launcher = s.launcher
			s.rebuild(tc.l)
			_, err := s.train(t.Context(), s.input())
			if got := faulty(t, err, contract.Denied); got != tc.says {
				t.Errorf("it says %q, want %q", got, tc.says)
			}
		})
	}
}

// What is committed counts, though nobody may ask the launcher any more.
func TestTrainTakesAResultThoughItIsDenied(t *testing.T) {
	t.Parallel()
	s := newStage(t, completes)
	in := s.input()
	s.rebuild(denying{s.launcher, func() error {
		return s.commit(&simulated.Run{Job: activities.Job{Key: activities.JobKey{Trial: in.ID, Epochs: 2}, Attempt: 1}}, sweeps.Completed, 0.5)
	}})
	out, err := s.train(t.Context(), in)
	if err != nil || out.Outcome != sweeps.OutcomeCompleted {
		t.Errorf("got %+v, %v", out, err)
	}
}

// denying commits a result and then refuses to tell of the job.
type denying struct {
	activities.Launcher
	commit func() error
}

func (d denying) Watch(context.Context, activities.JobKey, func(activities.JobUpdate)) (activities.Exit, error) {
	return activities.Exit{}, errors.Join(d.commit(), errForbidden)
}

// A Stop that is refused is tried again until it is not.
func TestStopIsDenied(t *testing.T) {
	t.Parallel()
	s := newStage(t, never)
	s.rebuild(unstoppable{s.launcher})
	_, err := s.env(t.Context()).ExecuteActivity(contract.StopActivity, contract.StopInput{Sweep: "demo", ID: "0123456789abcdef", Epochs: 1})
	faulty(t, err, contract.Denied)
	var application *temporal.ApplicationError
	if errors.As(err, &application) && application.NonRetryable() {
		t.Error("it is not to be retried")
	}
}

type unstoppable struct{ activities.Launcher }

func (unstoppable) Stop(context.Context, activities.JobKey) error { return errForbidden }

// localOnly are the launchers of a worker that has but one.
type localOnly struct{ activities.Launcher }

func (l localOnly) For(spec sweeps.Launcher) (activities.Launcher, error) {
	if spec.Kind != sweeps.LocalLauncher {
		return nil, fmt.Errorf("no launcher of kind %s here", spec.Kind)
	}
	return l.Launcher, nil
}

// A worker without the launcher that a spec asks for says so: at the start of a
// sweep to whoever started it, and later so that another worker can go on.
func TestNoSuchLauncher(t *testing.T) {
	t.Parallel()
	s := newStage(t, completes)
	var err error
	if s.acts, err = activities.New(activities.Options{Store: s.store, Launchers: localOnly{s.launcher}, TrainerPath: "/bin/trainer"}); err != nil {
		t.Fatal(err)
	}
	in := s.input()
	in.Launcher = sweeps.Launcher{Kind: sweeps.NomadLauncher}
	_, err = s.train(t.Context(), in)
	if got := faulty(t, err, contract.Denied); !strings.Contains(got, "no launcher of kind nomad here") {
		t.Errorf("Train says %q", got)
	}
	_, err = s.env(t.Context()).ExecuteActivity(contract.StopActivity, contract.StopInput{Sweep: in.Sweep, ID: in.ID, Epochs: 2, Launcher: in.Launcher})
	faulty(t, err, contract.Denied)
	_, err = s.env(t.Context()).ExecuteActivity(contract.PrepareActivity, contract.PrepareInput{Sweep: in.Sweep, Spec: parse(t, onNomad)})
	if got := faulty(t, err, contract.UserError); !strings.Contains(got, "no launcher of kind nomad here") {
		t.Errorf("Prepare says %q", got)
	}
	in.Launcher = sweeps.Launcher{} // of an old history
	if out, err := s.train(t.Context(), in); err != nil || out.Outcome != sweeps.OutcomeCompleted {
		t.Errorf("got %+v, %v without a kind", out, err)
	}
}

const onNomad = `
version: 1
name: custom
trainer: {command: [no-such-python]}
launcher: {kind: nomad}
resources: {memory: 1GiB, gpus: 2}
train: {epochs: 3}
config: {layers: 2}
parameters:
  config.layers: {values: [1, 2, 3]}
`

// checker keeps the job that it was asked about.
type checker struct {
	activities.Launcher
	asked *activities.Job
	err   error
}

func (c checker) Check(_ context.Context, job activities.Job) error {
	*c.asked = job
	return c.err
}

// Before a sweep starts the launcher is asked whether its trials can be placed.
func TestPrepareChecksPlaces(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		kind string // of Prepare's error; none is wanted where it is "none"
		says string
	}{
		"fits":        {nil, "none", ""},
		"never fits":  {fmt.Errorf("%w: 3 of 3 nodes have no nvidia/gpu", activities.ErrUnplaceable), contract.UserError, "find a place for the trials: no machine fits: 3 of 3 nodes have no nvidia/gpu"},
		"denied":      {errForbidden, contract.UserError, "find a place for the trials: register the job: access denied: 403, the token has expired"},
		"unavailable": {errDisk, "wrapError", "find a place for the trials: disk on fire"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, never)
			var asked activities.Job
			s.rebuild(checker{s.launcher, &asked, tc.err})
			_, err := s.env(t.Context()).ExecuteActivity(contract.PrepareActivity, contract.PrepareInput{Sweep: "custom-1", Spec: parse(t, onNomad)})
			if tc.kind == "none" {
				if err != nil {
					t.Fatal(err)
				}
			} else if got := faulty(t, err, tc.kind); got != tc.says {
				t.Errorf("it says %q, want %q", got, tc.says)
			}
			want := activities.Job{
				Key: activities.JobKey{Sweep: "custom-1", Trial: asked.Key.Trial, Epochs: 3}, Attempt: 1, Command: []string{"no-such-python"},
				Env: map[string]string{
					"TENFOLD_STORE": "mem:", "TENFOLD_TRIAL": string(asked.Key.Trial), "TENFOLD_EPOCHS": "3", "TENFOLD_ATTEMPT": "1",
				},
				MemoryBytes: 1 << 30, GPUs: 2,
			}
			if diff := cmp.Diff(want, asked); diff != "" || asked.Key.Trial == "" {
				t.Errorf("it was asked about another job (-want +got):\n%s", diff)
			}
		})
	}
}

// talker is a launcher with a log of its own.
type talker struct {
	activities.Launcher
	log []string
	err error
}

func (l talker) Logs(_ context.Context, _ activities.JobKey, w io.Writer) error {
	for _, part := range l.log {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return l.err
}

// What a run printed on standard error is in the store once it has ended.
func TestTrainKeepsLogs(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 99) + "\n"
	for name, tc := range map[string]struct {
		l    talker
		want string
	}{
		"short":         {talker{log: []string{"warning: ", "slow\n"}}, "warning: slow\n"},
		"nothing":       {talker{}, ""},
		"no job":        {talker{err: activities.ErrNoJob}, ""},
		"trouble":       {talker{log: []string{"half a "}, err: errDisk}, ""},
		"long":          {talker{log: []string{"first\n", strings.Repeat(line, 3000), "last\n"}}, strings.Repeat(line, 655) + "last\n"},
		"one long line": {talker{log: []string{strings.Repeat("y", 70<<10)}}, strings.Repeat("y", 64<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, completes)
			tc.l.Launcher = s.launcher
			s.rebuild(tc.l)
			in := s.input()
			in.Attempt = 2
			if out, err := s.train(t.Context(), in); err != nil || out.Outcome != sweeps.OutcomeCompleted {
				t.Fatalf("got %+v, %v", out, err)
			}
			names, err := s.store.Logs(t.Context(), in.ID)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for _, name := range names {
				if want := (storage.LogName{Sweep: in.Sweep, Attempt: 2}); name != want {
					t.Errorf("the log is named %+v, want %+v", name, want)
				}
				if got, err = s.store.ReadLog(t.Context(), in.ID, name); err != nil {
					t.Error(err)
				}
			}
			if string(got) != tc.want {
				t.Errorf("%d bytes %.100q, want %d", len(got), got, len(tc.want))
			}
		})
	}
}
