package nomad

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tenfold-ml/tenfold/activities/launchertest"
)

func TestMain(m *testing.M) {
	launchertest.Main()
	goleak.VerifyTestMain(m)
}
