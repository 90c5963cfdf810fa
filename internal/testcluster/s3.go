//go:build linux

package testcluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"
)

// S3Options says what an S3 server is started with. The zero value is a server with new
// credentials.
type S3Options struct {
	// AccessKey and SecretKey are the only credentials that the server knows.
	AccessKey, SecretKey string
}

// S3 is an S3 server, versitygw, that keeps its objects as files in the folder s3/data. Its
// [Process] can be killed and started again: at the same address, with the same objects.
type S3 struct {
	*Process

	// AccessKey and SecretKey are the server's credentials.
	AccessKey, SecretKey string

	dir, address string
}

// S3Region is the region that the server says it is in.
const S3Region = "us-east-1"

// StartS3 starts an S3 server. It has no bucket yet ([S3.CreateBucket]).
func (c *Cluster) StartS3(ctx context.Context, o S3Options) (*S3, error) {
	s := &S3{AccessKey: o.AccessKey, SecretKey: o.SecretKey}
	if s.AccessKey == "" {
		s.AccessKey, s.SecretKey = "TEST"+rand.Text()[:16], rand.Text()
	}
	binary, err := c.binary("versitygw")
	if err != nil {
		return nil, err
	}
	if s.address, err = c.ports.take(); err != nil {
		return nil, err
	}
	args, err := s.prepare(c)
	if err != nil {
		return nil, fmt.Errorf("preparing the S3 server: %w", err)
	}
	s.Process, err = c.Start(ctx, Command{
		Name: "s3", Path: binary, Args: args, Ready: s.healthy,
		Env: []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey},
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes the server's folders and the files that [S3.Env] names, and returns its
// arguments.
func (s *S3) prepare(c *Cluster) ([]string, error) {
	var err error
	if s.dir, err = c.mkdir("s3"); err != nil {
		return nil, err
	}
	data, err := c.mkdir("s3/data")
	if err != nil {
		return nil, err
	}
	credentials := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey)
	err = errors.Join(
		os.WriteFile(s.credentialsFile(), []byte(credentials), 0o600),
		os.WriteFile(s.configFile(), []byte("[default]\nregion = "+S3Region+"\n"), 0o600))
	if err != nil {
		return nil, err
	}
	args := []string{"--port", s.address, "--region", S3Region, "--health", s3Health, "--quiet", "posix"}
	if !hasAttributes(data) {
		sidecar, err := c.mkdir("s3/sidecar")
		if err != nil {
			return nil, err
		}
		args = append(args, "--sidecar", sidecar)
	}
	return append(args, data), nil
}

const s3Health = "/healthz"

// healthy asks the server whether it is up.
func (s *S3) healthy(ctx context.Context, _ *Process) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint()+s3Health, nil)
	if err != nil {
		return err
	}
	r.Close = true // no connection of an earlier life
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}

func (s *S3) credentialsFile() string { return filepath.Join(s.dir, "credentials") }
func (s *S3) configFile() string      { return filepath.Join(s.dir, "config") }

// Endpoint is the server's URL.
func (s *S3) Endpoint() string { return "http://" + s.address }

// Env is what a process needs in its environment to use the server by the SDK's ordinary
// chain. It holds no secret: the credentials are in a file, for this user only.
func (s *S3) Env() []string {
	return []string{
		"AWS_SHARED_CREDENTIALS_FILE=" + s.credentialsFile(),
		"AWS_CONFIG_FILE=" + s.configFile(),
		"AWS_REGION=" + S3Region,
		"AWS_ENDPOINT_URL_S3=" + s.Endpoint(),
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// StoreURL is the URL of a store in a bucket of the server at an endpoint: the server
// itself, or a proxy before it.
func StoreURL(endpoint, bucket, prefix string) string {
	query := url.Values{"endpoint": {endpoint}, "region": {S3Region}}
	return (&url.URL{Scheme: "s3", Host: bucket, Path: "/" + prefix, RawQuery: query.Encode()}).String()
}

// CreateBucket makes a bucket. One that is there already is no error.
func (s *S3) CreateBucket(ctx context.Context, name string) error {
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint()), Region: S3Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}, nil
		}),
	})
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	var there *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("creating the bucket %s: %w", name, err)
	}
	return nil
}

// hasAttributes says whether the files of a folder may have attributes of users, in which
// the server keeps what it knows of an object.
func hasAttributes(dir string) bool {
	const name = "user.tenfold"
	if err := unix.Setxattr(dir, name, []byte("1"), 0); err != nil {
		return false
	}
	return unix.Removexattr(dir, name) == nil
}
