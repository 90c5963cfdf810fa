package space

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// ErrTooLarge says that a grid has more points than an int can count.
var ErrTooLarge = errors.New("the grid has more than 2^63 points")

// Assignment is a parameter with one of its values.
type Assignment struct {
	Name  string
	Value any
}

// Grid is the product of parameters, in the order of their names; the last one
// varies fastest. It is lazy: a point is computed when asked for, so its memory
// does not depend on its size. It is safe for concurrent use.
type Grid struct {
	names      []string
	parameters []Parameter
	size       int
}

// NewGrid makes the grid over named parameters. No parameters at all make a grid
// of one point without assignments. It returns the error of an invalid parameter
// (an [*Error], wrapped with its name), or [ErrTooLarge].
func NewGrid(parameters map[string]Parameter) (*Grid, error) {
	g := &Grid{size: 1}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		p := parameters[name]
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		g.names = append(g.names, name)
		g.parameters = append(g.parameters, p)
		high, low := bits.Mul64(uint64(g.size), uint64(p.Len()))
		if high != 0 || low > math.MaxInt {
			return nil, ErrTooLarge
		}
		g.size = int(low)
	}
	return g, nil
}

// Len is the number of points.
func (g *Grid) Len() int { return g.size }

// Names are the parameters' names, sorted.
func (g *Grid) Names() []string { return slices.Clone(g.names) }

// At returns point i, which must be in [0, Len()), in the order of Names.
func (g *Grid) At(i int) []Assignment {
	point := make([]Assignment, len(g.names))
	for axis := len(g.names) - 1; axis >= 0; axis-- {
		n := g.parameters[axis].Len()
		point[axis] = Assignment{Name: g.names[axis], Value: g.parameters[axis].At(i % n)}
		i /= n
	}
	return point
}
