package contract

import (
	"strings"
	"unicode"
)

// MaxMessage bounds the messages of outcomes and errors, which lie in the
// workflow's history, in bytes.
const MaxMessage = 400

// OneLine makes text fit for a message: one line of printable UTF-8, not long.
func OneLine(s string) string {
	// Far longer than what is kept: no need to look at megabytes of garbage.
	s, cut := head(s, 4*MaxMessage)
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	s, more := head(s, MaxMessage)
	if cut || more {
		s = strings.ToValidUTF8(s, "") + "…"
	}
	return s
}

func head(s string, n int) (string, bool) {
	if len(s) > n {
		return s[:n], true
	}
	return s, false
}
