package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/model"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

// Options say what to train and with what.
type Options struct {
	// Store holds the trial and its data set, and gets checkpoints and result.
	Store *storage.Store
	// Trial to train, whose configuration is in the store.
	Trial sweeps.TrialID
	// Epochs is the budget, at least 1.
	Epochs int
	// Attempt is at least 1, and no two runs of a trial share one.
	Attempt int
	// Scratch is a folder for temporary files. Nothing needs one yet.
	Scratch string
	// Threads to compute with; less than 1 means 1.
	Threads int
	// BLAS is "auto" (or empty), "openblas" or "gonum".
	BLAS string
	// CheckpointEvery is the least time between two checkpoints; default 1 s.
	// Within an epoch one is saved after thirty times that, and at its end
	// otherwise. Saving never takes more than about a fiftieth of the time, unless
	// this is negative, which saves at every step.
	CheckpointEvery time.Duration
	// ProgressEvery is the least time between two signs of life within an epoch;
	// default 10 s.
	ProgressEvery time.Duration
	// Log gets warnings and progress for people; nil discards.
	Log *slog.Logger
	// Metrics gets one JSON object a line; nil discards.
	Metrics io.Writer
	// Profile gets, at the end, what each part of training took and each instruction of
	// the network; nil asks for no profile, which would cost a little.
	Profile io.Writer

	// build replaces the network in tests.
	build func(sweeps.Model, model.Options) (network, error)
}

// network is what training needs of a model.Network.
type network interface {
	Params() []engine.Param
	TrainStep(m model.Minibatch, step uint64) (loss float64, wrong int, err error)
	Predict(x, predictions []float32) error
	Memories() []model.Memory
	Forget()
	Engine() string
	Close() error
}

// profiler is a network that can tell where its time goes.
type profiler interface {
	StartProfile()
	WriteProfile(w io.Writer) error
}

// saveTimeout is how long a checkpoint may take to be written once a run is
// preempted: a launcher kills after 30 s.
const saveTimeout = 25 * time.Second

// Run trains a trial to the end of its epochs and commits the result; when there
// is one already, it does nothing. It goes on from the newest whole checkpoint of
// the trial, whoever wrote it.
//
// A run that meets a loss or weight that is not finite commits a result that says
// so; that is no error. When ctx is cancelled with the cause [ErrPreempted], Run
// saves a checkpoint at the next step's boundary and returns ErrPreempted; on any
// other end of ctx it returns at once. Errors at fault of the configuration or
// the data are [*ConfigError] and [*data.Error]; [ExitCode] maps them all.
func Run(ctx context.Context, o Options) (err error) {
	// A panic in the numerics is a bug, but one of many runs' worth: the sweep
	// gets a line it can show, not a stack.
	defer func() {
		if v := recover(); v != nil {
			err = caught(v)
		}
	}()
	err = run(ctx, o)
	// Whatever was interrupted when the signal came, a checkpoint is saved or
	// there was nothing to save.
	if err != nil && errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), ErrPreempted) {
		return ErrPreempted
	}
	return err
}

func run(ctx context.Context, o Options) (err error) {
	switch {
	case o.Epochs < 1:
		return badConfig("epochs: %d is less than 1", o.Epochs)
	case o.Attempt < 1:
		return badConfig("attempt: %d is less than 1", o.Attempt)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ProgressEvery == 0 {
		o.ProgressEvery = signOfLife
	}
	metrics := &metricsLog{out: o.Metrics}
	if done, err := committed(ctx, o, metrics); done || err != nil {
		return err
	}
	r, err := prepare(ctx, o, metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.net.Close()) }()

	profiled, _ := r.net.(profiler)
	if o.Profile != nil && profiled != nil {
		profiled.StartProfile()
		r.watch.start()
	}
	result, err := r.train(ctx)
	if err != nil {
		return err
	}
	if o.Profile != nil && profiled != nil {
		r.watch.lap(other)
		if err := r.watch.write(o.Profile); err != nil {
			return err
		}
		if err := profiled.WriteProfile(o.Profile); err != nil {
			return err
		}
	}
	return r.commit(ctx, result)
}

// committed says whether the trial has its result.
func committed(ctx context.Context, o Options, metrics *metricsLog) (bool, error) {
	res, err := o.Store.Result(ctx, o.Trial, o.Epochs)
	if errors.Is(err, backend.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for a result of trial %s: %w", o.Trial, err)
	}
	o.Log.Info("the result is committed already", "trial", o.Trial, "epochs", o.Epochs, "attempt", res.Attempt)
	metrics.emit(endEvent{Event: "end", Status: res.Status, ValidationError: res.ValidationError, Note: res.Note})
	return true, nil
}

// session is a run under way: everything that is set up once, and the state that
// a checkpoint saves.
type session struct {
	o       Options
	metrics *metricsLog
	trial   sweeps.Trial
	// classes of a label, 0 of values; labels or values of a case; and numbers that are
	// predicted for it.
	classes, outputs, each int

	net        network
	params     []engine.Param
	optimizer  *optim.Optimizer
	schedule   *optim.Plateau
	std        *data.Standardizer
	training   *data.Batches
	validation *data.Batches
	// answers to the validation cases.
	answers answers
	// variance of the training cases' values.
	variance float64

	// buffers of minibatches, and of the predictions for one.
	buffers   []buffer
	predicted []float32

	state checkpoint.State
	// since is when the clock of state.Partial.Seconds was last read.
	since time.Time
	// predictions on validation after state.Epoch epochs; nil when not made yet.
	predictions []float32
	saver       saver
	watch       stopwatch
}

// prepare reads the trial and its data, builds the network and restores the
// newest checkpoint.
func prepare(ctx context.Context, o Options, metrics *metricsLog) (r *session, err error) {
	trial, err := o.Store.Trial(ctx, o.Trial)
	switch {
	case errors.Is(err, backend.ErrNotFound):
		return nil, badConfig("there is no trial %s in the store %s", o.Trial, o.Store.URL())
	case errors.Is(err, storage.ErrCorrupt):
		return nil, badConfig("reading the configuration of trial %s: %w", o.Trial, err)
	case err != nil:
		return nil, fmt.Errorf("reading trial %s: %w", o.Trial, err)
	case trial.Trainer != Identity:
		return nil, badConfig("trial %s is for the trainer %q, and this is %q", o.Trial, trial.Trainer, Identity)
	}
	cfg := trial.Config
	if err := checkConfig(cfg); err != nil {
		return nil, err
	}
	ds, err := data.Load(ctx, o.Store, trial.Dataset, data.TrainImages, data.TrainLabels)
	if err != nil {
		return nil, err
	}
	if cfg.Data.Log1p {
		if err := ds.Log1p(); err != nil {
			return nil, err
		}
	}
	train, validation, err := data.Partition(ds, cfg.Data)
	if err != nil {
		return nil, err
	}
	if err := checkDataset(cfg, ds); err != nil {
		return nil, err
	}
	std := data.Identity(ds.Features())
	switch {
	case ds.Symbols > 0:
		std = data.Symbols(ds.Features())
	case cfg.Data.Standardize:
		std = data.Fit(ds.Train, ds.Features(), train, cfg.Data.StdFloor)
	}
	build := o.build
	if build == nil {
		build = func(cfg sweeps.Model, o model.Options) (network, error) { return model.New(cfg, o) }
	}
	options := ModelOptions(cfg, ds)
	options.Threads, options.BLAS = max(o.Threads, 1), o.BLAS
	net, err := build(cfg.Model, options)
	if errors.Is(err, model.ErrConfig) {
		return nil, &ConfigError{Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("building the network: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, net.Close())
		}
	}()
	r = &session{
		o: o, metrics: metrics, trial: trial, classes: ds.Classes, outputs: ds.Outputs, each: options.Predictions(),
		net: net, params: net.Params(), std: std,
		schedule:   optim.NewPlateau(cfg.Train.Schedule, cfg.Train.LearningRate),
		training:   data.NewBatches(ds.Train, train, std, cfg.Train.BatchSize),
		validation: data.NewBatches(ds.Train, validation, std, cfg.Train.BatchSize),
		answers:    answersOf(ds, ds.Train, validation),
		buffers:    newBuffers(options.Threads, cfg.Train.BatchSize, ds),
		predicted:  make([]float32, cfg.Train.BatchSize*options.Predictions()),
		saver:      newSaver(o),
	}
	if ds.Classes == 0 {
		if r.variance, err = variances(ds, train, validation); err != nil {
			return nil, err
		}
	}
	if err := r.training.Augment(cfg.Data.Augment, ds.Shape); err != nil {
		return nil, err
	}
	r.optimizer = optim.New(r.params, cfg.Train)
	r.state = checkpoint.State{
		Version: 1, StepsPerEpoch: r.training.Steps(),
		LearningRate: cfg.Train.LearningRate, Curve: []sweeps.EpochMetrics{},
	}
	if err := r.resume(ctx); err != nil {
		return nil, err
	}
	metrics.emit(startEvent{
		Event: "start", Trial: o.Trial, Attempt: o.Attempt, Epochs: o.Epochs,
		Epoch: r.state.Epoch, Step: r.state.Step,
		Train: len(train), Validation: len(validation),
		Weights: r.weights(), Engine: net.Engine(), Task: taskOf(ds),
	})
	return r, nil
}

// weights counts the trainable numbers.
func (r *session) weights() int {
	n := 0
	for _, p := range r.params {
		n += len(p.Value)
	}
	return n
}
