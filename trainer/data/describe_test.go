package data

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

func TestDescribeFindsDuplicatesAndMeasuresTheScale(t *testing.T) {
	t.Parallel()
	negativeZero := float32(math.Copysign(0, -1))
	// As bytes and as floats: rows of three features, of which the last is constant.
	for name, ds := range map[string]*Dataset{
		"bytes": {
			Train: Split{N: 4, Images: []uint8{0, 2, 7, 4, 2, 7, 0, 2, 7, 8, 10, 7}},
			Test:  Split{N: 3, Images: []uint8{1, 1, 7, 4, 2, 7, 4, 2, 7}},
		},
		"floats": {
			Train: Split{N: 4, Values: []float32{0, 2, 7, 4, 2, 7, negativeZero, 2, 7, 8, 10, 7}},
			Test:  Split{N: 3, Values: []float32{1, 1, 7, 4, 2, 7, 4, 2, 7}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ds.Name, ds.Shape, ds.Classes = name, []int{3}, 2
			ds.Train.Labels, ds.Test.Labels = []uint8{0, 1, 1, 1}, []uint8{0, 1, 0}
			d := Describe(ds)
			want := Description{
				Name: name, Shape: []int{3}, Classes: 2,
				Train: Counts{Cases: 4, PerClass: []int{1, 3}}, Test: Counts{Cases: 3, PerClass: []int{2, 1}},
				Scale: &Scale{
					Features: 3, Constant: 1,
					Min: Spread{0, 2, 7}, Max: Spread{7, 8, 10}, Mean: Spread{3, 4, 7},
					Std: Spread{0, math.Sqrt(11), math.Sqrt(12)},
				},
				Duplicates: &Duplicates{Train: 1, Test: 1, Across: 2, First: &Pair{Train: 1, Test: 1}},
			}
			if diff := cmp.Diff(want, d); diff != "" {
				t.Error(diff)
			}
			var bad *Error
			if err := d.Leakage(); !errors.As(err, &bad) || !strings.Contains(err.Error(), "leaks: 2 of 3 test cases have the inputs of training cases, beginning with test case 1, which is training case 1") {
				t.Errorf("leakage: %v", err)
			}
			if n := Shared(ds, []int32{0, 1}, []int32{2, 3}); n != 1 {
				t.Errorf("%d validation cases are training cases, want 1", n)
			}
		})
	}
}

// The constant 0.1 has no exact mean, and still no deviation.
func TestScaleOfAConstant(t *testing.T) {
	t.Parallel()
	values := make([]float32, 1000)
	for i := range values {
		values[i] = 0.1
	}
	if s := scaleOf(values, len(values), 1); s.Std.Highest != 0 || s.Mean.Lowest != float64(float32(0.1)) || s.Constant != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestMNISTDoesNotLeak(t *testing.T) {
	t.Parallel()
	f, err := readDirectory(t.Context(), datatest.MNIST(t), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	ds := &Dataset{
		Shape: []int{28, 28}, Classes: 10,
		Train: Split{N: 60000, Images: f.idx[trainImages].data},
		Test:  Split{N: 10000, Images: f.idx[testImages].data},
	}
	d := Describe(ds)
	if diff := cmp.Diff(&Duplicates{}, d.Duplicates); diff != "" || d.Leakage() != nil {
		t.Errorf("%v\n%s", d.Leakage(), diff)
	}
	if d.Scale.Constant != 67 || d.Scale.Max.Highest != 255 {
		t.Errorf("got %+v", d.Scale)
	}
}
