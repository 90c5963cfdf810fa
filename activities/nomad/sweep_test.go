package nomad

import (
	"testing"

	"github.com/tenfold-ml/tenfold/activities"
)

func TestKeyOf(t *testing.T) {
	t.Parallel()
	key := activities.JobKey{Sweep: "mnist-1f2e3d4c", Trial: "0123456789abcdef", Epochs: 20}
	if got, ok := keyOf(jobID(key, 3), key.Sweep); !ok || got != key {
		t.Errorf("of its own ID: %v, %v", got, ok)
	}
	for _, id := range []string{
		"", "tenfold-", "other-mnist-1f2e3d4c-0123456789abcdef-20-a3",
		"tenfold-mnist-1f2e3d4c-0123456789abcdef-20", "tenfold-mnist-1f2e3d4c-0123456789abcdef-20-a0",
		"tenfold-mnist-1f2e3d4c-0123456789abcdef-x-a1", "tenfold-mnist-1f2e3d4c-0123-20-a1",
		// Of a sweep whose name begins with this one's ID.
		"tenfold-mnist-1f2e3d4c-more-99999999-0123456789abcdef-20-a3",
	} {
		if got, ok := keyOf(id, key.Sweep); ok {
			t.Errorf("%q: %v", id, got)
		}
	}
}
