package nomad

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// misfit says in one line what keeps a job from being placed, and whether that can
// never change on the nodes that there are: then none of them was even considered.
// What is exhausted may be freed. With no node at all there is nothing to be said
// about what would fit.
func misfit(metric *api.AllocationMetric, job *api.Job) (reason string, never bool) {
	switch {
	case metric == nil:
		return "Nomad does not say why", false
	case metric.NodesEvaluated == 0:
		return fmt.Sprintf("no node in pool %s is ready", or(metric.NodePool, deref(job.NodePool), "default")), false
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

// classIneligible is all that Nomad says of nodes when it has looked at them twice: the
// second time for what might be preempted.
const classIneligible = "computed class ineligible"

// vague says that Nomad does not tell what nodes lack.
func vague(metric *api.AllocationMetric) bool { return metric.ConstraintFiltered[classIneligible] > 0 }

// filtered says in our words what a node lacks.
func filtered(what string, job *api.Job) string {
	switch what {
	case "missing devices":
		return "no " + devices(job)
	case "missing drivers":
		return "driver " + driver(job) + " is missing or off"
	case classIneligible:
		return "unfit"
	case "missing compatible host volumes", "missing network":
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

// requirement is something that a job asks of a node, and how to do without.
type requirement struct {
	text   string
	remove func(*api.Job)
}

// requirements of a job of ours that a node may not meet, but for its driver.
func requirements(job *api.Job) (all []requirement) {
	add := func(what string, remove func(*api.Job)) { all = append(all, requirement{what, remove}) }
	constraints := func(list []*api.Constraint, of func(*api.Job) *[]*api.Constraint) {
		for i, c := range list {
			add("not so that "+strings.TrimSpace(c.LTarget+" "+c.Operand+" "+c.RTarget), func(j *api.Job) { (*of(j))[i] = nil })
		}
	}
	constraints(job.Constraints, func(j *api.Job) *[]*api.Constraint { return &j.Constraints })
	for g, group := range job.TaskGroups {
		constraints(group.Constraints, func(j *api.Job) *[]*api.Constraint { return &j.TaskGroups[g].Constraints })
		if len(group.Volumes) > 0 {
			add("not the volumes that the job asks for", func(j *api.Job) { j.TaskGroups[g].Volumes = nil })
		}
		for t, task := range group.Tasks {
			constraints(task.Constraints, func(j *api.Job) *[]*api.Constraint { return &j.TaskGroups[g].Tasks[t].Constraints })
			if task.Resources != nil && len(task.Resources.Devices) > 0 {
				add("no "+devices(job), func(j *api.Job) { j.TaskGroups[g].Tasks[t].Resources.Devices = nil })
			}
		}
	}
	return all
}

// without is a copy of a job that does without some of its requirements.
func without(job *api.Job, dropped []requirement) (*api.Job, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	out := new(api.Job)
	if err := json.Unmarshal(text, out); err != nil {
		return nil, err
	}
	for _, r := range dropped {
		r.remove(out)
	}
	compact := func(list *[]*api.Constraint) {
		*list = slices.DeleteFunc(*list, func(c *api.Constraint) bool { return c == nil })
	}
	compact(&out.Constraints)
	for _, g := range out.TaskGroups {
		compact(&g.Constraints)
		for _, t := range g.Tasks {
			compact(&t.Constraints)
		}
	}
	return out, nil
}
