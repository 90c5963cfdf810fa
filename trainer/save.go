package trainer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
)

// saver decides when a checkpoint is worth its cost, and remembers the latest.
type saver struct {
	every time.Duration
	// saved is when the latest checkpoint was saved, or training began; cost is
	// how long that took.
	saved time.Time
	cost  time.Duration
	// epoch and step of the latest checkpoint, also of one resumed from.
	epoch, step int
	// mine are this attempt's checkpoints that are still in the store, oldest first.
	mine []storage.Checkpoint
}

const (
	// withinEpochs times the least interval is that of checkpoints within epochs.
	withinEpochs = 30
	// costShare bounds the share of time spent on checkpoints to one in so many.
	costShare = 50
	// kept is how many of its checkpoints an attempt keeps while it goes on: the
	// newest, and the one before in case that is damaged.
	kept = 2
)

func newSaver(o Options) saver {
	every := o.CheckpointEvery
	if every == 0 {
		every = time.Second
	}
	return saver{every: every, saved: time.Now()}
}

// due says whether it is time for a checkpoint at the end of an epoch.
func (s *saver) due() bool {
	return s.every < 0 || time.Since(s.saved) >= max(s.every, costShare*s.cost)
}

// dueWithin is due for the steps within an epoch.
func (s *saver) dueWithin() bool {
	return s.every < 0 || time.Since(s.saved) >= max(withinEpochs*s.every, costShare*s.cost)
}

// save writes a checkpoint of where the session is, unless there is one, and
// the metrics so far. A preemption while it is being written is no reason to
// leave it half done, so the end of ctx does not end it.
func (r *session) save(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	s := &r.saver
	if s.epoch == r.state.Epoch && s.step == r.state.Step {
		return nil
	}
	begin := time.Now()
	r.tick()
	schedule, err := json.Marshal(r.schedule)
	if err != nil {
		return fmt.Errorf("encoding the schedule: %w", err)
	}
	r.state.Schedule = schedule
	c, err := checkpoint.Save(ctx, r.o.Store, r.o.Trial, r.o.Attempt, r.snapshot())
	if err != nil {
		return err
	}
	s.epoch, s.step = r.state.Epoch, r.state.Step
	s.mine = append(s.mine, c)
	r.metrics.emit(checkpointEvent{
		Event: "checkpoint", Epoch: c.Epoch, Step: c.Step, Weights: c.Weights.Key, Seconds: time.Since(begin).Seconds(),
	})
	// The checkpoint exists: what follows is no reason to say otherwise.
	r.putMetrics(ctx)
	for len(s.mine) > kept {
		if err := checkpoint.Remove(ctx, r.o.Store, r.o.Trial, s.mine[0]); err != nil {
			r.warn(err.Error())
		}
		s.mine = s.mine[1:]
	}
	s.saved = time.Now()
	s.cost = s.saved.Sub(begin)
	return nil
}

// saveOrWarn is for checkpoints that are only a precaution: a store that is full
// or away for a moment costs the run nothing but some safety.
func (r *session) saveOrWarn(ctx context.Context) {
	if err := r.save(ctx); err != nil {
		r.saver.saved = time.Now()
		r.warn(err.Error())
	}
}

// preempted saves a checkpoint and returns ErrPreempted, or says why there is none.
func (r *session) preempted(ctx context.Context) error {
	if err := r.save(ctx); err != nil {
		return fmt.Errorf("preempted without a checkpoint: %w", err)
	}
	r.o.Log.Info("preempted", "epoch", r.state.Epoch, "step", r.state.Step)
	return ErrPreempted
}

// putMetrics stores the metrics of this attempt so far. Nothing depends on them,
// so a failure is a warning.
func (r *session) putMetrics(ctx context.Context) {
	if err := r.o.Store.PutMetrics(ctx, r.o.Trial, r.o.Attempt, bytes.NewReader(r.metrics.kept.Bytes())); err != nil {
		r.warn("storing metrics: " + err.Error())
	}
}

// warn tells people and the metrics.
func (r *session) warn(message string) {
	r.o.Log.Warn(message)
	r.metrics.emit(warningEvent{Event: "warning", Message: message})
}

// snapshot shares memory with the session.
func (r *session) snapshot() *checkpoint.Snapshot {
	s := &checkpoint.Snapshot{Log1p: r.trial.Config.Data.Log1p, Mean: r.std.Mean, Std: r.std.Std, State: r.state}
	for _, p := range r.params {
		s.Parameters = append(s.Parameters, checkpoint.Tensor{Name: p.Name, Shape: p.Shape, Data: p.Value})
	}
	for _, v := range r.optimizer.State() {
		s.Optimizer = append(s.Optimizer, checkpoint.Tensor{Name: v.Name, Shape: []int{len(v.Data)}, Data: v.Data})
	}
	// Between epochs the memories mean nothing.
	if r.state.Step > 0 && r.state.Step < r.state.StepsPerEpoch {
		s.Memories = r.memories()
	}
	return s
}

// memories shares memory with the network.
func (r *session) memories() []checkpoint.Tensor {
	var all []checkpoint.Tensor
	for _, m := range r.net.Memories() {
		all = append(all, checkpoint.Tensor{Name: m.Name, Shape: m.Shape, Data: m.Value})
	}
	return all
}

// resume restores the newest checkpoint that is whole and fits.
func (r *session) resume(ctx context.Context) error {
	snap, c, skipped, err := checkpoint.Latest(ctx, r.o.Store, r.o.Trial, r.o.Epochs, r.restore)
	for _, s := range skipped {
		r.warn("passing over a damaged checkpoint: " + s.Error())
	}
	if err != nil || snap == nil {
		return err
	}
	r.saver.epoch, r.saver.step = c.Epoch, c.Step
	r.o.Log.Info("resumed", "epoch", c.Epoch, "step", c.Step, "attempt", c.Attempt)
	return nil
}

// restore makes the session that of a snapshot, or changes nothing and says
// with storage.ErrCorrupt what does not fit.
func (r *session) restore(snap *checkpoint.Snapshot) error {
	st := snap.State
	steps := r.training.Steps()
	if st.StepsPerEpoch != steps || st.Step < 0 || st.Step > steps {
		return fmt.Errorf("state: %w: step %d of %d, where an epoch has %d", storage.ErrCorrupt, st.Step, st.StepsPerEpoch, steps)
	}
	schedule := *r.schedule
	if err := json.Unmarshal(st.Schedule, &schedule); err != nil {
		return fmt.Errorf("state: %w: schedule: %w", storage.ErrCorrupt, err)
	}
	own := r.snapshot()
	statistics := func(s *checkpoint.Snapshot) []checkpoint.Tensor {
		return []checkpoint.Tensor{
			{Name: checkpoint.MeanTensor, Shape: []int{len(s.Mean)}, Data: s.Mean},
			{Name: checkpoint.StdTensor, Shape: []int{len(s.Std)}, Data: s.Std},
		}
	}
	if snap.Log1p != own.Log1p {
		return fmt.Errorf("weights: %w: they are for other inputs: data.log1p %v", storage.ErrCorrupt, snap.Log1p)
	}
	if err := checkpoint.Same(statistics(own), statistics(snap), "weights"); err != nil {
		return err
	}
	if err := checkpoint.Fits(own.Parameters, snap.Parameters, "weights"); err != nil {
		return err
	}
	if err := checkpoint.Fits(own.Optimizer, snap.Optimizer, "state"); err != nil {
		return err
	}
	var memories []checkpoint.Tensor
	if st.Step > 0 && st.Step < steps {
		memories = r.memories()
	}
	if err := checkpoint.Fits(memories, snap.Memories, "state"); err != nil {
		return err
	}
	checkpoint.Copy(own.Parameters, snap.Parameters)
	checkpoint.Copy(own.Optimizer, snap.Optimizer)
	checkpoint.Copy(memories, snap.Memories)
	r.schedule = &schedule
	r.state = st
	return nil
}
