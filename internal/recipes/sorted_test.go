package recipes

import "testing"

func TestSorting(t *testing.T) {
	t.Parallel()
	labels := []int32{0, 1, 1, 1, 0, 0, 0, 1} // two lists of two numbers of two bits
	probs := make([]float64, 2*len(labels))
	for i, l := range labels {
		probs[2*i], probs[2*i+1] = 0.6, 0.4
		if l == 1 {
			probs[2*i], probs[2*i+1] = 0.4, 0.6
		}
	}
	for wrong, want := range map[int]Sorted{
		-1: {Bits: 1, Numbers: 1, Lists: 1},
		0:  {Bits: 7. / 8, Numbers: 3. / 4, Lists: 1. / 2},
		7:  {Bits: 7. / 8, Numbers: 3. / 4, Lists: 1. / 2},
	} {
		p := append([]float64(nil), probs...)
		if wrong >= 0 {
			p[2*wrong], p[2*wrong+1] = p[2*wrong+1], p[2*wrong]
		}
		got, err := Sorting(p, labels, 2, 2)
		if err != nil || got != want {
			t.Errorf("with bit %d wrong: %+v, %v; want %+v", wrong, got, err, want)
		}
	}
	if _, err := Sorting(probs[1:], labels, 2, 2); err == nil {
		t.Error("accepts half a bit")
	}
}
