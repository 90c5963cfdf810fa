//go:build cluster

package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/faultproxy"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/s3"
)

// random is content that is nowhere like itself.
func random(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(data) // it never fails
	return data
}

func read(ctx context.Context, b backend.Backend, key string) ([]byte, error) {
	r, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// TestLostAnswers loses every second answer: a write that finds itself when it is sent again
// is a success, small or in parts, and one that finds another is not.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	proxy := startProxy(t, startServer(t))
	b := open(t, proxy.URL(), "lost", s3.Options{PartSize: 5 << 20})
	proxy.Set(faultproxy.Faults{Rates: map[faultproxy.Fault]float64{faultproxy.LostAnswer: 0.25, faultproxy.FalseError: 0.25}})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			key, data := fmt.Sprintf("small/%d", i), random(uint64(i), 1000)
			if i%10 == 0 {
				key, data = fmt.Sprintf("large/%d", i), random(uint64(i), 11<<20)
			}
			if err := b.PutIfAbsent(t.Context(), key, bytes.NewReader(data)); err != nil {
				t.Errorf("PutIfAbsent(%s), which nobody else writes: %v", key, err)
			}
			if err := b.PutIfAbsent(t.Context(), key, strings.NewReader("another")); !errors.Is(err, backend.ErrExists) {
				t.Errorf("PutIfAbsent(%s) once more: %v, want ErrExists", key, err)
			}
			if got, err := read(t.Context(), b, key); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s has %d bytes, %v, want the %d written", key, len(got), err, len(data))
			}
		})
	}
	wg.Wait()
	if n := proxy.Counts(); n[faultproxy.LostAnswer] == 0 || n[faultproxy.FalseError] == 0 {
		t.Errorf("no answer was lost: %v", n)
	}
}

// TestLateRequests has every fourth request served long after it was given up and sent
// again: whoever has won a key has won it.
func TestLateRequests(t *testing.T) {
	t.Parallel()
	proxy := startProxy(t, startServer(t))
	b := open(t, proxy.URL(), "late", s3.Options{})
	proxy.Set(faultproxy.Faults{Rates: map[faultproxy.Fault]float64{faultproxy.Late: 0.25}, StallFor: 2 * time.Second})
	const keys, writers = 10, 5
	var winners [keys][]string
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range keys * writers {
		wg.Go(func() {
			k, content := i%keys, fmt.Sprintf("writer %d", i)
			switch err := b.PutIfAbsent(t.Context(), fmt.Sprint(k), strings.NewReader(content)); {
			case err == nil:
				mu.Lock()
				winners[k] = append(winners[k], content)
				mu.Unlock()
			case !errors.Is(err, backend.ErrExists):
				t.Errorf("PutIfAbsent: %v", err)
			}
		})
	}
	wg.Wait()
	proxy.WaitForLate()
	for k, won := range winners {
		if len(won) != 1 {
			t.Errorf("the winners of %d are %v", k, won)
			continue
		}
		if got, err := read(t.Context(), b, fmt.Sprint(k)); err != nil || string(got) != won[0] {
			t.Errorf("%d is %q, %v; the winner was %s", k, got, err, won[0])
		}
	}
}

// TestLargeReads reads what is larger than a read-ahead through connections that break in
// the middle.
func TestLargeReads(t *testing.T) {
	t.Parallel()
	proxy := startProxy(t, startServer(t))
	b := open(t, proxy.URL(), "large", s3.Options{})
	data := random(1, 30<<20)
	if err := b.Put(t.Context(), "a/b", bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	proxy.Set(faultproxy.Faults{Rates: map[faultproxy.Fault]float64{faultproxy.ResetAnswer: 0.6, faultproxy.SlowDown: 0.1}})
	for range 3 {
		if got, err := read(t.Context(), b, "a/b"); err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
			t.Errorf("read %d bytes, %v, want the %d written", len(got), err, len(data))
		}
	}

	// An answer that is too short and says so looks whole: the checksum tells.
	proxy.Set(faultproxy.Faults{Rates: map[faultproxy.Fault]float64{faultproxy.ShortAnswer: 1}})
	if got, err := read(t.Context(), b, "a/b"); err == nil {
		t.Errorf("%d bytes of %d were read as if they were all", len(got), len(data))
	}

	// A version that is gone is not continued with another.
	proxy.Set(faultproxy.Faults{})
	r, err := b.Get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "a/b", bytes.NewReader(random(2, 30<<20))); err != nil {
		t.Fatal(err)
	}
	proxy.SetDown(true) // which breaks the reader's connection
	proxy.SetDown(false)
	if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("reading on in another version: %v", err)
	}
}

// TestOutage begins operations while the store is away: first behind a proxy that is down,
// then with a server that was killed. All succeed when it is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	proxy := startProxy(t, server)
	b := open(t, proxy.URL(), "outage", s3.Options{})
	if err := b.Put(t.Context(), "there", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for name, outage := range map[string]struct{ begin, end func() error }{
		"no connections": {
			func() error { proxy.SetDown(true); return nil },
			func() error { proxy.SetDown(false); return nil },
		},
		"no server": {server.Kill, func() error { return server.Restart(t.Context()) }},
	} {
		if err := outage.begin(); err != nil {
			t.Fatal(err)
		}
		proxy.ResetCounts()
		var wg sync.WaitGroup
		for op, do := range map[string]func(string) error{
			"get":           func(string) error { _, err := read(t.Context(), b, "there"); return err },
			"put":           func(key string) error { return b.Put(t.Context(), key, strings.NewReader("x")) },
			"put if absent": func(key string) error { return b.PutIfAbsent(t.Context(), key, strings.NewReader("x")) },
			"put in parts":  func(key string) error { return b.PutIfAbsent(t.Context(), key, bytes.NewReader(random(3, 17<<20))) },
			"delete":        func(string) error { return b.Delete(t.Context(), "none") },
			"list": func(string) error {
				for _, err := range b.List(t.Context(), "") {
					if err != nil {
						return err
					}
				}
				return nil
			},
		} {
			wg.Go(func() {
				if err := do(strings.ReplaceAll(name+"/"+op, " ", "_")); err != nil {
					t.Errorf("%s: %s: %v", name, op, err)
				}
			})
		}
		waitForTries(t, proxy, 60) // ten for each, of which the SDK's own are three
		if err := outage.end(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
}

// waitForTries waits until a proxy has seen so many requests or refused connections.
func waitForTries(t *testing.T, proxy *faultproxy.Proxy, want int) {
	t.Helper()
	for seen := 0; seen < want; time.Sleep(10 * time.Millisecond) {
		if seen = 0; t.Context().Err() != nil {
			return
		}
		for _, n := range proxy.Counts() {
			seen += n
		}
	}
}

// TestStalls has requests and answers stand still for longer than anybody waits.
func TestStalls(t *testing.T) {
	t.Parallel()
	proxy := startProxy(t, startServer(t))
	b := open(t, proxy.URL(), "stalls", s3.Options{StallAfter: time.Second, PartSize: 5 << 20})
	for _, fault := range []faultproxy.Fault{faultproxy.Stall, faultproxy.StallAnswer} {
		proxy.Set(faultproxy.Faults{Rates: map[faultproxy.Fault]float64{fault: 0.3}, StallFor: time.Hour})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				key, data := fmt.Sprintf("%s/%d", fault, i), random(uint64(i), 1000+i%2*11<<20)
				if err := b.PutIfAbsent(t.Context(), key, bytes.NewReader(data)); err != nil {
					t.Errorf("PutIfAbsent(%s): %v", key, err)
				}
				if got, err := read(t.Context(), b, key); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s has %d bytes, %v, want the %d written", key, len(got), err, len(data))
				}
			})
		}
		wg.Wait()
	}
}

// TestFailedUploadsLeaveNoParts: parts without an object cost money, and nobody sees them.
func TestFailedUploadsLeaveNoParts(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	b := open(t, server.Endpoint(), "parts", s3.Options{PartSize: 5 << 20})
	broken := errors.New("broken source")
	half := io.MultiReader(bytes.NewReader(random(1, 12<<20)), iotest.ErrReader(broken))
	if err := b.Put(t.Context(), "a/b", half); !errors.Is(err, broken) {
		t.Errorf("Put from a broken source: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	half = io.MultiReader(bytes.NewReader(random(1, 12<<20)), iotest.ErrReader(broken))
	if err := b.PutIfAbsent(ctx, "a/c", io.TeeReader(half, cancelAfter{cancel})); !errors.Is(err, context.Canceled) && !errors.Is(err, broken) {
		t.Errorf("PutIfAbsent with a context that ends: %v", err)
	}
	data := random(2, 12<<20)
	var wg sync.WaitGroup
	var mu sync.Mutex
	winners := 0
	for range 4 { // all begin before one has ended
		wg.Go(func() {
			switch err := b.PutIfAbsent(t.Context(), "a/d", bytes.NewReader(data)); {
			case err == nil:
				mu.Lock()
				winners++
				mu.Unlock()
			case !errors.Is(err, backend.ErrExists):
				t.Errorf("PutIfAbsent: %v", err)
			}
		})
	}
	wg.Wait()
	if winners != 1 {
		t.Errorf("%d of 4 uploads won", winners)
	}

	client := awss3.New(awss3.Options{
		BaseEndpoint: aws.String(server.Endpoint()), Region: testcluster.S3Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
		}),
	})
	uploads, err := client.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		t.Errorf("parts of %s are left", *u.Key)
	}
	if _, err := read(t.Context(), b, "a/b"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("after a failed upload: %v, want ErrNotFound", err)
	}
}

// cancelAfter ends a context when something is written to it.
type cancelAfter struct{ cancel context.CancelFunc }

func (c cancelAfter) Write(p []byte) (int, error) {
	c.cancel()
	return len(p), nil
}

// TestWrongCredentials is what somebody sees who has none, or wrong ones.
func TestWrongCredentials(t *testing.T) {
	server := startServer(t)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of-somebody-else")
	b := open(t, server.Endpoint(), "denied", s3.Options{})
	for op, do := range operations(t.Context(), b) {
		err := do()
		if !errors.Is(err, backend.ErrPermission) || strings.Contains(err.Error(), "somebody") || strings.Contains(err.Error(), accessKey) {
			t.Errorf("%s with a wrong secret: %v, want ErrPermission and no secret", op, err)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	b = open(t, server.Endpoint(), "denied", s3.Options{})
	for op, do := range operations(t.Context(), b) {
		if err := do(); !errors.Is(err, backend.ErrPermission) || !strings.Contains(err.Error(), "no credentials were found") {
			t.Errorf("%s without credentials: %v, want ErrPermission", op, err)
		}
	}
}

// BenchmarkCommit commits small objects, as results are, from one caller and from many.
func BenchmarkCommit(b *testing.B) {
	store := benchmarked(b)
	data := random(1, 2000)
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			var wg sync.WaitGroup
			todo := make(chan int)
			for range callers {
				wg.Go(func() {
					for i := range todo {
						if err := store.PutIfAbsent(b.Context(), fmt.Sprintf("%d/%d/%d.json", callers, b.N, i), bytes.NewReader(data)); err != nil && !errors.Is(err, backend.ErrExists) {
							b.Error(err)
						}
					}
				})
			}
			for i := range b.N {
				todo <- i
			}
			close(todo)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkLarge writes and reads a checkpoint of 64 MiB.
func BenchmarkLarge(b *testing.B) {
	store := benchmarked(b)
	data := random(1, 64<<20)
	b.Run("put", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for range b.N {
			if err := store.Put(b.Context(), "large", bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for range b.N {
			if _, err := read(b.Context(), store, "large"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
