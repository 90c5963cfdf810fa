package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is all that was measured.
type report struct {
	Go      string  `json:"go"`
	Cores   int     `json:"cores"`
	PyTorch string  `json:"pytorch"`
	Clip    float64 `json:"clip"`
	Rounds  int     `json:"rounds"`
	Seconds float64 `json:"seconds"` // of a round
	// CPU: rates are by the time that cores worked.
	CPU bool `json:"cpu,omitzero"`
	// Startup has ours and PyTorch's; empty where it was not measured.
	Startup   []startup  `json:"startup,omitempty"`
	Rooflines []roofline `json:"rooflines"`
	Workloads []measured `json:"workloads"`
	// Missing are the workloads that the trainer can't do.
	Missing []string `json:"missing,omitempty"`
}

// roofline is the rate of a square product, in operations a second.
type roofline struct {
	Threads int     `json:"threads"`
	Ours    float64 `json:"ours"`
	PyTorch float64 `json:"pytorch"`
}

// measured is one workload on a number of threads.
type measured struct {
	Workload string `json:"workload"`
	Threads  int    `json:"threads"`
	Batch    int    `json:"batch"`
	Engine   string `json:"engine"`
	// Ours and Peers are samples a second, medians of the rounds; Best is the fastest
	// of PyTorch's variants.
	Ours  float64            `json:"ours"`
	Peers map[string]float64 `json:"peers"`
	Best  string             `json:"best"`
	// Ratio is ours to the best of PyTorch's: the median of the rounds' ratios, and
	// the least and the largest of them.
	Ratio [3]float64 `json:"ratio"`
	Goal  float64    `json:"goal"`
	// Flops is the arithmetic of the products of a step, Roof the largest rate of a
	// square product, in operations a second.
	Flops float64 `json:"flops"`
	Roof  float64 `json:"roof"`
	// Peak memory, in bytes: ours, and the least of PyTorch's variants with and
	// without the CUDA libraries that are loaded for nothing.
	Peak         int64   `json:"peak"`
	PeerPeak     int64   `json:"peer_peak"`
	PeerPeakCuda int64   `json:"peer_peak_with_cuda"`
	Allocated    float64 `json:"allocated"` // bytes a step, ours
}

// compare reduces the rounds of sides, of which the first is ours.
func (m *measured) compare(sides []*side) {
	ours, peers := sides[0], sides[1:]
	m.Ours = ours.rate() * float64(m.Batch)
	m.Allocated = ours.last.Allocated
	m.Peak, _ = ours.peak()
	best := peers[0]
	for _, p := range peers {
		m.Peers[p.name] = p.rate() * float64(m.Batch)
		if p.rate() > best.rate() {
			best = p
		}
		if peak, cuda := p.peak(); m.PeerPeak == 0 || peak-cuda < m.PeerPeak {
			m.PeerPeak, m.PeerPeakCuda = peak-cuda, peak
		}
	}
	m.Best = best.name
	ratios := make([]float64, len(ours.rates))
	for i, r := range ours.rates {
		ratios[i] = r / best.rates[i]
	}
	m.Ratio = [3]float64{median(ratios), slices.Min(ratios), slices.Max(ratios)}
}

// fraction is the share of the roof that a rate in samples a second makes use of.
func (m *measured) fraction(rate float64) float64 {
	return 100 * rate / float64(m.Batch) * m.Flops / m.Roof
}

// print writes tables in Markdown.
func (r *report) print(out io.Writer) error {
	var b strings.Builder
	clip := "the gradient's norm is not clipped"
	if r.Clip > 0 {
		clip = fmt.Sprintf("the gradient's norm is clipped at %g", r.Clip)
	}
	if r.CPU {
		clip += "; seconds are those that cores worked"
	}
	fmt.Fprintf(&b, "%s, %d cores; %s; median of %d rounds of %g s; %s\n\n", r.Go, r.Cores, r.PyTorch, r.Rounds, r.Seconds, clip)
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	row := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	if len(r.Startup) == 2 {
		ours, peer := r.Startup[0], r.Startup[1]
		row("| one step of 784-128-128-10 from a file\t| process start to step done\t| peak memory\t|")
		row("|---\t|---\t|---\t|")
		row("| bin/trainer\t| %.0f ms\t| %.0f MiB\t|", 1000*ours.Seconds, ours.Peak/(1<<20))
		row("| python, torch\t| %.0f ms\t| %.0f MiB\t|", 1000*peer.Seconds, peer.Peak/(1<<20))
		row("| ours / PyTorch's (goal ≤ 0.1)\t| %.3f\t| %.3f\t|\n", ours.Seconds/peer.Seconds, ours.Peak/peer.Peak)
	}
	row("| square product of 2048, best round\t| ours\t| torch.mm\t|")
	row("|---\t|---\t|---\t|")
	for _, p := range r.Rooflines {
		row("| GFLOP/s, %d threads\t| %.0f\t| %.0f\t|", p.Threads, p.Ours/1e9, p.PyTorch/1e9)
	}
	row("")
	row("| network\t| threads\t| ours, samples/s\t| PyTorch, samples/s\t| ours / fastest\t| goal\t| of the roofline: ours, PyTorch\t| peak MiB: ours, PyTorch\t| allocated a step\t|")
	row("|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, m := range r.Workloads {
		var peers []string
		for _, name := range slices.Sorted(maps.Keys(m.Peers)) {
			text := fmt.Sprintf("%s %.0f", name, m.Peers[name])
			if name == m.Best {
				text = "**" + text + "**"
			}
			peers = append(peers, text)
		}
		met := "missed"
		if m.Ratio[0] >= m.Goal {
			met = "met"
		}
		row("| %s\t| %d\t| %.0f\t| %s\t| %.2f (%.2f to %.2f)\t| %.1f %s\t| %.0f%%, %.0f%%\t| %d, %d\t| %.0f B\t|",
			m.Workload, m.Threads, m.Ours, strings.Join(peers, ", "), m.Ratio[0], m.Ratio[1], m.Ratio[2], m.Goal, met,
			m.fraction(m.Ours), m.fraction(m.Peers[m.Best]), m.Peak>>20, m.PeerPeak>>20, m.Allocated)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	if len(r.Workloads) > 0 {
		fmt.Fprintf(&b, "\nengine: %s\n", r.Workloads[0].Engine)
	}
	for _, missing := range r.Missing {
		fmt.Fprintf(&b, "missing: %s\n", missing)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
