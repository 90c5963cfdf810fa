package recipes

import (
	"fmt"

	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
)

// Sorted is how well numbers were sorted: the shares, in [0, 1], of bits, of whole
// numbers and of whole lists that are right.
type Sorted struct {
	Bits, Numbers, Lists float64
}

// Sorting measures the predictions for lists of so many numbers of so many bits:
// probs is of shape [lists · numbers · bits, 2], labels has as many bits.
func Sorting[T ensemble.Real](probs []T, labels []int32, bits, numbers int) (Sorted, error) {
	list := bits * numbers
	if list < 1 || len(labels) == 0 || len(labels)%list != 0 || len(probs) != 2*len(labels) {
		return Sorted{}, fmt.Errorf("%d probabilities and %d labels are no lists of %d numbers of %d bits", len(probs), len(labels), numbers, bits)
	}
	var right struct{ bits, numbers, lists int }
	wrongInList, wrongInNumber := 0, 0
	for i, label := range labels {
		predicted := int32(0)
		if probs[2*i+1] > probs[2*i] {
			predicted = 1
		}
		if predicted == label {
			right.bits++
		} else {
			wrongInNumber++
			wrongInList++
		}
		if (i+1)%bits == 0 {
			if wrongInNumber == 0 {
				right.numbers++
			}
			wrongInNumber = 0
		}
		if (i+1)%list == 0 {
			if wrongInList == 0 {
				right.lists++
			}
			wrongInList = 0
		}
	}
	n := float64(len(labels))
	return Sorted{
		Bits:    float64(right.bits) / n,
		Numbers: float64(right.numbers) / n * float64(bits),
		Lists:   float64(right.lists) / n * float64(list),
	}, nil
}
