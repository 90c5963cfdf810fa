package ops_test

import (
	"sync"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// Under the race detector this fails if graphs share what differentiation writes.
func TestGraphsAreDifferentiatedAtOnce(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			g := gorgonia.NewGraph()
			x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 3), gorgonia.WithName("x"))
			labels := gorgonia.NewVector(g, tensor.Int32, gorgonia.WithShape(2), gorgonia.WithName("labels"))
			loss, err := ops.CrossEntropy(x, labels)
			if err != nil {
				t.Error(err)
				return
			}
			if grads, err := ops.Gradients(loss, x); err != nil || len(grads) != 1 {
				t.Errorf("%d gradients, %v", len(grads), err)
			}
		})
	}
	group.Wait()
}
