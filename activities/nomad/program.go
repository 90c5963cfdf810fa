package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/storage/s3"
	"github.com/tenfold-ml/tenfold/sweeps"
)

const (
	// trainersDir is where built-in trainers are kept in a store, by their SHA-256.
	trainersDir, trainerName = "trainers", "trainer"
	// fetchedTrainer is where a job finds the one that was fetched for it.
	fetchedTrainer = "local/tenfold-trainer"
)

// uploads remembers the built-in trainer's artifact: a worker uploads it once.
type uploads struct {
	mu       sync.Mutex
	artifact sweeps.Artifact
}

// program is what a job runs for a command. The built-in trainer is put into the store
// and fetched from there, with the node's credentials, where nodes can do that; any
// other command runs as it is written.
func (c *Cluster) program(ctx context.Context, command []string) (program, error) {
	if c.opts.Store == nil || c.opts.Trainer == "" || command[0] != c.opts.Trainer || !strings.HasPrefix(c.opts.Store.URL(), "s3:") {
		return program{command: command}, nil
	}
	artifact, err := c.upload(ctx)
	if err != nil {
		return program{}, fmt.Errorf("put the trainer into the store: %w", err)
	}
	source, err := sourceOf(c.opts.Store.URL(), artifact.Key)
	if err != nil {
		return program{}, err
	}
	return program{
		command: append([]string{"${NOMAD_TASK_DIR}/" + path.Base(fetchedTrainer)}, command[1:]...),
		artifact: &api.TaskArtifact{
			GetterSource:  &source,
			GetterMode:    ref("file"),
			GetterOptions: map[string]string{"checksum": "sha256:" + artifact.SHA256},
			RelativeDest:  ref(fetchedTrainer),
		},
	}, nil
}

// upload puts the built-in trainer into the store unless it is there.
func (c *Cluster) upload(ctx context.Context) (sweeps.Artifact, error) {
	c.uploaded.mu.Lock()
	defer c.uploaded.mu.Unlock()
	if c.uploaded.artifact.Key != "" {
		return c.uploaded.artifact, nil
	}
	f, err := os.Open(c.opts.Trainer)
	if err != nil {
		return sweeps.Artifact{}, err
	}
	artifact, err := c.opts.Store.PutArtifactFrom(ctx, trainersDir, trainerName, "", f)
	if err := errors.Join(err, f.Close()); err != nil {
		return sweeps.Artifact{}, err
	}
	c.uploaded.artifact = artifact
	return artifact, nil
}

// sourceOf is where Nomad's nodes fetch an object of a store on S3 from.
func sourceOf(store, key string) (string, error) {
	at, err := s3.ParseURL(store)
	if err != nil {
		return "", err
	}
	object := path.Join("/", at.Bucket, at.Prefix, key)
	if at.Endpoint == "" {
		host := "s3.amazonaws.com"
		if region := or(at.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")); region != "" {
			host = "s3." + region + ".amazonaws.com"
			// Nomad's getter knows a region in the host's name by the bucket before it.
			return "s3::https://" + at.Bucket + "." + host + (&url.URL{Path: path.Join("/", at.Prefix, key)}).EscapedPath(), nil
		}
		return "s3::https://" + host + (&url.URL{Path: object}).EscapedPath(), nil
	}
	source := "s3::" + strings.TrimSuffix(at.Endpoint, "/") + (&url.URL{Path: object}).EscapedPath()
	if at.Region != "" {
		source += "?region=" + url.QueryEscape(at.Region)
	}
	return source, nil
}
