package mem_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/storage/storagetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(*testing.T) backend.Backend { return mem.New() })
}

// TestFaults fails every operation before it does something and, where it
// changes something, after.
func TestFaults(t *testing.T) {
	t.Parallel()
	fault := errors.New("injected fault")
	calls := map[string]func(*mem.Backend, string) error{
		mem.OpPut: func(b *mem.Backend, key string) error { return b.Put(t.Context(), key, strings.NewReader("new")) },
		mem.OpPutIfAbsent: func(b *mem.Backend, key string) error {
			return b.PutIfAbsent(t.Context(), key, strings.NewReader("new"))
		},
		mem.OpDelete: func(b *mem.Backend, key string) error { return b.Delete(t.Context(), key) },
		mem.OpGet:    func(b *mem.Backend, key string) error { _, err := b.Get(t.Context(), key); return err },
		mem.OpList: func(b *mem.Backend, prefix string) error {
			for _, err := range b.List(t.Context(), prefix) {
				return err
			}
			return nil
		},
	}
	for op, call := range calls {
		var armed atomic.Bool
		inject := func(o, key string) error {
			if armed.Load() && o == op && strings.HasPrefix(key, "k") {
				return fault
			}
			return nil
		}
		prepare := func(opt mem.Option) *mem.Backend {
			armed.Store(false)
			b := mem.New(opt)
			if op == mem.OpDelete {
				if err := b.Put(t.Context(), "k/1", strings.NewReader("old")); err != nil {
					t.Fatal(err)
				}
			}
			armed.Store(true)
			return b
		}

		b := prepare(mem.WithFault(inject))
		before := contents(t, b, &armed)
		if err := call(b, "k/1"); !errors.Is(err, fault) {
			t.Errorf("%s: %v, want the fault", op, err)
		}
		if after := contents(t, b, &armed); after != before {
			t.Errorf("%s failed before it began, and yet %q became %q", op, before, after)
		}

		if op == mem.OpGet || op == mem.OpList {
			continue
		}
		b = prepare(mem.WithLateFault(inject))
		before = contents(t, b, &armed)
		if err := call(b, "k/1"); !errors.Is(err, fault) {
			t.Errorf("%s: %v, want the late fault", op, err)
		}
		if after := contents(t, b, &armed); after == before {
			t.Errorf("%s failed after its end, and yet did nothing", op)
		}
	}
}

// contents lists a backend with its faults disarmed.
func contents(t *testing.T, b *mem.Backend, armed *atomic.Bool) string {
	t.Helper()
	defer armed.Store(armed.Swap(false))
	var keys []string
	for o, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return strings.Join(keys, " ")
}
