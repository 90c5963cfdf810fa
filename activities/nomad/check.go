package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
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
	described, err := jobOf(l.spec, job, program{command: job.Command})
	if err != nil {
		return fmt.Errorf("%w: %w", activities.ErrUnplaceable, err)
	}
	metric, err := f.plan(ctx, described)
	if err != nil || metric == nil {
		return err
	}
	reason, never := misfit(metric, described)
	switch {
	case metric.NodesEvaluated == 0:
		reason, never, err = f.elsewhere(ctx, described)
	case never && vague(metric):
		reason, err = f.lacking(ctx, described, metric.NodesEvaluated)
	case !never && metric.NodesExhausted > 0:
		reason, never, err = f.outsized(ctx, described, metric)
	}
	if err != nil {
		return err
	}
	if never {
		return fmt.Errorf("%w: %s", activities.ErrUnplaceable, reason)
	}
	return nil
}

// plan asks what would become of a job; nil is that it would be placed.
func (f *feed) plan(ctx context.Context, job *api.Job) (*api.AllocationMetric, error) {
	var plan *api.JobPlanResponse
	err := f.c.call(ctx, "plan a trial", func(ctx context.Context) (err error) {
		plan, _, err = f.c.client.Jobs().PlanOpts(job, &api.PlanOptions{}, f.write(ctx))
		return err
	})
	if err != nil {
		return nil, unplanned(err)
	}
	for _, metric := range plan.FailedTGAllocs {
		return metric, nil // of the only group
	}
	return nil, nil
}

// lacking finds out what the nodes lack where Nomad does not tell: it plans the job
// with each of its requirements alone. Where each is met somewhere, no node meets all.
func (f *feed) lacking(ctx context.Context, job *api.Job, nodes int) (string, error) {
	all := requirements(job)
	fits := func(dropped []requirement) (bool, error) {
		bare, err := without(job, dropped)
		if err != nil {
			return false, err
		}
		metric, err := f.plan(ctx, bare)
		if err != nil || metric == nil {
			return metric == nil, err
		}
		_, never := misfit(metric, bare)
		return !never, nil
	}
	bare, err := fits(all)
	if err != nil {
		return "", err
	}
	var culprits []string
	if !bare {
		culprits = append(culprits, "driver "+driver(job)+" is missing or off")
	}
	for i := range all {
		if !bare {
			break
		}
		met, err := fits(slices.Concat(all[:i], all[i+1:]))
		if err != nil {
			return "", err
		}
		if !met {
			culprits = append(culprits, all[i].text)
		}
	}
	if len(culprits) == 0 {
		culprits = append(culprits, "none meets all that the job asks for at once")
	}
	return fmt.Sprintf("of %s, %s", count(nodes, "node"), strings.Join(culprits, "; ")), nil
}

// elsewhere says whether a job's pool has nodes, but none in its datacenters. With no
// node at all, some may come.
func (f *feed) elsewhere(ctx context.Context, job *api.Job) (reason string, never bool, err error) {
	nodes, err := f.nodes(ctx, job)
	if err != nil || len(nodes) == 0 {
		return "", false, err
	}
	var has []string
	for _, n := range nodes {
		for _, pattern := range job.Datacenters {
			if ok, err := path.Match(pattern, n.Datacenter); ok || err != nil {
				return "", false, nil // it is not ready just now
			}
		}
		has = append(has, n.Datacenter)
	}
	slices.Sort(has)
	return fmt.Sprintf("none of the %s in the pool is in a datacenter that matches %s, but in %s",
		count(len(nodes), "node"), strings.Join(job.Datacenters, ", "), strings.Join(slices.Compact(has), ", ")), true, nil
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
	Datacenter    string
	NodeResources struct {
		Cpu struct {
			CpuShares          int64
			ReservableCpuCores []uint16
		}
		Memory struct{ MemoryMB int64 }
		Disk   struct{ DiskMB int64 }
	}
}

// nodes are those of a job's pool; none where they may not be looked at.
func (f *feed) nodes(ctx context.Context, job *api.Job) (nodes []capacity, err error) {
	err = f.c.call(ctx, "list nodes", func(ctx context.Context) error {
		nodes = nil
		_, err := f.c.client.Raw().Query("/v1/nodes", &nodes, f.query(ctx, map[string]string{"resources": "true"}))
		return err
	})
	if errors.Is(err, activities.ErrDenied) {
		return nil, nil
	}
	pool := or(deref(job.NodePool), "default")
	return slices.DeleteFunc(nodes, func(n capacity) bool { return n.NodePool != pool && pool != "all" }), err
}

// outsized says whether a job asks for more than any node has, even if it were empty.
func (f *feed) outsized(ctx context.Context, job *api.Job, metric *api.AllocationMetric) (reason string, never bool, err error) {
	nodes, err := f.nodes(ctx, job)
	if err != nil || len(nodes) == 0 {
		return "", false, err
	}
	reason, never = tooLarge(job, nodes, metric)
	return reason, never, nil
}

// tooLarge compares what a job asks for with the largest of its pool's nodes, in those
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
