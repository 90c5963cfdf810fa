package recipes

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// form is a recipe small enough to check in seconds that its claim points the right
// way.
type form struct {
	recipe string // the file's name without .yaml
	// small changes the recipe's spec: fewer cases, epochs, seeds or values. Whatever
	// else the file says is what is tested.
	small func(*sweeps.Spec)
	// needs is where the data are, if these are not always there, and install says how
	// to get them. A file takes the place of the recipe's data.name.
	needs   func() string
	install string
	// check demands the claim's direction, by margins that no other BLAS or order of
	// sums comes near.
	check func(*testing.T, trained)
}

// trained is a small form with its results.
type trained struct {
	spec     sweeps.Spec
	store    *storage.Store
	outcomes []Outcome
}

// folder of the recipes.
const folder = "../../recipes"

// TestEveryRecipeHasAForm demands of every recipe that its claim is checked, and
// that the small form is a sweep of a few trials.
func TestEveryRecipeHasAForm(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recipes in %s: %v", folder, err)
	}
	var names, formed []string
	for _, file := range files {
		names = append(names, filepath.Base(file[:len(file)-len(".yaml")]))
	}
	for _, f := range forms {
		formed = append(formed, f.recipe)
		spec, err := Load(f.file())
		if err != nil {
			t.Error(err)
			continue
		}
		if spec.Name != f.recipe {
			t.Errorf("recipes/%s.yaml has the name %s; both have to be the same", f.recipe, spec.Name)
		}
		whole, err := sweeps.NewPlan(spec, "", "")
		if err != nil {
			t.Error(err)
			continue
		}
		f.small(&spec)
		plan, err := sweeps.NewPlan(spec, "", "")
		if err != nil {
			t.Errorf("%s: the small form: %v", f.recipe, err)
			continue
		}
		if plan.Len() > whole.Len() || plan.Len() > 24 {
			t.Errorf("%s: the small form has %d trials, the recipe %d; want at most that, and at most 24", f.recipe, plan.Len(), whole.Len())
		}
	}
	slices.Sort(names)
	slices.Sort(formed)
	if !slices.Equal(names, formed) {
		t.Errorf("the recipes are %v, and forms are there for %v; each has to have one", names, formed)
	}
}

func (f form) file() string { return filepath.Join(folder, f.recipe+".yaml") }

// find puts the data's place into the spec, and says why it can't; empty if it can.
func (f form) find(spec *sweeps.Spec) (missing string) {
	if f.needs == nil {
		return ""
	}
	path := f.needs()
	info, err := os.Stat(path)
	if err != nil {
		return path + " is not there: " + f.install
	}
	if info.Mode().IsRegular() {
		spec.Data.Name = path
	}
	return ""
}

// few sets how much is trained on, for how long, and how often.
func few(cases, validation, epochs, seeds int) func(*sweeps.Spec) {
	return func(s *sweeps.Spec) {
		s.Data.Limit, s.Data.Validation = cases+validation, validation
		s.Train.Epochs = epochs
		if _, swept := s.Parameters["seed"]; swept {
			first(s, "seed", seeds)
		}
	}
}

// only leaves some values of a swept setting; numbers are float64.
func only(s *sweeps.Spec, path string, values ...any) {
	s.Parameters[path] = space.Parameter{Values: values}
}

// first leaves the first n values of a swept setting.
func first(s *sweeps.Spec, path string, n int) {
	var values []any
	for i := range n {
		values = append(values, s.Parameters[path].At(i))
	}
	only(s, path, values...)
}
