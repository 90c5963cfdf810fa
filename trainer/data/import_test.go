package data

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// small is a data set of 6 training and 3 test cases of 2x2, in three classes.
func small() map[string][]byte {
	return map[string][]byte{
		trainImages: encodeIDX([]byte{
			1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
		}, 6, 2, 2),
		trainLabels: encodeIDX([]byte{0, 1, 2, 0, 1, 2}, 6),
		testImages:  encodeIDX([]byte{5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7}, 3, 2, 2),
		testLabels:  encodeIDX([]byte{2, 1, 0}, 3),
	}
}

func writeSet(t *testing.T, set map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range set {
		write(t, filepath.Join(dir, name), b)
	}
	return dir
}

func newStore() *storage.Store { return storage.New(mem.New()) }

func TestImportDirectoryAndLoad(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := newStore()
	dir := writeSet(t, small())
	digest, err := Import(ctx, store, sweeps.Data{Name: dir}, Source{})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := Load(ctx, store, digest)
	if err != nil {
		t.Fatal(err)
	}
	want := &Dataset{
		Name: filepath.Base(dir), Digest: digest, Shape: []int{2, 2}, Classes: 3, Outputs: 1,
		Train: Split{Images: small()[trainImages][16:], Labels: []uint8{0, 1, 2, 0, 1, 2}, N: 6},
		Test:  Split{Images: small()[testImages][16:], Labels: []uint8{2, 1, 0}, N: 3},
	}
	if diff := cmp.Diff(want, ds); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{2, 0}, ds.Labels(ds.Train, []int32{5, 0})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{2, 1, 0}, ds.Labels(ds.Test, nil)); diff != "" {
		t.Error(diff)
	}
	labels, err := LoadLabels(ctx, store, digest)
	if err != nil {
		t.Fatal(err)
	}
	if labels.Train.Images != nil || labels.Train.N != 6 || len(labels.Test.Labels) != 3 {
		t.Errorf("LoadLabels gave %+v", labels)
	}
	d := Describe(labels)
	if diff := cmp.Diff(Counts{Cases: 6, PerClass: []int{2, 2, 2}}, d.Train); diff != "" {
		t.Error(diff)
	}
}

// Neither compression nor names nor the place change what a data set is; a single
// bit of it does.
func TestDigestIsOfTheContent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	importSet := func(set map[string][]byte) string {
		t.Helper()
		digest, err := Import(ctx, newStore(), sweeps.Data{Name: writeSet(t, set)}, Source{})
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	plain := importSet(small())
	packed := map[string][]byte{}
	for name, b := range small() {
		packed[strings.Replace(name, "-idx", ".idx", 1)+".gz"] = gzipped(t, b)
	}
	if got := importSet(packed); got != plain {
		t.Errorf("gzipped and renamed: %s, plain: %s", got, plain)
	}
	changed := small()
	changed[testImages][20] ^= 1
	if got := importSet(changed); got == plain {
		t.Error("a changed pixel left the digest as it was")
	}
	// Moving a case from one split to the other changes it, too.
	moved := small()
	moved[trainImages], moved[testImages] = moved[testImages], moved[trainImages]
	moved[trainLabels], moved[testLabels] = moved[testLabels], moved[trainLabels]
	if got := importSet(moved); got == plain {
		t.Error("exchanged splits left the digest as it was")
	}
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	with := func(name string, b []byte) map[string][]byte {
		s := small()
		if b == nil {
			delete(s, name)
		} else {
			s[name] = b
		}
		return s
	}
	for name, c := range map[string]struct {
		set  map[string][]byte
		want string
	}{
		"missing file":  {with(testLabels, nil), "has no file t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz"},
		"fewer labels":  {with(trainLabels, encodeIDX([]byte{0, 1, 2}, 3)), "train-labels-idx1-ubyte: has 3 labels for 6 images"},
		"label range":   {with(testLabels, encodeIDX([]byte{0, 1, 3}, 3)), "t10k-labels-idx1-ubyte: has the label 3 in row 3, which is out of range: the training labels are 0 to 2"},
		"one class":     {with(trainLabels, encodeIDX(make([]byte, 6), 6)), "train-labels-idx1-ubyte: has one class only"},
		"other shape":   {with(testImages, encodeIDX(make([]byte, 18), 3, 2, 3)), "t10k-images-idx3-ubyte: has images of [2 3], where the training images are [2 2]"},
		"not labels":    {with(trainLabels, encodeIDX(make([]byte, 6), 6, 1, 1)), "train-labels-idx1-ubyte: holds no labels"},
		"not images":    {with(trainImages, encodeIDX(make([]byte, 6), 6)), "train-images-idx3-ubyte: holds no images"},
		"truncated":     {with(trainImages, small()[trainImages][:30]), "train-images-idx3-ubyte: is truncated"},
		"wrong content": {with(testImages, []byte("<html>")), "t10k-images-idx3-ubyte: is not an idx file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore()
			_, err := Import(t.Context(), store, sweeps.Data{Name: writeSet(t, c.set)}, Source{})
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error = %v, want an *Error with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
			for o, err := range store.Backend().List(t.Context(), "") {
				t.Errorf("%s was left in the store (%v)", o.Key, err)
			}
		})
	}
}

func TestImportSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("x"))
	for name, c := range map[string]struct {
		data   sweeps.Data
		config bool
		want   string
	}{
		"empty":        {sweeps.Data{}, true, "data.name is empty"},
		"scheme":       {sweeps.Data{Name: "ftp://host/x.tar.gz"}, true, "only http and https"},
		"no checksum":  {sweeps.Data{Name: "https://host/x.tar.gz"}, true, "data.sha256 must give the SHA-256"},
		"bad checksum": {sweeps.Data{Name: "https://host/x.tar.gz", SHA256: "12"}, true, "data.sha256 must give the SHA-256"},
		"password":     {sweeps.Data{Name: "https://me:hunter2@host/x.tar.gz"}, true, "https://me:xxxxx@host"},
		"no directory": {sweeps.Data{Name: "/does/not/exist"}, false, "/does/not/exist: there is no such directory"},
		"a file":       {sweeps.Data{Name: file}, false, "is not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Import(t.Context(), newStore(), c.data, Source{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error = %v, want %q", err, c.want)
			}
			var bad *Error
			if errors.Is(err, ErrConfig) != c.config || errors.As(err, &bad) == c.config {
				t.Errorf("error %v is of the wrong kind", err)
			}
		})
	}
}

func TestConcurrentImportsAgree(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := newStore()
	dir := writeSet(t, small())
	var wg sync.WaitGroup
	digests := make([]string, 8)
	for i := range digests {
		wg.Go(func() {
			var err error
			if digests[i], err = Import(ctx, store, sweeps.Data{Name: dir}, Source{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, d := range digests {
		if d != digests[0] {
			t.Fatalf("digests differ: %v", digests)
		}
	}
	if _, err := Load(ctx, store, digests[0]); err != nil {
		t.Error(err)
	}
}

func TestLoadNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, c := range map[string]struct {
		spoil func(*storage.Store, string) error
		want  string
	}{
		"missing": {func(s *storage.Store, d string) error { return s.Backend().Delete(ctx, storage.DatasetManifestKey(d)) }, "is not in the store"},
		"manifest": {func(s *storage.Store, d string) error {
			return s.PutAll(ctx, storage.DatasetManifestKey(d), []byte("{"))
		}, "is damaged in the store"},
		"other manifest": {func(s *storage.Store, d string) error {
			return s.PutAll(ctx, storage.DatasetManifestKey(d), []byte(`{"version":1}`))
		}, "does not describe"},
		"image file": {func(s *storage.Store, d string) error {
			for o, err := range s.Backend().List(ctx, storage.DatasetDir(d)) {
				if err != nil {
					return err
				}
				if strings.Contains(o.Key, testImages) {
					return s.PutAll(ctx, o.Key, []byte("short"))
				}
			}
			return errors.New("no such file")
		}, testImages},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore()
			digest, err := Import(ctx, store, sweeps.Data{Name: writeSet(t, small())}, Source{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(store, digest); err != nil {
				t.Fatal(err)
			}
			_, err = Load(ctx, store, digest)
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want an *Error with %q", err, c.want)
			}
		})
	}
	if _, err := Load(ctx, newStore(), "../../etc"); !errors.Is(err, ErrConfig) {
		t.Errorf("a digest that is none: error = %v", err)
	}
}

// archive makes a .tar.gz of a data set in a folder.
func archive(t *testing.T, set map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range fileNames {
		b, ok := set[name]
		if !ok {
			continue
		}
		if err := w.WriteHeader(&tar.Header{Name: "set/" + name, Mode: 0o644, Size: int64(len(b)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return gzipped(t, buf.Bytes())
}

func TestImportURL(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	body := archive(t, small())
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	cfg := sweeps.Data{Name: server.URL + "/set.tar.gz", SHA256: strings.ToUpper(fmt.Sprintf("%x", sha256.Sum256(body)))}
	store := newStore()
	first, err := Import(ctx, store, cfg, Source{Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Import(ctx, store, cfg, Source{Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if first != second || served.Load() != 1 {
		t.Errorf("digests %s and %s after %d downloads; want the same after one", first, second, served.Load())
	}
	fromDir, err := Import(ctx, newStore(), sweeps.Data{Name: writeSet(t, small())}, Source{})
	if err != nil {
		t.Fatal(err)
	}
	if fromDir != first {
		t.Errorf("the same data from a directory are %s, not %s", fromDir, first)
	}
}

func TestImportURLErrors(t *testing.T) {
	t.Parallel()
	good := archive(t, small())
	lacking := small()
	delete(lacking, testLabels)
	for name, c := range map[string]struct {
		status int
		body   []byte
		sum    []byte // what the checksum is of, if not of the body
		limit  int64
		want   string
		data   bool // an *Error; else worth another try
	}{
		"checksum":    {200, good, []byte("other"), 0, "but data.sha256 says", true},
		"not found":   {404, good, nil, 0, "the server answers 404", true},
		"unavailable": {503, good, nil, 0, "the server answers 503", false},
		"too large":   {200, good, nil, 100, "is larger than the limit of 100 bytes", true},
		"not gzip":    {200, []byte("hello"), nil, 0, "is not a .tar.gz", true},
		"not tar":     {200, gzipped(t, bytes.Repeat([]byte("hello"), 1000)), nil, 0, "is not a .tar.gz", true},
		"cut":         {200, good[:len(good)/2], nil, 0, "truncated", true},
		"lacks files": {200, archive(t, lacking), nil, 0, "has no file t10k-labels-idx1-ubyte", true},
		"bad inside":  {200, archive(t, map[string][]byte{trainImages: []byte("x")}), nil, 0, "set/train-images-idx3-ubyte: is truncated", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write(c.body)
			}))
			defer server.Close()
			of := c.sum
			if of == nil {
				of = c.body
			}
			cfg := sweeps.Data{Name: server.URL + "/set.tar.gz", SHA256: fmt.Sprintf("%x", sha256.Sum256(of))}
			_, err := Import(t.Context(), newStore(), cfg, Source{Client: server.Client(), MaxBytes: c.limit})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error = %v, want %q", err, c.want)
			}
			var bad *Error
			if errors.As(err, &bad) != c.data {
				t.Errorf("error %v: is an *Error: %v, want %v", err, !c.data, c.data)
			}
		})
	}
}

func TestImportMNISTWithoutGo(t *testing.T) {
	t.Parallel()
	_, err := Import(t.Context(), newStore(), sweeps.Data{Name: "mnist"}, Source{Go: "/does/not/exist/go"})
	var bad *Error
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "TENFOLD_MNIST_DIR") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error = %v, want one line that says what to do", err)
	}
	_, err = Import(t.Context(), newStore(), sweeps.Data{Name: "mnist"}, Source{MNISTDir: writeSet(t, small())})
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "does not hold MNIST") {
		t.Errorf("another data set as MNIST: error = %v", err)
	}
}

func TestImportMNISTWhenTheDownloadFails(t *testing.T) {
	t.Parallel()
	goCommand := filepath.Join(t.TempDir(), "go")
	if err := os.WriteFile(goCommand, []byte("#!/bin/sh\ncat <<'E'\n{\"Error\": \"dial tcp:\\nno route to host\"}\nE\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Import(t.Context(), newStore(), sweeps.Data{Name: "mnist"}, Source{Go: goCommand})
	if err == nil || !strings.Contains(err.Error(), "dial tcp: no route to host") || !strings.Contains(err.Error(), "TENFOLD_MNIST_DIR") {
		t.Errorf("error = %v, want the go command's and what to do", err)
	}
}

// The real data, where the module cache has them.
func TestImportMNIST(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("reads 11 MB and inflates them to 55; not with -short")
	}
	dir := datatest.MNIST(t)
	ctx := t.Context()
	store := newStore()
	f, err := readPinned(ctx, dir, defaultMaxBytes)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := save(ctx, store, "mnist", f)
	if err != nil {
		t.Fatal(err)
	}
	if digest != MNISTDigest {
		t.Fatalf("digest = %s, want %s", digest, MNISTDigest)
	}
	// In the store now, so that neither Go nor a directory is needed.
	again, err := Import(ctx, store, sweeps.Data{Name: "mnist"}, Source{Go: "/does/not/exist/go"})
	if err != nil || again != MNISTDigest {
		t.Fatalf("a second import gave %q, %v", again, err)
	}
	ds, err := LoadLabels(ctx, store, MNISTDigest)
	if err != nil {
		t.Fatal(err)
	}
	// The numbers of each digit are well known.
	if diff := cmp.Diff([]int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}, Describe(ds).Train.PerClass); diff != "" {
		t.Error(diff)
	}
	if ds.Test.N != 10000 || ds.Classes != 10 {
		t.Errorf("%d test cases in %d classes", ds.Test.N, ds.Classes)
	}
}
