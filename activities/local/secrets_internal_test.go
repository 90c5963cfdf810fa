package local

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSecretsOf(t *testing.T) {
	t.Parallel()
	got := secretsOf([]string{
		"API_KEY=abcdef", "hf_token=hunter22", "DB_PASSWORD=short", "AWS_SECRET=", "PATH=/usr/bin", "TOKENS=no-secret",
		"MY_SECRET=abcdef", "GOOGLE_CREDENTIALS={\n  \"id\": 12345\n}", "KEY", "STRANGE",
	})
	want := secrets{"{\n  \"id\": 12345\n}", "  \"id\": 12345", "hunter22", "abcdef"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMasked(t *testing.T) {
	t.Parallel()
	s := secretsOf([]string{"A_KEY=abcdef", "B_KEY=abcdefgh", "C_KEY=fghijk"})
	for in, want := range map[string]string{
		"":                        "",
		"nothing":                 "nothing",
		"abcdef":                  "***",
		"xabcdefghx abcdef abcde": "x***x *** abcde",
		"abcdefghijk":             "***ijk", // one begins within the other
		"ababcdef\nabcdefg":       "ab***\n***g",
	} {
		if got := s.masked(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestMaskingReader: it does not matter in what pieces the text comes.
func TestMaskingReader(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), minSecret, minSecret+3, -1)
		var env []string
		for _, w := range rapid.SliceOfN(word, 1, 4).Draw(t, "secrets") {
			env = append(env, "X_KEY="+w)
		}
		s := secretsOf(env)
		text := strings.Join(rapid.SliceOf(rapid.OneOf(word, rapid.SampledFrom([]string{"a", "b", "\n", "c", env[0][6:]}))).Draw(t, "text"), "")
		var r io.Reader = strings.NewReader(text)
		switch rapid.IntRange(0, 2).Draw(t, "pieces") {
		case 0:
			r = iotest.OneByteReader(r)
		case 1:
			r = iotest.DataErrReader(r)
		}
		got, err := io.ReadAll(s.reader(r))
		if err != nil || string(got) != s.masked(text) {
			t.Fatalf("%q gave %q, %v; want %q", text, got, err, s.masked(text))
		}
		for _, secret := range s {
			if bytes.Contains(got, []byte(secret)) {
				t.Fatalf("%q is in %q", secret, got)
			}
		}
	})
}
