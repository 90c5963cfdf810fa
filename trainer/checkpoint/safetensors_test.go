package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nlpodyssey/safetensors"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
)

func tensors() []checkpoint.Tensor {
	return []checkpoint.Tensor{
		{Name: "hidden1.weight", Shape: []int{2, 3}, Data: []float32{1, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, 0.1, -3}},
		{Name: "hidden1.bias", Shape: []int{3}, Data: []float32{1, 2, 3}},
		{Name: "a scalar \"quoted\"", Shape: []int{}, Data: []float32{7}},
		{Name: "empty", Shape: []int{0}, Data: []float32{}},
	}
}

func TestTensorsRoundTripBitForBit(t *testing.T) {
	t.Parallel()
	in := tensors()
	meta := map[string]string{"b": "2", "a": "1\n\"x\""}
	b, err := checkpoint.EncodeTensors(in, meta)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // map order must not show
		again, err := checkpoint.EncodeTensors(tensors(), map[string]string{"a": "1\n\"x\"", "b": "2"})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, again) {
			t.Fatal("the same tensors were encoded differently")
		}
	}
	out, gotMeta, err := checkpoint.DecodeTensors(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(meta, gotMeta); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Error(diff)
	}
	if !math.Signbit(float64(out[0].Data[1])) {
		t.Error("negative zero did not survive")
	}
}

func TestTensorsAgreeWithTheReferenceFormat(t *testing.T) {
	t.Parallel()
	in := tensors()[:2]
	b, err := checkpoint.EncodeTensors(in, map[string]string{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	st, err := safetensors.Deserialize(b)
	if err != nil {
		t.Fatalf("the reference can't read ours: %v", err)
	}
	for _, want := range in {
		v, ok := st.Tensor(want.Name)
		if !ok {
			t.Fatalf("the reference does not see %s", want.Name)
		}
		raw := v.Data()
		for i, f := range want.Data {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); got != f {
				t.Errorf("%s[%d] = %v, want %v", want.Name, i, got, f)
			}
		}
	}
	raw := make([]byte, 8)
	binary.LittleEndian.PutUint32(raw, math.Float32bits(1.5))
	binary.LittleEndian.PutUint32(raw[4:], math.Float32bits(-2))
	view, err := safetensors.NewTensorView(safetensors.F32, []uint64{2}, raw)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := safetensors.Serialize(map[string]safetensors.TensorView{"w": view}, map[string]string{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	got, meta, err := checkpoint.DecodeTensors(theirs)
	if err != nil {
		t.Fatalf("we can't read the reference's: %v", err)
	}
	if diff := cmp.Diff([]checkpoint.Tensor{{Name: "w", Shape: []int{2}, Data: []float32{1.5, -2}}}, got); diff != "" {
		t.Error(diff)
	}
	if meta["k"] != "v" {
		t.Errorf("metadata = %v", meta)
	}
}

func TestDamagedTensorsAreNamed(t *testing.T) {
	t.Parallel()
	file := func(header string, body int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), make([]byte, body)...)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":           {nil, "too few"},
		"huge header":     {binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "does not fit"},
		"short header":    {file(`{}`, 0)[:9], "does not fit"},
		"not json":        {file(`{"a"`, 0), "header"},
		"other type":      {file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8), "a is of type \"F64\""},
		"beyond the end":  {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "a of shape [2]"},
		"shape and bytes": {file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "a of shape [3]"},
		"negative shape":  {file(`{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}`, 8), "a of shape"},
		"overflow":        {file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0), "a of shape"},
		"negative offset": {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, 8), "a of shape"},
		"gap":             {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "a begins at byte 4"},
		"overlap": {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
			"b begins at byte 4"},
		"trailing": {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5), "1 bytes follow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := checkpoint.DecodeTensors(c.file)
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("error = %v, want ErrCorrupt", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %q, want it to contain %q", err, c.want)
			}
		})
	}
}

func TestEncodeRefusesAWrongShape(t *testing.T) {
	t.Parallel()
	_, err := checkpoint.EncodeTensors([]checkpoint.Tensor{{Name: "w", Shape: []int{2, 2}, Data: make([]float32, 3)}}, nil)
	if err == nil || !strings.Contains(err.Error(), "w of shape [2 2]") {
		t.Errorf("error = %v", err)
	}
}

func FuzzDecodeTensors(f *testing.F) {
	b, err := checkpoint.EncodeTensors(tensors(), map[string]string{"a": "1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, meta, err := checkpoint.DecodeTensors(b)
		if err != nil {
			return
		}
		if _, err := checkpoint.EncodeTensors(got, meta); err != nil {
			t.Errorf("what was decoded can't be encoded: %v", err)
		}
	})
}
