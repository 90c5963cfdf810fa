package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// readAhead is up to how many bytes are read before Get returns, so that a
// connection that breaks costs another try and is never seen.
const readAhead = 8 << 20

// Get implements [backend.Backend].
func (b *Backend) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.GetRange(ctx, key, 0, -1)
}

// GetRange implements [backend.Backend].
func (b *Backend) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := check(ctx, key); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	if off < 0 {
		return nil, fmt.Errorf("get %s: negative offset %d", key, off)
	}
	end := int64(math.MaxInt64)
	if n >= 0 && n < end-off {
		end = off + n
	}
	if n == 0 {
		end = off + 1 // the answer to a HEAD would not say what is wrong
	}
	r := &reader{b: b, ctx: ctx, key: key, off: off, end: end}
	err := r.open()
	if isDenied(err) && b.isAbsent(ctx, key) {
		err = backend.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, b.failed(ctx, err))
	}
	if n == 0 {
		_ = r.Close()
		r.body = nil
	}
	if r.body == nil {
		r.body = io.NopCloser(bytes.NewReader(nil))
		r.end = r.off
	}
	return r, nil
}

// head asks whether an object is there, and for its metadata.
func (b *Backend) head(ctx context.Context, key string, metadata *map[string]string) error {
	out, err := b.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &b.at.Bucket, Key: b.key(key)})
	if err == nil && metadata != nil {
		*metadata = out.Metadata
	}
	return err
}

// isAbsent says whether an object that one may not read is not there at all: S3 says
// "access denied" of both to those who may not list the whole bucket.
func (b *Backend) isAbsent(ctx context.Context, key string) bool {
	out, err := b.client.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &b.at.Bucket, Prefix: b.key(key), MaxKeys: aws.Int32(1)})
	return err == nil && (len(out.Contents) == 0 || aws.ToString(out.Contents[0].Key) != b.at.key(key))
}

// reader reads one version of an object from off to end, which is the object's at
// the latest once it is open. When a connection breaks it makes another.
type reader struct {
	b        *Backend
	ctx      context.Context
	key      string
	off, end int64
	version  *string // the ETag, known after the first answer
	body     io.ReadCloser
	moved    time.Time // when the last byte came
}

// open asks for what is left to read. body stays nil if that is nothing.
func (r *reader) open() error {
	r.moved = time.Now()
	return r.b.try(r.ctx, r.openOnce)
}

func (r *reader) openOnce() error {
	in := &awss3.GetObjectInput{Bucket: &r.b.at.Bucket, Key: r.b.key(r.key), IfMatch: r.version}
	ranged := r.off > 0 || r.end < math.MaxInt64
	switch {
	case ranged && r.end == math.MaxInt64:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", r.off))
	case ranged:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", r.off, r.end-1))
	default:
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := r.b.client.GetObject(r.ctx, in)
	if err != nil {
		if c, status := code(err); ranged && r.version == nil && (c == codeInvalidRange || status == http.StatusRequestedRangeNotSatisfiable) {
			return nil // it ends before
		}
		return err
	}
	size := aws.ToInt64(out.ContentLength)
	if out.ContentLength == nil || size < 0 || (ranged && r.end < math.MaxInt64 && size > r.end-r.off) ||
		(ranged && size > 0 && !strings.HasPrefix(aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-%d/", r.off, r.off+size-1))) {
		out.Body.Close()
		return again(fmt.Errorf("asked for %q the server sent %q, %d bytes", aws.ToString(in.Range), aws.ToString(out.ContentRange), size))
	}
	if r.version != nil && size != r.end-r.off {
		out.Body.Close()
		return again(fmt.Errorf("of the last %d bytes the server sent %d", r.end-r.off, size))
	}
	body := out.Body
	if size <= readAhead {
		data := make([]byte, size)
		_, err := io.ReadFull(body, data)
		if err == nil {
			err = atEnd(body) // which is also where the checksum is compared
		}
		body.Close()
		if err != nil {
			return again(fmt.Errorf("reading the answer: %w", err))
		}
		body = io.NopCloser(bytes.NewReader(data))
	}
	r.body, r.version, r.end = body, out.ETag, r.off+size
	return nil
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if r.body == nil {
			if err := r.b.failed(r.ctx, r.b.try(r.ctx, r.openOnce)); err != nil {
				if isExists(err) || errors.Is(err, backend.ErrNotFound) {
					return 0, fmt.Errorf("get %s: it was changed while it was read", r.key)
				}
				return 0, fmt.Errorf("get %s: %w", r.key, err)
			}
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.off+1)])
		if int64(n) > r.end-r.off {
			return 0, fmt.Errorf("get %s: the server sent more than the %d bytes it spoke of", r.key, r.end)
		}
		r.off += int64(n)
		switch {
		case n > 0:
			r.moved = time.Now()
			if err != nil && r.off < r.end {
				r.drop()
			}
			return n, nil
		case err == nil:
			continue
		case errors.Is(err, io.EOF) && r.off == r.end:
			return 0, io.EOF
		case r.ctx.Err() != nil || r.off == r.end || time.Since(r.moved) > r.b.opts.Patience:
			// With all bytes there it is the checksum, and they have been handed out.
			return 0, fmt.Errorf("get %s: %w", r.key, r.b.failed(r.ctx, err))
		}
		r.drop()
	}
}

// drop has the next Read make another connection.
func (r *reader) drop() {
	r.body.Close()
	r.body = nil
}

// Close implements [io.Closer].
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}

// atEnd reads the end of a body, and says what comes instead.
func atEnd(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, 1))
	if n > 0 {
		return errors.New("there is more than was spoken of")
	}
	return err
}
