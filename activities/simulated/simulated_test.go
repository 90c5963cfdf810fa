package simulated_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/launchertest"
	"github.com/tenfold-ml/tenfold/activities/simulated"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world lets a function carry out the suite's programs.
type world struct {
	ctx context.Context
	run *simulated.Run
}

func (w world) Print(line string)           { w.run.Print(line) }
func (w world) Error(line string)           { w.run.Errorf("%s", line) }
func (w world) Getenv(name string) string   { return w.run.Getenv(name) }
func (w world) Terminated() <-chan struct{} { return w.ctx.Done() }
func (w world) Killed() <-chan struct{}     { return w.run.Killed() }

func TestLauncher(t *testing.T) {
	t.Parallel()
	launchertest.Run(t, launchertest.Harness{
		New: func(_ *testing.T, c launchertest.Config) activities.Launcher {
			return simulated.New(func(ctx context.Context, run *simulated.Run) activities.Exit {
				code, sig := launchertest.Interpret(run.Command[1:], world{ctx, run})
				return activities.Exit{Code: code, Signal: sig}
			}, simulated.Options{Cores: c.Cores, Grace: c.Grace, Remember: c.Remember})
		},
		Job: func(_ *testing.T, words ...string) activities.Job {
			return activities.Job{Command: append([]string{"program"}, words...), Env: map[string]string{}}
		},
	})
}
