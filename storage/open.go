package storage

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/file"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/storage/s3"
)

// Store is where everything that lasts is kept, in the layout of layout.go. It is
// safe for concurrent use, also by any number of processes.
type Store struct{ b backend.Backend }

// Open opens the store at a URL: "file:///abs/dir", "file:rel/dir", "s3://bucket/prefix"
// with the parameters of [s3.Location], or "mem:", which is empty and seen by nobody else.
// A folder that does not exist yet is created by the first write; a bucket is not, and a
// server is asked nothing yet. A URL that is none of these is ErrBadURL.
func Open(ctx context.Context, at string) (*Store, error) {
	switch scheme, rest, found := strings.Cut(at, ":"); {
	case !found || strings.ContainsAny(scheme, `/.\`):
		return nil, fmt.Errorf("%w: %q has no scheme; for a folder write %q", ErrBadURL, at, suggestFile(at))
	case scheme == "file":
		dir, err := folderOf(at)
		if err != nil {
			return nil, err
		}
		b, err := file.Open(ctx, dir)
		if err != nil {
			return nil, err
		}
		return New(b), nil
	case scheme == "mem":
		if rest != "" {
			return nil, fmt.Errorf("%w: %q; a store in memory is just \"mem:\"", ErrBadURL, at)
		}
		return New(mem.New()), nil
	case scheme == "s3":
		place, err := s3.ParseURL(at)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadURL, err)
		}
		b, err := s3.Open(ctx, place, s3.Options{})
		if err != nil {
			return nil, err
		}
		return New(b), nil
	default:
		return nil, fmt.Errorf("%w: %q: there is no kind of store %q; use file:///folder or s3://bucket/prefix", ErrBadURL, withoutSecrets(at), scheme)
	}
}

// withoutSecrets is a URL without what may be a password or a key.
func withoutSecrets(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		scheme, _, _ := strings.Cut(raw, ":")
		return scheme + ":…"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, Opaque: u.Opaque}).String()
}

// New makes a store on a backend.
func New(b backend.Backend) *Store { return &Store{b: b} }

// Backend gives access to the bare objects.
func (s *Store) Backend() backend.Backend { return s.b }

// URL is what Open was given, made absolute: it can be handed to a trainer.
func (s *Store) URL() string { return s.b.String() }

// folderOf finds the folder that a file: URL names, which may be relative.
func folderOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrBadURL, raw, err)
	}
	dir := u.Path
	if u.Opaque != "" {
		if dir, err = url.PathUnescape(u.Opaque); err != nil {
			return "", fmt.Errorf("%w: %q: %w", ErrBadURL, raw, err)
		}
	}
	switch {
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%w: %q: write a ? or # in a path as %%3F or %%23", ErrBadURL, raw)
	case u.Host != "" && u.Host != "localhost":
		return "", fmt.Errorf("%w: %q names the host %q; write %q for a relative folder or file:///… for an absolute one",
			ErrBadURL, raw, u.Host, "file:"+u.Host+u.EscapedPath())
	case dir == "":
		return "", fmt.Errorf("%w: %q names no folder; write file:///folder", ErrBadURL, raw)
	case dir == "~" || strings.HasPrefix(dir, "~/"):
		return "", fmt.Errorf("%w: %q: ~ is known to shells only; write the whole path", ErrBadURL, raw)
	}
	return dir, nil
}

// suggestFile is the URL that somebody meant who wrote a bare path.
func suggestFile(path string) string {
	switch {
	case strings.HasPrefix(path, "/"):
		return (&url.URL{Scheme: "file", Path: path}).String()
	case path == "":
		return "file:///folder"
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}
