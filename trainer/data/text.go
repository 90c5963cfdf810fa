package data

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// textShare of a text's windows, one in so many, is its test split: the last ones.
const textShare = 10

// fewestWindows are for training, validation and test.
const fewestWindows = 3

// parseText cuts running text into windows of cfg.Length characters, each of which asks
// for the character after each of its own: its labels are itself, moved by one. The
// windows follow each other without a gap; what is left at the end and does not fill
// one is not used.
//
// The symbols are the characters (runes) of the whole text, in ascending order, also
// those that only the test part has: they are classes that training never sees, and
// the network pays for them. Line ends stay what they are; a byte order mark is not
// text.
func parseText(cfg sweeps.Data, raw []byte) (files, error) {
	where := cfg.Name
	if cfg.Length < 1 {
		return files{}, tooSmall("data.length", cfg.Length, 1)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	runes, alphabet, err := readRunes(where, raw)
	if err != nil {
		return files{}, err
	}
	if len(alphabet) < 2 {
		return files{}, bad(where, "has the character %q alone, so there is nothing to learn", string(alphabet))
	}
	symbols := make([]uint8, len(runes))
	var number [utf8.RuneSelf]uint8
	for i, r := range alphabet {
		if r < utf8.RuneSelf {
			number[r] = uint8(i)
		}
	}
	for i, r := range runes {
		if r < utf8.RuneSelf {
			symbols[i] = number[r]
		} else {
			k, _ := slices.BinarySearch(alphabet, r)
			symbols[i] = uint8(k)
		}
	}
	windows := (len(symbols) - 1) / cfg.Length // the last label needs one more symbol
	if windows < fewestWindows {
		return files{}, bad(where, "has %d characters, which make %d windows of %d (data.length); %d are the least", len(symbols), windows, cfg.Length, fewestWindows)
	}
	test := cfg.Test
	if test == 0 {
		test = max(1, windows/textShare)
	}
	if windows-test < fewestWindows-1 {
		return files{}, fmt.Errorf("%w: data.test is %d, and %s makes %d windows of %d symbols (data.length), of which at least %d have to be left to train and validate with",
			ErrConfig, test, where, windows, cfg.Length, fewestWindows-1)
	}
	f := files{
		idx: map[string]idx{}, where: map[string]string{},
		traits: traits{Symbols: len(alphabet), Ordered: true, Alphabet: string(alphabet)},
	}
	cut := (windows - test) * cfg.Length
	for _, part := range []struct {
		images, labels string
		low, high      int
	}{{trainImages, trainLabels, 0, cut}, {testImages, testLabels, cut, windows * cfg.Length}} {
		n := (part.high - part.low) / cfg.Length
		f.idx[part.images] = makeIDX(symbols[part.low:part.high], n, cfg.Length)
		f.idx[part.labels] = makeIDX(symbols[part.low+1:part.high+1], n, cfg.Length)
		f.where[part.images], f.where[part.labels] = where, where
	}
	return f, nil
}

// readRunes decodes a text and lists its different characters in ascending order.
func readRunes(where string, raw []byte) (runes, alphabet []rune, err error) {
	if len(raw) == 0 {
		return nil, nil, bad(where, "is empty")
	}
	runes = make([]rune, 0, len(raw))
	seen := map[rune]struct{}{}
	var ascii [utf8.RuneSelf]bool
	for at := 0; at < len(raw); {
		r, size := rune(raw[at]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(raw[at:])
		}
		switch {
		case r == utf8.RuneError && size == 1:
			line, column := place(raw[:at])
			return nil, nil, bad(where, "is not UTF-8: it has the byte %#02x in line %d, column %d (offset %d)", raw[at], line, column, at)
		case r == 0:
			line, column := place(raw[:at])
			return nil, nil, bad(where, "is not text: it has a NUL byte in line %d, column %d (offset %d)", line, column, at)
		case r < utf8.RuneSelf:
			ascii[r] = true
		default:
			seen[r] = struct{}{}
		}
		runes, at = append(runes, r), at+size
	}
	for r, ok := range ascii {
		if ok {
			alphabet = append(alphabet, rune(r))
		}
	}
	for r := range seen {
		alphabet = append(alphabet, r)
	}
	if len(alphabet) > math.MaxUint8+1 {
		return nil, nil, bad(where, "has %d different characters; %d are the most", len(alphabet), math.MaxUint8+1)
	}
	slices.Sort(alphabet)
	return runes, alphabet, nil
}

// place is the line and column, both from 1 and the latter in characters, that come
// after a text.
func place(before []byte) (line, column int) {
	last := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[last:]) + 1
}
