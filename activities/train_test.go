package activities_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/activities/simulated"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
)

func TestTrainClassifies(t *testing.T) {
	t.Parallel()
	exits := func(x activities.Exit, lines ...string) func(context.Context, *stage, *simulated.Run) activities.Exit {
		return func(_ context.Context, _ *stage, run *simulated.Run) activities.Exit {
			for _, line := range lines {
				run.Print(line)
			}
			return x
		}
	}
	commits := func(status sweeps.ResultStatus, x activities.Exit) func(context.Context, *stage, *simulated.Run) activities.Exit {
		return func(_ context.Context, s *stage, run *simulated.Run) activities.Exit {
			if err := s.commit(run, status, 0.25); err != nil {
				s.t.Error(err)
			}
			return x
		}
	}
	for name, tc := range map[string]struct {
		trainer func(context.Context, *stage, *simulated.Run) activities.Exit
		want    contract.TrainOutput
	}{
		"completed": {commits(sweeps.Completed, activities.Exit{}),
			contract.TrainOutput{Outcome: sweeps.OutcomeCompleted, ValidationError: 0.25}},
		"diverged": {commits(sweeps.Diverged, activities.Exit{}),
			contract.TrainOutput{Outcome: sweeps.OutcomeDiverged, ValidationError: 0.25, Message: "loss is not finite at epoch 1"}},
		"killed after the commit": {commits(sweeps.Completed, activities.Exit{Code: -1, Signal: 9}),
			contract.TrainOutput{Outcome: sweeps.OutcomeCompleted, ValidationError: 0.25}},
		"bad config": {exits(activities.Exit{Code: 64, Stderr: "start\nerror: batch_size is 0\n"}),
			contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: "trainer exited with code 64: error: batch_size is 0"}},
		"bad data": {exits(activities.Exit{Code: 65, Stderr: "no such data set"}),
			contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: "trainer exited with code 65: no such data set"}},
		"preempted": {exits(activities.Exit{Code: 75}),
			contract.TrainOutput{Outcome: sweeps.OutcomePreempted, Message: "the trainer was preempted and saved a checkpoint"}},
		"nothing committed": {exits(activities.Exit{}, "hello", "done, I think", " "),
			contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: "trainer exited 0 without committing a result; it printed: done, I think"}},
		"nothing at all": {exits(activities.Exit{}),
			contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: "trainer exited 0 without committing a result; it printed nothing"}},
		"crash": {exits(activities.Exit{Code: 1, Stderr: "Traceback:\n\x1b[31mValueError\x00: \xff\n\n"}),
			contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "trainer exited with code 1: [31mValueError : ?"}},
		"dies at once": {exits(activities.Exit{Code: 127}),
			contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "trainer exited with code 127"}},
		"signal": {exits(activities.Exit{Code: -1, Signal: 9}),
			contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "trainer was ended by signal 9 (killed)"}},
		"cannot be started": {exits(activities.Exit{Code: -1, NotStarted: true, Reason: `command "x" not found`}),
			contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: `the trainer cannot be started: command "x" not found`}},
		"no process": {exits(activities.Exit{Code: -1, Reason: "fork: resource temporarily unavailable"}),
			contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "trainer did not end by itself: fork: resource temporarily unavailable"}},
		"garbage": {exits(activities.Exit{Code: 3}, "{", "{}", `{"event":"epoch","epoch":"x"}`, `{"event":"epoch","epoch":-4}`, "\x00\xff", strings.Repeat("x", 1<<16)),
			contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "trainer exited with code 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tc.trainer)
			got, err := s.train(t.Context(), s.input())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			for _, p := range s.heartbeats() {
				if p.Epoch != 0 {
					t.Errorf("a heartbeat of epoch %d, and none was reported", p.Epoch)
				}
			}
		})
	}
}

func TestTrainLaunch(t *testing.T) {
	t.Parallel()
	var got activities.Job
	s := newStage(t, func(_ context.Context, _ *stage, run *simulated.Run) activities.Exit {
		got = run.Job
		return activities.Exit{Code: 75}
	})
	in := s.input()
	in.Attempt = 4
	if _, err := s.train(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	want := activities.Job{
		Key:     activities.JobKey{Sweep: "demo-12345678", Trial: in.ID, Epochs: 2},
		Attempt: 4,
		Command: []string{"/bin/trainer", "train"},
		Env: map[string]string{
			"TENFOLD_STORE": "mem:", "TENFOLD_TRIAL": string(in.ID), "TENFOLD_EPOCHS": "2", "TENFOLD_ATTEMPT": "4",
		},
		Cores: 2, // of four, for a parallelism of two
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if trial, err := s.store.Trial(t.Context(), in.ID); err != nil || trial.Config.Seed != 3 {
		t.Errorf("the trial in the store: %+v, %v", trial, err)
	}

	in.Command, in.Resources = []string{"python", "train.py"}, sweeps.Resources{CPU: 3, Memory: 1 << 30}
	if _, err := s.train(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	want.Command, want.Cores, want.MemoryBytes = in.Command, 3, 1<<30
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTrainSharesCores(t *testing.T) {
	t.Parallel()
	for parallelism, cores := range map[int]int{0: 4, 1: 4, 2: 2, 3: 1, 4: 1, 100: 1} {
		got := 0
		s := newStage(t, func(_ context.Context, _ *stage, run *simulated.Run) activities.Exit {
			got = run.Cores
			return activities.Exit{Code: 75}
		})
		in := s.input()
		in.Parallelism = parallelism
		if _, err := s.train(t.Context(), in); err != nil || got != cores {
			t.Errorf("parallelism %d: %d cores (%v), want %d", parallelism, got, err, cores)
		}
	}
}

func TestTrainReusesTheResult(t *testing.T) {
	t.Parallel()
	s := newStage(t, never)
	in := s.input()
	run := simulated.Run{Job: activities.Job{Key: activities.JobKey{Trial: in.ID, Epochs: 2}, Attempt: 9}}
	if err := s.commit(&run, sweeps.Completed, 0.5); err != nil {
		t.Fatal(err)
	}
	got, err := s.train(t.Context(), in)
	want := contract.TrainOutput{Outcome: sweeps.OutcomeCompleted, ValidationError: 0.5, Reused: true}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestTrainHeartbeats(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(ctx context.Context, s *stage, run *simulated.Run) activities.Exit {
		run.Print(`{"event":"start"}`)
		run.Print("epoch one is coming")
		run.Print(`{"event":"epoch","epoch":1,"validation_error":0.5,"update_ratio":{"w":0.001},"new":[1]}`)
		<-s.proceeding
		run.Print(`{"event":"epoch","epoch":2,"validation_error":0.25}`)
		return completes(ctx, s, run)
	})
	in := s.input()
	var out contract.TrainOutput
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		out, err = s.train(t.Context(), in)
	}()
	first := contract.Progress{ID: in.ID, Attempt: 1, Phase: contract.PhaseTraining, Epoch: 1, Epochs: 2, ValidationError: 0.5}
	s.until("tells of epoch 1", func(p contract.Progress) bool { return p == first })
	// They go on while nothing changes.
	before := len(s.heartbeats())
	s.until("repeats itself", func(contract.Progress) bool { return len(s.heartbeats()) > before+2 })
	s.proceed()
	<-done
	if err != nil || out.Outcome != sweeps.OutcomeCompleted {
		t.Errorf("%+v, %v", out, err)
	}
	beats := s.heartbeats()
	if beats[0].Phase != contract.PhaseQueued {
		t.Errorf("first heartbeat %+v, want the queued phase", beats[0])
	}
}

func TestTrainDetachesAndAttaches(t *testing.T) {
	t.Parallel()
	runs := 0
	s := newStage(t, func(ctx context.Context, s *stage, run *simulated.Run) activities.Exit {
		runs++
		run.Print(`{"event":"epoch","epoch":1,"validation_error":0.5}`)
		<-s.proceeding
		return completes(ctx, s, run)
	})
	in := s.input()
	ctx, cancel := context.WithCancel(t.Context())
	detached := make(chan error, 1)
	go func() {
		_, err := s.train(ctx, in)
		detached <- err
	}()
	s.until("tells of epoch 1", func(p contract.Progress) bool { return p.Epoch == 1 })
	cancel()
	if err := <-detached; err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Fatalf("error %v, want the context's", err)
	}

	// Another worker with the same launcher takes over.
	s.mu.Lock()
	s.beats = nil
	s.mu.Unlock()
	s.rebuild(s.launcher)
	in.Attempt = 2
	attached := make(chan contract.TrainOutput, 1)
	go func() {
		out, err := s.train(t.Context(), in)
		if err != nil {
			t.Error(err)
		}
		attached <- out
	}()
	s.until("is of attempt 1 at epoch 1", func(p contract.Progress) bool { return p.Attempt == 1 && p.Epoch == 1 })
	s.proceed()
	if out := <-attached; out.Outcome != sweeps.OutcomeCompleted || out.ValidationError != 0.125 || out.Reused {
		t.Errorf("outcome %+v, want the result of the first attempt", out)
	}
	if runs != 1 {
		t.Errorf("%d runs, want 1", runs)
	}
}

func TestTrainLeavesWithItsWorker(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(ctx context.Context, s *stage, run *simulated.Run) activities.Exit {
		<-s.proceeding
		return completes(ctx, s, run)
	})
	in := s.input()
	env := s.env(t.Context())
	stopping := make(chan struct{})
	env.SetWorkerStopChannel(stopping)
	failed := make(chan error, 1)
	go func() {
		_, err := env.ExecuteActivity(contract.TrainActivity, in)
		failed <- err
	}()
	s.until("is alive", func(contract.Progress) bool { return true })
	close(stopping)
	var application *temporal.ApplicationError
	if err := <-failed; !errors.As(err, &application) || application.Type() != contract.Detached {
		t.Errorf("error %v, want one of type %s", err, contract.Detached)
	}
	s.proceed()
	key := activities.JobKey{Sweep: in.Sweep, Trial: in.ID, Epochs: in.Epochs}
	if exit, err := s.launcher.Watch(t.Context(), key, nil); err != nil || exit.Code != 0 || exit.Stopped {
		t.Errorf("the job: %+v, %v; want it to go on to its end", exit, err)
	}
}

func TestTrainKillsWhatHangs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trainer func(ctx context.Context, s *stage, run *simulated.Run) activities.Exit
		want    contract.TrainOutput
	}{
		"for good": {
			func(_ context.Context, _ *stage, run *simulated.Run) activities.Exit {
				run.Print("last words")
				<-run.Killed()
				return activities.Exit{}
			},
			contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "no output for 1s; killed as hanging"},
		},
		"but has committed": {
			func(ctx context.Context, s *stage, run *simulated.Run) activities.Exit {
				completes(ctx, s, run)
				<-ctx.Done()
				return activities.Exit{Code: 75}
			},
			contract.TrainOutput{Outcome: sweeps.OutcomeCompleted, ValidationError: 0.125},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tc.trainer)
			in := s.input()
			in.NoProgressSeconds = 1
			got, err := s.train(t.Context(), in)
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

func TestTrainIsStopped(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]sweeps.Outcome{75: sweeps.OutcomePreempted, 0: sweeps.OutcomeLost, 1: sweeps.OutcomeLost} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, func(ctx context.Context, _ *stage, run *simulated.Run) activities.Exit {
				run.Print(`{"event":"epoch","epoch":1}`)
				<-ctx.Done()
				return activities.Exit{Code: code}
			})
			in := s.input()
			done := make(chan contract.TrainOutput, 1)
			go func() {
				out, err := s.train(t.Context(), in)
				if err != nil {
					t.Error(err)
				}
				done <- out
			}()
			s.until("tells of epoch 1", func(p contract.Progress) bool { return p.Epoch == 1 })
			for range 2 { // it may be repeated
				stop := contract.StopInput{Sweep: in.Sweep, ID: in.ID, Epochs: in.Epochs}
				if _, err := s.env(t.Context()).ExecuteActivity(contract.StopActivity, stop); err != nil {
					t.Errorf("stop: %v", err)
				}
			}
			if out := <-done; out.Outcome != want {
				t.Errorf("outcome %+v, want %s", out, want)
			}
		})
	}
}

// late commits the result of another attempt at the moment the job is looked at.
type late struct {
	activities.Launcher
	commit func() error
}

func (l late) Watch(context.Context, activities.JobKey, func(activities.JobUpdate)) (activities.Exit, error) {
	return activities.Exit{Code: 1, Stderr: "somebody else was faster"}, l.commit()
}

func TestTrainTakesWhatALateAttemptCommitted(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(context.Context, *stage, *simulated.Run) activities.Exit { return activities.Exit{Code: 1} })
	in := s.input()
	s.rebuild(late{s.launcher, func() error {
		return s.commit(&simulated.Run{Job: activities.Job{Key: activities.JobKey{Trial: in.ID, Epochs: 2}, Attempt: 1}}, sweeps.Completed, 0.75)
	}})
	in.Attempt = 2
	got, err := s.train(t.Context(), in)
	if want := (contract.TrainOutput{Outcome: sweeps.OutcomeCompleted, ValidationError: 0.75}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// broken is a launcher with troubles of its own.
type broken struct {
	activities.Launcher
	launch, watch error
}

func (b broken) Launch(ctx context.Context, j activities.Job) (int, error) {
	if b.launch != nil {
		return 0, b.launch
	}
	return b.Launcher.Launch(ctx, j)
}

func (b broken) Watch(context.Context, activities.JobKey, func(activities.JobUpdate)) (activities.Exit, error) {
	return activities.Exit{}, b.watch
}

func TestTrainWithATroubledLauncher(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		l    broken
		want contract.TrainOutput
	}{
		"launch": {broken{launch: errDisk}, contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "launch the trainer: disk on fire"}},
		"watch":  {broken{watch: errDisk}, contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "watch the trainer: disk on fire"}},
		"forgot": {broken{watch: fmt.Errorf("trial x: %w", activities.ErrNoJob)}, contract.TrainOutput{Outcome: sweeps.OutcomeLost, Message: "the launcher no longer knows the trainer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, func(context.Context, *stage, *simulated.Run) activities.Exit { return activities.Exit{} })
			tc.l.Launcher = s.launcher
			s.rebuild(tc.l)
			got, err := s.train(t.Context(), s.input())
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

func TestTrainWithATroubledStore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		op   string
		err  error
		says string
		ends bool // the sweep, since no other trial could be trained either
	}{
		"full":          {mem.OpPutIfAbsent, backend.ErrFull, "the store mem: is full; make room in it", true},
		"no permission": {mem.OpGet, backend.ErrPermission, "the store mem: gives no permission", true},
		"cannot put":    {mem.OpPutIfAbsent, errDisk, "save the trial's configuration", false},
		"cannot get":    {mem.OpGet, errDisk, "read the trial's result", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, never, mem.WithFault(func(op, key string) error {
				if op == tc.op {
					return fmt.Errorf("%s %s: %w", op, key, tc.err)
				}
				return nil
			}))
			got, err := s.train(t.Context(), s.input())
			if tc.ends {
				wantFailure(t, err, true, tc.says)
				return
			}
			if err != nil || got.Outcome != sweeps.OutcomeInfra || !strings.Contains(got.Message, tc.says) {
				t.Errorf("got %+v, %v; want infra and %q", got, err, tc.says)
			}
		})
	}
}

// TestTrainWithAStoreThatFillsUp has trainers that fail for it, and say so or not.
func TestTrainWithAStoreThatFillsUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code int
		err  error // of every write once the trainer runs
		says string
	}{
		"and is probed":          {1, backend.ErrFull, "the store mem: is full; make room in it, and start the sweep again"},
		"and refuses":            {3, backend.ErrPermission, "the store mem: gives no permission; change its permissions"},
		"but for small objects":  {contract.ExitStore, nil, "the store mem: is full or may not be written to; make room in it"},
		"and both say so":        {contract.ExitStore, backend.ErrFull, "the store mem: is full; make room in it"},
		"but the trainer is odd": {1, errDisk, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var full atomic.Bool
			s := newStage(t, func(_ context.Context, _ *stage, run *simulated.Run) activities.Exit {
				full.Store(true)
				return activities.Exit{Code: tc.code, Stderr: "cannot write"}
			}, mem.WithFault(func(op, key string) error {
				if full.Load() && tc.err != nil && (op == mem.OpPut || op == mem.OpPutIfAbsent) {
					return fmt.Errorf("%s %s: %w", op, key, tc.err)
				}
				return nil
			}))
			got, err := s.train(t.Context(), s.input())
			if tc.says != "" {
				wantFailure(t, err, true, tc.says)
			} else if err != nil || got.Outcome != sweeps.OutcomeInfra {
				t.Errorf("got %+v, %v; want infra", got, err)
			}
		})
	}
}

// TestExitCodes: the trainer cannot import the contract.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for ours, its := range map[int]int{
		contract.ExitCommitted: trainer.ExitCommitted, contract.ExitConfig: trainer.ExitConfig, contract.ExitData: trainer.ExitData,
		contract.ExitStore: trainer.ExitStore, contract.ExitPreempted: trainer.ExitPreempted,
	} {
		if ours != its {
			t.Errorf("%d in the contract, %d in the trainer", ours, its)
		}
	}
}

func TestTrainMeetsACorruptResult(t *testing.T) {
	t.Parallel()
	s := newStage(t, never)
	in := s.input()
	key := storage.ResultKey(in.ID, in.Epochs)
	if err := s.backend.Put(t.Context(), key, bytes.NewReader([]byte(`{"version":1,`))); err != nil {
		t.Fatal(err)
	}
	got, err := s.train(t.Context(), in)
	if err != nil || got.Outcome != sweeps.OutcomeUserError || !strings.Contains(got.Message, key) || got.Reused {
		t.Errorf("got %+v, %v; want a user error that names %s", got, err, key)
	}
}

func TestTrainWithoutATrainer(t *testing.T) {
	t.Parallel()
	s := newStage(t, never)
	s.acts.TrainerPath = ""
	got, err := s.train(t.Context(), s.input())
	if err != nil || got.Outcome != sweeps.OutcomeUserError || !strings.Contains(got.Message, "no trainer") {
		t.Errorf("got %+v, %v; want a user error", got, err)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := activities.New(activities.Options{}); err == nil {
		t.Error("made without store and launcher")
	}
}
