package data

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// importText imports a text and loads it again.
func importText(t *testing.T, content string, cfg sweeps.Data) (*Dataset, error) {
	t.Helper()
	cfg.Name = filepath.Join(t.TempDir(), "book.txt")
	write(t, cfg.Name, []byte(content))
	store := newStore()
	digest, err := Import(t.Context(), store, cfg, Source{})
	if err != nil {
		return nil, err
	}
	ds, err := Load(t.Context(), store, digest)
	if err != nil {
		t.Fatal(err)
	}
	return ds, nil
}

// spell gives back the text of symbols.
func spell(ds *Dataset, symbols []uint8) string {
	alphabet := []rune(ds.Alphabet)
	var b strings.Builder
	for _, s := range symbols {
		b.WriteRune(alphabet[s])
	}
	return b.String()
}

// The windows of the training part, then those of the test part, are the text; the
// labels are it, too, from its second character on.
func TestTextIsCutIntoWindows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("abc \r\né世𝄞\ufeff")), 20, 300, -1).Draw(rt, "text")
		runes := []rune(strings.TrimPrefix(text, "\ufeff"))
		alphabet := slices.Clone(runes)
		slices.Sort(alphabet)
		alphabet = slices.Compact(alphabet)
		if len(alphabet) < 2 {
			rt.Skip("one character")
		}
		length := rapid.IntRange(1, (len(runes)-1)/3).Draw(rt, "length")
		windows := (len(runes) - 1) / length
		cfg := sweeps.Data{Length: length, Test: rapid.IntRange(0, windows-2).Draw(rt, "test")}
		ds, err := importText(t, text, cfg)
		if err != nil {
			rt.Fatal(err)
		}
		test := cfg.Test
		if test == 0 {
			test = max(1, windows/10)
		}
		if ds.Train.N != windows-test || ds.Test.N != test {
			rt.Fatalf("%d and %d windows, want %d of which %d are for testing", ds.Train.N, ds.Test.N, windows, test)
		}
		if ds.Alphabet != string(alphabet) || ds.Symbols != len(alphabet) || ds.Classes != len(alphabet) || ds.Outputs != length || !ds.Ordered || !slices.Equal(ds.Shape, []int{length}) {
			rt.Fatalf("%+v", ds)
		}
		used := windows * length
		if got := spell(ds, slices.Concat(ds.Train.Images, ds.Test.Images)); got != string(runes[:used]) {
			rt.Fatalf("the windows are %q", got)
		}
		if got := spell(ds, slices.Concat(ds.Train.Labels, ds.Test.Labels)); got != string(runes[1:used+1]) {
			rt.Fatalf("the labels are %q", got)
		}
	})
}

// Validation comes from the end of the training part, whatever the seed.
func TestPartitionOfOrderedCases(t *testing.T) {
	t.Parallel()
	ds := &Dataset{Ordered: true, Alphabet: "ab", Shape: []int{7}, Train: Split{N: 50}}
	for _, test := range []struct {
		cfg         sweeps.Data
		train, held int
	}{
		{sweeps.Data{Validation: 8, SplitSeed: 3}, 42, 8},
		{sweeps.Data{Validation: 8, Limit: 20}, 12, 8},
		{sweeps.Data{Limit: 1000}, 45, 5},
		{sweeps.Data{Limit: 5}, 4, 1},
	} {
		train, validation, err := Partition(ds, test.cfg)
		if err != nil || len(train) != test.train || len(validation) != test.held {
			t.Fatalf("%+v: %d and %d cases, %v", test.cfg, len(train), len(validation), err)
		}
		for i, c := range slices.Concat(train, validation) {
			if int(c) != i {
				t.Fatalf("%+v: case %d is at %d", test.cfg, c, i)
			}
		}
	}
	_, _, err := Partition(ds, sweeps.Data{Validation: 50})
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "data.validation is 50, and must be from 1 to 49: there are 50 windows of 7 symbols") {
		t.Errorf("error = %v", err)
	}
	if _, _, err := Partition(&Dataset{Train: Split{N: 50}}, sweeps.Data{}); !errors.Is(err, ErrConfig) {
		t.Errorf("no validation cases of what is not in order: %v", err)
	}
}

// What is in the text decides what it is, not how it is packed; the alphabet counts.
func TestDigestOfText(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("to be or not to be\n", 9)
	plain, err := importText(t, text, sweeps.Data{Length: 10})
	if err != nil {
		t.Fatal(err)
	}
	for name, same := range map[string]string{"gzipped": string(gzipped(t, []byte(text))), "with a mark": "\ufeff" + text} {
		if ds, err := importText(t, same, sweeps.Data{Length: 10}); err != nil || ds.Digest != plain.Digest {
			t.Errorf("%s it is another data set: %v", name, err)
		}
	}
	// The same numbers with another meaning.
	other, err := importText(t, strings.ReplaceAll(text, "t", "u"), sweeps.Data{Length: 10})
	if err != nil || other.Digest == plain.Digest || !slices.Equal(other.Train.Images, plain.Train.Images) {
		t.Errorf("another letter leaves the digest as it is: %v", err)
	}
}

// What the files do not tell is as safe from damage as they are.
func TestDamagedManifestOfText(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "book.txt")
	write(t, path, []byte(strings.Repeat("to be or not to be\n", 9)))
	for from, to := range map[string]string{
		`"symbols": 8`:                 `"symbols": 9`,
		`"ordered": true`:              `"ordered": false`,
		`"alphabet": "\n beno`:         `"alphabet": "\n bean`,
		`"shape": [` + "\n    10\n  ]": `"shape": [5]`,
		`"outputs": 10`:                `"outputs": 1`,
		`"classes": 8`:                 `"classes": 0`,
	} {
		store := newStore()
		digest, err := Import(t.Context(), store, sweeps.Data{Name: path, Length: 10}, Source{})
		if err != nil {
			t.Fatal(err)
		}
		key := storage.DatasetManifestKey(digest)
		b, err := store.ReadAll(t.Context(), key)
		if err != nil || !strings.Contains(string(b), from) {
			t.Fatalf("no %s in %s (%v)", from, b, err)
		}
		if err := store.PutAll(t.Context(), key, []byte(strings.Replace(string(b), from, to, 1))); err != nil {
			t.Fatal(err)
		}
		var bad *Error
		if _, err := Load(t.Context(), store, digest); !errors.As(err, &bad) || !errors.Is(err, storage.ErrCorrupt) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error = %v, want an *Error that says what is damaged", to, err)
		}
	}
}

func TestBadText(t *testing.T) {
	t.Parallel()
	gz := gzipped(t, []byte(strings.Repeat("abcdefgh\n", 100)))
	var many strings.Builder
	for i := range 300 {
		many.WriteRune(rune(0x4e00 + i))
	}
	for name, test := range map[string]struct {
		content string
		cfg     sweeps.Data
		want    string
		config  bool
	}{
		"empty":         {"", sweeps.Data{}, "is empty", false},
		"only a mark":   {"\ufeff", sweeps.Data{}, "is empty", false},
		"short":         {"abcdefgh", sweeps.Data{}, "has 8 characters, which make 0 windows of 100 (data.length); 3 are the least", false},
		"windows":       {"abcdefgh", sweeps.Data{Length: 3}, "make 2 windows of 3", false},
		"not UTF-8":     {"ab\nc\xffd", sweeps.Data{}, "is not UTF-8: it has the byte 0xff in line 2, column 2 (offset 4)", false},
		"cut character": {"ab\né\xc3", sweeps.Data{}, "line 2, column 2 (offset 5)", false},
		"UTF-16":        {"\xff\xfea\x00b\x00", sweeps.Data{}, "is not UTF-8: it has the byte 0xff in line 1, column 1", false},
		"NUL":           {"ab\n\x00", sweeps.Data{}, "is not text: it has a NUL byte in line 2, column 1", false},
		"one character": {strings.Repeat("a", 1000), sweeps.Data{}, `has the character "a" alone`, false},
		"alphabet":      {many.String(), sweeps.Data{Length: 2}, "has 300 different characters; 256 are the most", false},
		"cut gzip":      {string(gz[:len(gz)/2]), sweeps.Data{}, "is truncated: its gzip data end early", false},
		"test":          {strings.Repeat("ab", 50), sweeps.Data{Length: 9, Test: 10}, "makes 11 windows of 9 symbols", true},
		"length":        {strings.Repeat("ab", 50), sweeps.Data{Length: -1}, "data.length is -1", true},
	} {
		_, err := importText(t, test.content, test.cfg)
		var bad *Error
		if err == nil || errors.As(err, &bad) == test.config || errors.Is(err, ErrConfig) != test.config {
			t.Errorf("%s: error = %v, of another kind", name, err)
		} else if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || !test.config && !strings.Contains(err.Error(), "book.txt") {
			t.Errorf("%s: error = %v, want one line with the file and %q", name, err, test.want)
		}
	}
}

// 256 characters are the most that bytes can tell apart, and they do.
func TestLargestAlphabet(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 257 {
		fmt.Fprintf(&b, "%c", rune(1+i%256))
	}
	ds, err := importText(t, b.String(), sweeps.Data{Length: 64})
	if err != nil || ds.Symbols != 256 || ds.Classes != 256 || ds.Test.Images[63] != 255 || ds.Test.Labels[63] != 0 {
		t.Errorf("%v", err)
	}
}

// Wherever a text is cut off, it is a text or an error of one line.
func FuzzParseText(f *testing.F) {
	for _, seed := range []string{"to be or not", "été\r\n世界 𝄞", "\ufeffa\x00", "\xff\xfe"} {
		f.Add([]byte(seed), 2)
	}
	f.Fuzz(func(t *testing.T, raw []byte, length int) {
		set, err := parseText(sweeps.Data{Name: "f.txt", Length: length}, raw)
		if err == nil {
			_, err = set.check()
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q has more than one line", err)
		}
	})
}
