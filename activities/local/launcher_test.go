package local_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/launchertest"
	"github.com/tenfold-ml/tenfold/activities/local"
)

func TestMain(m *testing.M) {
	launchertest.Main()
	parent()
	goleak.VerifyTestMain(m)
}

func TestLauncher(t *testing.T) {
	t.Parallel()
	launchertest.Run(t, launchertest.Harness{
		New: func(t *testing.T, c launchertest.Config) activities.Launcher {
			l, err := local.New(local.Options{Scratch: t.TempDir(), Cores: c.Cores, Grace: c.Grace, Remember: c.Remember})
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
		Job: func(t *testing.T, words ...string) activities.Job {
			command, err := launchertest.Command(words...)
			if err != nil {
				t.Fatal(err)
			}
			return activities.Job{Command: command, Env: launchertest.Environment()}
		},
	})
}
