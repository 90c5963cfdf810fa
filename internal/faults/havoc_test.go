//go:build linux && cluster

package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/faultproxy"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
)

// havoc breaks things, one every few seconds, in an order that follows from a seed. What
// it breaks it mends, some seconds later, while the next thing breaks.
type havoc struct {
	t      *testing.T
	g      *ground
	random *rand.Rand
	kinds  []disturbance
	next   int
	done   map[string]int

	mending sync.WaitGroup
	mu      sync.Mutex
	broken  map[string]bool // by name: what is broken is left alone until it is mended
}

// disturbance breaks one thing. It returns what mends it, nil if nothing has to; ok says
// whether there was something to break.
type disturbance struct {
	name  string
	wreak func() (mend func(context.Context) error, ok bool)
}

func newHavoc(t *testing.T, g *ground, random *rand.Rand) *havoc {
	h := &havoc{t: t, g: g, random: random, done: map[string]int{}, broken: map[string]bool{}}
	h.kinds = []disturbance{
		{"worker killed", func() (func(context.Context) error, bool) { return h.kill(g.workers[random.IntN(len(g.workers))]) }},
		{"trainer killed", func() (func(context.Context) error, bool) { return nil, h.killTrainer() }},
		{"Nomad client killed", func() (func(context.Context) error, bool) { return h.kill(h.client().Process) }},
		{"Nomad server killed", func() (func(context.Context) error, bool) { return h.kill(g.nomad.Server) }},
		{"Temporal killed", func() (func(context.Context) error, bool) { return h.kill(g.temporal.Process) }},
		{"S3 killed", func() (func(context.Context) error, bool) { return h.kill(g.s3.Process) }},
		{"S3 faults", h.faults},
		{"client cut off", h.cut},
		{"node drained", h.drain},
		{"garbage collected", func() (func(context.Context) error, bool) { return nil, g.nomad.CollectGarbage() == nil }},
	}
	t.Cleanup(h.mending.Wait)
	return h
}

// wreak breaks the next thing that can be broken, and returns a few seconds later. Each
// kind has its turn before one comes again.
func (h *havoc) wreak() {
	h.t.Helper()
	for {
		if h.next == 0 {
			h.random.Shuffle(len(h.kinds), func(i, j int) { h.kinds[i], h.kinds[j] = h.kinds[j], h.kinds[i] })
		}
		d := h.kinds[h.next]
		h.next = (h.next + 1) % len(h.kinds)
		mend, ok := d.wreak()
		pause := time.Duration(1500+h.random.IntN(2500)) * time.Millisecond
		if !ok {
			h.wait(pause / 4)
			continue
		}
		h.done[d.name]++
		h.t.Logf("%s %s", time.Now().Format(time.TimeOnly), d.name)
		if mend != nil {
			h.mendLater(d.name, time.Duration(h.random.IntN(6000))*time.Millisecond, mend)
		}
		h.wait(pause)
		return
	}
}

func (h *havoc) wait(d time.Duration) {
	select {
	case <-h.t.Context().Done():
		h.t.FailNow()
	case <-time.After(d):
	}
}

func (h *havoc) mendLater(name string, after time.Duration, mend func(context.Context) error) {
	h.mending.Go(func() {
		time.Sleep(after) // this is how long it stays broken
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := mend(ctx); err != nil {
			h.t.Errorf("mending after %q: %v", name, err)
		}
	})
}

// mend returns when nothing is broken any more.
func (h *havoc) mend() { h.mending.Wait() }

// claim says whether something may be broken now, and takes it.
func (h *havoc) claim(what string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken[what] {
		return false
	}
	h.broken[what] = true
	return true
}

func (h *havoc) release(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.broken, what)
}

// kill ends a process with SIGKILL, to be started again.
func (h *havoc) kill(p *testcluster.Process) (func(context.Context) error, bool) {
	if !h.claim(p.Name()) {
		return nil, false
	}
	if err := p.Kill(); err != nil {
		h.t.Errorf("killing %s: %v", p.Name(), err)
	}
	return func(ctx context.Context) error {
		defer h.release(p.Name())
		err := p.Restart(ctx)
		for err != nil && ctx.Err() == nil { // a worker may have found no Temporal
			err = p.Restart(ctx)
		}
		return err
	}, true
}

func (h *havoc) client() *testcluster.Client {
	clients := h.g.nomad.Clients()
	return clients[h.random.IntN(len(clients))]
}

// faults has the proxy do its worst for some seconds.
func (h *havoc) faults() (func(context.Context) error, bool) {
	if !h.claim("proxy") {
		return nil, false
	}
	h.g.proxy.Set(faultproxy.Even(0.3, 3*time.Second))
	return func(context.Context) error {
		h.g.proxy.Set(faultproxy.Faults{})
		h.release("proxy")
		return nil
	}, true
}

// cut partitions a client from the server, now and then for so long that its
// trials are given up and launched elsewhere while they go on.
func (h *havoc) cut() (func(context.Context) error, bool) {
	c := h.client()
	if !h.claim(c.Process.Name()) {
		return nil, false
	}
	long := h.random.IntN(2) == 0
	c.Cut()
	return func(ctx context.Context) error {
		defer h.release(c.Process.Name())
		if long {
			select {
			case <-ctx.Done():
			case <-time.After(40 * time.Second):
			}
		}
		c.Mend()
		return nil
	}, true
}

// drain empties a node, which trials have two seconds to leave by themselves.
func (h *havoc) drain() (func(context.Context) error, bool) {
	c := h.client()
	what := "drain of " + c.Name
	if !h.claim(what) {
		return nil, false
	}
	if err := c.Drain(2 * time.Second); err != nil { // the server is down
		h.release(what)
		return nil, false
	}
	return func(ctx context.Context) error {
		defer h.release(what)
		err := c.Enable()
		for err != nil && ctx.Err() == nil {
			time.Sleep(500 * time.Millisecond) // the server is on its way up
			err = c.Enable()
		}
		return err
	}, true
}

// killTrainer kills one of the trials' processes.
func (h *havoc) killTrainer() bool {
	pids := h.trainers()
	return len(pids) > 0 && syscall.Kill(pids[h.random.IntN(len(pids))], syscall.SIGKILL) == nil
}

// trainers are the processes that run a trainer which a node of this cluster has fetched.
func (h *havoc) trainers() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		h.t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", e.Name(), "exe"))
		if err == nil && strings.HasPrefix(exe, h.g.Dir()) && strings.Contains(filepath.Base(exe), "trainer") {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// ended says whether a sweep has its manifest.
func ended(t *testing.T, g *ground, id string) bool {
	t.Helper()
	if !g.s3.Running() {
		return false
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := g.store.ReadAll(ctx, storage.ManifestKey(id))
	if err != nil && !errors.Is(err, backend.ErrNotFound) {
		return false // the server has just been killed
	}
	return err == nil
}
