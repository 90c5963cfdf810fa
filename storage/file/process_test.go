//go:build unix

package file_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/file"
)

// The tests that need a process of its own run this test binary again with one
// of these children in roleVariable.
const (
	roleVariable = "TENFOLD_TEST_ROLE"
	rootVariable = "TENFOLD_TEST_ROOT"
	seedVariable = "TENFOLD_TEST_SEED"

	roleCommitter = "committer"
	roleRacer     = "racer"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	var err error
	switch role {
	case roleCommitter:
		err = commitForever(os.Getenv(rootVariable), os.Getenv(seedVariable))
	case roleRacer:
		err = race(os.Getenv(rootVariable), os.Getenv(seedVariable))
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a started process of a role.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

func startChild(t *testing.T, role, root, seed string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.CommandContext(t.Context(), exe)}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role, rootVariable+"="+root, seedVariable+"="+seed)
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// commitForever commits objects from several goroutines until it is killed, and
// says of each, after the commit, that it is there. Every third one replaces an
// object that is shared by all.
func commitForever(root, seed string) error {
	b, err := file.Open(context.Background(), root)
	if err != nil {
		return err
	}
	var mu sync.Mutex // one line at a time
	var wg sync.WaitGroup
	errs := make(chan error, committers)
	for w := range committers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(w)))
			for i := 0; ; i++ {
				key := fmt.Sprintf("t/%s/%d/%d", seed, i%4, i*committers+w)
				err := b.PutIfAbsent(context.Background(), key, bytes.NewReader(sealed(key, random.IntN(200_000))))
				if i%3 == 0 && err == nil {
					err = b.Put(context.Background(), "shared", bytes.NewReader(sealed("shared", random.IntN(200_000))))
				}
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				_, err = fmt.Println(key)
				mu.Unlock()
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	return <-errs
}

const committers = 4

// race reads keys from standard input and has several goroutines commit each at
// once; it answers with the number of winners among them.
func race(root, seed string) error {
	b, err := file.Open(context.Background(), root)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		key := lines.Text()
		var mu sync.Mutex
		var wg sync.WaitGroup
		wins, failed := 0, error(nil)
		for w := range 4 {
			wg.Go(func() {
				err := b.PutIfAbsent(context.Background(), key, bytes.NewReader(sealed(key, 1000+w)))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					wins++
				case !errors.Is(err, backend.ErrExists):
					failed = err
				}
			})
		}
		wg.Wait()
		if failed != nil {
			return failed
		}
		if _, err := fmt.Println(seed, key, wins); err != nil {
			return err
		}
	}
	return lines.Err()
}

// TestTwoProcesses has two processes commit the same keys at the same moments.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	const rounds = 100
	root := t.TempDir()
	children := []*child{startChild(t, roleRacer, root, "a"), startChild(t, roleRacer, root, "b")}
	wonBy := map[string]int{}
	for i := range rounds {
		key := fmt.Sprintf("results/%d.json", i)
		for _, c := range children {
			if _, err := fmt.Fprintln(c.stdin, key); err != nil {
				t.Fatalf("write: %v\n%s", err, &c.stderr)
			}
		}
		total := 0
		for _, c := range children {
			line, err := c.stdout.ReadString('\n')
			if err != nil {
				t.Fatalf("read: %v\n%s", err, &c.stderr)
			}
			fields := strings.Fields(line)
			wins, err := strconv.Atoi(fields[2])
			if err != nil || fields[1] != key {
				t.Fatalf("a racer said %q", line)
			}
			total += wins
			wonBy[fields[0]] += wins
		}
		if total != 1 {
			t.Errorf("%s has %d winners", key, total)
		}
	}
	for _, c := range children {
		if err := c.stdin.Close(); err != nil {
			t.Error(err)
		}
		if err := c.cmd.Wait(); err != nil {
			t.Errorf("racer: %v\n%s", err, &c.stderr)
		}
	}
	t.Logf("won by each process: %v", wonBy)
	wantWhole(t, open(t, root), rounds)
}

// wantWhole checks that there are at least n objects, each whole.
func wantWhole(t *testing.T, b *file.Backend, n int) {
	t.Helper()
	seen := 0
	for o, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		seen++
		wantSealed(t, b, o.Key)
	}
	if seen < n {
		t.Errorf("there are %d objects, want at least %d", seen, n)
	}
}

func wantSealed(t *testing.T, b *file.Backend, key string) {
	t.Helper()
	r, err := b.Get(t.Context(), key)
	if err != nil {
		t.Errorf("Get: %v", err)
		return
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Errorf("read %s: %v", key, err)
		return
	}
	n := len(data) - 9
	if n < 0 || !bytes.HasPrefix(data, []byte(key+"\n")) || !bytes.Equal(fmt.Appendf(nil, "\n%08x", crc32.ChecksumIEEE(data[:n])), data[n:]) {
		t.Errorf("%s has %d bytes which nobody wrote there: %.60q", key, len(data), data)
	}
}

// sealed is content that says which key it belongs to and whether it is whole.
func sealed(key string, n int) []byte {
	data := append([]byte(key+"\n"), bytes.Repeat([]byte("x"), n)...)
	return fmt.Appendf(data, "\n%08x", crc32.ChecksumIEEE(data))
}
