package report

import (
	"fmt"
	"math"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// curvesChart shows the validation error of every epoch: members strongly, others
// faintly. It returns nil when there is nothing to show.
func (v *view) curvesChart() *chart {
	strong, faint := v.curveTrials()
	last, values := 0, []float64{}
	for _, group := range [][]*trial{strong, faint} {
		for _, t := range group {
			for _, m := range t.Result.Curve {
				if finite(m.ValidationError) {
					last, values = max(last, m.Epoch), append(values, m.ValidationError)
				}
			}
		}
	}
	if last == 0 {
		return nil
	}
	c := &chart{
		W: 960, H: 408, Left: 58, Right: 946, Top: 30, Bottom: 360,
		XTitle: "epoch", YTitle: "validation error (log scale)",
	}
	x := scale{lo: 1, hi: float64(last), a: c.Left + 8, b: c.Right - 8}
	y := errorScale(values, c.Bottom, c.Top, true)
	if !y.log {
		c.YTitle = "validation error"
	}
	for _, e := range epochTicks(last) {
		c.XTicks = append(c.XTicks, tick{At: x.at(e), Label: decimals(e, 0)})
	}
	c.YTicks = v.measures.ticks(y, 8)
	for _, t := range faint {
		c.Lines = append(c.Lines, line{Class: "faint", D: curvePath(t.Result.Curve, validationError, x, y)})
	}
	// The best is drawn last, on top.
	for i := len(strong) - 1; i >= 0; i-- {
		t := strong[i]
		class := "strong"
		if i == 0 {
			class = "strong first"
		}
		c.Lines = append(c.Lines, line{
			Class: class, D: curvePath(t.Result.Curve, validationError, x, y),
			Title: fmt.Sprintf("#%d %s: %s (%s)", t.Rank, t.ID, v.measures.error(t.Result.ValidationError), settingsLine(t.Settings, v.short)),
		})
	}
	c.Name = fmt.Sprintf("Validation error of %s over up to %s, on %s axis.",
		counted(len(strong)+len(faint), "trial"), counted(last, "epoch"), map[bool]string{true: "a logarithmic", false: "a linear"}[y.log])
	return c
}

// curveTrials picks the trials to draw: the members (or the ten best), and of
// the others as many as fit, evenly over the ranks. Diverged trials are left out:
// they would stretch the axis and say nothing.
func (v *view) curveTrials() (strong, faint []*trial) {
	var others []*trial
	for _, t := range v.ranked {
		switch {
		case len(t.Result.Curve) == 0:
		case v.strong(t) && len(strong) < maxMembers:
			strong = append(strong, t)
		default:
			others = append(others, t)
		}
	}
	return strong, sample(others, maxFaintCurves)
}

// strong says whether a ranked trial is one to point out.
func (v *view) strong(t *trial) bool {
	if v.Manifest != nil {
		return t.Member
	}
	return t.Rank <= 10
}

// sample takes at most n, evenly spaced and with both ends.
func sample[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*(len(all)-1)/max(n-1, 1)]
	}
	return out
}

func validationError(m sweeps.EpochMetrics) float64 { return m.ValidationError }

// curvePath draws a measure of each epoch, with gaps where it is not finite.
func curvePath(curve []sweeps.EpochMetrics, measure func(sweeps.EpochMetrics) float64, x, y scale) string {
	var p path
	command := byte('M')
	points := sample(curve, maxCurvePoints)
	for _, m := range points {
		value := measure(m)
		if !finite(value) {
			command = 'M'
			continue
		}
		p.to(command, x.at(float64(m.Epoch)), y.at(value))
		command = 'L'
	}
	if len(points) == 1 && p.b.Len() > 0 {
		p.b.WriteString("h0")
	}
	return p.String()
}

// epochTicks are whole epochs, the first among them.
func epochTicks(last int) []float64 {
	if last <= 12 {
		out := make([]float64, last)
		for i := range out {
			out[i] = float64(i + 1)
		}
		return out
	}
	out := []float64{1}
	for _, t := range (scale{lo: 2, hi: float64(last)}).ticks(10) {
		if t == math.Trunc(t) && t > 0.04*float64(last) {
			out = append(out, t)
		}
	}
	return out
}
