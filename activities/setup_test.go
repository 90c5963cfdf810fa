package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.uber.org/goleak"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/activities/simulated"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout is for what should happen at once, on a busy machine.
const timeout = 30 * time.Second

// stage is a store, a launcher of functions and the activities on them.
type stage struct {
	t        *testing.T
	store    *storage.Store
	backend  *mem.Backend
	launcher activities.Launcher
	acts     *activities.Activities
	// proceeding is closed by proceed, for trainers to wait for.
	proceeding chan struct{}
	once       sync.Once

	mu    sync.Mutex
	beats []contract.Progress
}

// newStage makes a stage whose trainers are one function.
func newStage(t *testing.T, trainer func(context.Context, *stage, *simulated.Run) activities.Exit, opts ...mem.Option) *stage {
	t.Helper()
	s := &stage{t: t, backend: mem.New(opts...), proceeding: make(chan struct{})}
	s.store = storage.New(s.backend)
	s.launcher = simulated.New(func(ctx context.Context, run *simulated.Run) activities.Exit {
		return trainer(ctx, s, run)
	}, simulated.Options{Cores: 4, Grace: 20 * time.Millisecond})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		s.proceed()
		if err := s.launcher.Close(ctx); err != nil {
			t.Errorf("close the launcher: %v", err)
		}
	})
	s.rebuild(s.launcher)
	return s
}

func (s *stage) proceed() { s.once.Do(func() { close(s.proceeding) }) }

// rebuild makes the activities anew, as a new worker does.
func (s *stage) rebuild(l activities.Launcher) {
	s.t.Helper()
	var err error
	s.acts, err = activities.New(activities.Options{
		Store: s.store, Launchers: activities.One(l), TrainerPath: "/bin/trainer", Cores: 4, Heartbeat: 5 * time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// env is where activities run. Their context ends with ctx.
func (s *stage) env(ctx context.Context) *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(timeout)
	env.SetWorkerOptions(worker.Options{
		BackgroundActivityContext: ctx,
		Interceptors:              []interceptor.WorkerInterceptor{&listener{stage: s}},
	})
	s.acts.Register(env)
	return env
}

// listener hears every heartbeat; the SDK holds most of them back for half a
// minute before it tells the test environment.
type listener struct {
	interceptor.WorkerInterceptorBase
	stage *stage
}

func (l *listener) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &inbound{stage: l.stage}
	i.Next = next
	return i
}

type inbound struct {
	interceptor.ActivityInboundInterceptorBase
	stage *stage
}

func (i *inbound) Init(next interceptor.ActivityOutboundInterceptor) error {
	o := &outbound{stage: i.stage}
	o.Next = next
	return i.Next.Init(o)
}

type outbound struct {
	interceptor.ActivityOutboundInterceptorBase
	stage *stage
}

func (o *outbound) RecordHeartbeat(ctx context.Context, details ...any) {
	if len(details) == 1 {
		if p, ok := details[0].(contract.Progress); ok {
			o.stage.mu.Lock()
			o.stage.beats = append(o.stage.beats, p)
			o.stage.mu.Unlock()
		}
	}
	o.Next.RecordHeartbeat(ctx, details...)
}

func (s *stage) heartbeats() []contract.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]contract.Progress(nil), s.beats...)
}

// until waits for a heartbeat.
func (s *stage) until(what string, ok func(contract.Progress) bool) {
	s.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(timeout)
	for {
		for _, p := range s.heartbeats() {
			if ok(p) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("no heartbeat that %s", what)
		}
	}
}

// train runs the Train activity to its end.
func (s *stage) train(ctx context.Context, in contract.TrainInput) (out contract.TrainOutput, err error) {
	v, err := s.env(ctx).ExecuteActivity(contract.TrainActivity, in)
	if err != nil {
		return out, err
	}
	return out, v.Get(&out)
}

// input is that of a trial that needs no data.
func (s *stage) input() contract.TrainInput {
	s.t.Helper()
	trial := sweeps.Trial{
		Config:  sweeps.Config{Seed: 3, Train: sweeps.Train{Epochs: 2}},
		Trainer: "test",
	}
	id, err := trial.ID()
	if err != nil {
		s.t.Fatal(err)
	}
	return contract.TrainInput{Sweep: "demo-12345678", ID: id, Trial: trial, Epochs: 2, Attempt: 1, Parallelism: 2}
}

// commit commits a result, as a trainer does.
func (s *stage) commit(run *simulated.Run, status sweeps.ResultStatus, validationError float64) error {
	_, _, err := s.store.CommitResult(context.Background(), sweeps.Result{
		Version: 1, Trial: run.Key.Trial, Epochs: run.Key.Epochs, Attempt: run.Attempt,
		Status: status, ValidationError: validationError, Note: note(status),
	})
	return err
}

func note(status sweeps.ResultStatus) string {
	if status == sweeps.Diverged {
		return "loss is not finite at epoch 1"
	}
	return ""
}

// completes is a trainer that does its work at once.
func completes(_ context.Context, s *stage, run *simulated.Run) activities.Exit {
	if err := s.commit(run, sweeps.Completed, 0.125); err != nil {
		run.Errorf("commit: %v", err)
		return activities.Exit{Code: 1}
	}
	return activities.Exit{}
}

// never is a trainer that must not be started.
func never(_ context.Context, s *stage, run *simulated.Run) activities.Exit {
	s.t.Errorf("attempt %d of trial %s was launched", run.Attempt, run.Key.Trial)
	return activities.Exit{Code: 1}
}

var errDisk = errors.New("disk on fire")
