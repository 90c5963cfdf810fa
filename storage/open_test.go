package storage_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
)

func TestOpenURL(t *testing.T) {
	t.Parallel()
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"file:///data/store":           "file:///data/store",
		"file:/data/store":             "file:///data/store",
		"file://localhost/data/store":  "file:///data/store",
		"file:///a%20b/c%3Fd":          "file:///a%20b/c%3Fd",
		"file:rel/dir":                 "file://" + filepath.Join(cwd, "rel/dir"),
		"file:./rel/../x%20y":          "file://" + cwd + "/x%20y",
		"file:.":                       "file://" + cwd,
		"mem:":                         "mem:",
		"s3://bucket/a/b/?region=xy-1": "s3://bucket/a/b?region=xy-1",
	} {
		s, err := storage.Open(t.Context(), url)
		if err != nil {
			t.Errorf("Open(%s): %v", url, err)
			continue
		}
		if s.URL() != want {
			t.Errorf("Open(%s) has the URL %s, want %s", url, s.URL(), want)
		}
	}
	if _, err := os.Stat("rel"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening a store made its folder: %v", err)
	}
}

func TestOpenBadURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                       "file:///folder",
		"/data/store":                            `"file:///data/store"`,
		"/data/my store":                         `"file:///data/my%20store"`,
		"rel/dir":                                `"file:rel/dir"`,
		"./rel:1/dir":                            `"file:./rel:1/dir"`,
		"store":                                  `"file:store"`,
		"file:":                                  "names no folder",
		"file://":                                "names no folder",
		"file://rel/dir":                         `"file:rel/dir"`,
		"file:///a?b":                            "%3F",
		"file:///a#b":                            "%23",
		"file:///a%zz":                           "%zz",
		"file:a%zz":                              "%zz",
		"file:~/store":                           "whole path",
		"s3:bucket":                              "s3://bucket/prefix",
		"s3://b":                                 "no bucket's name",
		"mem:name":                               `"mem:"`,
		"gs://bucket":                            `"gs"`,
		"gs://me:hunter22@bucket/a?key=hunter22": `"gs://bucket/a": there is no kind of store "gs"`,
		"s3://me:hunter22@bucket":                "credentials do not belong in a URL",
		"https://host/path":                      `"https"`,
	} {
		_, err := storage.Open(t.Context(), url)
		if !errors.Is(err, storage.ErrBadURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v\nwant ErrBadURL with %s", url, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter22")) {
			t.Errorf("Open(%q): the error has several lines or a secret: %v", url, err)
		}
	}
}

func TestOpenFileInPlaceOfFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Open(t.Context(), "file://"+path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a file: %v, want an error with its path", err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	s, err := storage.Open(t.Context(), "file:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("Probe: %v", err)
	}
	for o, err := range s.Backend().List(t.Context(), "") {
		t.Errorf("Probe has left %v, %v", o, err)
	}

	for _, op := range []string{mem.OpPut, mem.OpGet, mem.OpDelete} {
		b := mem.New(mem.WithFault(func(o, _ string) error {
			if o == op {
				return backend.ErrPermission
			}
			return nil
		}))
		err := storage.New(b).Probe(t.Context())
		if !errors.Is(err, backend.ErrPermission) || !strings.Contains(err.Error(), "mem:") {
			t.Errorf("Probe where %s fails: %v, want ErrPermission and the store's URL", op, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Probe(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Probe: %v, want context.Canceled", err)
	}
}
