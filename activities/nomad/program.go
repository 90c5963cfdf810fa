package nomad

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
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
	// trainersDir is where built-in trainers are kept in a store, by their SHA-256. Each
	// is in a tar: Nomad would not make a bare file from S3 executable.
	trainersDir, trainerName = "trainers", "trainer"
	// fetchedDir is where a job finds the one that was fetched for it, below its task's
	// folder.
	fetchedDir = "tenfold"
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
		command: append([]string{path.Join("${NOMAD_TASK_DIR}", fetchedDir, trainerName)}, command[1:]...),
		artifact: &api.TaskArtifact{
			GetterSource:  &source,
			GetterOptions: map[string]string{"checksum": "sha256:" + artifact.SHA256},
			RelativeDest:  ref(path.Join("local", fetchedDir)),
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
	f, err := packed(c.opts.Trainer)
	if err != nil {
		return sweeps.Artifact{}, err
	}
	artifact, err := c.opts.Store.PutArtifactFrom(ctx, trainersDir, trainerName, "tar", f)
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return sweeps.Artifact{}, err
	}
	c.uploaded.artifact = artifact
	return artifact, nil
}

// packed makes a temporary file with a tar of a program, which depends on nothing but
// the program's bytes.
func packed(program string) (*os.File, error) {
	in, err := os.Open(program)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	out, err := os.CreateTemp("", "tenfold-trainer-*.tar")
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(out)
	err = w.WriteHeader(&tar.Header{Name: trainerName, Mode: 0o755, Size: info.Size(), Format: tar.FormatUSTAR})
	if err == nil {
		_, err = io.Copy(w, in)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, errors.Join(err, out.Close(), os.Remove(out.Name()))
	}
	return out, nil
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
