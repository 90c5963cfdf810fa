package engine

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Dump writes the program for people: each instruction with its operands, the shape and
// place of its result, the bytes it reads and writes and its arithmetic.
func (p *Program) Dump(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var b strings.Builder
	for _, v := range p.plan.Values {
		switch v.Kind {
		case Leaf:
			fmt.Fprintf(&b, "\t%s\t\t%v\t%v\tleaf\n", v.Name, v.Shape, v.Dtype)
		case View:
			fmt.Fprintf(&b, "\t%s\t\t%v\t%v\tview %s+%d\n", v.Name, v.Shape, v.Dtype, p.plan.Values[v.Base].Name, v.Start*int(v.Dtype.Size()))
		}
	}
	for i, in := range p.plan.Instructions {
		args := make([]string, len(in.In))
		for j, v := range in.In {
			args[j] = p.plan.Values[v].Name
		}
		out := p.plan.Values[in.Out]
		place := out.Kind.String()
		if out.Kind == Temporary {
			place = fmt.Sprintf("arena %d+%d", out.Offset, out.Bytes())
		}
		fmt.Fprintf(&b, "%d\t%s\t%v(%s)\t%v\t%v\t%s\t%d bytes\t%.0f flops\n", i, out.Name, in.Op, strings.Join(args, ", "), out.Shape, out.Dtype, place, p.plan.Bytes(i), p.plan.Flops(i))
	}
	fmt.Fprintf(&b, "arena: %d bytes\n", p.plan.ArenaBytes)
	if _, err := io.WriteString(tw, b.String()); err != nil {
		return fmt.Errorf("dump a program: %w", err)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("dump a program: %w", err)
	}
	return nil
}
