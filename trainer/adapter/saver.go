package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
)

// kept is how many of its checkpoints an attempt keeps in the store while it goes on: the
// newest, and the one before in case that is damaged.
const kept = 2

// finished is a checkpoint that the command has finished.
type finished struct {
	dir   string
	state state
}

// saver stores the command's checkpoints beside the training, one at a time and always
// the newest: what comes while one is being stored replaces what waits.
type saver struct {
	s       *session
	claimed map[string]bool
	wake    chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	waiting *finished
	closed  bool

	// Of the storing goroutine, and after it has ended of finish.

	mine []storage.Checkpoint
	// failed is the newest checkpoint if the store would not have it, and why.
	failed *finished
	why    error
}

func newSaver(s *session) *saver {
	return &saver{s: s, claimed: map[string]bool{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// claim takes over the folder of a checkpoint that the command has announced, by another
// name: what the command writes under the old one from now on is another checkpoint.
// A second one of the same epoch and step is ignored.
func (v *saver) claim(epoch, step int, curve []sweeps.EpochMetrics) error {
	name := checkpointName(epoch, step)
	if v.claimed[name] {
		return nil
	}
	from := filepath.Join(v.s.folder.checkpoints(), name)
	files, err := os.ReadDir(from)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("says that a checkpoint is finished, and there is no folder %s in $%s", name, checkpointsVariable)
	case err != nil:
		return fmt.Errorf("says that a checkpoint is finished, and $%s/%s cannot be read: %w", checkpointsVariable, name, cause(err))
	case len(files) == 0:
		return fmt.Errorf("says that a checkpoint is finished, and the folder $%s/%s is empty", checkpointsVariable, name)
	}
	to := filepath.Join(v.s.folder.own(), name)
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("take over the checkpoint: %w", err)
	}
	v.claimed[name] = true
	v.put(&finished{dir: to, state: state{
		Version: stateVersion, Epoch: epoch, Step: step, Curve: curve,
		Seconds: v.s.seconds(),
	}})
	return nil
}

// put makes a checkpoint the one that waits.
func (v *saver) put(c *finished) {
	v.mu.Lock()
	old := v.waiting
	v.waiting = c
	v.mu.Unlock()
	v.discard(old)
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// start begins to store what is claimed, until finish or the end of ctx.
func (v *saver) start(ctx context.Context) {
	go func() {
		defer close(v.done)
		for {
			v.mu.Lock()
			c, closed := v.waiting, v.closed
			v.waiting = nil
			v.mu.Unlock()
			switch {
			case c != nil:
				v.try(ctx, c)
				continue
			case closed:
				return
			}
			select {
			case <-v.wake:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// finish waits until what was claimed is stored, trying once more what could not be, and
// returns why the newest is not in the store.
func (v *saver) finish(ctx context.Context) error {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
	<-v.done
	if c := v.failed; c != nil && ctx.Err() == nil {
		v.failed = nil
		v.try(ctx, c)
	}
	return v.why
}

// try stores a checkpoint, or remembers why it could not.
func (v *saver) try(ctx context.Context, c *finished) {
	v.discard(v.failed)
	v.failed, v.why = nil, nil
	err := v.store(ctx, c)
	if err == nil {
		v.discard(c)
		return
	}
	err = fmt.Errorf("storing the checkpoint of epoch %d, step %d: %w", c.state.Epoch, c.state.Step, err)
	if ctx.Err() == nil {
		v.s.warn(err.Error())
	}
	v.failed, v.why = c, err
}

func (v *saver) store(ctx context.Context, c *finished) (err error) {
	began := time.Now()
	path := c.dir + ".tar"
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	if err := pack(c.dir, f); err != nil {
		if errors.Is(err, errChanged) || errors.Is(err, errNotFiles) {
			err = bad("checkpoint "+checkpointName(c.state.Epoch, c.state.Step), "%w", err)
		}
		return err
	}
	st, err := json.Marshal(c.state)
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}
	o := v.s.o
	record, err := o.Store.PutCheckpointFiles(ctx, o.Trial, c.state.Epoch, c.state.Step, o.Attempt, f, st)
	if err != nil {
		return err
	}
	v.mine = append(v.mine, record)
	v.s.printer.emit(storedEvent{
		Event: "stored", Epoch: record.Epoch, Step: record.Step, Files: record.Weights.Key, Seconds: time.Since(began).Seconds(),
	})
	// The checkpoint exists: what follows is no reason to say otherwise.
	v.s.putMetrics(ctx)
	for len(v.mine) > kept {
		if err := checkpoint.Remove(ctx, o.Store, o.Trial, v.mine[0]); err != nil {
			v.s.warn(err.Error())
		}
		v.mine = v.mine[1:]
	}
	return nil
}

// discard removes the files of a checkpoint that is stored, or superseded.
func (v *saver) discard(c *finished) {
	if c == nil {
		return
	}
	if err := os.RemoveAll(c.dir); err != nil {
		v.s.o.Log.Warn("a checkpoint stays behind", "dir", c.dir, "error", err)
	}
}

// seconds is what all attempts have spent so far.
func (s *session) seconds() float64 {
	return s.resumed.state.Seconds + time.Since(s.began).Seconds()
}

// putMetrics stores the events so far; they are for people, so that it may fail.
func (s *session) putMetrics(ctx context.Context) {
	if err := s.o.Store.PutMetrics(ctx, s.o.Trial, s.o.Attempt, bytes.NewReader(s.printer.events())); err != nil {
		s.o.Log.Warn("the metrics cannot be stored", "error", err)
	}
}
