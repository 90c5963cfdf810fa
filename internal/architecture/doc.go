// Package architecture holds no code, only the tests that keep the import
// rules of docs/architecture.md: which folder may know of which. Read
// imports_test.go, where each rule has a sentence.
package architecture
