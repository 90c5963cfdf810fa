package s3

import (
	"context"
	"fmt"
	"iter"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// List implements [backend.Backend]. It asks for a thousand objects at a time.
func (b *Backend) List(ctx context.Context, prefix string) iter.Seq2[backend.Object, error] {
	return func(yield func(backend.Object, error) bool) {
		fail := func(err error) { yield(backend.Object{}, fmt.Errorf("list %s: %w", prefix, err)) }
		clean, err := backend.CleanPrefix(prefix)
		if err != nil {
			fail(err)
			return
		}
		below := b.at.key(clean)
		if below != "" {
			below += "/"
		}
		var last string
		for after := (*string)(nil); ; {
			if err := ctx.Err(); err != nil {
				fail(err)
				return
			}
			var page *awss3.ListObjectsV2Output
			err := b.try(ctx, func() (err error) {
				page, err = b.client.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &b.at.Bucket, Prefix: &below, ContinuationToken: after})
				return err
			})
			if err != nil {
				fail(b.failed(ctx, err))
				return
			}
			for _, o := range page.Contents {
				key, ok := strings.CutPrefix(aws.ToString(o.Key), b.at.key(""))
				key = strings.TrimPrefix(key, "/")
				if !ok || backend.CheckKey(key) != nil || isUnfinished(key) {
					continue // a folder's marker, or nothing of ours
				}
				if key <= last {
					fail(fmt.Errorf("the server lists %s after %s; a bucket of another kind than the general one?", key, last))
					return
				}
				if last = key; !yield(backend.Object{Key: key, Size: aws.ToInt64(o.Size)}, nil) {
					return
				}
			}
			if after = page.NextContinuationToken; after == nil || !aws.ToBool(page.IsTruncated) {
				return
			}
		}
	}
}

// isUnfinished says whether a key is the name of a file that versitygw is about to
// rename: for a moment it lists those, too.
func isUnfinished(key string) bool {
	name := path.Base(key)
	return strings.HasPrefix(name, ".") && strings.Contains(name, ".sgwtmp.")
}
