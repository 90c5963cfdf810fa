package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
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
		Status: sweeps.Completed, Weights: r.weights(), Engine: r.net.Engine(),
	}
	for r.state.Epoch < r.o.Epochs && r.state.Stopped == "" {
		err := r.epoch(ctx)
		var d *divergence
		switch {
		case errors.As(err, &d):
			result.Status, result.Note = sweeps.Diverged, d.Error()
			result.ValidationError = 1
			result.Curve, result.Seconds = r.state.Curve, r.seconds()
			r.o.Log.Warn("the run diverged", "note", result.Note)
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
	cfg := r.trial.Config
	steps := r.training.Steps()
	features := len(r.std.Mean)
	p := &r.state.Partial
	spoke := time.Now()
	r.training.Shuffle(cfg.Seed, r.state.Epoch)
	for r.state.Step < steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.state.Step > 0 {
			if r.saver.dueWithin() {
				r.saveOrWarn(ctx)
			}
			if now := time.Now(); now.Sub(spoke) >= r.o.ProgressEvery {
				spoke = now
				r.metrics.print(progressEvent{
					Event: "progress", Epoch: r.state.Epoch + 1, Step: r.state.Step, Steps: steps,
					LearningRate: r.state.LearningRate, TrainLoss: p.Loss / float64(p.Cases),
				})
			}
		}
		n := r.training.Fill(r.state.Step, r.x, r.y, nil)
		global := uint64(r.state.Epoch)*uint64(steps) + uint64(r.state.Step)
		loss, wrong, err := r.net.TrainStep(r.x[:n*features], r.y[:n], global)
		if err != nil {
			return fmt.Errorf("epoch %d, step %d: %w", r.state.Epoch+1, r.state.Step+1, err)
		}
		if !finite(loss) {
			return r.diverged("the loss is %v", loss)
		}
		norm, clipped := optim.ClipNorm(r.params, cfg.Train.ClipNorm)
		if !finite(norm) {
			return r.diverged("the gradient's norm is %v", norm)
		}
		if r.state.Step < steps-1 {
			r.optimizer.Step(r.state.LearningRate)
		} else {
			p.UpdateRatio = r.optimizer.MeasuredStep(r.state.LearningRate)
		}
		r.predictions = nil
		p.Cases += n
		p.Loss += loss * float64(n)
		p.Wrong += wrong
		p.Norm += norm
		if clipped {
			p.Clipped++
		}
		r.state.Step++
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

// finishEpoch measures on validation and moves state to the next epoch.
func (r *session) finishEpoch(ctx context.Context) error {
	probs, err := r.predict(ctx, r.validation)
	if err != nil {
		return err
	}
	validationError, nll := measure(probs, r.labels, r.classes)
	if !finite(nll) {
		return r.diverged("the validation NLL is %v", nll)
	}
	p := r.tick()
	m := sweeps.EpochMetrics{
		Epoch:           r.state.Epoch + 1,
		LearningRate:    r.state.LearningRate,
		TrainLoss:       p.Loss / float64(p.Cases),
		TrainError:      float64(p.Wrong) / float64(p.Cases),
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
	r.predictions = probs
	if stop {
		r.state.Stopped = fmt.Sprintf("stopped after epoch %d: the learning rate fell to %g, below %g",
			r.state.Epoch, rate, r.trial.Config.Train.Schedule.StopBelow)
	}
	r.metrics.emit(epochEvent{Event: "epoch", EpochMetrics: m})
	if r.saver.due() {
		r.saveOrWarn(ctx)
	}
	return nil
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

// predict returns the probabilities of batches' cases, a row of classes each.
func (r *session) predict(ctx context.Context, batches interface {
	Cases() int
	Steps() int
	Fill(step int, x []float32, labels []int32, targets []float32) int
}) ([]float32, error) {
	probs := make([]float32, batches.Cases()*r.classes)
	features := len(r.std.Mean)
	at := 0
	for step := range batches.Steps() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := batches.Fill(step, r.x, nil, nil)
		if err := r.net.Predict(r.x[:n*features], probs[at:at+n*r.classes]); err != nil {
			return nil, fmt.Errorf("predicting: %w", err)
		}
		at += n * r.classes
	}
	return probs, nil
}

// leastProbability is what a probability counts as at least, so that one case
// whose class got 0 in float32 does not make the whole NLL infinite.
const leastProbability = 1e-30

// measure returns the share of cases whose most probable class (the first of
// equals) is not their label, and the mean negative log-likelihood in nats.
func measure(probs []float32, labels []int32, classes int) (share, nll float64) {
	wrong := 0
	for i, label := range labels {
		row := probs[i*classes:][:classes]
		best := 0
		for k, p := range row {
			if p > row[best] {
				best = k
			}
		}
		if best != int(label) {
			wrong++
		}
		p := float64(row[label])
		if p < leastProbability {
			p = leastProbability
		}
		nll -= math.Log(p)
	}
	n := float64(len(labels))
	return float64(wrong) / n, nll / n
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
