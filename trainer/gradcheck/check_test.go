package gradcheck

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smooth is Σ wᵢ²·exp(wᵢ/3) and its gradient.
func smooth(w []float64) (loss func() (float64, error), grad []float64) {
	for _, x := range w {
		grad = append(grad, (2*x+x*x/3)*math.Exp(x/3))
	}
	return func() (float64, error) {
		sum := 0.0
		for _, x := range w {
			sum += x * x * math.Exp(x/3)
		}
		return sum, nil
	}, grad
}

func TestRightGradientsPass(t *testing.T) {
	t.Parallel()
	w := []float64{0.5, -1, 2, 0, 1e-3}
	before := append([]float64(nil), w...)
	loss, grad := smooth(w)
	rows, err := Check(loss, []Parameter{{"w", w, grad}}, Options{Entries: 10})
	if err != nil {
		t.Fatal(err)
	}
	if r := rows[0]; !r.OK || r.Checked != 5 || r.Kinks != 0 || r.Worst > 1e-8 {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(before, w); diff != "" {
		t.Errorf("the values are not as they were: %s", diff)
	}
}

func TestWrongGradientsFail(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(g []float64){
		"by little":  func(g []float64) { g[1] *= 1 + 1e-5 },
		"no number":  func(g []float64) { g[1] = math.NaN() },
		"a sign":     func(g []float64) { g[0] = -g[0] },
		"all zero":   func(g []float64) { clear(g) },
		"infinite":   func(g []float64) { g[2] = math.Inf(1) },
		"exchanged":  func(g []float64) { g[0], g[2] = g[2], g[0] },
		"one absent": func(g []float64) { g[0] = 0 },
	} {
		w := []float64{0.5, -1, 2}
		loss, grad := smooth(w)
		spoil(grad)
		for _, kinked := range []bool{false, true} {
			if kinked && name == "by little" {
				continue // within what is allowed
			}
			rows, err := Check(loss, []Parameter{{"w", w, grad}}, Options{Entries: 3, Kinked: kinked})
			if err != nil {
				t.Fatal(err)
			}
			if rows[0].OK {
				t.Errorf("%s: passed: %+v", name, rows[0])
			}
		}
	}
}

// Entries whose perturbation crosses the kink of |w| are told apart, wherever in
// the perturbation it is; others are checked.
func TestKinksAreToldApart(t *testing.T) {
	t.Parallel()
	for _, at := range []float64{0, 4e-7, -9e-7, 2e-6, -3e-5, 4.9e-5, 9e-5, -9.9e-5, 2e-4, 1} {
		w := []float64{at, 3}
		loss := func() (float64, error) { return math.Abs(w[0]) + w[1]*w[1], nil }
		grad := []float64{math.Copysign(1, at), 6}
		rows, err := Check(loss, []Parameter{{"w", w, grad}}, Options{Entries: 2, Kinked: true})
		if err != nil {
			t.Fatal(err)
		}
		kinks := 0
		if math.Abs(at) < 1e-6 {
			kinks = 1
		}
		if r := rows[0]; r.Kinks != kinks || r.Checked != 2-kinks || !r.OK {
			t.Errorf("at %g: %+v", at, r)
		}
	}
}

// A parameter of which nothing could be checked has not passed.
func TestNothingCheckedFails(t *testing.T) {
	t.Parallel()
	w := []float64{0}
	rows, err := Check(func() (float64, error) { return math.Abs(w[0]), nil }, []Parameter{{"w", w, []float64{1}}}, Options{Entries: 1, Kinked: true})
	if err != nil || rows[0].OK || rows[0].Kinks != 1 {
		t.Errorf("%+v, %v", rows, err)
	}
}

// Entries without a gradient do not crowd out those with one.
func TestDrawPrefersGradients(t *testing.T) {
	t.Parallel()
	grad := make([]float64, 1000)
	for i := range 10 {
		grad[100*i] = 1
	}
	entries := draw(grad, Options{Entries: 20}, 0)
	seen := map[int]bool{}
	n := 0
	for _, j := range entries {
		seen[j] = true
		if grad[j] != 0 {
			n++
		}
	}
	if len(entries) != 20 || len(seen) != 20 || n != 10 {
		t.Errorf("%d entries, %d distinct, %d with a gradient; want 20, 20, 10", len(entries), len(seen), n)
	}
}
