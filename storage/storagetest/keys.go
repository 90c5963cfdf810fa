package storagetest

import (
	"context"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

func testBadKeys(t *testing.T, b backend.Backend) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "../a", "a/../../b", "./a",
		"a b", "a\\b", "a:b", "ä", "a\x00b", "a\nb", "a%2fb", "*", "~",
		backend.Reserved, backend.Reserved + "/a",
		strings.Repeat("x", 256), strings.Repeat("x/", 600) + "x",
	} {
		ctx := t.Context()
		wantError(t, "Put("+key+")", b.Put(ctx, key, strings.NewReader("x")), backend.ErrBadKey)
		wantError(t, "PutIfAbsent("+key+")", b.PutIfAbsent(ctx, key, strings.NewReader("x")), backend.ErrBadKey)
		wantError(t, "Delete("+key+")", b.Delete(ctx, key), backend.ErrBadKey)
		_, err := b.Get(ctx, key)
		wantError(t, "Get("+key+")", err, backend.ErrBadKey)
		_, err = b.GetRange(ctx, key, 0, 1)
		wantError(t, "GetRange("+key+")", err, backend.ErrBadKey)
	}
	for _, prefix := range []string{"/", "/a", "a//", "..", "a/../b", "a b", backend.Reserved} {
		wantError(t, "List("+prefix+")", listError(t.Context(), b, prefix), backend.ErrBadKey)
	}
	wantKeys(t, b, "")
}

func testOddKeys(t *testing.T, b backend.Backend) {
	for _, key := range []string{
		"A1", "0", "...", "-", "_", "-rf", ".hidden", "a/.tmp", "x.json.lock", "..a/.b..",
		"deep/1/2/3/4/5/6/7/8/9", strings.Repeat("x", 255), "long/" + strings.Repeat("y/", 300) + "y",
	} {
		mustPut(t, b, key, []byte(key))
		wantObject(t, b, key, []byte(key))
		wantKeys(t, b, "", key)
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%s): %v", key, err)
		}
	}
}

func testPrefixConflict(t *testing.T, b backend.Backend) {
	ctx := t.Context()
	mustPut(t, b, "p/object", []byte("1"))
	mustPut(t, b, "p/folder/object", []byte("2"))
	for _, key := range []string{"p", "p/folder", "p/object/below", "p/object/far/below"} {
		wantError(t, "Put("+key+")", b.Put(ctx, key, strings.NewReader("x")), backend.ErrBadKey)
		wantError(t, "PutIfAbsent("+key+")", b.PutIfAbsent(ctx, key, strings.NewReader("x")), backend.ErrBadKey)
		wantAbsent(t, b, key)
	}
	wantKeys(t, b, "", "p/folder/object", "p/object")
	wantObject(t, b, "p/object", []byte("1"))
}

// listError is the error that ends a listing.
func listError(ctx context.Context, b backend.Backend, prefix string) error {
	for _, err := range b.List(ctx, prefix) {
		if err != nil {
			return err
		}
	}
	return nil
}
