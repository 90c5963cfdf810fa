package local

import (
	"io"
	"slices"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps"
)

const (
	// minSecret is the length of the shortest value that is masked, in bytes. What
	// is shorter is hardly secret, and would be found in any text.
	minSecret = 6
	// mask stands where a secret was.
	mask = "***"
)

// withheld says that a variable of this process's is none of the trainers' business:
// how to reach Temporal, with what key.
func withheld(variable string) bool { return strings.HasPrefix(variable, "TEMPORAL_") }

// secrets are values that must not get into messages and logs, longest first.
type secrets []string

// secretsOf finds them in an environment of KEY=value. Of a value of several
// lines, each line counts as well, since that is how it would be printed.
func secretsOf(env []string) secrets {
	var found secrets
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if !sweeps.SecretName(name) {
			continue
		}
		for _, s := range append(strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }), value) {
			if len(s) >= minSecret {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(found)
}

// masked replaces the secrets in a text.
func (s secrets) masked(text string) string {
	out, _ := s.scan(nil, []byte(text), true)
	return string(out)
}

// scan appends to out what in holds, with secrets masked. Unless in is the last,
// it stops where a secret may begin of which the rest is still to come, and
// returns what begins there.
func (s secrets) scan(out, in []byte, last bool) (masked, rest []byte) {
	var first [256]bool
	for _, secret := range s {
		first[secret[0]] = true
	}
next:
	for len(in) > 0 {
		if !first[in[0]] {
			out, in = append(out, in[0]), in[1:]
			continue
		}
		for _, secret := range s { // longest first, so that none is taken for its beginning
			switch {
			case len(in) >= len(secret) && string(in[:len(secret)]) == secret:
				out, in = append(out, mask...), in[len(secret):]
				continue next
			case !last && len(in) < len(secret) && secret[:len(in)] == string(in):
				return out, in
			}
		}
		out, in = append(out, in[0]), in[1:]
	}
	return out, nil
}

// reader is r with the secrets masked. What may be the beginning of a secret is
// held back until more comes, or the end.
func (s secrets) reader(r io.Reader) io.Reader {
	if len(s) == 0 {
		return r
	}
	return &maskingReader{r: r, secrets: s}
}

type maskingReader struct {
	r       io.Reader
	secrets secrets
	held    []byte // read, and not scanned
	ready   []byte // scanned, and not delivered
	err     error
	buf     [8 << 10]byte
}

// Read implements io.Reader.
func (m *maskingReader) Read(p []byte) (int, error) {
	for len(m.ready) == 0 {
		if m.err != nil {
			return 0, m.err
		}
		var n int
		n, m.err = m.r.Read(m.buf[:])
		in := append(m.held, m.buf[:n]...)
		var rest []byte
		m.ready, rest = m.secrets.scan(m.ready[:0], in, m.err != nil)
		m.held = append([]byte(nil), rest...)
	}
	n := copy(p, m.ready)
	m.ready = m.ready[n:]
	return n, nil
}
