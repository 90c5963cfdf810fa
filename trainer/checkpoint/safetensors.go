package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/tenfold-ml/tenfold/storage"
)

// Tensor is a named array of float32 in row-major order.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// maxHeader is the limit that the format's reference implementation sets.
const maxHeader = 100_000_000

// header is one entry of a safetensors header.
type header struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

const metadataKey = "__metadata__"

// EncodeTensors writes the safetensors format: the length of a JSON header, the
// header, then the arrays in little-endian float32. The bytes are a function of
// the arguments alone: tensors in the order given, metadata by key.
//
// The format is written here rather than by a library because a checkpoint must
// come out the same byte for byte in every version of the trainer, and because
// reading has to name what is damaged; it is one page, and the tests compare
// both directions with github.com/nlpodyssey/safetensors.
func EncodeTensors(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var h bytes.Buffer
	h.WriteByte('{')
	field := func(name string, v any) error {
		if h.Len() > 1 {
			h.WriteByte(',')
		}
		k, err := json.Marshal(name)
		if err != nil {
			return fmt.Errorf("encoding the name %q: %w", name, err)
		}
		b, err := json.Marshal(v) // sorts the keys of a map
		if err != nil {
			return fmt.Errorf("encoding the header of %q: %w", name, err)
		}
		h.Write(k)
		h.WriteByte(':')
		h.Write(b)
		return nil
	}
	if len(metadata) > 0 {
		if err := field(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	var off int64
	for _, t := range tensors {
		if n := elements(t.Shape); n != len(t.Data) {
			return nil, fmt.Errorf("tensor %s of shape %v has %d numbers, not %d", t.Name, t.Shape, len(t.Data), n)
		}
		end := off + 4*int64(len(t.Data))
		if err := field(t.Name, header{DType: "F32", Shape: t.Shape, Offsets: [2]int64{off, end}}); err != nil {
			return nil, err
		}
		off = end
	}
	h.WriteByte('}')
	for h.Len()%8 != 0 {
		h.WriteByte(' ') // so that the arrays are aligned
	}
	out := make([]byte, 8, 8+int64(h.Len())+off)
	binary.LittleEndian.PutUint64(out, uint64(h.Len()))
	out = append(out, h.Bytes()...)
	for _, t := range tensors {
		for _, v := range t.Data {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out, nil
}

// DecodeTensors reads what EncodeTensors wrote, in the order of the arrays. The
// arrays must fill the file without gap or overlap. Every error wraps
// storage.ErrCorrupt and says what is wrong.
func DecodeTensors(b []byte) ([]Tensor, map[string]string, error) {
	corrupt := func(format string, args ...any) ([]Tensor, map[string]string, error) {
		return nil, nil, fmt.Errorf("%w: not a safetensors file of float32: %s", storage.ErrCorrupt, fmt.Sprintf(format, args...))
	}
	if len(b) < 8 {
		return corrupt("%d bytes are too few for the length of a header", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return corrupt("a header of %d bytes does not fit a file of %d", n, len(b))
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &fields); err != nil {
		return corrupt("header: %v", err)
	}
	body := b[8+n:]
	var metadata map[string]string
	var headers []header
	var tensors []Tensor
	for name, raw := range fields {
		if name == metadataKey {
			if err := json.Unmarshal(raw, &metadata); err != nil {
				return corrupt("metadata: %v", err)
			}
			continue
		}
		var h header
		if err := json.Unmarshal(raw, &h); err != nil {
			return corrupt("header of %s: %v", name, err)
		}
		if h.DType != "F32" {
			return corrupt("%s is of type %q, not F32", name, h.DType)
		}
		size := elements(h.Shape)
		if size < 0 || h.Offsets[0] < 0 || h.Offsets[1] > int64(len(body)) || h.Offsets[1]-h.Offsets[0] != 4*int64(size) {
			return corrupt("%s of shape %v can't be at bytes %d to %d of %d", name, h.Shape, h.Offsets[0], h.Offsets[1], len(body))
		}
		headers = append(headers, h)
		tensors = append(tensors, Tensor{Name: name, Shape: h.Shape})
	}
	order := make([]int, len(headers))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := headers[i], headers[j]
		if a.Offsets != b.Offsets {
			return slices.Compare(a.Offsets[:], b.Offsets[:])
		}
		return bytes.Compare([]byte(tensors[i].Name), []byte(tensors[j].Name))
	})
	sorted := make([]Tensor, 0, len(tensors))
	var end int64
	for _, i := range order {
		h, t := headers[i], tensors[i]
		if h.Offsets[0] != end {
			return corrupt("%s begins at byte %d, where %d was expected", t.Name, h.Offsets[0], end)
		}
		end = h.Offsets[1]
		t.Data = make([]float32, (h.Offsets[1]-h.Offsets[0])/4)
		src := body[h.Offsets[0]:h.Offsets[1]]
		for k := range t.Data {
			t.Data[k] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*k:]))
		}
		sorted = append(sorted, t)
	}
	if end != int64(len(body)) {
		return corrupt("%d bytes follow the last array", int64(len(body))-end)
	}
	return sorted, metadata, nil
}

// elements is the product of shape, or -1 when that is no size.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 || (d > 0 && n > math.MaxInt32*8/d) {
			return -1
		}
		n *= d
	}
	return n
}
