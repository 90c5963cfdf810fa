package engine

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Timer is an [Executable] that can tell its instructions' times apart.
type Timer interface {
	// RunTimed is Run, and adds to spent[i] how long instruction i took.
	RunTimed(spent []time.Duration) error
}

// Counter is an operation that knows how many additions and multiplications it
// takes, given the shapes of its operands. Others count as one for each element of
// their result.
type Counter interface {
	Flops(in ...[]int) float64
}

// Flops estimates the arithmetic of an instruction.
func (p *Plan) Flops(i int) float64 {
	in := p.Instructions[i]
	c, ok := in.Op.(Counter)
	if !ok {
		return float64(p.Values[in.Out].Len())
	}
	shapes := make([][]int, len(in.In))
	for j, v := range in.In {
		shapes[j] = p.Values[v].Shape
	}
	return c.Flops(shapes...)
}

// Bytes is how much an instruction reads and writes, each operand once.
func (p *Plan) Bytes(i int) int {
	in := p.Instructions[i]
	n := p.Values[in.Out].Bytes()
	for _, v := range in.In {
		n += p.Values[v].Bytes()
	}
	return n
}

// profile is what a program's instructions took since it was asked for.
type profile struct {
	calls int
	spent []time.Duration
}

// StartProfile has all later runs timed, instruction by instruction. On a backend that
// cannot do that it does nothing.
func (p *Program) StartProfile() {
	if _, ok := p.exec.(Timer); ok && p.profile == nil {
		p.profile = &profile{spent: make([]time.Duration, len(p.plan.Instructions))}
	}
}

// run executes the program, timed if asked for.
func (p *Program) run() error {
	if p.profile == nil {
		return p.exec.Run()
	}
	timer, _ := p.exec.(Timer)
	p.profile.calls++
	return timer.RunTimed(p.profile.spent)
}

// WriteCalls writes, in a line, how often the program ran since
// [Program.StartProfile], and how long.
func (p *Program) WriteCalls(w io.Writer) error {
	if p.profile == nil || p.profile.calls == 0 {
		_, err := io.WriteString(w, "no calls\n")
		return err
	}
	var total time.Duration
	for _, d := range p.profile.spent {
		total += d
	}
	if _, err := fmt.Fprintf(w, "%d calls, %.2f ms each\n", p.profile.calls, total.Seconds()*1e3/float64(p.profile.calls)); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	return nil
}

// WriteProfile writes where the time went since [Program.StartProfile], the slowest
// instruction first.
func (p *Program) WriteProfile(w io.Writer) error {
	if p.profile == nil || p.profile.calls == 0 {
		return p.WriteCalls(w)
	}
	if err := p.WriteCalls(w); err != nil {
		return err
	}
	var total time.Duration
	order := make([]int, len(p.profile.spent))
	for i, d := range p.profile.spent {
		total += d
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.profile.spent[b], p.profile.spent[a]) })
	calls := float64(p.profile.calls)
	var b strings.Builder
	b.WriteString("share\tms\tGFLOP/s\tGB/s\tshape\toperation\n")
	for _, i := range order {
		in, d := p.plan.Instructions[i], p.profile.spent[i].Seconds()
		fmt.Fprintf(&b, "%.1f%%\t%.3f\t%.1f\t%.1f\t%v\t%v\n", 100*d/max(total.Seconds(), 1e-9), d*1e3/calls,
			p.plan.Flops(i)*calls/max(d, 1e-9)/1e9, float64(p.plan.Bytes(i))*calls/max(d, 1e-9)/1e9, p.plan.Values[in.Out].Shape, in.Op)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(tw, b.String()); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	return nil
}
