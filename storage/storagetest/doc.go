// Package storagetest is the conformance suite that every backend must pass: it
// is what package storage relies on, said as tests. A backend's own test calls
// [Run] and adds what only it can get wrong.
//
// Start reading at run.go; each file is about one promise of
// [backend.Backend]. Tests of the layout and of results are package storage's.
package storagetest
