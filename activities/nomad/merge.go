package nomad

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// merged puts a job over what a spec's own says, and returns the whole. Where both
// say something, the job counts. Lists of blocks with names are merged by name,
// other lists of blocks are put together, and a list of plain values is one value.
// A group or task of the spec's own with no name is taken for ours.
func merged(own map[string]any, job *api.Job) (*api.Job, error) {
	if len(own) == 0 {
		return job, nil
	}
	under, err := strict(own)
	if err != nil {
		return nil, err
	}
	switch len(under.TaskGroups) {
	case 0, 1:
	default:
		return nil, fmt.Errorf("launcher.nomad.jobspec: it has %d groups, but a trial is one group", len(under.TaskGroups))
	}
	for _, g := range under.TaskGroups {
		g.Name = ref(groupName)
		for _, t := range g.Tasks {
			t.Name = or(t.Name, taskName)
		}
	}
	low, err := plain(under)
	if err != nil {
		return nil, err
	}
	high, err := plain(job)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(over(low, high))
	if err != nil {
		return nil, fmt.Errorf("merge the job: %w", err)
	}
	out := new(api.Job)
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("merge the job: %w", err)
	}
	return out, nil
}

// strict reads a job in the JSON form of Nomad's API, bare or as {"Job": …}.
func strict(own map[string]any) (*api.Job, error) {
	if inner, ok := own["Job"].(map[string]any); ok && len(own) == 1 {
		own = inner
	}
	text, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("launcher.nomad.jobspec: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	job := new(api.Job)
	if err := d.Decode(job); err != nil {
		return nil, fmt.Errorf("launcher.nomad.jobspec is no job as Nomad's API has it: %w", err)
	}
	return job, nil
}

// plain is a job as JSON has it, without what says nothing.
func plain(job *api.Job) (map[string]any, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("merge the job: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("merge the job: %w", err)
	}
	pruned, _ := prune(m).(map[string]any)
	return pruned, nil
}

// prune removes what is nil. False and zero of fields that are no pointers say as
// little, but fields that are may mean them, and the two look the same here; so what
// is false, zero or empty in ours and no pointer must not matter, and does not: the
// only plain field that we set is Leader, to true.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner = prune(inner); inner == nil {
				delete(v, key)
			} else {
				v[key] = inner
			}
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

// unset are the values of plain fields that nobody set. A pointer to one of them, such
// as the count of attempts of a policy, is kept by its name in [meant].
var unset = []any{"", false, json.Number("0")}

// meant are the fields of ours in which zero and false are what we say.
var meant = []string{"Attempts", "Unlimited", "Replace"}

// over merges high over low.
func over(low, high any) any {
	switch h := high.(type) {
	case map[string]any:
		l, ok := low.(map[string]any)
		if !ok {
			return h
		}
		for key, value := range h {
			old, there := l[key]
			if there && slices.Contains(unset, value) && !slices.Contains(meant, key) {
				continue
			}
			if there {
				value = over(old, value)
			}
			l[key] = value
		}
		return l
	case []any:
		l, ok := low.([]any)
		if !ok {
			return h
		}
		return overList(l, h)
	}
	return high
}

// overList merges lists of blocks; other lists are replaced.
func overList(low, high []any) []any {
	for _, v := range slices.Concat(low, high) {
		if _, block := v.(map[string]any); !block {
			return high
		}
	}
	out := slices.Clone(low)
	for _, v := range high {
		h := v.(map[string]any)
		i := slices.IndexFunc(out, func(o any) bool {
			name, named := h["Name"]
			return named && o.(map[string]any)["Name"] == name
		})
		if i < 0 {
			out = append(out, h)
			continue
		}
		out[i] = over(out[i], h)
	}
	return out
}
