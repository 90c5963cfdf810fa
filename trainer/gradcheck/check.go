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
	// smoothStep is the perturbation: the differences' error is of its fourth order,
	// rounding gives 1e-13 of the loss.
	smoothStep = 1e-3
	// kinkedStep crosses fewer kinks.
	kinkedStep = 1e-4
	// floor times the largest entry of a parameter's gradient is what an error is
	// relative to at least. Below it there is little but rounding.
	floor = 1e-3
)

// Check compares entries of params' gradients with finite differences of loss,
// which computes the function at the present values.
//
// The derivative is Richardson's extrapolation of the central differences at h and
// h/2. An error is relative to the larger of the entry and a thousandth of the
// parameter's largest gradient. Half of the entries are drawn among those with a
// gradient other than zero, so that inputs that are always blank do not pass for
// a check.
//
// A kink shows in differences, at each of three sizes of h, that do not agree with each other: those at h and
// h/2, or those to the left and to the right. That does not depend on the gradient
// that is checked, so a wrong one can't pass for a kink.
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
			e := math.Abs(p.Grad[j]-d.slope) / scale
			if largest == 0 && math.Abs(d.slope) < 1e-10 {
				e = 0 // rounding, where nothing depends on the parameter
			}
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

// difference is what finite differences say about a derivative.
type difference struct {
	slope float64
	// disagreement is how far the differences are from those of a smooth function.
	disagreement float64
}

// derivative finds the slope at w. Where the perturbation crosses a kink, which a
// weight that many units share easily does, smaller ones are tried.
func derivative(loss func() (float64, error), middle float64, w *float64, least float64, kinked bool) (d difference, kink bool, err error) {
	if !kinked {
		d, err = differences(loss, middle, w, smoothStep)
		return d, false, err
	}
	for _, h := range []float64{kinkedStep, kinkedStep / 10, kinkedStep / 100} {
		if d, err = differences(loss, middle, w, h); err != nil {
			return d, false, err
		}
		// Half of what is allowed, since the slope is off by as much.
		if d.disagreement <= Kinked/2*max(math.Abs(d.slope), least) {
			return d, false, nil
		}
	}
	return d, true, nil
}

// differences perturbs w by h, and puts it back.
func differences(loss func() (float64, error), middle float64, w *float64, h float64) (d difference, err error) {
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
	right, left := value(h), value(-h)
	right2, left2 := value(h/2), value(-h/2)
	if err != nil {
		return difference{}, err
	}
	coarse, fine := (right-left)/(2*h), (right2-left2)/h
	// Of a smooth function right and left slopes differ by h·f″: at h twice as
	// much as at h/2, and what is left is the jump of the slope.
	bend, bend2 := (right-2*middle+left)/h, (right2-2*middle+left2)/(h/2)
	return difference{
		slope:        (4*fine - coarse) / 3,
		disagreement: max(math.Abs(fine-coarse), math.Abs(2*bend2-bend)),
	}, nil
}
