package trainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/model"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

// divergence is how the loop says that a number is not finite any more.
type divergence struct{ what string }

func (d *divergence) Error() string { return "diverged: " + d.what }

// train goes through the epochs that are left and returns the result, complete
// but for the artifacts of a completed run.
func (r *session) train(ctx context.Context) (sweeps.Result, error) {
	r.since = time.Now()
	result := sweeps.Result{
		Version: 1, Trial: r.o.Trial, Epochs: r.o.Epochs, Attempt: r.o.Attempt,
		Status: sweeps.Completed, Weights: r.weights(), Engine: r.net.Engine(), Values: r.classes == 0,
	}
	for r.state.Epoch < r.o.Epochs && r.state.Stopped == "" {
		err := r.epoch(ctx)
		var d *divergence
		switch {
		case errors.As(err, &d):
			result.Status, result.Note = sweeps.Diverged, d.Error()
			result.ValidationError = 1
			result.Curve, result.Seconds = r.state.Curve, r.seconds()
			r.o.Log.Info("the run diverged", "note", result.Note) // which the result says too
			return result, nil
		case err != nil && ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrPreempted):
			return result, r.preempted(ctx)
		case err != nil:
			return result, err
		}
	}
	result.Note = r.state.Stopped
	result.Curve, result.Seconds = r.state.Curve, r.seconds()
	if n := len(r.state.Curve); n > 0 {
		last := r.state.Curve[n-1]
		result.ValidationError, result.ValidationNLL = last.ValidationError, last.ValidationNLL
	}
	return result, nil
}

// signOfLife is how long an epoch goes on without a line of output, unless
// Options.ProgressEvery says otherwise.
const signOfLife = 10 * time.Second

// epoch finishes the epoch that state is in, of which state.Step steps are done.
// Wherever it returns, the session is at the boundary of a step: state, weights
// and optimiser belong together. It does not begin a step once ctx has ended.
func (r *session) epoch(ctx context.Context) error {
	if err := r.steps(ctx); err != nil {
		return err
	}
	for _, param := range r.params {
		for _, w := range param.Value {
			if !finite(float64(w)) {
				return r.diverged("a weight of %s is %v", param.Name, w)
			}
		}
	}
	return r.finishEpoch(ctx)
}

// steps takes those of the epoch that are left.
func (r *session) steps(ctx context.Context) error {
	cfg := r.trial.Config
	steps := r.training.Steps()
	p := &r.state.Partial
	spoke := time.Now()
	r.watch.lap(other)
	r.begin()
	minibatches := newReader(r.training, r.state.Step, r.buffers)
	defer minibatches.close()
	for r.state.Step < steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.state.Step > 0 {
			if r.saver.dueWithin() {
				r.saveOrWarn(ctx)
				r.watch.lap(saving)
			}
			if now := time.Now(); now.Sub(spoke) >= r.o.ProgressEvery {
				spoke = now
				r.metrics.print(progressEvent{
					Event: "progress", Epoch: r.state.Epoch + 1, Step: r.state.Step, Steps: steps,
					LearningRate: r.state.LearningRate, TrainLoss: p.Loss / float64(p.Cases),
				})
			}
		}
		minibatch := minibatches.next()
		r.watch.lap(reading)
		global := uint64(r.state.Epoch)*uint64(steps) + uint64(r.state.Step)
		loss, wrong, err := r.net.TrainStep(r.minibatch(minibatch), global)
		r.watch.lap(computing)
		if err != nil {
			return fmt.Errorf("epoch %d, step %d: %w", r.state.Epoch+1, r.state.Step+1, err)
		}
		if !finite(loss) {
			return r.diverged("the loss is %v", loss)
		}
		norm, clipped := optim.ClipNorm(r.params, cfg.Train.ClipNorm)
		r.watch.lap(clipping)
		if !finite(norm) {
			return r.diverged("the gradient's norm is %v", norm)
		}
		if r.state.Step < steps-1 {
			r.optimizer.Step(r.state.LearningRate)
		} else {
			p.UpdateRatio = r.optimizer.MeasuredStep(r.state.LearningRate)
		}
		r.watch.lap(updating)
		r.predictions = nil
		p.Cases += minibatch.cases
		p.Loss += loss * float64(minibatch.cases)
		p.Wrong += wrong
		p.Norm += norm
		if clipped {
			p.Clipped++
		}
		r.state.Step++
	}
	return nil
}

// begin puts the training cases in the epoch's order. Where it begins, a network that
// carries its state begins the streams; elsewhere a checkpoint has restored it.
func (r *session) begin() {
	if !r.trial.Config.Train.CarryState {
		r.training.Shuffle(r.trial.Config.Seed, r.state.Epoch)
		return
	}
	r.training.Streams()
	if r.state.Step == 0 {
		r.net.Forget()
	}
}

// minibatch is what the network gets of a buffer.
func (r *session) minibatch(b *buffer) model.Minibatch {
	m := model.Minibatch{X: b.x[:b.cases*len(r.std.Mean)]}
	if r.classes > 0 {
		m.Labels = b.labels[:b.cases*r.outputs]
	} else {
		m.Targets = b.targets[:b.cases*r.outputs]
	}
	return m
}

// finishEpoch measures on validation and moves state to the next epoch.
func (r *session) finishEpoch(ctx context.Context) error {
	r.watch.lap(other)
	predictions, err := r.predict(ctx, r.validation)
	if err != nil {
		return err
	}
	validationError, nll, err := r.answers.score(predictions)
	if err != nil {
		return fmt.Errorf("measuring the validation predictions: %w", err)
	}
	if !finite(nll) || !finite(validationError) {
		return r.diverged("the validation NLL is %v", nll)
	}
	r.watch.lap(validating)
	p := r.tick()
	m := sweeps.EpochMetrics{
		Epoch:           r.state.Epoch + 1,
		LearningRate:    r.state.LearningRate,
		TrainLoss:       p.Loss / float64(p.Cases),
		TrainError:      r.trainError(p),
		ValidationError: validationError,
		ValidationNLL:   nll,
		GradientNorm:    p.Norm / float64(r.state.Step),
		Clipped:         float64(p.Clipped) / float64(r.state.Step),
		UpdateRatio:     p.UpdateRatio,
		Seconds:         p.Seconds,
	}
	rate, stop := r.schedule.Observe(validationError)
	r.state.Curve = append(r.state.Curve, m)
	r.state.Epoch++
	r.state.Step = 0
	r.state.Partial = checkpoint.Partial{}
	r.state.LearningRate = rate
	r.predictions = predictions
	if stop {
		r.state.Stopped = fmt.Sprintf("stopped after epoch %d: the learning rate fell to %g, below %g",
			r.state.Epoch, rate, r.trial.Config.Train.Schedule.StopBelow)
	}
	r.metrics.emit(epochEvent{Event: "epoch", EpochMetrics: m})
	if r.saver.due() {
		r.watch.lap(other)
		r.saveOrWarn(ctx)
		r.watch.lap(saving)
	}
	return nil
}

// trainError is the share of labels predicted wrongly while training, or the loss of
// values as a share of their variance.
func (r *session) trainError(p checkpoint.Partial) float64 {
	if r.classes == 0 {
		return p.Loss / float64(p.Cases) / r.variance
	}
	return float64(p.Wrong) / float64(p.Cases*r.outputs)
}

// diverged says where the run is and what is not finite.
func (r *session) diverged(format string, args ...any) error {
	return &divergence{what: fmt.Sprintf("in epoch %d, after %d steps: ", r.state.Epoch+1, r.state.Step) + fmt.Sprintf(format, args...)}
}

// tick brings state.Partial.Seconds up to date.
func (r *session) tick() checkpoint.Partial {
	now := time.Now()
	r.state.Partial.Seconds += now.Sub(r.since).Seconds()
	r.since = now
	return r.state.Partial
}

// seconds is the time that training took, over all attempts.
func (r *session) seconds() float64 {
	s := r.tick().Seconds
	for _, m := range r.state.Curve {
		s += m.Seconds
	}
	return s
}

// predict returns the predictions for batches' cases in the order that they were given
// in, as [model.Network.Predict] has them.
func (r *session) predict(ctx context.Context, batches *data.Batches) ([]float32, error) {
	carry := r.trial.Config.Train.CarryState
	if carry {
		batches.Streams()
		r.net.Forget()
	}
	predictions := make([]float32, batches.Cases()*r.each)
	rows := r.predicted
	features := len(r.std.Mean)
	at := 0
	minibatches := newReader(batches, 0, r.buffers)
	defer minibatches.close()
	for step := range batches.Steps() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := minibatches.next()
		n := b.cases
		if !carry {
			rows = predictions[at:]
		}
		if err := r.net.Predict(b.x[:n*features], rows[:n*r.each]); err != nil {
			return nil, fmt.Errorf("predicting: %w", err)
		}
		at += n * r.each
		for row := 0; carry && row < n; row++ {
			copy(predictions[batches.Place(step, row)*r.each:][:r.each], rows[row*r.each:])
		}
	}
	return predictions, nil
}
