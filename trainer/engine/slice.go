package engine

import (
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"
)

// Element is what arrays are made of.
type Element interface {
	float32 | float64 | int32 | int64
}

// Slice is a Go slice of any [Element] type. Unlike an interface it is made
// without an allocation, so slices can be bound to a program at every step. The
// zero Slice stands for none.
type Slice struct {
	data  unsafe.Pointer
	len   int
	dtype tensor.Dtype
}

// SliceOf wraps s; both share their elements.
func SliceOf[T Element](s []T) Slice {
	return Slice{data: unsafe.Pointer(unsafe.SliceData(s)), len: len(s), dtype: dtypeOf[T]()}
}

// As returns the slice that s wraps. It panics when s holds another type, which is
// a fault of a backend: [Program] checks types at its edge.
func As[T Element](s Slice) []T {
	if s.dtype != dtypeOf[T]() {
		panic(fmt.Sprintf("engine: a slice of %v read as one of %v", s.dtype, dtypeOf[T]()))
	}
	return unsafe.Slice((*T)(s.data), s.len)
}

// Part returns n elements from element start on; s must have them.
func (s Slice) Part(start, n int) Slice {
	if start < 0 || n < 0 || start+n > s.len {
		panic(fmt.Sprintf("engine: elements %d to %d of a slice of %d", start, start+n, s.len))
	}
	return Slice{data: unsafe.Add(s.data, start*int(s.dtype.Size())), len: n, dtype: s.dtype}
}

// Len returns the number of elements.
func (s Slice) Len() int { return s.len }

// Dtype returns the type of the elements.
func (s Slice) Dtype() tensor.Dtype { return s.dtype }

// IsZero reports whether s wraps no slice at all.
func (s Slice) IsZero() bool { return s.dtype.Type == nil }

// Carve returns n elements of a type from memory, which must be large enough and
// aligned for it. Backends cut their buffers with it.
func Carve(memory []byte, dtype tensor.Dtype, n int) Slice {
	if need := n * int(dtype.Size()); need > len(memory) {
		panic(fmt.Sprintf("engine: %d bytes carved from %d", need, len(memory)))
	}
	return Slice{data: unsafe.Pointer(unsafe.SliceData(memory)), len: n, dtype: dtype}
}

// any returns the wrapped slice as Gorgonia wants it.
func (s Slice) any() any {
	switch s.dtype {
	case tensor.Float32:
		return As[float32](s)
	case tensor.Float64:
		return As[float64](s)
	case tensor.Int32:
		return As[int32](s)
	default:
		return As[int64](s)
	}
}

func dtypeOf[T Element]() tensor.Dtype {
	var zero T
	switch any(zero).(type) {
	case float32:
		return tensor.Float32
	case float64:
		return tensor.Float64
	case int32:
		return tensor.Int32
	default:
		return tensor.Int64
	}
}
