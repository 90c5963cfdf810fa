package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// List implements [backend.Backend]. Files that no key can name, such as an
// editor's backup, are not objects and left out.
func (b *Backend) List(ctx context.Context, prefix string) iter.Seq2[backend.Object, error] {
	return func(yield func(backend.Object, error) bool) {
		prefix, err := backend.CleanPrefix(prefix)
		if err != nil {
			yield(backend.Object{}, fmt.Errorf("list: %w", err))
			return
		}
		b.walk(ctx, prefix, yield)
	}
}

// walk yields what is below a folder and says whether to go on.
func (b *Backend) walk(ctx context.Context, prefix string, yield func(backend.Object, error) bool) bool {
	fail := func(err error) bool {
		yield(backend.Object{}, fmt.Errorf("list %s: %w", b.path(prefix), classify(err)))
		return false
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	entries, err := os.ReadDir(b.path(prefix))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return true
		}
		return fail(err)
	}
	// Keys order "a-b" before "a/b", names order the folder "a" before "a-b".
	slices.SortFunc(entries, func(x, y os.DirEntry) int {
		return strings.Compare(sortName(x), sortName(y))
	})
	for _, e := range entries {
		if !backend.ValidSegment(e.Name()) || prefix == "" && e.Name() == backend.Reserved {
			continue
		}
		key := e.Name()
		if prefix != "" {
			key = prefix + "/" + key
		}
		switch {
		case e.IsDir():
			if !b.walk(ctx, key, yield) {
				return false
			}
		case e.Type().IsRegular():
			if err := ctx.Err(); err != nil {
				return fail(err)
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted since
			}
			if err != nil {
				return fail(err)
			}
			if !yield(backend.Object{Key: key, Size: info.Size()}, nil) {
				return false
			}
		}
	}
	return true
}

func sortName(e os.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
