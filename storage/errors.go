package storage

import "errors"

var (
	// ErrCorrupt says that an object is there but is not what it has to be:
	// truncated, of another hash, not JSON. The error that wraps it names the key.
	ErrCorrupt = errors.New("corrupt object")
	// ErrBadURL says that Open was given something that is no store's URL.
	ErrBadURL = errors.New("bad store URL")
	// ErrInvalid says that what was to be written is not fit to be: a result
	// with a NaN in it, say. Nothing was written.
	ErrInvalid = errors.New("not fit to be stored")
)
