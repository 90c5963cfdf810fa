package ops

import (
	"fmt"
	"sync"

	"gorgonia.org/gorgonia"
)

// differentiating guards constants that all of Gorgonia's graphs share: the first
// differentiation computes and keeps their hashes.
var differentiating sync.Mutex

// Gradients returns the nodes of the gradients of a scalar with respect to others, by
// Gorgonia's own differentiation. It may be called for several graphs at once.
func Gradients(of *gorgonia.Node, wrt ...*gorgonia.Node) (gorgonia.Nodes, error) {
	differentiating.Lock()
	defer differentiating.Unlock()
	grads, err := gorgonia.Grad(of, wrt...)
	if err != nil {
		return nil, fmt.Errorf("differentiate %v: %w", of, err)
	}
	return grads, nil
}
