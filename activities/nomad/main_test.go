package nomad

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenfold-ml/tenfold/activities/launchertest"
)

// workerSecret is in the environment of what stands for a worker here, and must not be
// in any job.
const workerSecret = "a-secret-of-the-worker"

func TestMain(m *testing.M) {
	launchertest.Main()
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "VAULT_TOKEN"} {
		if err := os.Setenv(name, workerSecret); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
