package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/activities/report"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
)

// element is an element of a page that was read back.
type element struct {
	name     string
	attrs    map[string]string
	text     strings.Builder // all of it, children included
	children int
}

// withoutCode is a page without its script and style, which are no XML.
func withoutCode(page string) string {
	for _, raw := range []string{"script", "style"} {
		page = regexp.MustCompile(`(?s)<`+raw+`>.*?</`+raw+`>`).ReplaceAllString(page, "")
	}
	return page
}

// parse reads a page as strictly as HTML that is also well-formed XML allows:
// every element closed, in order, and every attribute quoted.
func parse(t *testing.T, page string) []*element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(withoutCode(page), "<!DOCTYPE html>")))
	d.Entity = xml.HTMLEntity
	var all, open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			if len(open) > 0 {
				open[len(open)-1].children++
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, e := range open {
				e.text.Write(token)
			}
		}
	}
}

func find(all []*element, name, class string) []*element {
	var out []*element
	for _, e := range all {
		if e.name == name && (class == "" || strings.Contains(" "+e.attrs["class"]+" ", " "+class+" ")) {
			out = append(out, e)
		}
	}
	return out
}

func texts(all []*element) []string {
	var out []string
	for _, e := range all {
		out = append(out, strings.Join(strings.Fields(e.text.String()), " "))
	}
	return out
}

// checkPage asserts what holds for every report.
func checkPage(t *testing.T, page string) []*element {
	t.Helper()
	all := parse(t, page)
	for _, banned := range []string{"http:", "https:", "//cdn", "src=", "@import", "url(", "ZgotmplZ"} {
		if strings.Contains(page, banned) {
			at := strings.Index(page, banned)
			t.Errorf("%q is in the page: …%s…", banned, page[max(at-80, 0):min(at+80, len(page))])
		}
	}
	for _, slip := range []string{"NaN", "Inf", "%!", "&lt;nil&gt;"} {
		if strings.Contains(withoutCode(page), slip) {
			t.Errorf("%q is in the page", slip)
		}
	}
	for _, e := range all {
		switch e.name {
		case "link", "img", "iframe", "object", "embed", "form", "base":
			t.Errorf("a %s in the page", e.name)
		case "a":
			if !strings.HasPrefix(e.attrs["href"], "#") {
				t.Errorf("a link to %q", e.attrs["href"])
			}
		case "th":
			if e.attrs["scope"] == "" {
				t.Errorf("th %q has no scope", e.text.String())
			}
		case "svg":
			if e.attrs["role"] != "img" || e.attrs["aria-label"] == "" {
				t.Errorf("a chart without a name: %v", e.attrs)
			}
			if e.attrs["viewBox"] == "" {
				t.Errorf("a chart without a view box")
			}
		}
		for name, v := range e.attrs {
			if strings.HasPrefix(name, "on") {
				t.Errorf("a handler %s=%q", name, v)
			}
		}
	}
	if n := len(find(all, "h1", "")); n != 1 {
		t.Errorf("%d headings of the first level", n)
	}
	if n, m := len(find(all, "table", "")), len(find(all, "caption", "")); n != m {
		t.Errorf("%d tables, %d captions", n, m)
	}
	return all
}

func TestReport(t *testing.T) {
	t.Parallel()
	d := example(3, 10)
	page := render(t, "example", d)
	all := checkPage(t, page)

	if got := texts(find(all, "p", "lead"))[0]; got != "Averaged, the 10 best networks misclassify 1.24% of the 10,000 test cases. The best single network, chosen on the same validation cases, misclassifies 1.50%." {
		t.Errorf("lead: %s", got)
	}
	cards := strings.Join(texts(find(all, "div", "card")), "\n")
	for _, want := range []string{"Ensemble, test error 1.24%", "Best single, test error 1.50%", "Gain −17% 26 fewer errors in 10,000 cases", "Trials 72"} {
		squeezed := strings.ReplaceAll(want, " ", "")
		if !strings.Contains(strings.ReplaceAll(cards, " ", ""), squeezed) {
			t.Errorf("%q is not on the cards:\n%s", want, cards)
		}
	}
	for _, x := range []struct {
		name, class string
		want        int
	}{
		{"svg", "", 2 + 3 + 4},      // members, curves, three layers, four settings
		{"circle", "test", 10},      // a point per member
		{"path", "ensemble", 1},     // and the ensemble's line
		{"path", "right", 3},        // 1e-3
		{"path", "first", 1 + 3},    // the best curve
		{"path", "strong", 10 + 30}, // and the members'
		{"tr", "member", 10},        // marked in the table
		{"table", "sortable", 1},    //
		{"tr", "total", 1},          //
	} {
		if got := len(find(all, x.name, x.class)); got != x.want {
			t.Errorf("%d × %s.%s, want %d", got, x.name, x.class, x.want)
		}
	}
	if n := len(find(all, "td", "status")); n != len(d.Trials) {
		t.Errorf("%d rows, want %d", n, len(d.Trials))
	}
	for _, want := range append([]string{d.SpecSHA256, d.Dataset, d.Trainer, "OpenBLAS", "669,706", "scale: log", d.Manifest.Members[0].Checkpoint.SHA256}, ids(d)...) {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the report", want)
		}
	}
	captions := texts(find(all, "figcaption", ""))
	// Biases have no chart, nor what never moves.
	if layers := captions[2:5]; !slices.Equal(layers, []string{"dense0.weight", "dense1.weight", "dense10.weight"}) {
		t.Errorf("the layers are %q", layers)
	}
	if captions[5] != "train.learning_rate log scale" {
		t.Errorf("the setting that matters most is %q", captions[5])
	}
	if again := render(t, "example", d); again != page {
		t.Error("the same data gave another page")
	}
}

func ids(d report.Data) []string {
	var out []string
	for _, t := range d.Trials {
		out = append(out, string(t.ID))
	}
	return out
}

func TestHostileNamesAreEscaped(t *testing.T) {
	t.Parallel()
	const evil = `</style></script></textarea><script>alert(1)</script><img src=x onerror="alert(2)">'"&<!-- javascript:`
	d := example(1, 3)
	d.Spec.Name, d.Sweep, d.SpecYAML, d.SpecSHA256, d.Dataset, d.Trainer = evil, evil, evil, evil, evil, evil
	d.Spec.Data.Name, d.Spec.Model.Kind = evil, evil
	for i := range d.Trials {
		t := &d.Trials[i]
		t.ID = sweeps.TrialID(evil + string(t.ID))
		t.Settings[1] = sweeps.Setting{Path: "config." + evil, Value: fmt.Sprint(evil, i%2)}
		if t.Result != nil {
			t.Result.Engine = evil
		} else {
			t.Failure = evil
		}
	}
	for i := range d.Manifest.Members {
		m := &d.Manifest.Members[i]
		m.Trial, m.Settings, m.Checkpoint.Key, m.Checkpoint.SHA256 = evil, d.Trials[i].Settings, evil, evil
	}
	page := render(t, "hostile", d)
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if strings.Contains(page, "<img") || strings.Contains(page, "<!--") {
		t.Error("markup came through")
	}
	if n := strings.Count(page, "</style>"); n != 1 {
		t.Errorf("%d ends of the style", n)
	}
	all := parse(t, page)
	for _, e := range all {
		for name := range e.attrs {
			if strings.HasPrefix(name, "on") {
				t.Errorf("a handler %s", name)
			}
		}
	}
	if got := texts(find(all, "h1", ""))[0]; got != strings.Join(strings.Fields(evil), " ") {
		t.Errorf("the title became %q", got)
	}
}

func TestReportsOfUnusualSweeps(t *testing.T) {
	t.Parallel()
	settingless := func(d report.Data) report.Data {
		for i := range d.Trials {
			d.Trials[i].Settings = nil
		}
		return d
	}
	for _, tt := range []struct {
		name   string
		data   func() report.Data
		lead   string
		absent []string // ids of headings
	}{
		{"nothing", func() report.Data { return report.Data{Sweep: "empty-00000000"} },
			"No trial completed, so there is no ensemble.", []string{"h-ensemble", "h-curves", "h-settings", "h-failures"}},
		{"all-failed", func() report.Data {
			d := example(1, 0)
			for i := range d.Trials {
				d.Trials[i].Result, d.Trials[i].Failure = nil, "exit code 64: unknown activation \"rleu\""
			}
			return d
		}, "No trial completed, so there is no ensemble.", []string{"h-ensemble", "h-curves", "h-settings"}},
		{"all-diverged", func() report.Data {
			d := example(1, 0)
			for i := range d.Trials {
				if r := d.Trials[i].Result; r != nil {
					r.Status, r.ValidationError = sweeps.Diverged, 1
				}
			}
			return d
		}, "No trial completed, so there is no ensemble.", []string{"h-ensemble", "h-curves", "h-settings"}},
		{"one-trial", func() report.Data {
			d := example(1, 1)
			for i, x := range d.Trials {
				if x.ID == d.Manifest.Members[0].Trial {
					d.Trials = d.Trials[i : i+1]
					break
				}
			}
			return d
		}, "The only member misclassifies 1.24% of the 10,000 test cases.", []string{"h-settings", "h-failures"}},
		{"no-ensemble", func() report.Data { return example(2, 0) }, "The best trial has a validation error of", []string{"h-ensemble"}},
		{"cancelled", func() report.Data {
			d := example(2, 0)
			for i := range d.Trials[20:] {
				d.Trials[20+i].Result, d.Trials[20+i].Failure = nil, ""
			}
			return d
		}, "The best trial has", []string{"h-ensemble"}},
		{"not-measured", func() report.Data {
			d := example(2, 4)
			d.Manifest.Measured, d.Manifest.Split, d.Dataset = nil, ensemble.Split{}, ""
			d.Spec.Trainer.Command = []string{"python", "train.py"}
			for i := range d.Manifest.Members {
				d.Manifest.Members[i].Test = nil
			}
			return d
		}, "The best 4 networks are the ensemble. It is not measured here", nil},
		{"worse", func() report.Data {
			d := example(2, 4)
			d.Manifest.Measured.Test.Error = d.Manifest.Measured.BestSingleTestError * 1.1
			return d
		}, "Averaged, the 4 best networks", nil},
		{"one-epoch", func() report.Data {
			d := example(1, 3)
			for i := range d.Trials {
				if r := d.Trials[i].Result; r != nil {
					r.Curve = r.Curve[:1]
				}
			}
			return d
		}, "Averaged, the 3 best networks", nil},
		{"perfect", func() report.Data {
			d := example(1, 3)
			for i := range d.Trials {
				if r := d.Trials[i].Result; r != nil && r.Status == sweeps.Completed {
					r.ValidationError = 0
					for e := range r.Curve {
						r.Curve[e].ValidationError = 0
					}
				}
			}
			m := d.Manifest.Measured
			*m = ensemble.Measured{}
			for i := range d.Manifest.Members {
				d.Manifest.Members[i].ValidationError, d.Manifest.Members[i].Test = 0, &ensemble.Measures{}
			}
			return d
		}, "Averaged, the 3 best networks misclassify 0.00%", nil},
		{"no-curves", func() report.Data {
			d := settingless(example(1, 3))
			for i := range d.Trials {
				if r := d.Trials[i].Result; r != nil {
					r.Curve = nil
				}
			}
			return d
		}, "Averaged", []string{"h-curves", "h-settings"}},
		{"not-finite", func() report.Data {
			d := example(1, 3)
			for i := range d.Trials {
				if r := d.Trials[i].Result; r != nil {
					r.Curve[1].ValidationError = math.NaN()
					r.Curve[2].ValidationError = math.Inf(1)
				}
			}
			d.Trials[0].Result.ValidationError = math.NaN()
			return d
		}, "Averaged", nil},
		{"many", func() report.Data { return example(40, 10) }, "Averaged", nil},
		{"text-settings", func() report.Data {
			d := example(2, 4)
			for i := range d.Trials {
				d.Trials[i].Settings[0] = sweeps.Setting{Path: "config.optimizer", Value: []string{"sgd with momentum and a long name", "adam", "rmsprop"}[i%3]}
				d.Trials[i].Settings[1] = sweeps.Setting{Path: "config.flag", Value: i%2 == 0}
				d.Trials[i].Settings[2] = sweeps.Setting{Path: "config.mixed", Value: []any{1.5, "auto", nil}[i%3]}
				d.Trials[i].Settings[3] = sweeps.Setting{Path: "config.continuous", Value: float64(i*i) - 100}
			}
			return d
		}, "Averaged", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all := checkPage(t, render(t, tt.name, tt.data()))
			if got := texts(find(all, "p", "lead"))[0]; !strings.HasPrefix(got, tt.lead) {
				t.Errorf("lead: %s", got)
			}
			have := map[string]bool{}
			for _, h := range find(all, "h2", "") {
				have[h.attrs["id"]] = true
			}
			for _, id := range []string{"h-ensemble", "h-curves", "h-settings", "h-failures", "h-trials", "h-origin"} {
				absent := false
				for _, a := range tt.absent {
					absent = absent || a == id
				}
				if absent && have[id] {
					t.Errorf("section %s is there", id)
				}
			}
		})
	}
}

// TestBigReport: 10,000 trials give a page that still opens, and says what it
// leaves out.
func TestBigReport(t *testing.T) {
	t.Parallel()
	d := example(420, 100)
	if len(d.Trials) < 10_000 {
		t.Fatalf("%d trials", len(d.Trials))
	}
	page := render(t, "big", d)
	if len(page) > 3_000_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	all := checkPage(t, page)
	if n := len(find(all, "td", "status")); n != 1000 {
		t.Errorf("%d rows", n)
	}
	if n := len(find(all, "path", "faint")); n != 150 {
		t.Errorf("%d faint curves", n)
	}
	if n := len(find(all, "div", "failure")); n != 1 {
		t.Errorf("%d groups of failures", n)
	}
	if got := texts(find(all, "li", "")); len(got) != 11 || got[10] != "and 263 more" {
		t.Errorf("failed trials: %q", got)
	}
	notes := strings.Join(texts(find(all, "p", "small")), "\n")
	for _, want := range []string{"The best 1,000 of 10,080 trials are listed.", "150 are drawn", "of 9,", "The best 60 of 100 members are shown"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not said:\n%s", want, notes)
		}
	}
}

func TestRenderReportsAFullDisk(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	if err := report.Render(failing{full}, example(1, 2)); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if err := report.Render(&bytes.Buffer{}, example(1, 2)); err != nil {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Errors of values are no shares of cases, so they are not written as such.
func TestReportOfValues(t *testing.T) {
	t.Parallel()
	d := example(2, 5)
	d.Manifest.Split.Classes = 0
	page := render(t, "values", d)
	parse(t, page)
	body := withoutCode(page)
	for _, bad := range []string{"misclassif", "nats", "Brier", "Test NLL", "errors in", "0 classes"} {
		if strings.Contains(body, bad) {
			t.Errorf("a report of values says %q", bad)
		}
	}
	if percents := regexp.MustCompile(`[0-9.]+%`).FindAllString(body, -1); len(percents) != 1 { // the gain
		t.Errorf("percentages %v, want that of the gain alone", percents)
	}
	for _, want := range []string{"leave 0.0124 of the variance of the values of the 10,000 test cases unexplained", "Test MSE", "1 value a case", "1 for guessing their mean"} {
		if !strings.Contains(body, want) {
			t.Errorf("a report of values lacks %q", want)
		}
	}
}

// What has no place on a logarithmic axis leaves a gap, many layers are cut short, and
// layer 2 comes before layer 10.
func TestUpdateCharts(t *testing.T) {
	t.Parallel()
	d := example(1, 3)
	for _, r := range d.Trials {
		if r.Result == nil {
			continue
		}
		for e := range r.Result.Curve {
			ratios := map[string]float64{}
			for layer := range 14 {
				ratios[fmt.Sprintf("conv%d.weight", layer)] = 1e-3
			}
			ratios["conv2.weight"] = []float64{0, math.NaN(), math.Inf(1), -1, 1e-30, 50}[e%6]
			r.Result.Curve[e].UpdateRatio = ratios
		}
	}
	page := render(t, "layers", d)
	all := checkPage(t, page)
	layers := texts(find(all, "figcaption", ""))[2:14]
	if len(find(all, "path", "right")) != 12 || layers[2] != "conv2.weight" || layers[11] != "conv11.weight" || !strings.Contains(page, "The first 12 of 14 arrays of weights are shown.") {
		t.Errorf("the layers are %q", layers)
	}
	if paths := find(all, "path", ""); slices.ContainsFunc(paths, func(p *element) bool { return strings.ContainsAny(p.attrs["d"], "NnIi") }) {
		t.Error("a number that is none is in the page")
	}
	// Without ratios, as of a trainer of one's own, there is no such section.
	for _, r := range d.Trials {
		if r.Result != nil {
			for e := range r.Result.Curve {
				r.Result.Curve[e].UpdateRatio = nil
			}
		}
	}
	if page := render(t, "no-updates", d); strings.Contains(page, "h-updates") {
		t.Error("there is a section without charts")
	}
}
