package data

import (
	"encoding/binary"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// npyHeader matches the header of a .npy file, a Python dictionary whose order
// NumPy fixes.
var npyHeader = regexp.MustCompile(`^\{ *'descr' *: *'([^']*)' *, *'fortran_order' *: *(True|False) *, *'shape' *: *\(([0-9, ]*)\) *,? *\} *\n?$`)

// array is the content of a .npy file.
type array struct {
	dims []int
	// bytes are the elements of an array of bytes, numbers those of any other.
	bytes   []uint8
	numbers []float64
}

// parseNPY reads a .npy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
// of real numbers in C order, to the last byte.
func parseNPY(name string, b []byte) (array, error) {
	rest, ok := strings.CutPrefix(string(b[:min(len(b), 6)]), "\x93NUMPY")
	if !ok || rest != "" || len(b) < 12 {
		return array{}, bad(name, "is not a .npy file")
	}
	at, n := 10, int(binary.LittleEndian.Uint16(b[8:]))
	if b[6] > 1 {
		at, n = 12, int(min(binary.LittleEndian.Uint32(b[8:]), math.MaxInt32))
	}
	if n > len(b)-at {
		return array{}, bad(name, "is truncated in its header")
	}
	m := npyHeader.FindSubmatch(b[at : at+n])
	if m == nil {
		return array{}, bad(name, "has a header that is not understood: %.100q", b[at:at+n])
	}
	if string(m[2]) == "True" {
		return array{}, bad(name, "is in Fortran order; save numpy.ascontiguousarray of it")
	}
	a, count := array{}, 1
	for _, part := range strings.FieldsFunc(string(m[3]), func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.Atoi(part)
		if err != nil || (d > 0 && count > math.MaxInt/8/d) {
			return array{}, bad(name, "claims an impossible shape: (%s)", m[3])
		}
		a.dims, count = append(a.dims, d), count*d
	}
	body := b[at+n:]
	size, read := npyElement(string(m[1]))
	switch {
	case read == nil:
		return array{}, bad(name, "holds elements of type %q; real numbers in little-endian order are supported", m[1])
	case len(body) < count*size:
		return array{}, bad(name, "is truncated: its shape (%s) takes %d bytes, and %d are there", m[3], count*size, len(body))
	case len(body) > count*size:
		return array{}, bad(name, "has %d bytes after its end", len(body)-count*size)
	case string(m[1]) == "|u1":
		a.bytes = slices.Clone(body)
		return a, nil
	}
	a.numbers = make([]float64, count)
	for i := range a.numbers {
		a.numbers[i] = read(body[i*size:])
	}
	return a, nil
}

// npyElement is the size of an element and how to read one; nil for types that
// are not known.
func npyElement(descr string) (size int, read func([]byte) float64) {
	le := binary.LittleEndian
	switch descr {
	case "|u1", "|b1":
		return 1, func(b []byte) float64 { return float64(b[0]) }
	case "|i1":
		return 1, func(b []byte) float64 { return float64(int8(b[0])) }
	case "<u2":
		return 2, func(b []byte) float64 { return float64(le.Uint16(b)) }
	case "<i2":
		return 2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) }
	case "<u4":
		return 4, func(b []byte) float64 { return float64(le.Uint32(b)) }
	case "<i4":
		return 4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) }
	case "<u8":
		return 8, func(b []byte) float64 { return float64(le.Uint64(b)) }
	case "<i8":
		return 8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) }
	case "<f4":
		return 4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }
	case "<f8":
		return 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }
	}
	return 0, nil
}

// floats are all elements.
func (a array) floats() []float32 {
	values := make([]float32, max(len(a.bytes), len(a.numbers)))
	for i := range values {
		values[i] = float32(a.number(i))
	}
	return values
}

// number is element i, of either kind.
func (a array) number(i int) float64 {
	if a.bytes != nil {
		return float64(a.bytes[i])
	}
	return a.numbers[i]
}

// ReadNPY reads a .npy file of real numbers in C order: its shape, and its numbers, the
// last axis fastest. What is wrong is an [*Error] that name begins.
func ReadNPY(name string, b []byte) (shape []int, numbers []float64, err error) {
	a, err := parseNPY(name, b)
	if err != nil {
		return nil, nil, err
	}
	if a.bytes != nil {
		a.numbers = make([]float64, len(a.bytes))
		for i := range a.numbers {
			a.numbers[i] = float64(a.bytes[i])
		}
	}
	return a.dims, a.numbers, nil
}

// EncodeNPY writes a .npy file, version 1.0, of float32 or int32, little-endian and in C
// order, of one or two dimensions. The bytes are a function of the arguments, unlike
// what libraries promise, since such files are stored under their hash.
func EncodeNPY[T float32 | int32](shape []int, values []T) []byte {
	const prefix = 10 // magic, version, length of the header
	descr := "<f4"
	if _, whole := any(values).([]int32); whole {
		descr = "<i4"
	}
	axes := strconv.Itoa(shape[0]) + ","
	if len(shape) == 2 {
		axes += " " + strconv.Itoa(shape[1])
	}
	header := "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + axes + "), }"
	// The array begins at a multiple of 64 and the header ends in a newline.
	header += strings.Repeat(" ", (64-(prefix+len(header)+1)%64)%64) + "\n"
	out := make([]byte, 0, prefix+len(header)+4*len(values))
	out = append(out, "\x93NUMPY\x01\x00"...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	out = append(out, header...)
	switch values := any(values).(type) {
	case []float32:
		for _, v := range values {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	case []int32:
		for _, v := range values {
			out = binary.LittleEndian.AppendUint32(out, uint32(v))
		}
	}
	return out
}
