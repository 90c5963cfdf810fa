package cpu

import (
	"fmt"
	"os"
	"unsafe"

	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// Environment names the BLAS of backends that do not choose one: "auto",
// "openblas" or "gonum".
const Environment = "TENFOLD_BLAS"

// Options say how to compute.
type Options struct {
	// Threads is how many threads compute at once, at least 1; 0 counts as 1.
	Threads int
	// BLAS is [Auto], [OpenBLAS] or [Gonum]; empty takes the choice from the
	// [Environment], and [Auto] where there is none.
	BLAS string
}

// Backend executes programs on the processor. Programs of one backend share its
// threads, so only one of them may run at a time.
type Backend struct {
	library library
	pool    *pool
}

var _ engine.Backend = (*Backend)(nil)

// New starts a backend. It fails with [ErrNoOpenBLAS] when that is asked for and is
// not there. Close stops its threads.
func New(o Options) (*Backend, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("a backend of %d threads", o.Threads)
	}
	if o.BLAS == "" {
		o.BLAS = os.Getenv(Environment)
	}
	if o.BLAS == "" {
		o.BLAS = Auto
	}
	l, err := openLibrary(o.BLAS)
	if err != nil {
		return nil, fmt.Errorf("start the cpu backend: %w", err)
	}
	return &Backend{library: l, pool: newPool(max(o.Threads, 1))}, nil
}

// Name is such as "cpu openblas 0.3.21 threads=1".
func (b *Backend) Name() string {
	return fmt.Sprintf("cpu %s threads=%d", b.library.name, b.pool.threads)
}

// Overwrites says that element-wise operations can work in place, and recurrent layers on
// what they are given.
func (b *Backend) Overwrites(op gorgonia.Op) int {
	switch op := op.(type) {
	case ops.ActivationGrad, ops.DropoutMask, ops.SoftmaxRows, ops.SoftmaxCrossEntropyGrad, ops.MeanSquaredErrorGrad,
		ops.LSTMStates, ops.LSTMGrad:
		return 0
	case ops.MaximumGrad:
		if apart(op.Geometry) {
			return 1
		}
		return -1
	default:
		return -1
	}
}

// Load allocates the plan's arena and chooses its kernels.
func (b *Backend) Load(plan *engine.Plan) (engine.Executable, error) {
	e := &executable{backend: b, values: make([]engine.Slice, len(plan.Values))}
	arena := alignedBytes(plan.ArenaBytes)
	for i, v := range plan.Values {
		switch v.Kind {
		case engine.Temporary:
			e.values[i] = engine.Carve(arena[v.Offset:], v.Dtype, v.Len())
		case engine.View:
			e.views = append(e.views, view{value: i, base: v.Base, start: v.Start, len: v.Len()})
		default:
			e.values[i] = v.Host
		}
	}
	for _, v := range e.views {
		v.place(e.values)
	}
	for _, in := range plan.Instructions {
		k, err := e.lower(plan, in)
		if err != nil {
			return nil, err
		}
		e.kernels = append(e.kernels, k)
	}
	e.scratch.allocate(b.pool.threads)
	return e, nil
}

// Close stops the threads.
func (b *Backend) Close() error {
	b.pool.close()
	return nil
}

func alignedBytes(n int) []byte {
	memory := make([]byte, n+engine.Alignment)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % engine.Alignment
	return memory[skip:][:n]
}
