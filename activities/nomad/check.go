package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
)

// Check implements activities.Checker: Nomad plans the job without running it. What
// fits no node at all is an ErrUnplaceable that says what is missing; what would have
// to wait for others to end is fine.
func (l *Launcher) Check(ctx context.Context, job activities.Job) error {
	f, err := l.feed(ctx)
	if err != nil {
		return err
	}
	// Attempts begin at 1, so this is none that there is.
	job.Attempt = 0
	p := program{command: job.Command}
	described, err := jobOf(l.spec, job, p)
	if err != nil {
		return fmt.Errorf("%w: %w", activities.ErrUnplaceable, err)
	}
	var plan *api.JobPlanResponse
	err = f.c.call(ctx, "plan a trial", func(ctx context.Context) error {
		plan, _, err = f.c.client.Jobs().PlanOpts(described, &api.PlanOptions{}, f.write(ctx))
		return err
	})
	if err != nil {
		return unplanned(err)
	}
	for _, metric := range plan.FailedTGAllocs {
		reason, never := misfit(metric, described)
		if !never && metric != nil && metric.NodesExhausted > 0 {
			reason, never = f.outsized(ctx, described, metric)
		}
		if never {
			return fmt.Errorf("%w: %s", activities.ErrUnplaceable, reason)
		}
	}
	return nil
}

// unplanned makes an ErrUnplaceable of what Nomad says about a job that it does not
// take: a node pool or namespace that is not there, a setting that is none.
func unplanned(err error) error {
	code, body := statusOf(err)
	if !errors.Is(err, activities.ErrDenied) && !passing(err) && (code == http.StatusBadRequest || code == http.StatusInternalServerError || code == http.StatusNotFound) {
		return fmt.Errorf("%w: Nomad does not take such a job: %s", activities.ErrUnplaceable, contract.OneLine(body))
	}
	return err
}

// capacity is what a node has in all, whoever uses it now.
type capacity struct {
	Name          string
	NodePool      string
	NodeResources struct {
		Cpu struct { //nolint:revive // as the API spells it
			CpuShares          int64 //nolint:revive // as the API spells it
			ReservableCpuCores []uint16
		}
		Memory struct{ MemoryMB int64 }
		Disk   struct{ DiskMB int64 }
	}
}

// outsized says whether a job asks for more than any node has, even if it were empty.
// Where the nodes may not be looked at, it is not known to.
func (f *feed) outsized(ctx context.Context, job *api.Job, metric *api.AllocationMetric) (reason string, never bool) {
	var nodes []capacity
	err := f.c.call(ctx, "list nodes", func(ctx context.Context) error {
		nodes = nil
		_, err := f.c.client.Raw().Query("/v1/nodes", &nodes, f.query(ctx, map[string]string{"resources": "true"}))
		return err
	})
	if err != nil || len(nodes) == 0 {
		return "", false
	}
	return tooLarge(job, nodes, metric)
}

// tooLarge compares what a job asks for with the largest node of its pool, in those
// dimensions that Nomad found exhausted.
func tooLarge(job *api.Job, nodes []capacity, metric *api.AllocationMetric) (reason string, never bool) {
	var cores, memory, shares, disk int64
	for _, g := range job.TaskGroups {
		if g.EphemeralDisk != nil {
			disk += int64(deref(g.EphemeralDisk.SizeMB))
		}
		for _, t := range g.Tasks {
			if t.Resources != nil {
				cores += int64(deref(t.Resources.Cores))
				memory += int64(deref(t.Resources.MemoryMB))
				shares += int64(deref(t.Resources.CPU))
			}
		}
	}
	pool := or(deref(job.NodePool), "default")
	nodes = slices.DeleteFunc(nodes, func(n capacity) bool { return n.NodePool != pool && pool != "all" })
	largest := func(of func(capacity) int64) (most int64) {
		for _, n := range nodes {
			most = max(most, of(n))
		}
		return most
	}
	var all []string
	for _, d := range []struct {
		dimension, unit string
		wanted, most    int64
	}{
		{"cores", "cores", cores, largest(func(n capacity) int64 { return int64(len(n.NodeResources.Cpu.ReservableCpuCores)) })},
		{"memory", "MiB of memory", memory, largest(func(n capacity) int64 { return n.NodeResources.Memory.MemoryMB })},
		{"cpu", "MHz", shares, largest(func(n capacity) int64 { return n.NodeResources.Cpu.CpuShares })},
		{"disk", "MiB of disk", disk, largest(func(n capacity) int64 { return n.NodeResources.Disk.DiskMB })},
	} {
		if metric.DimensionExhausted[d.dimension] > 0 && d.wanted > d.most {
			all = append(all, fmt.Sprintf("a trial needs %d %s, and the largest node has %d", d.wanted, d.unit, d.most))
		}
	}
	return strings.Join(all, "; "), len(all) > 0
}
