package report

import (
	"fmt"

	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
)

// membersChart shows one row per member with its errors on validation and test,
// and the ensemble's test error as a line through all rows. It returns nil
// without measured members.
func (v *view) membersChart() *chart {
	m := v.Manifest
	if m == nil || m.Measured == nil {
		return nil
	}
	shown := m.Members[:min(len(m.Members), maxMembers)]
	const rowHeight = 24
	c := &chart{W: 960, Left: 170, Right: 930, Top: 34, XTitle: "error"}
	c.Bottom = c.Top + rowHeight*float64(len(shown)) + 6
	c.H = c.Bottom + 46

	values := []float64{m.Measured.Test.Error}
	for _, x := range shown {
		values = append(values, x.ValidationError)
		if x.Test != nil {
			values = append(values, x.Test.Error)
		}
	}
	x := errorScale(values, c.Left, c.Right, false)
	c.XTicks = v.measures.ticks(x, 8)
	for i, member := range shown {
		y := c.Top + rowHeight*(float64(i)+0.5) + 3
		c.Texts = append(c.Texts, text{X: c.Left - 14, Y: y + 4, Anchor: "end", Class: "row", Text: fmt.Sprintf("%d · %s", member.Rank, clip(string(member.Trial), 16))})
		c.Lines = append(c.Lines, line{Class: "row", D: fmt.Sprintf("M%g %gH%g", c.Left, px(y), c.Right)})
		c.Dots = append(c.Dots, dot{X: x.at(member.ValidationError), Y: px(y), R: 4.5, Class: "validation",
			Title: fmt.Sprintf("#%d %s, validation: %s", member.Rank, member.Trial, v.measures.error(member.ValidationError))})
		if member.Test != nil {
			c.Dots = append(c.Dots, dot{X: x.at(member.Test.Error), Y: px(y), R: 5, Class: "test",
				Title: fmt.Sprintf("#%d %s, test: %s", member.Rank, member.Trial, v.measures.error(member.Test.Error))})
		}
	}
	at := x.at(m.Measured.Test.Error)
	c.Lines = append(c.Lines, line{Class: "ensemble", D: fmt.Sprintf("M%g %gV%g", at, c.Top-10, c.Bottom),
		Title: "ensemble, test: " + v.measures.error(m.Measured.Test.Error)})
	anchor, label := "start", at-2
	if at > (c.Left+c.Right)/2 {
		anchor, label = "end", at+2
	}
	c.Texts = append(c.Texts, text{X: label, Y: c.Top - 16, Anchor: anchor, Class: "ensemble", Text: "ensemble, test " + v.measures.error(m.Measured.Test.Error)})
	c.Name = fmt.Sprintf("Test and validation errors of %s. Test errors are %s to %s, their mean is %s; the ensemble's is %s.",
		counted(len(shown), "member"), v.measures.error(m.Measured.MinMemberTestError), v.measures.error(maxTestError(m.Members)),
		v.measures.error(m.Measured.MeanMemberTestError), v.measures.error(m.Measured.Test.Error))
	return c
}

func maxTestError(members []ensemble.Member) float64 {
	worst := 0.0
	for _, m := range members {
		if m.Test != nil {
			worst = max(worst, m.Test.Error)
		}
	}
	return worst
}
