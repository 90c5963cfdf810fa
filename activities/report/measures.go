package report

import (
	"fmt"
	"strconv"
)

// measures writes errors for people: shares of the labels in per cent, and those of
// values, which are no shares of cases, as plain numbers.
type measures struct {
	values bool // cases ask for values
	labels bool // cases ask for several labels
}

// newMeasures finds out what the numbers of a sweep are of.
func newMeasures(d Data) measures {
	m := measures{}
	if d.Manifest != nil && d.Manifest.Measured != nil {
		m.values = d.Manifest.Split.Classes == 0
		m.labels = d.Manifest.Split.Outputs > 1 && !m.values
	}
	for _, t := range d.Trials {
		m.values = m.values || t.Result != nil && t.Result.Values
	}
	return m
}

// error writes one.
func (m measures) error(x float64) string {
	if m.values {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return percent(x)
}

// ticks labels a scale of errors.
func (m measures) ticks(s scale, n int) []tick {
	if !m.values {
		return s.errorTicks(n)
	}
	var out []tick
	for _, v := range s.ticks(n) {
		out = append(out, tick{At: s.at(v), Label: strconv.FormatFloat(v, 'g', 4, 64)})
	}
	return out
}

// lead says how the ensemble does on the test cases, and the best single network.
func (m measures) lead(members int, ensemble, single float64, cases string) string {
	switch {
	case m.values && members == 1:
		return fmt.Sprintf("The only member leaves %s of the variance of the values of the %s unexplained.", m.error(ensemble), cases)
	case m.values:
		return fmt.Sprintf("Averaged, the %s best networks leave %s of the variance of the values of the %s unexplained. The best single network, chosen on the same validation cases, leaves %s.",
			grouped(members), m.error(ensemble), cases, m.error(single))
	case m.labels:
		cases = "labels of the " + cases
	}
	if members == 1 {
		return fmt.Sprintf("The only member misclassifies %s of the %s.", m.error(ensemble), cases)
	}
	return fmt.Sprintf("Averaged, the %s best networks misclassify %s of the %s. The best single network, chosen on the same validation cases, misclassifies %s.",
		grouped(members), m.error(ensemble), cases, m.error(single))
}

// loss writes one.
func (m measures) loss(x float64) string {
	if m.values {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return decimals(x, 4)
}

// lossName names the column of losses.
func (m measures) lossName() string {
	if m.values {
		return "Test MSE"
	}
	return "Test NLL"
}

// explanation says what the measures of the ensemble are, whose Brier score is given.
func (m measures) explanation(brier string) string {
	switch {
	case m.values:
		return "An error is the mean squared error, MSE, as a share of the variance of the values: 1 for guessing their mean."
	case m.labels:
		return "NLL is the mean negative log likelihood in nats per label; the ensemble’s Brier score is " + brier + "."
	default:
		return "NLL is the mean negative log likelihood in nats per case; the ensemble’s Brier score is " + brier + "."
	}
}
