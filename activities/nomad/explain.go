package nomad

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// misfit says in one line what keeps a job from being placed, and whether that can
// never change on the nodes that there are: then none of them was even considered.
// What is exhausted may be freed. With no node at all there is nothing to be said
// about what would fit, unless the node pool has some that are elsewhere.
func misfit(metric *api.AllocationMetric, job *api.Job) (reason string, never bool) {
	switch {
	case metric == nil:
		return "Nomad does not say why", false
	case metric.NodesEvaluated == 0 && metric.NodesInPool > 0:
		return fmt.Sprintf("none of the %s in node pool %s is in a datacenter that matches %s",
			count(metric.NodesInPool, "node"), metric.NodePool, strings.Join(job.Datacenters, ", ")), true
	case metric.NodesEvaluated == 0:
		return fmt.Sprintf("there is no node in pool %s that is ready", or(metric.NodePool, deref(job.NodePool))), false
	}
	var reasons []string
	for _, what := range slices.Sorted(maps.Keys(metric.ConstraintFiltered)) {
		reasons = append(reasons, fmt.Sprintf("%s: %s", count(metric.ConstraintFiltered[what], "node"), filtered(what, job)))
	}
	for _, class := range slices.Sorted(maps.Keys(metric.ClassFiltered)) {
		if len(metric.ConstraintFiltered) == 0 {
			reasons = append(reasons, fmt.Sprintf("%s of class %s are not eligible", count(metric.ClassFiltered[class], "node"), class))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(metric.DimensionExhausted)) {
		reasons = append(reasons, fmt.Sprintf("%s: all %s taken", count(metric.DimensionExhausted[what], "node"), exhausted(what, job)))
	}
	for _, quota := range metric.QuotaExhausted {
		reasons = append(reasons, "quota "+quota+" is used up")
	}
	if len(reasons) == 0 {
		reasons = append(reasons, "Nomad does not say why")
	}
	never = metric.NodesExhausted == 0 && len(metric.QuotaExhausted) == 0 && metric.NodesFiltered >= metric.NodesEvaluated
	return fmt.Sprintf("of %s, %s", count(metric.NodesEvaluated, "node"), strings.Join(reasons, "; ")), never
}

// filtered says in our words what a node lacks.
func filtered(what string, job *api.Job) string {
	switch {
	case what == "missing devices":
		return "no " + devices(job)
	case what == "missing drivers":
		return "driver " + driver(job) + " is missing or off"
	case what == "missing compatible host volumes", what == "missing network":
		return what
	}
	return "not so that " + what
}

// exhausted says in our words what there is too little of.
func exhausted(what string, job *api.Job) string {
	if strings.HasPrefix(what, "devices") {
		return devices(job)
	}
	return what
}

// devices describes the devices that a job asks for.
func devices(job *api.Job) string {
	var all []string
	for _, t := range tasks(job) {
		if t.Resources == nil {
			continue
		}
		for _, d := range t.Resources.Devices {
			text := d.Name
			if d.Count != nil && *d.Count != 1 {
				text = fmt.Sprintf("%d × %s on one node", *d.Count, d.Name)
			}
			for i, c := range d.Constraints {
				text += map[bool]string{true: " with ", false: " and "}[i == 0] + strings.TrimSpace(c.LTarget+" "+c.Operand+" "+c.RTarget)
			}
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return "devices"
	}
	return strings.Join(all, ", ")
}

func driver(job *api.Job) string {
	var all []string
	for _, t := range tasks(job) {
		if !slices.Contains(all, t.Driver) {
			all = append(all, t.Driver)
		}
	}
	return strings.Join(all, ", ")
}

func tasks(job *api.Job) (all []*api.Task) {
	for _, g := range job.TaskGroups {
		all = append(all, g.Tasks...)
	}
	return all
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func ref[T any](v T) *T { return &v }
