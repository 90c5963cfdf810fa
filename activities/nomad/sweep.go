package nomad

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Jobs lists what is left of a sweep on the cluster, whoever launched it: the keys of
// jobs that are not dead, or of which a node has not ended the last process. None is
// the proof that nothing runs. On a node that cannot be reached something may go on
// until Nomad gives it up.
func (l *Launcher) Jobs(ctx context.Context, sweep string) ([]activities.JobKey, error) {
	f, err := l.feed(ctx)
	if err != nil {
		return nil, err
	}
	prefix := "tenfold-" + sweep + "-"
	var keys []activities.JobKey
	seen := map[activities.JobKey]bool{}
	add := func(id string) {
		if key, ok := keyOf(id, sweep); ok && !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	jobs, err := f.list(ctx, prefix, nil)
	if err != nil {
		return nil, fmt.Errorf("look for the jobs of sweep %s: %w", sweep, err)
	}
	for _, j := range jobs {
		if j.Status != jobDead {
			add(j.ID)
		}
	}
	// A job is dead as soon as its allocations are told to stop.
	var left []struct{ JobID string }
	err = f.c.call(ctx, "list allocations", func(ctx context.Context) error {
		left = nil
		filter := fmt.Sprintf(`JobID matches %q and (ClientStatus == "pending" or ClientStatus == "running" or ClientStatus == "unknown")`,
			"^"+regexp.QuoteMeta(prefix))
		_, err := f.c.client.Raw().Query("/v1/allocations", &left, f.query(ctx, map[string]string{"filter": filter, "task_states": "false"}))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for what runs of sweep %s: %w", sweep, err)
	}
	for _, a := range left {
		add(a.JobID)
	}
	return keys, nil
}

// keyOf is what a job trains, if it is one of a sweep.
func keyOf(id, sweep string) (activities.JobKey, bool) {
	rest, ok := strings.CutPrefix(id, "tenfold-"+sweep+"-")
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 3 {
		return activities.JobKey{}, false
	}
	epochs, err := strconv.Atoi(parts[1])
	key := activities.JobKey{Sweep: sweep, Trial: sweeps.TrialID(parts[0]), Epochs: epochs}
	if err != nil || !key.Trial.Valid() {
		return activities.JobKey{}, false
	}
	_, ok = attemptOf(id, key)
	return key, ok
}
