//go:build unix

package local_test

import (
	"strconv"
	"testing"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/local"
)

// BenchmarkLaunch is from Launch to the end of Watch of a process that does
// nothing, all launches at once, on as many cores as there are.
func BenchmarkLaunch(b *testing.B) {
	l, err := local.New(local.Options{Scratch: b.TempDir(), Remember: max(b.N, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := l.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	b.ResetTimer()
	for i := range b.N {
		if _, err := l.Launch(b.Context(), activities.Job{Key: key(strconv.Itoa(i)), Attempt: 1, Cores: 1, Command: []string{"/bin/true"}}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range b.N {
		if exit, err := l.Watch(b.Context(), key(strconv.Itoa(i)), nil); err != nil || exit.Code != 0 {
			b.Fatalf("%+v, %v", exit, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "launches/s")
}
