package cpu

import (
	"fmt"
	"time"

	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// kernel executes one instruction.
type kernel interface{ run() }

// executable is a plan with its memory and kernels.
type executable struct {
	backend *Backend
	values  []engine.Slice
	kernels []kernel
	scratch scratch
}

// Bind makes data the memory of a value. Kernels look values up when they run.
func (e *executable) Bind(value int, data engine.Slice) { e.values[value] = data }

// Run executes the kernels in order.
func (e *executable) Run() error {
	for _, k := range e.kernels {
		k.run()
	}
	return nil
}

// RunTimed executes the kernels in order and adds up their times.
func (e *executable) RunTimed(spent []time.Duration) error {
	last := time.Now()
	for i, k := range e.kernels {
		k.run()
		now := time.Now()
		spent[i] += now.Sub(last)
		last = now
	}
	return nil
}

// Close drops the memory.
func (e *executable) Close() error {
	e.values, e.kernels, e.scratch = nil, nil, scratch{}
	return nil
}

// array is a value of the executable, to be read when its kernel runs.
type array[T engine.Element] struct {
	values []engine.Slice
	index  int
}

func (a array[T]) get() []T { return engine.As[T](a.values[a.index]) }

// lower chooses the kernel of an instruction, in the type of its first operand.
func (e *executable) lower(plan *engine.Plan, in engine.Instruction) (kernel, error) {
	switch t := plan.Values[in.In[0]].Dtype; t {
	case tensor.Float32:
		return lower[float32](e, e.backend.library.f32, plan, in)
	case tensor.Float64:
		return lower[float64](e, e.backend.library.f64, plan, in)
	default:
		return nil, fmt.Errorf("%v of %v has no kernel", in.Op, t)
	}
}

func lower[T float](e *executable, m multiplier[T], plan *engine.Plan, in engine.Instruction) (kernel, error) {
	pool := e.backend.pool
	operand := func(i int) array[T] { return array[T]{e.values, in.In[i]} }
	shape := func(i int) []int { return plan.Values[in.In[i]].Shape }
	out := array[T]{e.values, in.Out}
	switch op := in.Op.(type) {
	case ops.Linear:
		return newLinear(pool, m, op, operand(0), operand(1), operand(2), out, shape(0), shape(1)), nil
	case ops.Product:
		return newProduct(pool, m, op, operand(0), operand(1), out, shape(0), shape(1)), nil
	case ops.ColumnSum:
		return newColumnSum(pool, operand(0), out, shape(0)), nil
	case ops.ActivationGrad:
		return newActivationGrad(pool, op, operand(0), operand(1), out), nil
	case ops.DropoutMask:
		return newDropout(pool, op, operand(0), array[int64]{e.values, in.In[1]}, out), nil
	case ops.SoftmaxCrossEntropy:
		return &crossEntropy[T]{operand(0), array[int32]{e.values, in.In[1]}, out}, nil
	case ops.SoftmaxCrossEntropyGrad:
		return &crossEntropyGrad[T]{operand(0), array[int32]{e.values, in.In[1]}, operand(2), out}, nil
	case ops.ErrorCount:
		return &errorCount[T]{operand(0), array[int32]{e.values, in.In[1]}, out}, nil
	case ops.SoftmaxRows:
		return &softmax[T]{operand(0), out, shape(0)[1]}, nil
	case ops.Convolution:
		return newConvolution(e, m, op, operand(0), operand(1), operand(2), out, shape(0), shape(1)), nil
	case ops.ConvInputGrad:
		return newConvInputGrad(e, m, op, operand(0), operand(1), out, shape(0), shape(1)), nil
	case ops.ConvFilterGrad:
		return newConvFilterGrad(e, m, op, operand(0), operand(1), out, shape(0)), nil
	case ops.ChannelSum:
		return newChannelSum(pool, op, operand(0), out, shape(0)), nil
	case ops.Maximum:
		return newMaximum(pool, op, operand(0), out), nil
	case ops.MaximumGrad:
		return newMaximumGrad(pool, op, operand(0), operand(1), out), nil
	default:
		return nil, fmt.Errorf("%v (%T) has no kernel", in.Op, in.Op)
	}
}
