package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Put implements [backend.Backend].
func (b *Backend) Put(ctx context.Context, key string, r io.Reader) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := b.commit(ctx, key, r, (*temp).rename); err != nil {
		return fmt.Errorf("put %s: %w", key, classify(err))
	}
	return nil
}

// PutIfAbsent implements [backend.Backend].
func (b *Backend) PutIfAbsent(ctx context.Context, key string, r io.Reader) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	// Most losers come late: they need not write a temporary file to learn it.
	err := b.present(b.path(key))
	if err == nil {
		err = b.commit(ctx, key, r, b.linkIfAbsent)
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", key, classify(err))
	}
	return nil
}

// linkIfAbsent is link that knows what ErrExists promises.
func (b *Backend) linkIfAbsent(t *temp, path string) error {
	for {
		err := t.link(path)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := b.present(path); err != nil {
			return err
		}
		// It was deleted between the two calls, so the name is free again.
	}
}

// present returns nil if there is nothing at path, ErrExists if there is an
// object and ErrBadKey if there is a folder.
func (b *Backend) present(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return errIsPrefix()
	}
	// The winner may not have got so far yet. Whoever hears ErrExists relies on
	// the object, so it must be as durable as for the winner.
	if err := b.folders.settle(filepath.Dir(path)); err != nil {
		return err
	}
	return backend.ErrExists
}

// commit writes r to a temporary file and gives it the name of key by publish.
func (b *Backend) commit(ctx context.Context, key string, r io.Reader, publish func(t *temp, path string) error) error {
	t, err := b.newTemp()
	if err != nil {
		return err
	}
	defer t.discard()
	if err := t.fill(ctx, r, b.sync); err != nil {
		return err
	}
	path := b.path(key)
	dir := filepath.Dir(path)
	if err := b.folders.create(dir); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = publish(t, path)
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody has removed folders by hand.
		b.folders.forget()
		if err := b.folders.create(dir); err != nil {
			return err
		}
		err = publish(t, path)
	}
	if err != nil {
		if info, e := os.Lstat(path); e == nil && info.IsDir() {
			return errIsPrefix()
		}
		return err
	}
	return b.folders.settle(dir)
}

func errIsPrefix() error {
	return fmt.Errorf("%w: other objects are below it", backend.ErrBadKey)
}
