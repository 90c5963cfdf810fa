package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	transfertypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// tagName is the name in an object's metadata of the tag that tells one write from
// another.
const tagName = "tenfold-write"

// cleanUpTime bounds the removal of the parts of an upload that has failed.
const cleanUpTime = 10 * time.Second

// parallelParts is how many parts of one object are under way at once.
const parallelParts = 4

// Put implements [backend.Backend].
func (b *Backend) Put(ctx context.Context, key string, r io.Reader) error {
	return b.put(ctx, key, r, false)
}

// PutIfAbsent implements [backend.Backend].
func (b *Backend) PutIfAbsent(ctx context.Context, key string, r io.Reader) error {
	return b.put(ctx, key, r, true)
}

func (b *Backend) put(ctx context.Context, key string, r io.Reader, ifAbsent bool) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	seeker, _ := r.(io.Seeker)
	var start int64
	if seeker != nil {
		var err error
		if start, err = seeker.Seek(0, io.SeekCurrent); err != nil {
			seeker = nil
		}
	}
	first := true
	err := b.try(ctx, func() error {
		if !first {
			if _, err := seeker.Seek(start, io.SeekStart); err != nil {
				return fmt.Errorf("read what to write once more: %w", err)
			}
		}
		first = false
		err := b.upload(ctx, key, r, ifAbsent)
		var restart *restartError
		if errors.As(err, &restart) && seeker != nil {
			return again(err)
		}
		return final(err)
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, b.failed(ctx, err))
	}
	return nil
}

// upload writes an object in one request or in parts, whichever its size wants.
func (b *Backend) upload(ctx context.Context, key string, r io.Reader, ifAbsent bool) error {
	// The transfer manager sees a plain reader: what it knows of a size it would
	// ask the server to check, and it would hold a seeker's place in two hands.
	source := &source{r: r}
	w := &write{Client: b.client, b: b, key: key, ifAbsent: ifAbsent, tag: rand.Text()}
	in := &transfermanager.UploadObjectInput{
		Bucket: &b.at.Bucket, Key: b.key(key), Body: source,
		ChecksumAlgorithm: transfertypes.ChecksumAlgorithmCrc32,
		ChecksumType:      transfertypes.ChecksumTypeFullObject,
		Metadata:          map[string]string{tagName: w.tag},
		StorageClass:      transfertypes.StorageClass(b.at.StorageClass),
	}
	if ifAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if b.at.KMSKey != "" {
		in.ServerSideEncryption, in.SSEKMSKeyID = transfertypes.ServerSideEncryptionAwsKms, &b.at.KMSKey
	}
	_, err := transfermanager.New(w).UploadObject(ctx, in, func(o *transfermanager.Options) {
		o.Concurrency, o.FailTimeout = parallelParts, cleanUpTime
		if b.opts.PartSize > 0 {
			o.PartSizeBytes, o.MultipartUploadThreshold = b.opts.PartSize, b.opts.PartSize
		}
	})
	switch {
	case source.err != nil:
		return fmt.Errorf("read what to write: %w", source.err)
	case w.exists:
		return backend.ErrExists
	}
	return err
}

// source is what to write, and the error that it ended with.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// restartError: an upload in parts has to begin anew.
type restartError struct{ err error }

func (e *restartError) Error() string { return e.err.Error() }
func (e *restartError) Unwrap() error { return e.err }

// write is the S3 of one call of put. Each of its requests is tried with patience,
// and answers that a request may have brought about itself are looked into.
type write struct {
	*awss3.Client // what the transfer manager wants besides and an upload does not use
	b             *Backend
	key, tag      string
	ifAbsent      bool
	exists        bool // somebody else's object is there
}

var _ transfermanager.S3APIClient = (*write)(nil)

// errExists ends an upload before its parts are sent.
var errExists = errors.New("the object exists")

// PutObject writes an object in one request.
func (w *write) PutObject(ctx context.Context, in *awss3.PutObjectInput, opts ...func(*awss3.Options)) (out *awss3.PutObjectOutput, err error) {
	if !w.ifAbsent {
		in.Metadata = nil // nobody will ask
	}
	err = w.b.try(ctx, func() error {
		if err := rewind(in.Body); err != nil {
			return err
		}
		var err error
		if out, err = w.b.client.PutObject(ctx, in, opts...); err == nil || !isExists(err) {
			return err
		}
		mine, err := w.isMine(ctx)
		if isNotFound(err) {
			return again(errors.New("it was there and is gone again"))
		}
		if err == nil && !mine {
			return w.lost()
		}
		return err
	})
	if errors.Is(err, errExists) {
		err = nil
	}
	if out == nil {
		out = &awss3.PutObjectOutput{}
	}
	return out, err
}

// CreateMultipartUpload begins an upload in parts, unless the object is there already:
// better to know before than after it all was sent.
func (w *write) CreateMultipartUpload(ctx context.Context, in *awss3.CreateMultipartUploadInput, opts ...func(*awss3.Options)) (out *awss3.CreateMultipartUploadOutput, err error) {
	err = w.b.try(ctx, func() error {
		if w.ifAbsent {
			if err := w.b.head(ctx, w.key, nil); err == nil {
				return w.lost()
			} else if !isNotFound(err) && !isDenied(err) {
				return err
			}
		}
		var err error
		out, err = w.b.client.CreateMultipartUpload(ctx, in, opts...)
		return err
	})
	return out, err
}

// UploadPart sends one part.
func (w *write) UploadPart(ctx context.Context, in *awss3.UploadPartInput, opts ...func(*awss3.Options)) (out *awss3.UploadPartOutput, err error) {
	err = w.b.try(ctx, func() error {
		if err := rewind(in.Body); err != nil {
			return err
		}
		var err error
		out, err = w.b.client.UploadPart(ctx, in, opts...)
		return err
	})
	return out, err
}

// CompleteMultipartUpload makes the parts an object, if the condition is met. That it
// is not met is not returned as an error, which the transfer manager would log.
func (w *write) CompleteMultipartUpload(ctx context.Context, in *awss3.CompleteMultipartUploadInput, opts ...func(*awss3.Options)) (out *awss3.CompleteMultipartUploadOutput, err error) {
	err = w.b.try(ctx, func() error {
		var err error
		out, err = w.b.client.CompleteMultipartUpload(ctx, in, opts...)
		refused := isExists(err) || hasCode(err, codeNoUpload)
		switch {
		case hasCode(err, codeConflict):
			return final(&restartError{err})
		case err == nil || !refused:
			return err
		}
		mine, headErr := w.isMine(ctx)
		switch {
		case headErr == nil && mine:
			return nil
		case headErr == nil && w.ifAbsent:
			return w.lost()
		case headErr == nil || isNotFound(headErr):
			return final(&restartError{err})
		default:
			return headErr
		}
	})
	if out == nil {
		out = &awss3.CompleteMultipartUploadOutput{}
	}
	if errors.Is(err, errExists) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		_, _ = w.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId})
		err = nil
	}
	return out, err
}

// AbortMultipartUpload removes the parts of an upload.
func (w *write) AbortMultipartUpload(ctx context.Context, in *awss3.AbortMultipartUploadInput, opts ...func(*awss3.Options)) (out *awss3.AbortMultipartUploadOutput, err error) {
	err = w.b.try(ctx, func() error {
		var err error
		out, err = w.b.client.AbortMultipartUpload(ctx, in, opts...)
		if hasCode(err, codeNoUpload) {
			err = nil // it is what was wanted
		}
		return err
	})
	return out, err
}

// isMine says whether the object that is there is what this call wrote.
func (w *write) isMine(ctx context.Context) (bool, error) {
	var metadata map[string]string
	if err := w.b.head(ctx, w.key, &metadata); err != nil {
		return false, err
	}
	return metadata[tagName] == w.tag, nil
}

func (w *write) lost() error {
	w.exists = true
	return errExists
}

// rewind makes a body that may have been sent ready to be sent again.
func rewind(body io.Reader) error {
	if s, ok := body.(io.Seeker); ok {
		_, err := s.Seek(0, io.SeekStart)
		return err
	}
	return nil
}
