package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// stored is datasets/<digest hex>/manifest.json, written last: with it the data
// set is in the store. The files are idx, uncompressed: a trainer reads them at
// every start, and inflating MNIST takes ten times as long as reading it.
type stored struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Shape   []int  `json:"shape"`
	Classes int    `json:"classes"`
	Train   int    `json:"train"` // cases
	Test    int    `json:"test"`  // cases
	// Outputs is left out if it is 1, as the labels of most data sets are.
	Outputs int `json:"outputs,omitempty"`
	traits
	Files map[string]sweeps.Artifact `json:"files"`
}

// save writes a checked data set to the store, unless it is there.
func save(ctx context.Context, store *storage.Store, name string, f files) (string, error) {
	is, err := f.check()
	if err != nil {
		return "", err
	}
	sums := make(map[string]string, len(fileNames))
	for _, n := range fileNames {
		sums[n] = f.idx[n].sum()
	}
	d := digest(sums, f.traits)
	if _, err := readStored(ctx, store, d); err == nil {
		return d, nil
	} else if !errors.Is(err, backend.ErrNotFound) {
		return "", err
	}
	m := stored{
		Version: 1, Name: name, Digest: d, Shape: is.shape, Classes: is.classes, traits: f.traits,
		Train: f.idx[trainImages].dims[0], Test: f.idx[testImages].dims[0],
		Files: make(map[string]sweeps.Artifact, len(fileNames)),
	}
	if is.outputs > 1 {
		m.Outputs = is.outputs
	}
	for _, n := range fileNames {
		a, err := store.PutArtifact(ctx, storage.DatasetDir(d), n, "idx", f.idx[n].raw)
		if err != nil {
			return "", fmt.Errorf("storing %s of data set %s: %w", n, name, err)
		}
		m.Files[n] = a
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encoding the manifest of data set %s: %w", name, err)
	}
	if _, err := store.PutAllIfAbsent(ctx, storage.DatasetManifestKey(d), append(b, '\n')); err != nil {
		return "", fmt.Errorf("storing the manifest of data set %s: %w", name, err)
	}
	return d, nil
}

// readStored reads the manifest of a stored data set and checks it against the
// digest. It returns backend.ErrNotFound when the store has no such data set.
func readStored(ctx context.Context, store *storage.Store, d string) (stored, error) {
	if err := checkDigest(d); err != nil {
		return stored{}, err
	}
	var m stored
	if err := store.ReadJSON(ctx, storage.DatasetManifestKey(d), &m); err != nil {
		return stored{}, fmt.Errorf("reading data set %s: %w", d, err)
	}
	sums := make(map[string]string, len(m.Files))
	for n, a := range m.Files {
		sums[n] = a.SHA256
	}
	switch {
	case m.Version != 1:
		return stored{}, bad(storage.DatasetManifestKey(d), "has version %d, and this program knows version 1", m.Version)
	case digest(sums, m.traits) != d:
		return stored{}, bad(storage.DatasetManifestKey(d), "does not describe the data set of that digest: %w", storage.ErrCorrupt)
	}
	return m, nil
}

// Part names files of a data set, for loading less than all of it.
type Part int

// The parts of a data set.
const (
	TrainImages Part = iota
	TrainLabels
	TestImages
	TestLabels
)

// Load reads a data set from the store, checked against its digest to the last
// byte; with parts, only those, and the other slices stay nil. A data set that
// is missing or damaged is an [*Error].
func Load(ctx context.Context, store *storage.Store, digest string, parts ...Part) (*Dataset, error) {
	if len(parts) == 0 {
		parts = []Part{TrainImages, TrainLabels, TestImages, TestLabels}
	}
	m, err := readStored(ctx, store, digest)
	if err != nil {
		if errors.Is(err, backend.ErrNotFound) {
			return nil, bad("data set "+digest, "is not in the store %s; import it with: trainer data import", store.URL())
		}
		if errors.Is(err, storage.ErrCorrupt) {
			return nil, bad("data set "+digest, "is damaged in the store: %w", err)
		}
		return nil, err
	}
	d := &Dataset{
		Name: m.Name, Digest: m.Digest, Shape: m.Shape, Classes: m.Classes, Outputs: max(m.Outputs, 1),
		Symbols: m.Symbols, Ordered: m.Ordered, Alphabet: m.Alphabet,
		Train: Split{N: m.Train}, Test: Split{N: m.Test},
	}
	for _, p := range parts {
		a := m.Files[fileNames[p]]
		raw, err := store.ReadArtifact(ctx, a)
		if err != nil {
			if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, backend.ErrNotFound) {
				return nil, bad("data set "+digest, "is damaged in the store: %w", err)
			}
			return nil, fmt.Errorf("reading data set %s: %w", digest, err)
		}
		x, err := parseIDX(a.Key, raw)
		if err != nil {
			return nil, err
		}
		if err := d.put(p, x); err != nil {
			return nil, bad(a.Key, "does not fit the manifest of its data set: %w", err)
		}
	}
	return d, nil
}

// put sets a part of d to what its file holds.
func (d *Dataset) put(p Part, x idx) error {
	split, each := &d.Train, d.Outputs
	if p == TestImages || p == TestLabels {
		split = &d.Test
	}
	isCases := p == TrainImages || p == TestImages
	if isCases {
		each = d.Features()
	}
	switch {
	case x.dims[0] != split.N || x.each() != each:
		return fmt.Errorf("%w: its dimensions are %v", storage.ErrCorrupt, x.dims)
	case isCases:
		split.Images, split.Values = x.data, x.values
	case (x.values != nil) != (d.Classes == 0):
		return fmt.Errorf("%w: it has labels of another type", storage.ErrCorrupt)
	default:
		split.Labels, split.Targets = x.data, x.values
	}
	return nil
}

// LoadLabels reads only the labels or values of a data set, which is all that
// measuring predictions takes.
func LoadLabels(ctx context.Context, store *storage.Store, digest string) (*Dataset, error) {
	return Load(ctx, store, digest, TrainLabels, TestLabels)
}
