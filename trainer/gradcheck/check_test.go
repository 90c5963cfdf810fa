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

// deep is the loss of a one-unit tanh network with one weight over so many steps, whose
// higher derivatives are large, and its gradient.
func deep(w []float64, steps int) (loss func() (float64, error), grad []float64) {
	pass := func() (x, slope float64) {
		x = 0.3
		for range steps {
			y := math.Tanh(w[0]*x + 0.1)
			x, slope = y, (1-y*y)*(x+w[0]*slope)
		}
		return x, slope
	}
	x, slope := pass()
	return func() (float64, error) {
		x, _ := pass()
		return x * x, nil
	}, []float64{2 * x * slope}
}

// The right step differs by orders of magnitude with the function: no gradient of
// these is rejected, and none that is wrong by 1e-5 passes.
func TestTheStepSuitsTheFunction(t *testing.T) {
	t.Parallel()
	scaled := func(size, frequency float64) func(w []float64) (func() (float64, error), []float64) {
		return func(w []float64) (func() (float64, error), []float64) {
			return func() (float64, error) { return 3 + size*math.Sin(frequency*w[0]), nil },
				[]float64{size * frequency * math.Cos(frequency*w[0])}
		}
	}
	for name, f := range map[string]func(w []float64) (func() (float64, error), []float64){
		"slow":       scaled(1, 0.1),
		"fast":       scaled(1, 200),
		"faster":     scaled(1, 2000),
		"small":      scaled(1e-4, 1),
		"shallow":    func(w []float64) (func() (float64, error), []float64) { return deep(w, 3) },
		"deep":       func(w []float64) (func() (float64, error), []float64) { return deep(w, 50) },
		"very deep":  func(w []float64) (func() (float64, error), []float64) { return deep(w, 400) },
		"quadratic":  func(w []float64) (func() (float64, error), []float64) { return smooth(w) },
		"a constant": func([]float64) (func() (float64, error), []float64) { return scaled(0, 1)([]float64{1}) },
	} {
		for _, at := range []float64{-1.2, 0.4, 1.04, 1.9} {
			w := []float64{at}
			loss, grad := f(w)
			rows, err := Check(loss, []Parameter{{"w", w, grad}}, Options{Entries: 1})
			if err != nil || !rows[0].OK {
				t.Errorf("%s at %g: %+v, %v", name, at, rows, err)
			}
			if rows[0].Noisy > 0 {
				continue
			}
			grad[0] *= 1 + 1e-5
			if rows, err = Check(loss, []Parameter{{"w", w, grad}}, Options{Entries: 1}); err != nil || rows[0].OK {
				t.Errorf("%s at %g passes although wrong: %+v, %v", name, at, rows, err)
			}
		}
	}
}

// Where a gradient is so small that differences are mostly rounding, that is said, and
// only errors above the rounding count.
func TestRoundingIsNoError(t *testing.T) {
	t.Parallel()
	for _, kinked := range []bool{false, true} {
		for _, size := range []float64{1e-8, 1e-10, 0} {
			for _, at := range []float64{-0.7, 0.1, 0.2, 0.3, 1.1} {
				w := []float64{at}
				loss := func() (float64, error) { return 3 + size*math.Sin(w[0]), nil }
				check := func(slope float64) Row {
					rows, err := Check(loss, []Parameter{{"w", w, []float64{slope}}}, Options{Entries: 1, Kinked: kinked})
					if err != nil {
						t.Fatal(err)
					}
					return rows[0]
				}
				if r := check(size * math.Cos(at)); !r.OK || r.Checked != 1 || r.Noisy != 1 {
					t.Errorf("kinked %v, size %g at %g: %+v", kinked, size, at, r)
				}
				if r := check(size*math.Cos(at) + 1e-7); r.OK {
					t.Errorf("kinked %v, size %g at %g passes although wrong: %+v", kinked, size, at, r)
				}
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
