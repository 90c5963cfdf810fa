package activities

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// npyHeader matches the header of an array with two dimensions: a Python
// dictionary of three entries, whose order NumPy fixes.
var npyHeader = regexp.MustCompile(`^\{ *'descr' *: *'([^']*)' *, *'fortran_order' *: *(True|False) *, *'shape' *: *\(([0-9, ]*)\) *,? *\} *\n?$`)

var npyShape = regexp.MustCompile(`^([0-9]+), *([0-9]+),?$`)

// parseNPY reads a matrix of float32 from a .npy file in versions 1 to 3 of its
// format (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
// little-endian, in C order, not a byte more or less.
func parseNPY(b []byte) (values []float32, rows, columns int, err error) {
	header, body, err := splitNPY(b)
	if err != nil {
		return nil, 0, 0, err
	}
	m := npyHeader.FindSubmatch(header)
	if m == nil {
		return nil, 0, 0, fmt.Errorf("its header is not understood: %.100q", header)
	}
	if kind := string(m[1]); kind != "<f4" {
		return nil, 0, 0, fmt.Errorf("it holds numbers of type %q, want float32 in little-endian order (%q)", kind, "<f4")
	}
	if string(m[2]) == "True" {
		return nil, 0, 0, errors.New("it is in Fortran order, want C order (numpy.ascontiguousarray)")
	}
	shape := npyShape.FindSubmatch(bytes.TrimSpace(m[3]))
	if shape == nil {
		return nil, 0, 0, fmt.Errorf("its shape is (%s), want two dimensions: cases and classes", m[3])
	}
	rows, err1 := strconv.Atoi(string(shape[1]))
	columns, err2 := strconv.Atoi(string(shape[2]))
	// The division is for shapes so large that their product overflows.
	if err1 != nil || err2 != nil || (columns > 0 && rows > len(body)/4/columns) || rows*columns*4 != len(body) {
		return nil, 0, 0, fmt.Errorf("its shape is (%s), but it holds %d bytes of numbers", m[3], len(body))
	}
	values = make([]float32, rows*columns)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
	}
	return values, rows, columns, nil
}

// splitNPY separates the header from the numbers.
func splitNPY(b []byte) (header, body []byte, err error) {
	rest, ok := bytes.CutPrefix(b, []byte("\x93NUMPY"))
	if !ok || len(rest) < 4 {
		return nil, nil, errors.New("it is not a .npy file")
	}
	major, rest := rest[0], rest[2:]
	n := 0
	switch {
	case major == 1:
		n, rest = int(binary.LittleEndian.Uint16(rest)), rest[2:]
	case (major == 2 || major == 3) && len(rest) >= 4:
		n, rest = int(min(binary.LittleEndian.Uint32(rest), math.MaxInt32)), rest[4:]
	default:
		return nil, nil, fmt.Errorf("it is a .npy file of version %d, which is not known", major)
	}
	if n > len(rest) {
		return nil, nil, errors.New("it ends within its header")
	}
	return rest[:n], rest[n:], nil
}
