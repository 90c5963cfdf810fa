package engine

import "gorgonia.org/gorgonia"

// Backend executes plans on one kind of device. It holds what its programs share
// (threads, libraries, device memory) and must outlive them.
type Backend interface {
	// Name says what computes, for results and logs: "cpu gonum threads=1".
	Name() string
	// Overwrites returns which operand the kernel of op can write its result
	// over, or -1. Both begin at the same place, and the result is no smaller. The
	// planner makes use of it where that operand is not needed afterwards; the
	// kernel has to work either way.
	Overwrites(op gorgonia.Op) int
	// Load prepares plan for execution: all allocation, look-up and choice of
	// kernels happens here. It fails when an operation has no kernel.
	Load(plan *Plan) (Executable, error)
	// Close releases the backend, after its programs are closed.
	Close() error
}

// Executable is a plan in a backend's form. It is used by one goroutine at a time.
type Executable interface {
	// Bind makes data the storage of a leaf or an output, and of its views, from
	// the next Run on. The type and length have been checked. A backend whose memory is not the
	// host's copies leaves in before each Run and outputs out after it.
	Bind(value int, data Slice)
	// Run executes all instructions once.
	Run() error
	// Close releases what Load acquired.
	Close() error
}
