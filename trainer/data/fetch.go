package data

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// alias is datasets/names/….json: which data set a checksummed file or the settings
// of a generated one turned out to be, so that it is fetched or made once.
type alias struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

// importURL fetches a .tar.gz of idx files, or a single file. The checksum decides what
// is meant, so the same file from a mirror is the same data set.
func importURL(ctx context.Context, store *storage.Store, cfg sweeps.Data, src Source) (string, error) {
	rawURL, sum := cfg.Name, cfg.SHA256
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%w: data.name is not a URL that can be fetched", ErrConfig)
	}
	where := u.Redacted() // a password in the URL is nobody's business
	sum = strings.ToLower(sum)
	if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("%w: data.sha256 must give the SHA-256 (64 hex digits) of %s", ErrConfig, where)
	}
	name := "sha256-" + sum
	read := func(tmp *os.File) (files, error) { return unpack(tmp, where, src.maxBytes()) }
	switch cfg.Format() {
	case "":
	case "npy":
		return "", fmt.Errorf("%w: data.name: a .npy file needs another one with labels, and a URL is of one; make a .npz of both", ErrConfig)
	default:
		// What becomes of the file depends on these settings, too.
		settings := fmt.Sprintf("%s %q %q values=%t test=%d length=%d seed=%d",
			cfg.Format(), cfg.Header, cfg.Label, cfg.Values, cfg.Test, cfg.WithSizes().Length, cfg.SplitSeed)
		name += fmt.Sprintf("-%.8x", sha256.Sum256([]byte(settings)))
		read = func(tmp *os.File) (files, error) {
			raw, err := inflate(where, tmp, src.maxBytes())
			if err != nil {
				return files{}, err
			}
			named := cfg
			named.Name = where
			return parseFile(named, raw, src.maxBytes())
		}
	}
	return aliased(ctx, store, "datasets/names/"+name+".json", path.Base(u.Path), func() (files, error) {
		return fetch(ctx, rawURL, where, sum, src, read)
	})
}

// aliased returns the digest of the data set that key was noted for, if the store
// has it, and else makes the data set and notes it.
func aliased(ctx context.Context, store *storage.Store, key, name string, read func() (files, error)) (string, error) {
	var a alias
	switch err := store.ReadJSON(ctx, key, &a); {
	case err == nil:
		if ok, err := inStore(ctx, store, a.Digest); ok || err != nil {
			return a.Digest, err
		}
	case !errors.Is(err, backend.ErrNotFound):
		return "", fmt.Errorf("looking whether %s was imported: %w", name, err)
	}
	f, err := read()
	if err != nil {
		return "", err
	}
	d, err := save(ctx, store, name, f)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(alias{Version: 1, Digest: d})
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", key, err)
	}
	// Put, not PutIfAbsent: every writer writes the same.
	if err := store.PutAll(ctx, key, append(b, '\n')); err != nil {
		return "", fmt.Errorf("noting that %s was imported: %w", name, err)
	}
	return d, nil
}

// fetch downloads to a temporary file, checks the sum and has the file read.
func fetch(ctx context.Context, rawURL, where, sum string, src Source, read func(*os.File) (files, error)) (f files, err error) {
	tmp, err := os.CreateTemp("", "tenfold-data-*")
	if err != nil {
		return files{}, fmt.Errorf("making a file to download to: %w", err)
	}
	defer func() {
		err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
	}()
	if err := download(ctx, tmp, rawURL, where, sum, src); err != nil {
		return files{}, err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return files{}, fmt.Errorf("reading the download of %s: %w", where, err)
	}
	return read(tmp)
}

func download(ctx context.Context, dst io.Writer, rawURL, where, sum string, src Source) error {
	client := src.Client
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Minute}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return fmt.Errorf("%w: %s can't be fetched", ErrConfig, where)
	}
	resp, err := client.Do(req)
	if err != nil {
		// *url.Error repeats the URL; its cause is enough.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("fetching %s: %w", where, err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("fetching %s: the server answers %s", where, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return bad(where, "the server answers %s", resp.Status)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(dst, h), io.LimitReader(resp.Body, src.maxBytes()+1))
	switch got := hex.EncodeToString(h.Sum(nil)); {
	case err != nil:
		return fmt.Errorf("fetching %s: %w", where, err)
	case n > src.maxBytes():
		return bad(where, "is larger than the limit of %d bytes", src.maxBytes())
	case got != sum:
		return bad(where, "has SHA-256 %s, but data.sha256 says %s", got, sum)
	}
	return nil
}

// unpack finds the four files in an archive, in whatever folder they are.
func unpack(r io.Reader, where string, limit int64) (files, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return files{}, bad(where, "is not a .tar.gz: %w", err)
	}
	f := files{idx: map[string]idx{}, where: map[string]string{}}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return files{}, bad(where, "is not a .tar.gz that can be read: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		for _, name := range fileNames {
			if !slices.Contains(spellings(name), path.Base(h.Name)) {
				continue
			}
			if _, twice := f.idx[name]; twice {
				return files{}, bad(where, "has %s twice", name)
			}
			f.where[name] = where + "!" + h.Name
			if f.idx[name], err = readIDX(f.where[name], tr, limit); err != nil {
				return files{}, err
			}
		}
	}
	for _, name := range fileNames {
		if _, ok := f.idx[name]; !ok {
			return files{}, bad(where, "has no file %s or %s.gz in it", name, name)
		}
	}
	return f, nil
}
