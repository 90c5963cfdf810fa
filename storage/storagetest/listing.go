package storagetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

func testListOrder(t *testing.T, b backend.Backend) {
	// Byte order, in which '-' and '.' come before '/' and the digits after it:
	// the order of a walk through folders is another one.
	want := []string{
		"Z", "a-", "a-b/c", "a.b", "a/-", "a/1", "a/10", "a/2", "a/b/c", "a/b-c", "a/b.c",
		"a/b0", "a0", "a_", "aa/b", "b",
	}
	slices.Sort(want)
	for i := range want { // in some other order
		mustPut(t, b, want[(i*7)%len(want)], []byte("x"))
	}
	wantKeys(t, b, "", want...)
}

func testListPrefix(t *testing.T, b backend.Backend) {
	wantKeys(t, b, "")
	wantKeys(t, b, "a")
	for _, key := range []string{"a/b/1", "a/b/2", "a/b-c/3", "a/bc/4", "ab/5", "6", "b"} {
		mustPut(t, b, key, []byte(key))
	}
	for _, slash := range []string{"", "/"} {
		wantKeys(t, b, "a"+slash, "a/b-c/3", "a/b/1", "a/b/2", "a/bc/4")
		wantKeys(t, b, "a/b"+slash, "a/b/1", "a/b/2")
		wantKeys(t, b, "a/b-c"+slash, "a/b-c/3")
		wantKeys(t, b, "a/b/1"+slash)       // an object is not below itself
		wantKeys(t, b, "a/b/1/below"+slash) // and nothing is below an object
		wantKeys(t, b, "none"+slash)
		wantKeys(t, b, "b"+slash)
	}
	for _, o := range list(t, b, "") {
		if o.Size != int64(len(o.Key)) {
			t.Errorf("%s is listed with %d bytes, want %d", o.Key, o.Size, len(o.Key))
		}
	}
}

func testListStops(t *testing.T, b backend.Backend) {
	for i := range 5 {
		mustPut(t, b, fmt.Sprintf("s/%d/x", i), nil)
	}
	var keys []string
	for o, err := range b.List(t.Context(), "s") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if keys = append(keys, o.Key); len(keys) == 3 {
			break
		}
	}
	if want := []string{"s/0/x", "s/1/x", "s/2/x"}; !slices.Equal(keys, want) {
		t.Errorf("before the break came %v, want %v", keys, want)
	}
}

// testListBesideWriters lists while objects come, change and go: those that are
// there all the time must be in every listing, once and in order.
func testListBesideWriters(t *testing.T, b backend.Backend) {
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("l/%d/stays", i))
		mustPut(t, b, want[i], []byte("stays"))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("l/%d/goes-%d", i%10, w)
				putOrError(t, b, key, []byte("goes"))
				putOrError(t, b, want[i%10], []byte("stays"))
				if err := b.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		})
	}
	for range 50 {
		objects := list(t, b, "l")
		if !slices.IsSortedFunc(objects, func(x, y backend.Object) int {
			if x.Key < y.Key {
				return -1
			}
			return 1 // equal ones, too: none may come twice
		}) {
			t.Errorf("not in order, or twice: %v", objects)
		}
		var stay []string
		for _, o := range objects {
			if o.Size == int64(len("stays")) {
				stay = append(stay, o.Key)
			}
		}
		if !slices.Equal(stay, want) {
			t.Errorf("of what is there all the time, %v were listed", stay)
		}
	}
	close(stop)
	wg.Wait()
}
