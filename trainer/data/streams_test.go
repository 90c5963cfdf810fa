package data

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Row r of a minibatch follows row r of the one before, each case comes once, and rows
// go missing from the end alone.
func TestStreams(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, size := rapid.IntRange(1, 60).Draw(t, "n"), rapid.IntRange(1, 20).Draw(t, "size")
		b := NewBatches(counting(n), nil, Symbols(1), size)
		b.Streams()
		x, labels := make([]float32, size), make([]int32, size)
		var all []int
		rows := size
		last := make([]int, size)
		for step := range b.Steps() {
			filled := b.Fill(step, x, labels, nil)
			if filled > rows || filled < 1 {
				t.Fatalf("step %d has %d rows after one of %d", step, filled, rows)
			}
			rows = filled
			for r := range rows {
				c := int(x[r])
				if c != int(labels[r]) || c != b.Place(step, r) {
					t.Fatalf("step %d, row %d: case %d with the label %d is said to be at %d", step, r, c, labels[r], b.Place(step, r))
				}
				if step > 0 && c != last[r]+1 {
					t.Fatalf("step %d, row %d: case %d after case %d", step, r, c, last[r])
				}
				last[r] = c
				all = append(all, c)
			}
		}
		slices.Sort(all)
		for i, c := range all {
			if i != c || len(all) != n {
				t.Fatalf("cases are not 0 to %d, each once: %v", n-1, all)
			}
		}
		b.Shuffle(1, 1)
		if b.streams {
			t.Fatal("shuffled cases are said to be in streams")
		}
	})
}

func TestSymbolsStayWhole(t *testing.T) {
	t.Parallel()
	x := make([]float32, 3)
	Symbols(3).Apply(x, []uint8{0, 8, 255})
	if !slices.Equal(x, []float32{0, 8, 255}) {
		t.Errorf("symbols 0, 8 and 255 are inputs %v", x)
	}
}
