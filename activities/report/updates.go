package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps"
)

const (
	// rightRatio is about how long an update should be, as a share of the weights that
	// it changes, when the learning rate is right.
	rightRatio = 1e-3
	// leastRatio ends the axis, so that weights that hardly move do not stretch it.
	leastRatio = 1e-8
)

// updateChart shows a layer's update-to-weight ratios.
type updateChart struct {
	Layer string
	Chart *chart
}

// updateCharts show, for each array of weights, how long the last update of each epoch
// was as a share of the weights: of the trials that the curves point out. Biases are
// left out, since they begin at zero. All charts have the same axes.
func (v *view) updateCharts() (charts []updateChart, note string) {
	strong, _ := v.curveTrials()
	last, lo, hi := 0, rightRatio, rightRatio
	layers := map[string]bool{}
	for _, t := range strong {
		for _, m := range t.Result.Curve {
			for name, ratio := range m.UpdateRatio {
				if isBias(name) || !drawable(ratio) {
					continue
				}
				layers[name] = true
				last, lo, hi = max(last, m.Epoch), min(lo, ratio), max(hi, ratio)
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(layers), byNumber)
	if len(names) > maxLayers {
		note = fmt.Sprintf("The first %d of %s are shown.", maxLayers, counted(len(names), "array")+" of weights")
		names = names[:maxLayers]
	}
	// Whole decades, and one on either side of the line at least.
	bottom := math.Floor(math.Log10(max(min(lo, rightRatio/10), leastRatio)) + 1e-9)
	top := math.Ceil(math.Log10(max(hi, rightRatio*10)) - 1e-9)
	for _, name := range names {
		c := &chart{W: 340, H: 246, Left: 46, Right: 332, Top: 12, Bottom: 204, XTitle: "epoch"}
		x := scale{lo: 1, hi: float64(last), a: c.Left + 6, b: c.Right - 6}
		y := scale{lo: math.Pow(10, bottom), hi: math.Pow(10, top), a: c.Bottom, b: c.Top, log: true}
		ticks := epochTicks(last)
		for i, e := range ticks {
			if len(ticks) <= 6 || i%2 == 0 { // there is no room for more
				c.XTicks = append(c.XTicks, tick{At: x.at(e), Label: decimals(e, 0)})
			}
		}
		for e := bottom; e <= top; e++ {
			c.YTicks = append(c.YTicks, tick{At: y.at(math.Pow(10, e)), Label: "1e" + strconv.Itoa(int(e))})
		}
		c.Lines = append(c.Lines, line{Class: "right", D: fmt.Sprintf("M%g %gH%g", c.Left, y.at(rightRatio), c.Right), Title: "1e-3"})
		ratio := func(m sweeps.EpochMetrics) float64 {
			if r := m.UpdateRatio[name]; drawable(r) {
				return r
			}
			return math.NaN()
		}
		for i := len(strong) - 1; i >= 0; i-- { // the best on top
			class := "strong"
			if i == 0 {
				class = "strong first"
			}
			t := strong[i]
			if d := curvePath(t.Result.Curve, ratio, x, y); d != "" {
				c.Lines = append(c.Lines, line{Class: class, D: d, Title: fmt.Sprintf("#%d %s (%s)", t.Rank, t.ID, settingsLine(t.Settings, v.short))})
			}
		}
		c.Name = fmt.Sprintf("Update-to-weight ratio of %s in %s over %s, on a logarithmic axis.", name, counted(len(strong), "trial"), counted(last, "epoch"))
		charts = append(charts, updateChart{Layer: name, Chart: c})
	}
	return charts, note
}

func isBias(name string) bool { return strings.HasSuffix(name, "bias") }

// drawable says whether a ratio has a place on a logarithmic axis.
func drawable(ratio float64) bool { return ratio > 0 && finite(ratio) }

// byNumber orders layer2 before layer10.
func byNumber(a, b string) int {
	return cmp.Or(strings.Compare(letters(a), letters(b)), cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// letters is what comes before the first digit.
func letters(name string) string {
	if i := strings.IndexAny(name, "0123456789"); i >= 0 {
		return name[:i]
	}
	return name
}
