package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
)

// settingChart is the chart of one swept setting.
type settingChart struct {
	Path  string
	Scale string // "log scale", or empty
	Chart *chart
	// spread is the standard deviation of the medians over the setting's values.
	spread float64
}

// level is one value of a setting with the trials that have it.
type level struct {
	label  string
	x      float64 // the value, where it is a number
	at     float64 // position in the chart
	trials []*trial
	errors []float64 // of the completed ones, sorted
}

func (l *level) median() float64 {
	n := len(l.errors)
	if n%2 == 1 {
		return l.errors[n/2]
	}
	return (l.errors[n/2-1] + l.errors[n/2]) / 2
}

// settingCharts makes a chart for each swept setting with more than one value:
// the settings that move the median error most come first.
func (v *view) settingCharts() []settingChart {
	if len(v.ranked) == 0 {
		return nil
	}
	var errors []float64
	for _, t := range v.ranked {
		errors = append(errors, t.Result.ValidationError)
	}
	var out []settingChart
	for col, c := range v.Columns {
		p := c.Path
		levels, numeric := v.levels(col)
		if len(levels) < 2 {
			continue
		}
		s := settingChart{Path: p}
		var log bool
		s.Chart, log = v.settingChart(p, levels, numeric, errors)
		if log {
			s.Scale = "log scale"
		}
		s.spread = spread(levels)
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b settingChart) int { return cmp.Compare(b.spread, a.spread) })
	return out
}

// telling says whether there are enough trials per value for medians to say
// anything.
func telling(levels []*level) bool {
	n := 0
	for _, l := range levels {
		n += len(l.errors)
	}
	return len(levels) <= maxCategories || n >= 3*len(levels)
}

// spread is the standard deviation of the levels' medians: how much the setting
// matters, roughly. It is 0 where the medians say nothing.
func spread(levels []*level) float64 {
	var sum, squares, n float64
	for _, l := range levels {
		if len(l.errors) > 0 && telling(levels) {
			m := l.median()
			sum, squares, n = sum+m, squares+m*m, n+1
		}
	}
	if n == 0 {
		return 0
	}
	return math.Sqrt(max(squares/n-sum*sum/(n*n), 0))
}

// levels collects the values of a setting: numbers ascending, others in the order
// of the plan.
func (v *view) levels(col int) (levels []*level, numeric bool) {
	byValue := map[string]*level{}
	numeric = true
	for _, t := range v.trials {
		if t.Status != statusCompleted && t.Status != statusDiverged {
			continue
		}
		s := t.cells[col]
		if s == nil {
			continue
		}
		key := exact(s.Value)
		l := byValue[key]
		if l == nil {
			x, ok := number(s.Value)
			numeric = numeric && ok
			l = &level{label: value(s.Value), x: x}
			byValue[key] = l
			levels = append(levels, l)
		}
		l.trials = append(l.trials, t)
		if t.Status == statusCompleted {
			l.errors = append(l.errors, t.Result.ValidationError)
		}
	}
	for _, l := range levels {
		sort.Float64s(l.errors)
	}
	if numeric {
		slices.SortStableFunc(levels, func(a, b *level) int { return cmp.Compare(a.x, b.x) })
	}
	return levels, numeric
}

// maxCategories is how many values a chart keeps apart as categories; with more,
// numbers get a true axis.
const maxCategories = 12

// logSpaced says whether numbers, ascending, are spaced by factors rather than
// by steps.
func (v *view) logSpaced(path string, levels []*level) bool {
	if levels[0].x <= 0 {
		return false
	}
	if v.Spec.Parameters[path].Scale == "log" {
		return true
	}
	if len(levels) < 3 || levels[len(levels)-1].x < 8*levels[0].x {
		return false
	}
	lo, hi := math.Inf(1), 0.0
	for i := 1; i < len(levels); i++ {
		f := math.Log(levels[i].x / levels[i-1].x)
		lo, hi = min(lo, f), max(hi, f)
	}
	return hi < 1.6*lo
}

// settingChart draws the levels.
func (v *view) settingChart(path string, levels []*level, numeric bool, errors []float64) (c *chart, log bool) {
	c = &chart{W: 340, H: 236, Left: 46, Right: 332, Top: 12, Bottom: 204}
	top := c.Top
	if v.Diverged > 0 {
		top += 20 // a strip for the trials that have no error
	}
	y := errorScale(errors, c.Bottom, top, false)
	c.YTicks = v.measures.ticks(y, 5)

	log = numeric && v.logSpaced(path, levels)
	axis := scale{lo: levels[0].x, hi: levels[len(levels)-1].x, a: c.Left + 24, b: c.Right - 24, log: log}
	categorical := !log && (!numeric || len(levels) <= maxCategories)
	if categorical {
		axis.lo, axis.hi = -0.5, float64(len(levels))-0.5
		axis.a, axis.b = c.Left, c.Right
	}
	gap := axis.b - axis.a
	for i, l := range levels {
		l.at = axis.at(l.x)
		if categorical {
			l.at = axis.at(float64(i))
		}
		if i > 0 {
			gap = min(gap, l.at-levels[i-1].at)
		}
	}
	if c.XTicks = levelTicks(levels, c, categorical); numeric && len(levels) > maxCategories {
		c.XTicks = nil
		for _, x := range axis.ticks(6) {
			c.XTicks = append(c.XTicks, tick{At: axis.at(x), Label: value(x)})
		}
	}
	v.drawLevels(c, levels, y, min(0.55*gap, 34), numeric)
	c.Name = fmt.Sprintf("Validation error against %s: %s.", path, v.medians(levels))
	return c, log
}

// levelTicks labels the levels, leaving out labels that would run into another.
func levelTicks(levels []*level, c *chart, categorical bool) []tick {
	const perRune = 6.3
	room := perRune * 14
	if categorical {
		room = (c.Right-c.Left)/float64(len(levels)) - 4
	}
	var out []tick
	end := math.Inf(-1)
	for _, l := range levels {
		t := tick{At: l.at}
		label := clip(l.label, max(int(room/perRune), 4))
		half := perRune * float64(len([]rune(label))) / 2
		if l.at-half >= end+4 {
			t.Label = label
			end = l.at + half
		}
		out = append(out, t)
	}
	return out
}

// drawLevels draws a point per trial, spread over the given width so that they can
// be told apart, and the medians.
func (v *view) drawLevels(c *chart, levels []*level, y scale, width float64, numeric bool) {
	var plain, diverged path
	all := 0
	for _, l := range levels {
		all += len(l.trials)
	}
	every := max((all+maxDots-1)/maxDots, 1)
	// Points of few trials tell what they are; of many they are one path.
	single := all <= 300
	n := 0
	for _, l := range levels {
		for i, t := range l.trials {
			at := px(l.at + width*(math.Mod(float64(i)*0.618034, 1)-0.5))
			strong := v.strong(t) && t.Status == statusCompleted
			n++
			switch {
			case n%every != 0 && !strong:
			case t.Status == statusDiverged:
				fmt.Fprintf(&diverged.b, "M%g %gl6 6m0 -6l-6 6", px(at-3), c.Top+2)
			case strong || single:
				d := dot{X: at, Y: y.at(t.Result.ValidationError), R: 2.6, Class: "trial",
					Title: fmt.Sprintf("#%d %s: %s (%s)", t.Rank, t.ID, v.measures.error(t.Result.ValidationError), settingsLine(t.Settings, v.short))}
				if strong {
					d.Class, d.R = "trial member", 3.2
				}
				c.Dots = append(c.Dots, d)
			default:
				plain.point(at, y.at(t.Result.ValidationError))
			}
		}
	}
	// Members last, on top of the others.
	slices.SortStableFunc(c.Dots, func(a, b dot) int { return cmp.Compare(len(a.Class), len(b.Class)) })

	if d := plain.String(); d != "" {
		c.Lines = append(c.Lines, line{Class: "points", D: d})
	}
	if d := diverged.String(); d != "" {
		c.Lines = append(c.Lines, line{Class: "diverged", D: d, Title: "diverged"})
	}
	if !telling(levels) {
		return
	}
	command := byte('M')
	half := max(min(width*0.6, 16), 3)
	var median, bars path
	for _, l := range levels {
		if len(l.errors) == 0 {
			continue
		}
		m := y.at(l.median())
		median.to(command, l.at, m)
		command = 'L'
		fmt.Fprintf(&bars.b, "M%g %gh%g", px(l.at-half), m, px(2*half))
	}
	if numeric {
		c.Over = append(c.Over, line{Class: "median", D: median.String()})
	}
	c.Over = append(c.Over, line{Class: "bar", D: bars.String()})
}

// medians says in words what a chart shows.
func (v *view) medians(levels []*level) string {
	best := -1
	for i, l := range levels {
		if len(l.errors) > 0 && (best < 0 || l.median() < levels[best].median()) {
			best = i
		}
	}
	if best < 0 {
		return "no trial completed"
	}
	return fmt.Sprintf("of %s, %s has the lowest median, %s", counted(len(levels), "value"), clip(levels[best].label, 40), v.measures.error(levels[best].median()))
}
