// Package datatest makes small data sets for tests, so that they need neither
// MNIST nor a network.
package datatest

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// Size is how large a data set is: cases of Side×Side bytes in Classes classes.
type Size struct {
	Train, Test, Side, Classes int
	// Poison fills the test images with noise, for tests of who looks at them.
	Poison bool
}

// Small is learnt to a few per cent error in a handful of epochs, each of which
// takes milliseconds.
var Small = Size{Train: 600, Test: 150, Side: 8, Classes: 4}

// Write writes the four idx files of a data set to a new folder and returns it.
// A class is a fixed random pattern, a case its class's pattern under noise. The
// bytes are a function of size alone.
func Write(t testing.TB, size Size) string {
	t.Helper()
	dir := t.TempDir()
	if err := WriteTo(dir, size); err != nil {
		t.Fatal(err)
	}
	return dir
}

// WriteTo is Write to a folder that exists.
func WriteTo(dir string, size Size) error {
	n := size.Side * size.Side
	patterns := make([]float64, size.Classes*n)
	philox.New(1, philox.Init, 0, 0).Normals(patterns)
	split := func(step uint64, cases int, noiseOnly bool) (images, labels []byte) {
		noise := make([]float64, cases*n)
		philox.New(2, philox.Init, 0, step).Normals(noise)
		images, labels = make([]byte, cases*n), make([]byte, cases)
		for i := range cases {
			class := i % size.Classes
			labels[i] = byte(class)
			for j := range n {
				v := 128 + 40*noise[i*n+j]
				if !noiseOnly {
					v += 30 * patterns[class*n+j]
				}
				images[i*n+j] = byte(min(max(v, 0), 255))
			}
		}
		return images, labels
	}
	trainImages, trainLabels := split(0, size.Train, false)
	testImages, testLabels := split(1, size.Test, size.Poison)
	for _, f := range []struct {
		name string
		data []byte
		dims []int
	}{
		{"train-images-idx3-ubyte", trainImages, []int{size.Train, size.Side, size.Side}},
		{"train-labels-idx1-ubyte", trainLabels, []int{size.Train}},
		{"t10k-images-idx3-ubyte", testImages, []int{size.Test, size.Side, size.Side}},
		{"t10k-labels-idx1-ubyte", testLabels, []int{size.Test}},
	} {
		b := []byte{0, 0, 8, byte(len(f.dims))}
		for _, d := range f.dims {
			b = binary.BigEndian.AppendUint32(b, uint32(d))
		}
		if err := os.WriteFile(filepath.Join(dir, f.name), append(b, f.data...), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// MNIST finds the folder of the MNIST files in the module cache, without the
// network, or skips the test.
func MNIST(t testing.TB) string {
	t.Helper()
	cache := os.Getenv("GOMODCACHE")
	if cache == "" {
		gopath := os.Getenv("GOPATH")
		if gopath == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				t.Skipf("no home directory, so no module cache: %v", err)
			}
			gopath = filepath.Join(home, "go")
		}
		cache = filepath.Join(gopath, "pkg", "mod")
	}
	// As the module cache spells the upper-case letters of GoMNIST.
	dir := filepath.Join(cache, "github.com", "petar", "!go!m!n!i!s!t@v0.0.0-20150320212226-2fbe10d0fa63", "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the module cache has no MNIST: %v", err)
	}
	return dir
}
