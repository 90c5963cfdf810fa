// Package backend defines the small interface that a place for objects must
// have, and its errors. It is for those who write backends; everybody else
// uses package storage.
package backend

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Errors that every backend wraps, so that callers branch with [errors.Is].
var (
	// ErrNotFound: there is no object of that key.
	ErrNotFound = errors.New("object not found")
	// ErrExists: PutIfAbsent met an object of that key.
	ErrExists = errors.New("object exists already")
	// ErrBadKey: the key is not made of clean, slash-separated segments.
	ErrBadKey = errors.New("bad object key")
	// ErrFull: there is no room left for the object.
	ErrFull = errors.New("no space left in the store")
	// ErrPermission: the store refuses access.
	ErrPermission = errors.New("no permission")
	// ErrExpired comes with ErrPermission where credentials were good and are so no
	// longer: who is given new ones may go on.
	ErrExpired = errors.New("the credentials have expired")
)

// Object describes an object in a listing.
type Object struct {
	Key  string
	Size int64
}

// Backend is a flat space of immutable-in-one-piece objects. Keys are segments
// of [A-Za-z0-9._-] joined by '/', none of them "." or ".." (see [CheckKey]); no
// key is both an object and a prefix of others, and what would make it so is
// refused with ErrBadKey. Every method is safe for concurrent use and returns
// promptly when its context ends. Readers never see part of a write: a writer
// that fails, is cancelled or is killed leaves what was there before.
//
// Every backend runs the conformance suite of package storagetest.
type Backend interface {
	// Get opens an object from start to end, or returns ErrNotFound.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// GetRange opens n bytes from offset off on; fewer if the object ends
	// earlier, none if it ends before off. n < 0 means to the end.
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	// Put writes an object whole, replacing one that is there. When it has
	// returned nil, the object survives a power cut.
	Put(ctx context.Context, key string, r io.Reader) error
	// PutIfAbsent is Put that returns ErrExists when the object is there
	// already. Of any number of concurrent calls exactly one succeeds, and what
	// ErrExists speaks of survives a power cut. Any other error leaves open
	// whether the object is there: only a read can tell.
	PutIfAbsent(ctx context.Context, key string, r io.Reader) error
	// List yields the objects below prefix (a whole number of segments, with or
	// without a '/' at the end, or empty for all) in the byte order of their
	// keys. An object whose key is prefix itself is not below it. It ends at the
	// first error. Objects that come or go meanwhile may be in it or not.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// String names the place, for messages: "file:///data/store".
	String() string
}
