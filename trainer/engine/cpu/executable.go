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
	views   []view
	kernels []kernel
	scratch scratch
}

// view is a value that is a part of another.
type view struct{ value, base, start, len int }

// place finds the view's memory, once that of its base is known.
func (v view) place(values []engine.Slice) {
	if base := values[v.base]; !base.IsZero() {
		values[v.value] = base.Part(v.start, v.len)
	}
}

// Bind makes data the memory of a value. Kernels look values up when they run.
func (e *executable) Bind(value int, data engine.Slice) {
	e.values[value] = data
	for _, v := range e.views {
		if v.base == value {
			v.place(e.values)
		}
	}
}

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
	e.values, e.views, e.kernels, e.scratch = nil, nil, nil, scratch{}
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
		return newCrossEntropy(pool, operand(0), array[int32]{e.values, in.In[1]}, out, classes(shape(0), shape(1)), shape(1)[0]), nil
	case ops.SoftmaxCrossEntropyGrad:
		return newCrossEntropyGrad(pool, operand(0), array[int32]{e.values, in.In[1]}, operand(2), out, classes(shape(0), shape(1))), nil
	case ops.ErrorCount:
		return &errorCount[T]{operand(0), array[int32]{e.values, in.In[1]}, out}, nil
	case ops.SoftmaxRows:
		return newSoftmax(pool, operand(0), out, op.Classes), nil
	case ops.MeanSquaredError:
		return &squaredError[T]{operand(0), operand(1), out}, nil
	case ops.MeanSquaredErrorGrad:
		return &squaredErrorGrad[T]{operand(0), operand(1), operand(2), out}, nil
	case ops.SequenceOrder:
		return newSequenceOrder(pool, op, operand(0), out, shape(0)), nil
	case ops.RowRangeGrad:
		return &rowRangeGrad[T]{operand(0), out, op.Lo * shape(0)[1]}, nil
	case ops.TableLookup:
		return newLookup(pool, operand(0), operand(1), operand(2), out, shape(1)), nil
	case ops.TableLookupGrad:
		return newLookupGrad(pool, op, operand(0), operand(1), out, shape(1)[1]), nil
	case ops.LSTMStates:
		return newLSTM(e, m, operand(0), operand(1), operand(2), out, ops.NewLSTMLayout(shape(0), shape(2)[0]/2)), nil
	case ops.LSTMGrad:
		return newLSTMGrad(e, m, operand(0), operand(1), operand(2), out, op.Layout(shape(0), shape(1), shape(2))), nil
	case ops.RNNStates:
		return newRNN(pool, m, op, operand(0), operand(1), operand(2), out, shape(2)), nil
	case ops.RNNGrad:
		return newRNNGrad(pool, m, op, operand(0), operand(1), operand(2), out, shape(0), shape(2)), nil
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
	case engine.Selector: // a result of the program: what is not is a view
		from, start := op.Select(shapesOf(plan, in)...)
		return &selection[T]{operand(from), out, start}, nil
	default:
		return nil, fmt.Errorf("%v (%T) has no kernel", in.Op, in.Op)
	}
}

func shapesOf(plan *engine.Plan, in engine.Instruction) [][]int {
	shapes := make([][]int, len(in.In))
	for i, v := range in.In {
		shapes[i] = plan.Values[v].Shape
	}
	return shapes
}
