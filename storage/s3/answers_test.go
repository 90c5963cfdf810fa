package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/s3"
)

// answering starts a server that answers as no server can be brought to, and opens a
// store on it.
func answering(t *testing.T, params string, opts s3.Options, answer http.HandlerFunc) *s3.Backend {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	at, err := s3.ParseURL("s3://bucket/prefix?region=eu-test-1&endpoint=" + server.URL + params)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s3.Open(t.Context(), at, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// says is an error of S3's.
func says(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

// operations are all that a backend can do to one key.
func operations(ctx context.Context, b *s3.Backend) map[string]func() error {
	read := func(r io.ReadCloser, err error) error {
		if err == nil {
			_, err = io.ReadAll(r)
			r.Close()
		}
		return err
	}
	return map[string]func() error{
		"Get":         func() error { return read(b.Get(ctx, "a/b")) },
		"GetRange":    func() error { return read(b.GetRange(ctx, "a/b", 1, 2)) },
		"none of it":  func() error { return read(b.GetRange(ctx, "a/b", 1, 0)) },
		"Put":         func() error { return b.Put(ctx, "a/b", strings.NewReader("x")) },
		"PutIfAbsent": func() error { return b.PutIfAbsent(ctx, "a/b", strings.NewReader("x")) },
		"Delete":      func() error { return b.Delete(ctx, "a/b") },
		"List": func() error {
			for _, err := range b.List(ctx, "a") {
				return err
			}
			return nil
		},
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status        int
		code, message string
		is            error // of all operations
		text          string
	}{
		"denied":      {403, "AccessDenied", "Access Denied", backend.ErrPermission, "AccessDenied (403): Access Denied"},
		"wrong key":   {403, "SignatureDoesNotMatch", "Check your\n key", backend.ErrPermission, "SignatureDoesNotMatch (403): Check your key"},
		"expired":     {400, "ExpiredToken", "The token has expired.", backend.ErrExpired, "no permission: the credentials have expired: ExpiredToken (400): The token has expired."},
		"quota":       {403, "QuotaExceeded", "Your quota is used up.", backend.ErrFull, "QuotaExceeded"},
		"full":        {507, "XMinioStorageFull", "There is no room.", backend.ErrFull, "no space left"},
		"no bucket":   {404, "NoSuchBucket", "No.", nil, "there is no bucket bucket"},
		"not allowed": {405, "MethodNotAllowed", "No.", nil, "MethodNotAllowed (405): No."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := answering(t, "", s3.Options{}, func(w http.ResponseWriter, r *http.Request) {
				says(w, test.status, test.code, test.message)
			})
			for op, do := range operations(t.Context(), b) {
				err := do()
				if test.is != nil && !errors.Is(err, test.is) || err == nil {
					t.Errorf("%s: %v, want %v", op, err, test.is)
					continue
				}
				for _, other := range []error{backend.ErrExists, backend.ErrFull, backend.ErrNotFound, backend.ErrPermission} {
					if expired := errors.Is(test.is, backend.ErrExpired) && errors.Is(other, backend.ErrPermission); !errors.Is(test.is, other) && errors.Is(err, other) != expired {
						t.Errorf("%s: %v is %v, too", op, err, other)
					}
				}
				if !strings.Contains(err.Error(), test.text) {
					t.Errorf("%s: %v, want %s", op, err, test.text)
				}
				if text := err.Error(); strings.ContainsAny(text, "\n") || strings.Contains(text, secretKey) || strings.Contains(text, accessKey) || len(text) > 200 {
					t.Errorf("%s: the error has lines, secrets or too many words: %s", op, text)
				}
			}
		})
	}
}

// TestDeniedIsAbsent: whoever may list a folder and not the bucket is told "access denied"
// of objects that are not there.
func TestDeniedIsAbsent(t *testing.T) {
	t.Parallel()
	b := answering(t, "", s3.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if prefix := r.URL.Query().Get("prefix"); r.URL.Query().Has("list-type") {
			there := ""
			if prefix == "prefix/denied" {
				there = "<Contents><Key>prefix/denied</Key><Size>1</Size></Contents>"
			}
			fmt.Fprintf(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>`, there)
			return
		}
		says(w, 403, "AccessDenied", "Access Denied")
	})
	if _, err := b.Get(t.Context(), "absent"); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Get of what is not there: %v, want ErrNotFound", err)
	}
	if _, err := b.Get(t.Context(), "denied"); !errors.Is(err, backend.ErrPermission) {
		t.Errorf("Get of what is there: %v, want ErrPermission", err)
	}
}

// TestPatience: what another try may mend is tried until it is mended, or until patience or
// the context is at its end.
func TestPatience(t *testing.T) {
	t.Parallel()
	var left atomic.Int32
	answer := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if left.Add(-1) >= 0 {
			says(w, 503, "SlowDown", "Please reduce your request rate.")
		}
	}
	b := answering(t, "", s3.Options{}, answer)
	left.Store(3)
	if err := b.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Errorf("Put when the fourth try succeeds: %v", err)
	}

	left.Store(1 << 30)
	hasty := answering(t, "", s3.Options{Patience: time.Millisecond}, answer)
	if err := hasty.Put(t.Context(), "a", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "SlowDown (503)") {
		t.Errorf("Put when no try succeeds: %v, want SlowDown", err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for op, do := range operations(ctx, b) {
		if err := do(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the end of the context", op, err)
		}
	}
}

// TestHeaders checks what new objects are asked to be.
func TestHeaders(t *testing.T) {
	t.Parallel()
	var got atomic.Pointer[http.Request]
	b := answering(t, "&storage_class=STANDARD_IA&sse_kms_key_id=alias/mine", s3.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		got.Store(r)
	})
	if err := b.PutIfAbsent(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	r := got.Load()
	if r.Method != http.MethodPut || r.URL.Path != "/bucket/prefix/a/b" {
		t.Errorf("%s %s, want PUT /bucket/prefix/a/b", r.Method, r.URL.Path)
	}
	for name, want := range map[string]string{
		"If-None-Match": "*", "X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Checksum-Crc32": "jNwWgw==",
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/mine",
	} {
		if v := r.Header.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if !strings.Contains(r.Header.Get("Authorization"), "/eu-test-1/s3/") {
		t.Errorf("signed as %s", r.Header.Get("Authorization"))
	}
}

func TestNoRegion(t *testing.T) {
	t.Parallel()
	_, err := s3.Open(t.Context(), s3.Location{Bucket: "bucket"}, s3.Options{})
	if err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("Open without a region: %v", err)
	}
	b, err := s3.Open(t.Context(), s3.Location{Bucket: "bucket", Endpoint: "http://127.0.0.1:1", PathStyle: true}, s3.Options{Patience: 1})
	if err != nil {
		t.Fatalf("Open of a server of one's own without a region: %v", err)
	}
	if err := b.Delete(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Delete where nobody listens: %v", err)
	}
}

// TestUnordered: a bucket that lists in another order than the keys' would break what reads
// listings.
func TestUnordered(t *testing.T) {
	t.Parallel()
	b := answering(t, "", s3.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>
			<Contents><Key>prefix/b</Key><Size>1</Size></Contents><Contents><Key>prefix/a</Key><Size>1</Size></Contents></ListBucketResult>`)
	})
	var err error
	for _, err = range b.List(t.Context(), "") {
		if err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "lists a after b") {
		t.Errorf("List: %v", err)
	}
}
