package model

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// trainingGraph is the graph of a loss and its gradients for a number of rows.
type trainingGraph struct {
	graph *gorgonia.ExprGraph
	// Inputs, without values. Of labels and targets there is one.
	x, labels, targets, step *gorgonia.Node
	params                   gorgonia.Nodes
	memories, final          gorgonia.Nodes
	loss                     *gorgonia.Node // scalar
	wrong                    *gorgonia.Node // scalar; nil where cases ask for values
	grads                    gorgonia.Nodes // of params
}

// newTrainingGraph builds and differentiates an architecture in float32 or
// float64. The values are the parameters', used in place.
func newTrainingGraph(a architecture, dtype tensor.Dtype, rows int, o Options, values []gorgonia.Value) (*trainingGraph, error) {
	g := gorgonia.NewGraph()
	t := &trainingGraph{
		graph: g,
		x:     gorgonia.NewMatrix(g, dtype, gorgonia.WithShape(rows, o.Inputs), gorgonia.WithName("x")),
	}
	if o.Classes > 0 {
		t.labels = gorgonia.NewVector(g, tensor.Int32, gorgonia.WithShape(rows*o.outputs()), gorgonia.WithName("labels"))
	} else {
		t.targets = gorgonia.NewMatrix(g, dtype, gorgonia.WithShape(rows, o.outputs()), gorgonia.WithName("targets"))
	}
	t.step = gorgonia.NewVector(g, tensor.Int64, gorgonia.WithShape(1), gorgonia.WithName("step"))
	t.params = parameterNodes(g, a.parameters(), values)
	t.memories = memoryNodes(g, a.memories(), dtype, rows)
	outputs, final, err := a.outputs(pass{x: t.x, step: t.step, params: t.params, memories: t.memories})
	if err != nil {
		return nil, err
	}
	t.final = final
	if o.Classes > 0 {
		t.loss, err = ops.CrossEntropy(outputs, t.labels)
	} else {
		t.loss, err = ops.SquaredError(outputs, t.targets)
	}
	if err != nil {
		return nil, fmt.Errorf("build the loss: %w", err)
	}
	if t.grads, err = ops.Gradients(t.loss, t.params...); err != nil {
		return nil, fmt.Errorf("build the gradients: %w", err)
	}
	if o.Classes == 0 {
		return t, nil
	}
	// After Gradients, which does not like nodes that it cannot differentiate.
	if t.wrong, err = ops.Errors(outputs, t.labels); err != nil {
		return nil, fmt.Errorf("build the count of errors: %w", err)
	}
	return t, nil
}

// predictionGraph is the graph of the predictions for a number of rows:
// probabilities of labels, or values.
type predictionGraph struct {
	x, predictions  *gorgonia.Node
	memories, final gorgonia.Nodes
}

func newPredictionGraph(a architecture, dtype tensor.Dtype, rows int, o Options, values []gorgonia.Value) (*predictionGraph, error) {
	g := gorgonia.NewGraph()
	p := &predictionGraph{x: gorgonia.NewMatrix(g, dtype, gorgonia.WithShape(rows, o.Inputs), gorgonia.WithName("x"))}
	params := parameterNodes(g, a.parameters(), values)
	p.memories = memoryNodes(g, a.memories(), dtype, rows)
	var err error
	p.predictions, p.final, err = a.outputs(pass{x: p.x, params: params, memories: p.memories})
	if err != nil || o.Classes == 0 {
		return p, err
	}
	if p.predictions, err = ops.Softmax(p.predictions, o.Classes); err != nil {
		return nil, fmt.Errorf("build the probabilities: %w", err)
	}
	return p, nil
}

func parameterNodes(g *gorgonia.ExprGraph, specs []parameter, values []gorgonia.Value) gorgonia.Nodes {
	nodes := make(gorgonia.Nodes, len(specs))
	for i, spec := range specs {
		nodes[i] = gorgonia.NewTensor(g, values[i].Dtype(), len(spec.shape),
			gorgonia.WithShape(spec.shape...), gorgonia.WithName(spec.name), gorgonia.WithValue(values[i]))
	}
	return nodes
}
