package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Rounds and writers of testOneWinner. A commit that looks and then writes was
// seen to let two writers win in one round of twenty.
const (
	winnerRounds  = 200
	winnerWriters = 50
)

// testOneWinner has many commit one key at one moment, round after round.
func testOneWinner(t *testing.T, rounds int, b backend.Backend) {
	todo := make(chan int, rounds)
	for i := range rounds {
		todo <- i
	}
	close(todo)
	var wg sync.WaitGroup
	for range 4 { // rounds at a time: most of a round is waiting for the disk
		wg.Go(func() {
			for i := range todo {
				raceForKey(t, b, fmt.Sprintf("results/%d.json", i))
			}
		})
	}
	wg.Wait()
	if n := len(list(t, b, "")); n != rounds {
		t.Errorf("after %d rounds there are %d objects", rounds, n)
	}
}

// raceForKey starts the writers of one round together and checks how they fared.
func raceForKey(t *testing.T, b backend.Backend, key string) {
	content := func(w int) []byte {
		return bytes.Repeat(fmt.Appendf(nil, "writer %d of %s\n", w, key), 20+w)
	}
	start := make(chan struct{})
	var winners atomic.Int32
	var winner atomic.Int64
	var wg sync.WaitGroup
	for w := range winnerWriters {
		wg.Go(func() {
			<-start
			err := b.PutIfAbsent(t.Context(), key, bytes.NewReader(content(w)))
			switch {
			case err == nil:
				winners.Add(1)
				winner.Store(int64(w))
			case !errors.Is(err, backend.ErrExists):
				t.Errorf("PutIfAbsent(%s): %v", key, err)
			}
			// Whoever won, from here on everybody sees it, and whole.
			if data, err := get(t.Context(), b, key); err != nil || !wholeLines(data) {
				t.Errorf("writer %d is told %v and then reads %d bytes, %v", w, err, len(data), err)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%s has %d winners", key, n)
		return
	}
	wantObject(t, b, key, content(int(winner.Load())))
}

// wholeLines says whether data is one line over and over.
func wholeLines(data []byte) bool {
	line, _, ok := bytes.Cut(data, []byte("\n"))
	return ok && len(data)%(len(line)+1) == 0 && bytes.Equal(data, bytes.Repeat(data[:len(line)+1], len(data)/(len(line)+1)))
}

func testLateLosers(t *testing.T, b backend.Backend) {
	mustPut(t, b, "r/1", []byte("first"))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := b.PutIfAbsent(t.Context(), "r/1", strings.NewReader("late"))
			wantError(t, "PutIfAbsent", err, backend.ErrExists)
			if err == nil || !strings.Contains(err.Error(), "r/1") {
				t.Errorf("the error %v does not name the key", err)
			}
		})
	}
	wg.Wait()
	wantObject(t, b, "r/1", []byte("first"))
}

// testTornReads reads an object while it is replaced by versions of other
// contents and lengths.
func testTornReads(t *testing.T, b backend.Backend) {
	version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 100_000+1000*(i%26)) }
	mustPut(t, b, "t/1", version(0))
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range 30 {
				putOrError(t, b, "t/1", version(w*7+i))
			}
		})
	}
	for range 3 {
		readers.Go(func() {
			for {
				data, err := get(t.Context(), b, "t/1")
				if err != nil {
					t.Errorf("Get: %v", err)
				} else if !bytes.Equal(data, version(int(data[0]-'a'))) {
					t.Errorf("a read got %d bytes, %.3q… to …%q, which is no version", len(data), data, data[len(data)-3:])
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

// testEverythingAtOnce has workers do everything to few keys, and checks
// whatever they read: it must be what somebody wrote to that key, whole.
func testEverythingAtOnce(t *testing.T, b backend.Backend) {
	const workers, steps, keys = 8, 60, 6
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range steps {
				key := fmt.Sprintf("e/%d/object", random.IntN(keys))
				data := sealed(key, random.IntN(20_000))
				ctx := t.Context()
				var err error
				switch random.IntN(6) {
				case 0:
					err = b.Put(ctx, key, bytes.NewReader(data))
				case 1, 2:
					err = b.PutIfAbsent(ctx, key, bytes.NewReader(data))
				case 3:
					if data, err = get(ctx, b, key); err == nil {
						err = unsealed(key, data)
					}
				case 4:
					err = b.Delete(ctx, key)
				case 5:
					for o, e := range b.List(ctx, "e") {
						if e == nil && o.Size < int64(len(sealed(o.Key, 0))) {
							e = fmt.Errorf("%s is listed with %d bytes", o.Key, o.Size)
						}
						err = errors.Join(err, e)
					}
				}
				if err != nil && !errors.Is(err, backend.ErrNotFound) && !errors.Is(err, backend.ErrExists) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, o := range list(t, b, "") {
		data, err := get(t.Context(), b, o.Key)
		if err == nil {
			err = unsealed(o.Key, data)
		}
		if err != nil || int64(len(data)) != o.Size {
			t.Errorf("%s, listed with %d bytes, has %d: %v", o.Key, o.Size, len(data), err)
		}
	}
}

// sealed is content that says which key it belongs to and whether it is whole.
func sealed(key string, n int) []byte {
	data := append([]byte(key+"\n"), bytes.Repeat([]byte("x"), n)...)
	return fmt.Appendf(data, "\n%08x", crc32.ChecksumIEEE(data))
}

func unsealed(key string, data []byte) error {
	n := len(data) - 9
	if n < 0 || !bytes.HasPrefix(data, []byte(key+"\n")) || !bytes.Equal(fmt.Appendf(nil, "\n%08x", crc32.ChecksumIEEE(data[:n])), data[n:]) {
		return fmt.Errorf("%s has %d bytes which nobody wrote there: %.60q", key, len(data), data)
	}
	return nil
}

// putOrError is mustPut for goroutines other than the test's.
func putOrError(t *testing.T, b backend.Backend, key string, data []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
		t.Errorf("Put(%s): %v", key, err)
	}
}
