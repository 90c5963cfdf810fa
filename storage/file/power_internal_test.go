//go:build unix

package file

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// platter is a model of what a disk still has after a power cut: of a folder the
// names that it had when it was last synced, and of a file the bytes that it had
// then. It is harsher than most file systems, which keep more.
type platter struct {
	mu      sync.Mutex
	names   map[string]map[string]bool // by folder
	files   map[uint64]int64           // synced sizes, by inode
	failing error                      // what syncs return, if set
}

func newPlatter() *platter {
	return &platter{names: map[string]map[string]bool{}, files: map[uint64]int64{}}
}

func (p *platter) syncer() syncer {
	return syncer{
		file: func(f *os.File) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			info, err := f.Stat()
			if err != nil || p.failing != nil {
				return errors.Join(err, p.failing)
			}
			p.files[inode(info)] = info.Size()
			return nil
		},
		dir: func(path string) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			entries, err := os.ReadDir(path)
			if err != nil || p.failing != nil {
				return errors.Join(err, p.failing)
			}
			p.names[path] = map[string]bool{}
			for _, e := range entries {
				p.names[path][e.Name()] = true
			}
			return nil
		},
	}
}

// removeAll removes a folder for good, from the disk too.
func (p *platter) removeAll(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.names[filepath.Dir(path)], filepath.Base(path))
	for folder := range p.names {
		if folder == path || strings.HasPrefix(folder, path+"/") {
			delete(p.names, folder)
		}
	}
	return os.RemoveAll(path)
}

func inode(info os.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// survives says why path, below base, would not be there whole after a power
// cut now, or returns nil.
func (p *platter) survives(base, path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if size, ok := p.files[inode(info)]; !ok || size != info.Size() {
		return fmt.Errorf("%d bytes of %s were synced, it has %d", size, path, info.Size())
	}
	for at := path; at != base; at = filepath.Dir(at) {
		if !p.names[filepath.Dir(at)][filepath.Base(at)] {
			return fmt.Errorf("the name %s was not synced", at)
		}
	}
	return nil
}

// gone says whether path would stay deleted after a power cut now.
func (p *platter) gone(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.names[filepath.Dir(path)][filepath.Base(path)]
}

// TestPowerCut asks after every call, in two processes' stead, whether what it
// promised would survive.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := newPlatter()
	root := filepath.Join(base, "new", "folders", "store")
	// Two backends share a folder and no memory, like two processes.
	backends := []*Backend{newBackend(root, p.syncer()), newBackend(root, p.syncer())}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			b := backends[w%2]
			random := rand.New(rand.NewPCG(2, uint64(w)))
			for i := range 100 {
				key := fmt.Sprintf("trials/%d/results/%d/x", i/10, i)
				data := bytes.Repeat([]byte{'x'}, random.IntN(5000))
				err := b.PutIfAbsent(t.Context(), key, bytes.NewReader(data))
				if err != nil && !errors.Is(err, backend.ErrExists) {
					t.Errorf("PutIfAbsent: %v", err)
				}
				// Losers rely on the object as much as the winner.
				if err := p.survives(base, b.path(key)); err != nil {
					t.Errorf("after PutIfAbsent: %v", err)
				}
				own := fmt.Sprintf("trials/%d/metrics/%d", i/10, w)
				if err := b.Put(t.Context(), own, bytes.NewReader(data)); err != nil {
					t.Errorf("Put: %v", err)
				}
				if err := p.survives(base, b.path(own)); err != nil {
					t.Errorf("after Put: %v", err)
				}
				if i%10 == 9 {
					if err := b.Delete(t.Context(), own); err != nil {
						t.Errorf("Delete: %v", err)
					}
					if !p.gone(b.path(own)) {
						t.Errorf("after Delete, %s would come back", own)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestPowerCutAfterRemoval does the same when somebody removes folders by hand,
// which the backend thinks it knows to be durable.
func TestPowerCutAfterRemoval(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := newPlatter()
	b := newBackend(filepath.Join(base, "store"), p.syncer())
	for i, remove := range []string{"none", "store/a/b", "store/a", "store/.tmp", "store"} {
		if err := p.removeAll(filepath.Join(base, remove)); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("a/b/%d", i)
		if err := b.PutIfAbsent(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Errorf("PutIfAbsent after %q was removed: %v", remove, err)
		}
		if err := p.survives(base, b.path(key)); err != nil {
			t.Errorf("after %q was removed: %v", remove, err)
		}
	}
}

// TestSyncFails checks that a write whose sync fails is no success.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	p := newPlatter()
	b := newBackend(t.TempDir(), p.syncer())
	p.failing = errors.New("the disk is on fire")
	for _, key := range []string{"a", "b/c"} {
		if err := b.Put(t.Context(), key, strings.NewReader("x")); !errors.Is(err, p.failing) {
			t.Errorf("Put(%s): %v", key, err)
		}
		if err := b.PutIfAbsent(t.Context(), key, strings.NewReader("x")); !errors.Is(err, p.failing) {
			t.Errorf("PutIfAbsent(%s): %v", key, err)
		}
	}
	if _, err := b.Get(t.Context(), "a"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	p.failing = nil
	if err := b.PutIfAbsent(t.Context(), "b/c", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	// A folder that cannot be synced: nothing may be promised of what is in it.
	p.failing = errors.New("the disk is on fire")
	if err := b.PutIfAbsent(t.Context(), "b/c", strings.NewReader("x")); !errors.Is(err, p.failing) {
		t.Errorf("PutIfAbsent of what is there: %v", err)
	}
	if err := b.Delete(t.Context(), "b/c"); !errors.Is(err, p.failing) {
		t.Errorf("Delete: %v", err)
	}
}

// TestKnownFoldersAreBounded checks that what a process remembers of folders
// does not grow with the store.
func TestKnownFoldersAreBounded(t *testing.T) {
	t.Parallel()
	f := folders{}
	for i := range 3*maxKnown + 5 {
		f.add(fmt.Sprint(i))
	}
	if len(f.known) == 0 || len(f.known) > maxKnown {
		t.Errorf("%d folders are remembered, want at most %d", len(f.known), maxKnown)
	}
}
