package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// idx is a parsed idx file (the format of the MNIST files): two zero bytes, a
// type code, the number of dimensions, their sizes as big-endian 32-bit numbers,
// then the elements, the last dimension varying fastest.
type idx struct {
	// raw is the whole file, uncompressed; data is its part after the header.
	raw, data []byte
	dims      []int
	// values are the elements of a file of 32-bit floats, whose data are nil.
	values []float32
}

// The element types that data sets here are made of.
const (
	typeUint8   = 0x08
	typeFloat32 = 0x0d
)

var idxTypes = map[byte]string{
	0x09: "signed bytes", 0x0b: "16-bit integers", 0x0c: "32-bit integers",
	0x0e: "64-bit floats",
}

// readIDX reads an idx file, gzipped or not, of at most limit bytes
// uncompressed. The errors are of type [*Error] and name the file.
func readIDX(name string, r io.Reader, limit int64) (idx, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	var src io.Reader = br
	// The content decides, not the name: people rename files.
	if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return idx{}, bad(name, "is not a readable gzip file: %w", err)
		}
		src = zr
	}
	raw, err := readLimited(name, src, limit)
	if err != nil {
		return idx{}, err
	}
	return parseIDX(name, raw)
}

// parseIDX checks an uncompressed idx file to the last byte.
func parseIDX(name string, raw []byte) (idx, error) {
	if len(raw) < 4 {
		return idx{}, bad(name, "is truncated: it has %d bytes, too few for an idx header", len(raw))
	}
	if raw[0] != 0 || raw[1] != 0 {
		return idx{}, bad(name, "is not an idx file: it begins with the bytes % x", raw[:4])
	}
	if raw[2] != typeUint8 && raw[2] != typeFloat32 {
		if kind, ok := idxTypes[raw[2]]; ok {
			return idx{}, bad(name, "holds %s; only unsigned bytes and 32-bit floats are supported", kind)
		}
		return idx{}, bad(name, "is not an idx file: type code %#02x is unknown", raw[2])
	}
	nd := int(raw[3])
	if nd == 0 {
		return idx{}, bad(name, "has no dimensions")
	}
	off := 4 + 4*nd
	if len(raw) < off {
		return idx{}, bad(name, "is truncated in its header, which should have %d dimensions", nd)
	}
	dims := make([]int, nd)
	want := 1
	for i := range dims {
		d := int(binary.BigEndian.Uint32(raw[4+4*i:]))
		if d == 0 {
			return idx{}, bad(name, "is empty: its dimensions are %s", formatDims(raw[4:off]))
		}
		if want > math.MaxInt/d {
			return idx{}, bad(name, "claims an impossible size: %s", formatDims(raw[4:off]))
		}
		dims[i], want = d, want*d
	}
	size := 1
	if raw[2] == typeFloat32 {
		if size = 4; want > math.MaxInt/size {
			return idx{}, bad(name, "claims an impossible size: %s", formatDims(raw[4:off]))
		}
		want *= size
	}
	data := raw[off:]
	switch {
	case len(data) < want:
		return idx{}, bad(name, "is truncated: %s takes %d bytes after the header, and %d are there",
			formatDims(raw[4:off]), want, len(data))
	case len(data) > want:
		return idx{}, bad(name, "has %d bytes after its end", len(data)-want)
	}
	if raw[2] == typeUint8 {
		return idx{raw: raw, data: data, dims: dims}, nil
	}
	values := make([]float32, want/size)
	for i := range values {
		values[i] = math.Float32frombits(binary.BigEndian.Uint32(data[size*i:]))
	}
	if err := checkFinite(name, values, len(values)/dims[0]); err != nil {
		return idx{}, err
	}
	return idx{raw: raw, values: values, dims: dims}, nil
}

// checkFinite finds the first number that is none, by row and column from 1.
func checkFinite(name string, values []float32, columns int) error {
	for i, v := range values {
		if v-v != 0 {
			return bad(name, "has %v in row %d, column %d", v, i/columns+1, i%columns+1)
		}
	}
	return nil
}

// each is the number of elements for one index of the first dimension.
func (x idx) each() int { return (len(x.data) + len(x.values)) / x.dims[0] }

// newIDX is an idx of bytes, all 0, to be filled in.
func newIDX(dims ...int) idx {
	n := 1
	for _, d := range dims {
		n *= d
	}
	header := idxHeader(typeUint8, dims)
	raw := make([]byte, len(header)+n)
	copy(raw, header)
	return idx{raw: raw, data: raw[len(header):], dims: dims}
}

// makeIDX is the idx of bytes.
func makeIDX(data []uint8, dims ...int) idx {
	raw := append(idxHeader(typeUint8, dims), data...)
	return idx{raw: raw, data: raw[len(raw)-len(data):], dims: dims}
}

// makeFloatIDX is the idx of floats.
func makeFloatIDX(values []float32, dims ...int) idx {
	raw := idxHeader(typeFloat32, dims)
	for _, v := range values {
		raw = binary.BigEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return idx{raw: raw, values: values, dims: dims}
}

func idxHeader(kind byte, dims []int) []byte {
	b := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return b
}

// formatDims prints sizes as "60000x28x28".
func formatDims(b []byte) string {
	var parts []string
	for ; len(b) >= 4; b = b[4:] {
		parts = append(parts, fmt.Sprint(binary.BigEndian.Uint32(b)))
	}
	return strings.Join(parts, "x")
}
