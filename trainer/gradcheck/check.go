package gradcheck

import (
	"fmt"
	"math"

	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// The tolerances on the relative error of an entry.
const (
	// Smooth is for functions with derivatives everywhere.
	Smooth = 1e-6
	// Kinked is for functions through relu or max-pool.
	Kinked = 1e-5
)

// Parameter is an array whose gradient is checked.
type Parameter struct {
	Name string
	// Value is what the function reads; Check changes it and puts it back.
	Value []float64
	// Grad is the gradient at Value, to be checked.
	Grad []float64
}

// Options say what to check and how strictly.
type Options struct {
	// Entries is how many entries of each parameter to check, at random.
	Entries int
	// Seed of the draw.
	Seed uint64
	// Kinked allows the function to have points without a derivative: the
	// tolerance is Kinked instead of Smooth, and entries whose perturbation
	// crosses such a point are counted apart.
	Kinked bool
}

// Row is the outcome for one parameter.
type Row struct {
	Name string `json:"parameter"`
	// Size is the number of its entries, Checked how many were compared, and
	// Kinks how many could not be, because their perturbation crossed a kink.
	Size    int `json:"size"`
	Checked int `json:"checked"`
	Kinks   int `json:"kinks"`
	// Noisy counts those of Checked that are so small that rounding in the
	// differences is more than the tolerance: only errors above it can show.
	Noisy int `json:"noisy"`
	// Worst is the largest relative error, at entry WorstEntry, whose gradient is
	// given as Gradient and, by finite differences, as Numeric.
	Worst      float64 `json:"worst"`
	WorstEntry int     `json:"worst_entry"`
	Gradient   float64 `json:"gradient"`
	Numeric    float64 `json:"numeric"`
	// OK says whether Worst is within the tolerance and anything was checked.
	OK bool `json:"ok"`
}

// Tolerance is what o allows.
func (o Options) Tolerance() float64 {
	if o.Kinked {
		return Kinked
	}
	return Smooth
}

const (
	// longestStep is the first perturbation of a smooth function, which is halved
	// down to shortestStep at most.
	longestStep, shortestStep = 1e-2, 1e-5
	// kinkedStep crosses fewer kinks.
	kinkedStep = 1e-4
	// floor times the largest entry of a parameter's gradient is what an error is
	// relative to at least.
	floor = 1e-3
	// epsilon is the distance from 1 to the next float64.
	epsilon = 0x1p-52
	// roundings times epsilon·|loss|/step is what rounding may do to a slope.
	roundings = 10
)

// Check compares entries of params' gradients with finite differences of loss,
// which computes the function at the present values.
//
// The derivative is Richardson's extrapolation of central differences. Its error has
// two parts: that of the extrapolation grows with the step, rounding as the step
// shrinks, and which step is best depends on the function and the entry. So the step
// is halved, and that with the least estimate of their sum is taken. The estimate
// does not know the gradient that is checked, so a wrong one can't pass by it. What
// rounding may do is no error of the gradient: it is subtracted.
//
// An error is relative to the larger of the entry and a thousandth of the
// parameter's largest gradient. Half of the entries are drawn among those with a
// gradient other than zero, so that inputs that are always blank do not pass for
// a check.
//
// A kink shows in differences, at each of three sizes of step, that do not agree with
// each other: those at a step and half of it, or those to the left and to the right.
// That does not depend on the gradient that is checked, so a wrong one can't pass for
// a kink.
func Check(loss func() (float64, error), params []Parameter, o Options) ([]Row, error) {
	middle, err := loss()
	if err != nil {
		return nil, fmt.Errorf("computing the loss: %w", err)
	}
	rows := make([]Row, len(params))
	for i, p := range params {
		if len(p.Grad) != len(p.Value) {
			return nil, fmt.Errorf("%s has %d values and %d gradients", p.Name, len(p.Value), len(p.Grad))
		}
		largest := 0.0
		for _, g := range p.Grad {
			largest = max(largest, math.Abs(g)) // NaN stays NaN
		}
		row := Row{Name: p.Name, Size: len(p.Value)}
		for _, j := range draw(p.Grad, o, uint64(i)) {
			d, kink, err := derivative(loss, middle, &p.Value[j], floor*largest, o.Kinked)
			if err != nil {
				return nil, fmt.Errorf("computing the loss near entry %d of %s: %w", j, p.Name, err)
			}
			if kink {
				row.Kinks++
				continue
			}
			scale := max(math.Abs(p.Grad[j]), math.Abs(d.slope), floor*largest, math.SmallestNonzeroFloat64)
			row.Checked++
			if d.noise > o.Tolerance()*scale {
				row.Noisy++
			}
			e := max(math.Abs(p.Grad[j]-d.slope)-d.noise, 0) / scale
			if math.IsNaN(e) {
				e = math.Inf(1)
			}
			if e > row.Worst || row.Checked == 1 {
				row.Worst, row.WorstEntry, row.Gradient, row.Numeric = e, j, p.Grad[j], d.slope
			}
		}
		row.OK = row.Checked > 0 && row.Worst <= o.Tolerance()
		rows[i] = row
	}
	return rows, nil
}

// draw picks o.Entries distinct entries, the second half of them preferably
// among those whose gradient is not zero.
func draw(grad []float64, o Options, parameter uint64) []int {
	order := philox.New(o.Seed, philox.Init, 1, parameter).Permutation(len(grad))
	n := min(o.Entries, len(grad))
	half := n / 2
	entries := make([]int, 0, n)
	taken := make(map[int]bool, n)
	take := func(j, limit int) {
		if len(entries) < limit && !taken[j] {
			taken[j] = true
			entries = append(entries, j)
		}
	}
	for _, j := range order {
		take(int(j), half)
	}
	for _, j := range order {
		if grad[j] != 0 {
			take(int(j), n)
		}
	}
	for _, j := range order {
		take(int(j), n)
	}
	return entries
}

// estimate is what finite differences say about a derivative.
type estimate struct {
	slope float64
	// noise is what rounding may have done to slope.
	noise float64
}

// derivative finds the slope at w.
func derivative(loss func() (float64, error), middle float64, w *float64, least float64, kinked bool) (d estimate, kink bool, err error) {
	at := *w
	defer func() { *w = at }()
	value := func(delta float64) float64 {
		if err != nil {
			return 0
		}
		*w = at + delta
		var v float64
		v, err = loss()
		return v
	}
	if kinked {
		d, kink = kinkedSlope(value, middle, least)
	} else {
		d = smoothSlope(value, middle)
	}
	return d, kink, err
}

// smoothSlope halves the step until rounding is the larger part of the error. value
// is the loss where the entry is changed by so much.
func smoothSlope(value func(delta float64) float64, middle float64) (d estimate) {
	central := func(h float64) float64 { return (value(h) - value(-h)) / (2 * h) }
	coarse, fine := central(longestStep), central(longestStep/2)
	previous, change := richardson(coarse, fine), math.Inf(1)
	best := math.Inf(1)
	for h := longestStep / 4; h >= shortestStep; h /= 2 {
		coarse, fine = fine, central(h)
		slope := richardson(coarse, fine)
		// The error falls to a sixteenth. That two slopes agree by chance must not
		// pass for convergence.
		was := change
		change = math.Abs(slope - previous)
		truncation := change
		if !math.IsInf(was, 0) {
			truncation = max(change, was/16)
		}
		rounding := epsilon * math.Abs(middle) / h
		if total := truncation + rounding; total < best {
			best = total
			d = estimate{slope: slope, noise: roundings * rounding}
		}
		if truncation <= rounding {
			break
		}
		previous = slope
	}
	if math.IsInf(best, 0) {
		d.slope = math.NaN() // no two of the losses were numbers
	}
	return d
}

// richardson removes the error of second order from the differences at h and h/2.
func richardson(coarse, fine float64) float64 { return (4*fine - coarse) / 3 }

// kinkedSlope tries smaller steps where the perturbation crosses a kink, which one of a
// weight that many units share easily does.
func kinkedSlope(value func(delta float64) float64, middle, least float64) (d estimate, kink bool) {
	for _, h := range []float64{kinkedStep, kinkedStep / 10, kinkedStep / 100} {
		right, left := value(h), value(-h)
		right2, left2 := value(h/2), value(-h/2)
		coarse, fine := (right-left)/(2*h), (right2-left2)/h
		// Of a smooth function right and left slopes differ by h·f″: at h twice as
		// much as at h/2, and what is left is the jump of the slope.
		bend, bend2 := (right-2*middle+left)/h, (right2-2*middle+left2)/(h/2)
		disagreement := max(math.Abs(fine-coarse), math.Abs(2*bend2-bend))
		d = estimate{slope: richardson(coarse, fine), noise: roundings * epsilon * math.Abs(middle) / h}
		// Half of what is allowed, since the slope is off by as much.
		if disagreement <= Kinked/2*max(math.Abs(d.slope), least)+d.noise {
			return d, false
		}
	}
	return d, true
}
