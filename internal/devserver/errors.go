package devserver

import "errors"

// ErrCorrupt says that the database file is not one that this server can go on
// with: damaged, or not a database, or written by another version. The error
// that wraps it names the file.
var ErrCorrupt = errors.New("cannot be used")

// ErrPortTaken says that somebody listens at the port asked for. The error that
// wraps it names the address.
var ErrPortTaken = errors.New("port is taken")

// ErrInUse says that another process serves the database file, which the error that
// wraps it names. Where that process can be reached is for callers to arrange.
var ErrInUse = errors.New("is in use by another process")

// ErrFull says that there is no room for the database, which the error that wraps it
// names.
var ErrFull = errors.New("has no room left")
