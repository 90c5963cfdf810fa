package report

import (
	"math"
	"strconv"
	"strings"
)

// chart is an SVG picture in the template's terms; positions are in its own
// units, from the top left.
type chart struct {
	Name string // what a screen reader says instead of it
	W, H float64
	// The plot area.
	Left, Right, Top, Bottom float64
	XTicks, YTicks           []tick
	XTitle, YTitle           string
	Lines                    []line
	Dots                     []dot
	Over                     []line // lines on top of the dots
	Texts                    []text
}

// YLabelX is where the labels left of the plot area end.
func (c *chart) YLabelX() float64 { return c.Left - 8 }

// XLabelY is the base line of the labels below the plot area.
func (c *chart) XLabelY() float64 { return c.Bottom + 18 }

// XTitleY is the base line of the x axis' title.
func (c *chart) XTitleY() float64 { return c.Bottom + 36 }

type tick struct {
	At    float64
	Label string // empty: a grid line only
}

// line is an SVG path with a CSS class.
type line struct{ Class, D, Title string }

type dot struct {
	X, Y, R      float64
	Class, Title string
}

type text struct {
	X, Y          float64
	Class, Anchor string
	Text          string
}

// scale maps values to positions.
type scale struct {
	lo, hi float64 // values
	a, b   float64 // positions
	log    bool
}

func (s scale) at(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.log {
		v, lo, hi = math.Log(max(v, s.lo)), math.Log(lo), math.Log(hi)
	}
	if hi <= lo {
		return px((s.a + s.b) / 2)
	}
	return px(s.a + (s.b-s.a)*(v-lo)/(hi-lo))
}

// px rounds a position to a tenth, which keeps paths short.
func px(x float64) float64 { return math.Round(10*x) / 10 }

// errorScale covers validation or test errors between two positions. It is
// logarithmic when asked to be or when they span a factor of 4, and takes 0 for
// half the smallest error above it.
func errorScale(values []float64, a, b float64, log bool) scale {
	lo, hi, positive := math.Inf(1), math.Inf(-1), math.Inf(1)
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
		if v > 0 {
			positive = min(positive, v)
		}
	}
	if hi < lo {
		lo, hi = 0, 1
	}
	if math.IsInf(positive, 1) {
		lo, hi, log = 0, max(hi, 0.01), false
	}
	if log || hi > 4*positive {
		lo = max(lo, positive/2)
		pad := math.Pow(hi/lo, 0.05)
		pad = max(pad, 1.02)
		return scale{lo: lo / pad, hi: hi * pad, a: a, b: b, log: true}
	}
	pad := max(0.08*(hi-lo), 0.02*hi, 1e-6)
	return scale{lo: max(lo-pad, 0), hi: hi + pad, a: a, b: b}
}

// ticks returns about n round values within the scale.
func (s scale) ticks(n int) []float64 {
	if s.log {
		if t := s.logTicks(n); len(t) >= 3 {
			return t
		}
	}
	span := s.hi - s.lo
	if span <= 0 || math.IsInf(span, 0) || math.IsNaN(span) {
		return []float64{s.lo}
	}
	step := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if span/(m*step) <= float64(n) {
			step *= m
			break
		}
	}
	var out []float64
	for k := math.Ceil(s.lo / step); k*step <= s.hi*(1+1e-12) && len(out) < 50; k++ {
		out = append(out, k*step)
	}
	return out
}

// logTicks are 1, 2, 5 times powers of ten, fewer of them where they would be
// more than n.
func (s scale) logTicks(n int) []float64 {
	for _, per := range [][]float64{{1, 1.5, 2, 3, 5, 7}, {1, 2, 5}, {1, 3}, {1}} {
		var out []float64
		for e := math.Floor(math.Log10(s.lo)); e <= math.Log10(s.hi) && len(out) < 100; e++ {
			for _, m := range per {
				if v := m * math.Pow(10, e); v >= s.lo && v <= s.hi {
					out = append(out, v)
				}
			}
		}
		if len(out) <= n || len(per) == 1 {
			return out
		}
	}
	return nil
}

// errorTicks labels a scale of errors.
func (s scale) errorTicks(n int) []tick {
	var out []tick
	for _, v := range s.ticks(n) {
		out = append(out, tick{At: s.at(v), Label: tickPercent(v)})
	}
	return out
}

// path builds the d of an SVG path.
type path struct{ b strings.Builder }

func (p *path) to(command byte, x, y float64) {
	p.b.WriteByte(command)
	p.b.WriteString(strconv.FormatFloat(px(x), 'f', -1, 64))
	p.b.WriteByte(' ')
	p.b.WriteString(strconv.FormatFloat(px(y), 'f', -1, 64))
}

// point adds a dot: a line of no length, which round caps make visible.
func (p *path) point(x, y float64) {
	p.to('M', x, y)
	p.b.WriteString("h0")
}

func (p *path) String() string { return p.b.String() }

// finite says that a number can be drawn.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
