package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Options are settings that a URL does not hold. The zero value has the defaults.
type Options struct {
	// Patience is for how long an operation goes on trying what another try may
	// mend; 5 minutes by default.
	Patience time.Duration
	// StallAfter is how long a request may stand still; 20 seconds by default.
	StallAfter time.Duration
	// PartSize is from how many bytes on an object is uploaded in parts, and how
	// large they are: 16 MiB and 8 MiB by default. S3 takes no parts below 5 MiB.
	PartSize int64
	// STS is the endpoint of the token service that AssumeRole asks; by default what the
	// SDK knows.
	STS string
}

// defaultRegion is what servers of one's own are told, which have none.
const defaultRegion = "us-east-1"

// connections that stay open between requests: those of a worker whose trials all
// commit at one time.
const idleConnections = 64

// Backend keeps objects in a bucket.
type Backend struct {
	at     Location
	opts   Options
	config aws.Config
	client *awss3.Client
}

var _ backend.Backend = (*Backend)(nil)

// Open makes a backend of a place. Nothing is asked of the server: that it is
// there and gives access is for the first operation to find out. What makes every
// operation impossible, such as a profile that does not exist, is an error.
func Open(ctx context.Context, at Location, opts Options) (*Backend, error) {
	if opts.Patience <= 0 {
		opts.Patience = 5 * time.Minute
	}
	if opts.StallAfter <= 0 {
		opts.StallAfter = 20 * time.Second
	}
	// Not a plain http.Client: the SDK could not add the certificates of AWS_CA_BUNDLE.
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = idleConnections
	})
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithLogger(logging.Nop{})}
	if at.Region != "" {
		load = append(load, config.WithRegion(at.Region))
	}
	if at.RetryMode != "" {
		load = append(load, config.WithRetryMode(aws.RetryMode(at.RetryMode)))
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", at, &answerError{text: say(err), cause: err})
	}
	c.HTTPClient = &watched{client: c.HTTPClient, after: opts.StallAfter}
	b := &Backend{at: at, opts: opts, config: c}
	b.client = awss3.NewFromConfig(c, func(o *awss3.Options) {
		if at.Endpoint != "" {
			o.BaseEndpoint = aws.String(at.Endpoint)
		}
		o.UsePathStyle = at.PathStyle
		o.DisableLogOutputChecksumValidationSkipped = true
		if o.Region == "" && o.BaseEndpoint != nil {
			o.Region = defaultRegion
		}
		b.config.Region = o.Region
	})
	if b.config.Region == "" {
		return nil, fmt.Errorf("open store %s: no region is known; add ?%s=… to the URL or set AWS_REGION", at, paramRegion)
	}
	return b, nil
}

// Location is where the store is.
func (b *Backend) Location() Location { return b.at }

// String is the store's URL. It holds no credentials.
func (b *Backend) String() string { return b.at.String() }

// Delete implements [backend.Backend].
func (b *Backend) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	err := b.try(ctx, func() error {
		_, err := b.client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &b.at.Bucket, Key: b.key(key)})
		return err
	})
	if err = b.failed(ctx, err); err != nil && !errors.Is(err, backend.ErrNotFound) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// key is an object's key within the bucket.
func (b *Backend) key(key string) *string { return aws.String(b.at.key(key)) }

func (b *Backend) try(ctx context.Context, f func() error) error {
	return try(ctx, b.opts.Patience, f)
}

// failed is [failed] with the bucket's name where that is what is wrong.
func (b *Backend) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if hasCode(err, codeNoBucket) {
		return &answerError{text: fmt.Sprintf("there is no bucket %s", b.at.Bucket), cause: err}
	}
	return failed(ctx, err)
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return backend.CheckKey(key)
}
