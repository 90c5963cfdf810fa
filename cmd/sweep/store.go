package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
)

// storeURL is --store, or the folder's own store.
func (a *app) storeURL() (string, error) {
	if a.store != "" {
		return a.store, nil
	}
	dir, err := filepath.Abs(filepath.Join(a.dir, "store"))
	if err != nil {
		return "", err
	}
	return (&url.URL{Scheme: "file", Path: dir}).String(), nil
}

// openStore opens the store for reading.
func (a *app) openStore(ctx context.Context) (*storage.Store, error) {
	u, err := a.storeURL()
	if err != nil {
		return nil, err
	}
	return openStoreAt(ctx, u)
}

func openStoreAt(ctx context.Context, u string) (*storage.Store, error) {
	if strings.HasPrefix(u, "mem:") {
		return nil, userErrorf("--store %s: trainers are processes of their own and do not see this one's memory; use file:///folder", u)
	}
	s, err := storage.Open(ctx, u)
	if err != nil {
		return nil, storeError(u, err)
	}
	return s, nil
}

// sameStore is the store to use for a sweep whose store at a URL was settled by others:
// that one, unless --store names another. The URL is empty where nobody said. who
// begins the message.
func (a *app) sameStore(ctx context.Context, mine *storage.Store, u, who string) (*storage.Store, error) {
	switch {
	case u == "" || u == mine.URL():
		return mine, nil
	case a.store != "":
		return nil, userErrorf("%s the store %s, not %s; leave --store out or name that one", who, u, mine.URL())
	default:
		return openStoreAt(ctx, u)
	}
}

// sweepStore opens the store of a sweep for reading. u is where it was started
// with, empty if nobody said.
func (a *app) sweepStore(ctx context.Context, sweep, u string) (*storage.Store, error) {
	mine, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	return a.sameStore(ctx, mine, u, "sweep "+sweep+" has")
}

// recorded is the URL of a store as it goes into a sweep's memo: empty where only the
// workers know which one they have.
func (a *app) recorded(conn *connection, s *storage.Store) string {
	if !conn.embedded() && a.store == "" {
		return ""
	}
	return s.URL()
}

// findStored finds a sweep by what was typed, and opens the store that it has.
func (a *app) findStored(ctx context.Context, conn *connection, arg string) (string, *storage.Store, error) {
	id, err := findSweep(ctx, conn, arg)
	if err != nil {
		return "", nil, err
	}
	begun, err := running(ctx, conn, id)
	if err != nil {
		return "", nil, err
	}
	store, err := a.sweepStore(ctx, id, begun.store)
	return id, store, err
}

// openWritableStore opens the store and makes sure that results can be written,
// before anything is trained.
func (a *app) openWritableStore(ctx context.Context) (*storage.Store, error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	if err := probe(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

// probe makes sure that a store can be written to.
func probe(ctx context.Context, s *storage.Store) error {
	err := s.Probe(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return storeError(s.URL(), err)
}

// storeError is the user's to solve: another URL, permissions, room.
func storeError(u string, err error) error {
	switch {
	case errors.Is(err, storage.ErrBadURL):
		return userErrorf("--store: %w", err)
	case errors.Is(err, backend.ErrFull):
		return userErrorf("the store %s is full; make room or choose another one with --store: %w", u, err)
	case errors.Is(err, backend.ErrPermission):
		return userErrorf("the store %s cannot be written to; change its permissions or choose another one with --store: %w", u, err)
	default:
		return userErrorf("the store %s cannot be used; choose another one with --store: %w", u, err)
	}
}

// near writes a path as one would type it here: relative, if it is below the
// working directory.
func near(path string) string {
	wd, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// place is where an object is for a person: its path if the store is a folder,
// else its URL.
func place(s *storage.Store, key string) string {
	u, err := url.Parse(s.URL())
	if err != nil {
		return s.URL() + "/" + key
	}
	if u.Scheme == "file" {
		return filepath.Join(u.Path, filepath.FromSlash(key))
	}
	u.RawQuery = "" // how to reach it, not where it is
	return u.JoinPath(key).String()
}
