package space

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestGridOrder(t *testing.T) {
	t.Parallel()
	grid, err := NewGrid(map[string]Parameter{
		"b": {Values: []any{"x", "y"}},
		"a": ranged(1, 3, Linear, 3),
		"c": {Values: []any{true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range grid.Len() {
		point := grid.At(i)
		got = append(got, fmt.Sprintf("%v %v %v", point[0].Value, point[1].Value, point[2].Value))
	}
	want := []string{"1 x true", "1 y true", "2 x true", "2 y true", "3 x true", "3 y true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, grid.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestGridOfNothingHasOnePoint(t *testing.T) {
	t.Parallel()
	grid, err := NewGrid(nil)
	if err != nil || grid.Len() != 1 || len(grid.At(0)) != 0 {
		t.Errorf("got %v, %v", grid, err)
	}
}

func TestGridRefuses(t *testing.T) {
	t.Parallel()
	million := ranged(0, 1, Linear, MaxCount)
	large := map[string]Parameter{"a": million, "b": million, "c": million}
	grid, err := NewGrid(large)
	if err != nil || grid.Len() != 1e18 {
		t.Fatalf("got %v", err)
	}
	if got := grid.At(grid.Len() - 1); got[0].Value != 1.0 || got[2].Value != 1.0 {
		t.Errorf("the last of 10^18 points is %v", got)
	}
	large["d"] = ranged(0, 1, Linear, 10)
	if _, err := NewGrid(large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("10^19 points: got %v", err)
	}
	large["d"] = million
	if _, err := NewGrid(large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("10^24 points: got %v", err)
	}
	var f *Error
	if _, err := NewGrid(map[string]Parameter{"speed": {}}); !errors.As(err, &f) || !strings.Contains(err.Error(), "speed") {
		t.Errorf("got %v", err)
	}
}

// Every combination occurs at exactly one index.
func TestGridIsTheProduct(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parameters := map[string]Parameter{}
		size := 1
		for i := range rapid.IntRange(0, 4).Draw(t, "axes") {
			n := rapid.IntRange(1, 5).Draw(t, "values")
			var values []any
			for v := range n {
				values = append(values, float64(v))
			}
			parameters[fmt.Sprint("p", i)] = Parameter{Values: values}
			size *= n
		}
		grid, err := NewGrid(parameters)
		if err != nil || grid.Len() != size {
			t.Fatalf("got %d points, %v; want %d", grid.Len(), err, size)
		}
		seen := map[string]bool{}
		for i := range size {
			seen[fmt.Sprint(grid.At(i))] = true
		}
		if len(seen) != size {
			t.Fatalf("%d of %d points are distinct", len(seen), size)
		}
	})
}

func BenchmarkGridAt(b *testing.B) {
	grid, err := NewGrid(map[string]Parameter{"a": ranged(1e-5, 1, Log, 1000), "b": ranged(0, 1, Linear, 1000), "c": {Values: []any{1.0, 2.0}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		grid.At(i % grid.Len())
	}
}
