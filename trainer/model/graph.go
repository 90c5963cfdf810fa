package model

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// trainingGraph is the graph of a loss and its gradients for a number of rows.
type trainingGraph struct {
	graph           *gorgonia.ExprGraph
	x, labels, step *gorgonia.Node // inputs, without values
	params          gorgonia.Nodes
	loss, wrong     *gorgonia.Node // scalars
	grads           gorgonia.Nodes // of params
}

// newTrainingGraph builds and differentiates an architecture in float32 or
// float64. The values are the parameters', used in place.
func newTrainingGraph(a architecture, dtype tensor.Dtype, rows, inputs int, values []gorgonia.Value) (*trainingGraph, error) {
	g := gorgonia.NewGraph()
	t := &trainingGraph{
		graph:  g,
		x:      gorgonia.NewMatrix(g, dtype, gorgonia.WithShape(rows, inputs), gorgonia.WithName("x")),
		labels: gorgonia.NewVector(g, tensor.Int32, gorgonia.WithShape(rows), gorgonia.WithName("labels")),
		step:   gorgonia.NewVector(g, tensor.Int64, gorgonia.WithShape(1), gorgonia.WithName("step")),
		params: parameterNodes(g, a.parameters(), values),
	}
	logits, err := a.logits(t.x, t.step, t.params)
	if err != nil {
		return nil, err
	}
	if t.loss, err = ops.CrossEntropy(logits, t.labels); err != nil {
		return nil, fmt.Errorf("build the loss: %w", err)
	}
	if t.grads, err = ops.Gradients(t.loss, t.params...); err != nil {
		return nil, fmt.Errorf("build the gradients: %w", err)
	}
	// After Gradients, which does not like nodes that it cannot differentiate.
	if t.wrong, err = ops.Errors(logits, t.labels); err != nil {
		return nil, fmt.Errorf("build the count of errors: %w", err)
	}
	return t, nil
}

// predictionGraph is the graph of the probabilities for a number of rows.
type predictionGraph struct {
	x, probs *gorgonia.Node
}

func newPredictionGraph(a architecture, dtype tensor.Dtype, rows, inputs int, values []gorgonia.Value) (*predictionGraph, error) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, dtype, gorgonia.WithShape(rows, inputs), gorgonia.WithName("x"))
	logits, err := a.logits(x, nil, parameterNodes(g, a.parameters(), values))
	if err != nil {
		return nil, err
	}
	probs, err := ops.Softmax(logits, logits.Shape()[1])
	if err != nil {
		return nil, fmt.Errorf("build the probabilities: %w", err)
	}
	return &predictionGraph{x, probs}, nil
}

func parameterNodes(g *gorgonia.ExprGraph, specs []parameter, values []gorgonia.Value) gorgonia.Nodes {
	nodes := make(gorgonia.Nodes, len(specs))
	for i, spec := range specs {
		nodes[i] = gorgonia.NewTensor(g, values[i].Dtype(), len(spec.shape),
			gorgonia.WithShape(spec.shape...), gorgonia.WithName(spec.name), gorgonia.WithValue(values[i]))
	}
	return nodes
}
