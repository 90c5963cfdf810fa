package backend_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "a/b", "a/.tmp/b", ".tmpx", "...", "-", strings.Repeat("x", 255)} {
		if err := backend.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%q): %v", key, err)
		}
	}
	for key, want := range map[string]string{
		"":                         "empty",
		"a//b":                     `""`,
		"a/../b":                   `".."`,
		"a/b c":                    `"b c"`,
		".tmp/x":                   "reserved",
		strings.Repeat("ab/", 500): "1500 bytes",
	} {
		err := backend.CheckKey(key)
		if !errors.Is(err, backend.ErrBadKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckKey(%q): %v, want ErrBadKey with %s", key, err, want)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("CheckKey(%.20q…): the error has %d bytes", key, len(err.Error()))
		}
	}
}

func TestCleanPrefix(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"": "", "a": "a", "a/": "a", "a/b/": "a/b"} {
		if got, err := backend.CleanPrefix(prefix); err != nil || got != want {
			t.Errorf("CleanPrefix(%q) = %q, %v, want %q", prefix, got, err, want)
		}
	}
	for _, prefix := range []string{"/", "a//", "/a", ".tmp/", "."} {
		if _, err := backend.CleanPrefix(prefix); !errors.Is(err, backend.ErrBadKey) {
			t.Errorf("CleanPrefix(%q): %v, want ErrBadKey", prefix, err)
		}
	}
}

// TestKeysStayInside checks what a backend of files relies on: no good key leaves
// the folder that it is joined to.
func TestKeysStayInside(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a./\\\x00-]{0,12}`).Draw(t, "key")
		if backend.CheckKey(key) != nil {
			return
		}
		for _, segment := range strings.Split(key, "/") {
			if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "\\\x00") {
				t.Errorf("%q passes with the segment %q", key, segment)
			}
		}
	})
}
