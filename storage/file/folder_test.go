//go:build unix

package file_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/file"
)

// TestOpenCreatesNothing opens stores that are not there: reading from them
// leaves no trace, writing to them makes all the folders.
func TestOpenCreatesNothing(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	b := open(t, filepath.Join(base, "x", "y", "store"))
	if _, err := b.Get(t.Context(), "a"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	for o, err := range b.List(t.Context(), "") {
		t.Errorf("List of no store yields %v, %v", o, err)
	}
	if err := b.Delete(t.Context(), "a"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if entries, err := os.ReadDir(base); err != nil || len(entries) > 0 {
		t.Errorf("opening and reading made %v, %v", entries, err)
	}
	if err := b.Put(t.Context(), "a/b/c", strings.NewReader("x")); err != nil {
		t.Errorf("Put: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(base, "x/y/store/a/b/c")); err != nil || string(b) != "x" {
		t.Errorf("the object's file has %q, %v", b, err)
	}
}

// TestFileInPlaceOfFolder has a file where a folder has to be.
func TestFileInPlaceOfFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a file: %v, want an error with its path", err)
	}
	if _, err := file.Open(t.Context(), filepath.Join(path, "store")); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open below a file: %v, want an error with its path", err)
	}
	// It may also come later.
	later := filepath.Join(t.TempDir(), "later")
	b := open(t, later)
	if err := os.WriteFile(later, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "a", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), later) {
		t.Errorf("Put where the store is a file: %v, want an error with its path", err)
	}
	// And in place of the folder of temporary files.
	b = open(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(b.Root(), backend.Reserved), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "a", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), backend.Reserved) {
		t.Errorf("Put without a folder for temporary files: %v, want an error with its name", err)
	}
}

// TestNoPermission needs a user whom permissions bind.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("permissions do not bind root; TestReadOnlyDisk does")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, backend.ErrPermission) {
		t.Errorf("Put to a read-only folder: %v, want ErrPermission", err)
	}
}

func TestOpenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := file.Open(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, want context.Canceled", err)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		"/data/store":     "file:///data/store",
		"/data/../store/": "file:///store",
		"/with space/50%": "file:///with%20space/50%25",
		"/what?/#1":       "file:///what%3F/%231",
	} {
		if got := open(t, dir).String(); got != want {
			t.Errorf("the URL of %s is %s, want %s", dir, got, want)
		}
	}
}

// TestForeignFiles puts things into the folder that are no objects: they are
// neither listed nor read, and in nobody's way.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir())
	if err := b.Put(t.Context(), "a/1", bytes.NewReader(sealed("a/1", 10))); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(b.Root(), "a", "1~"), nil, 0o666),
		os.WriteFile(filepath.Join(b.Root(), "a", "#1#"), nil, 0o666),
		os.Mkdir(filepath.Join(b.Root(), "lost+found"), 0o777),
		os.Mkdir(filepath.Join(b.Root(), "empty"), 0o777),
		os.Symlink("nowhere", filepath.Join(b.Root(), "a", "link")),
	)
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, b, 1)
	for o, err := range b.List(t.Context(), "") {
		if err != nil || o.Key != "a/1" {
			t.Errorf("List yields %v, %v", o, err)
		}
	}
	if _, err := b.Get(t.Context(), "empty"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Get of a folder: %v, want ErrNotFound", err)
	}
	if err := b.Delete(t.Context(), "empty"); err != nil {
		t.Errorf("Delete of a folder: %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.Root(), "empty")); err != nil {
		t.Errorf("Delete took a folder: %v", err)
	}
}

// TestSymlinkedRoot has the store's folder behind a symbolic link.
func TestSymlinkedRoot(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	link := filepath.Join(base, "link")
	if err := errors.Join(os.Mkdir(filepath.Join(base, "real"), 0o777), os.Symlink("real", link)); err != nil {
		t.Fatal(err)
	}
	b := open(t, link)
	if err := b.PutIfAbsent(t.Context(), "a/1", bytes.NewReader(sealed("a/1", 10))); err != nil {
		t.Errorf("PutIfAbsent: %v", err)
	}
	wantWhole(t, open(t, filepath.Join(base, "real")), 1)
}
