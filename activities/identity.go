package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// Locator is what a [Launcher] implements in addition if it finds the program of a
// command somewhere else than where its name alone would lead.
type Locator interface {
	// Locate returns a sweep's command with its program as Launch would start it.
	// One that it does not find it leaves as it is.
	Locate(ctx context.Context, sweep string, command []string) ([]string, error)
}

// maxHashed is how much of a file goes into a trainer's identity, in bytes. Of a
// larger one its beginning and its size do.
const maxHashed = 256 << 20

// customTrainer identifies a custom trainer: by its command as it is in the spec,
// and by what is in the program and in those of its arguments that name files.
// Where these lie does not matter. A program that cannot be read adds nothing:
// that it cannot be started is for its trials to find out.
func (a *Activities) customTrainer(ctx context.Context, launcher Launcher, sweep string, command []string) (string, error) {
	spelt, err := sweeps.CanonicalJSON(command)
	if err != nil {
		return "", fault{err}
	}
	located := command
	if l, ok := launcher.(Locator); ok {
		if located, err = l.Locate(ctx, sweep, command); err != nil {
			return "", fmt.Errorf("find the trainer: %w", err)
		}
	}
	sum, found := sha256.New(), false
	for i, path := range located {
		if i == 0 {
			if path, err = exec.LookPath(path); err != nil {
				continue
			}
		}
		digest, err := hashFile(ctx, path)
		if err != nil {
			return "", fmt.Errorf("identify the trainer: %w", err)
		}
		if digest != "" {
			found = true
			fmt.Fprintf(sum, "%d %s\n", i, digest) // a hash takes everything
		}
	}
	identity := "command:" + string(spelt)
	if found {
		identity += " sha256:" + hex.EncodeToString(sum.Sum(nil))
	}
	return identity, nil
}

// hashFile is the SHA-256 of a regular file, in hex; empty for anything else, and
// for what may not be read.
func hashFile(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return "", nil // an argument like any other
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // nothing was written to it
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(endingReader{ctx, f}, maxHashed)); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if info.Size() > maxHashed {
		fmt.Fprintf(sum, "%d bytes", info.Size())
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// endingReader ends with its context.
type endingReader struct {
	ctx context.Context
	r   io.Reader
}

func (e endingReader) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}
