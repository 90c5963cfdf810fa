package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/file"
)

// inNamespace runs the test that calls it once more, in a process with a mount
// namespace of its own, so that it may mount file systems that nobody else sees
// and that vanish with it. It says whether this is that process; if not, the
// test is done, or skipped where the machine forbids such processes.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const variable = "TENFOLD_TEST_NAMESPACE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("no process with namespaces of its own: %v", err)
	case err != nil:
		t.Errorf("in its own namespace: %v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("in its own namespace:\n%s", out)
	}
	return false
}

// mountTmpfs mounts an empty file system in memory.
func mountTmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// TestFullDisk fills a small disk: the write that does not fit fails with
// ErrFull and leaves no trace, and all others stay.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	b := open(t, filepath.Join(mountTmpfs(t, "size=512k"), "store"))
	n := 0
	var err error
	for ; err == nil; n++ {
		if n > 100 {
			t.Fatal("a disk of 512 kB took a hundred objects of 20 kB")
		}
		key := fmt.Sprintf("a/%d", n)
		err = b.PutIfAbsent(t.Context(), key, bytes.NewReader(sealed(key, 20_000)))
	}
	n--
	if !errors.Is(err, backend.ErrFull) || !strings.Contains(err.Error(), fmt.Sprintf("a/%d", n)) {
		t.Errorf("the error is %v, want ErrFull with the key", err)
	}
	if err := b.Put(t.Context(), "a/0", bytes.NewReader(sealed("a/0", 100_000))); !errors.Is(err, backend.ErrFull) {
		t.Errorf("Put over an object: %v, want ErrFull", err)
	}
	if got := temps(t, b.Root()); len(got) > 0 {
		t.Errorf("the writes that failed have left %v", got)
	}
	wantKeysWhole(t, b, n)
	// Room can be made, and then the same write succeeds.
	for i := range 2 {
		if err := b.Delete(t.Context(), fmt.Sprintf("a/%d", i)); err != nil {
			t.Errorf("Delete on a full disk: %v", err)
		}
	}
	if err := b.PutIfAbsent(t.Context(), fmt.Sprintf("a/%d", n), bytes.NewReader(sealed(fmt.Sprintf("a/%d", n), 20_000))); err != nil {
		t.Errorf("PutIfAbsent when there is room again: %v", err)
	}
	wantKeysWhole(t, b, n-1)
}

// TestNoInodes is a full disk of another kind: bytes are left, files are not.
func TestNoInodes(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	// The top, the store, its folder of temporary files, one file.
	b := open(t, filepath.Join(mountTmpfs(t, "size=1m,nr_inodes=4"), "store"))
	if err := b.Put(t.Context(), "a/b", strings.NewReader("x")); !errors.Is(err, backend.ErrFull) {
		t.Errorf("Put where its folder does not fit: %v, want ErrFull", err)
	}
	if err := b.Put(t.Context(), "b", strings.NewReader("x")); err != nil {
		t.Errorf("Put of the last file: %v", err)
	}
	if err := b.Put(t.Context(), "c", strings.NewReader("x")); !errors.Is(err, backend.ErrFull) {
		t.Errorf("Put of one file too many: %v, want ErrFull", err)
	}
}

// TestReadOnlyDisk opens a store on a disk that is mounted read-only.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	dir := mountTmpfs(t, "size=1m")
	b := open(t, dir)
	if err := b.Put(t.Context(), "a/1", bytes.NewReader(sealed("a/1", 100))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, backend.Reserved, "stale"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("remount read-only: %v", err)
	}
	b = open(t, dir)
	wantKeysWhole(t, b, 1)
	for what, err := range map[string]error{
		"Put":                  b.Put(t.Context(), "a/1", strings.NewReader("x")),
		"PutIfAbsent":          b.PutIfAbsent(t.Context(), "b/1", strings.NewReader("x")),
		"Delete":               b.Delete(t.Context(), "a/1"),
		"Put in a store to be": open(t, filepath.Join(dir, "new")).Put(t.Context(), "a", strings.NewReader("x")),
	} {
		if !errors.Is(err, backend.ErrPermission) {
			t.Errorf("%s on a read-only disk: %v, want ErrPermission", what, err)
		}
	}
	// What is there already needs no permission to be recognised.
	if err := b.PutIfAbsent(t.Context(), "a/1", strings.NewReader("x")); !errors.Is(err, backend.ErrExists) {
		t.Errorf("PutIfAbsent of what is there: %v, want ErrExists", err)
	}
}

// TestForeignDisk has a folder of the store on another disk, to which no link
// can be made: a clean error, not a copy that could be torn.
func TestForeignDisk(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	b := open(t, t.TempDir())
	if err := os.Symlink(mountTmpfs(t, "size=1m"), filepath.Join(b.Root(), "a")); err != nil {
		t.Fatal(err)
	}
	err := b.PutIfAbsent(t.Context(), "a/1", strings.NewReader("x"))
	if !errors.Is(err, syscall.EXDEV) {
		t.Errorf("PutIfAbsent to another disk: %v, want EXDEV", err)
	}
	if _, err := b.Get(t.Context(), "a/1"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
}

// wantKeysWhole checks that there are exactly n objects, all whole.
func wantKeysWhole(t *testing.T, b *file.Backend, n int) {
	t.Helper()
	wantWhole(t, b, n)
	seen := 0
	for _, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if seen != n {
		t.Errorf("there are %d objects, want %d", seen, n)
	}
}
