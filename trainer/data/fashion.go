package data

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tenfold-ml/tenfold/storage"
)

// FashionMNISTDigest is the digest of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), which is
// the same wherever it comes from.
const FashionMNISTDigest = "sha256:fdf05548cf9110ebfaf229d070ec27c73180f0707179bd7513a187e16a0d74e3"

// fashionDir is where the Debian package dataset-fashion-mnist has its files.
const fashionDir = "/usr/share/datasets/fashion-mnist"

// importFashion needs no directory once the store has the data set.
func importFashion(ctx context.Context, store *storage.Store, src Source) (string, error) {
	if ok, err := inStore(ctx, store, FashionMNISTDigest); ok || err != nil {
		return FashionMNISTDigest, err
	}
	dir := src.FashionDir
	if dir == "" {
		dir = fashionDir
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return "", bad("fashion-mnist", "is not in %s: install the package dataset-fashion-mnist, or set TENFOLD_FASHION_MNIST_DIR to a directory with the four files (train-images-idx3-ubyte.gz, …)", dir)
		}
	}
	f, err := readDirectory(ctx, dir, src.maxBytes())
	if err != nil {
		return "", fmt.Errorf("looking for Fashion-MNIST: %w", err)
	}
	d, err := save(ctx, store, "fashion-mnist", f)
	if err != nil {
		return "", err
	}
	if d != FashionMNISTDigest {
		return "", bad(dir, "does not hold Fashion-MNIST but some other data set (to use that, make it data.name)")
	}
	return d, nil
}
