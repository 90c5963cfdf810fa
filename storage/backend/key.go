package backend

import (
	"fmt"
	"strings"
)

// Reserved is the first segment that no key may have: backends keep what is not
// an object yet below it.
const Reserved = ".tmp"

// Limits that every backend can keep: a file name's and an S3 key's.
const (
	maxSegment = 255
	maxKey     = 1024
)

// CheckKey says with ErrBadKey what is wrong with a key.
func CheckKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: it is empty", ErrBadKey)
	}
	if len(key) > maxKey {
		return fmt.Errorf("%w: %.40q… has %d bytes, more than %d", ErrBadKey, key, len(key), maxKey)
	}
	first := true
	for segment := range strings.SplitSeq(key, "/") {
		if !ValidSegment(segment) {
			return fmt.Errorf("%w: %q has the segment %q", ErrBadKey, key, segment)
		}
		if first && segment == Reserved {
			return fmt.Errorf("%w: %q begins with %s, which is reserved", ErrBadKey, key, Reserved)
		}
		first = false
	}
	return nil
}

// CleanPrefix checks a prefix as CheckKey does and returns it without the '/'
// at its end. The empty prefix is fine: everything is below it.
func CleanPrefix(prefix string) (string, error) {
	if prefix == "" {
		return "", nil
	}
	prefix = strings.TrimSuffix(prefix, "/")
	return prefix, CheckKey(prefix)
}

// ValidSegment says whether s may stand between two slashes of a key.
func ValidSegment(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > maxSegment {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
