//go:build cluster

package s3_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/faultproxy"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/s3"
	"github.com/tenfold-ml/tenfold/storage/storagetest"
)

const bucket = "tests"

// sdkAttempts is the SDK's default.
const sdkAttempts = "3"

// startServer starts a server with a bucket, for one test.
func startServer(t testing.TB) *testcluster.S3 {
	t.Helper()
	c, err := testcluster.New(testcluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	server, err := c.StartS3(t.Context(), testcluster.S3Options{AccessKey: accessKey, SecretKey: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	return server
}

// startProxy starts a proxy before a server. Its seed is logged.
func startProxy(t *testing.T, server *testcluster.S3) *faultproxy.Proxy {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("the faults' seed is %d", seed)
	p, err := faultproxy.Start(server.Endpoint(), seed, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		t.Logf("requests by fault: %v", p.Counts())
		_ = p.Close()
	})
	return p
}

// benchmarked opens a store on a server of its own.
func benchmarked(b *testing.B) *s3.Backend {
	b.Helper()
	return open(b, startServer(b).Endpoint(), "bench", s3.Options{})
}

func open(t testing.TB, endpoint, prefix string, opts s3.Options) *s3.Backend {
	t.Helper()
	at, err := s3.ParseURL(testcluster.StoreURL(endpoint, bucket, prefix))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s3.Open(t.Context(), at, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// prefixOf makes a key's prefix of a test's name.
func prefixOf(t testing.TB) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("/ #,'", r) {
			return '_'
		}
		return r
	}, t.Name())
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	storagetest.Run(t, func(t *testing.T) backend.Backend {
		return open(t, server.Endpoint(), prefixOf(t), s3.Options{})
	})
}

// TestConformanceInParts has larger objects uploaded in parts.
func TestConformanceInParts(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	storagetest.RunRounds(t, 10, func(t *testing.T) backend.Backend {
		return open(t, server.Endpoint(), prefixOf(t), s3.Options{PartSize: 5 << 20})
	})
}

// TestConformanceBesideFaults runs the suite while one request of seven goes wrong.
func TestConformanceBesideFaults(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	proxy := startProxy(t, server)
	proxy.Set(faultproxy.Even(0.15, 2*time.Second))
	storagetest.RunRounds(t, 10, func(t *testing.T) backend.Backend {
		return open(t, proxy.URL(), prefixOf(t), s3.Options{PartSize: 5 << 20, StallAfter: time.Second})
	})
}
