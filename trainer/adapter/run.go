package adapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
)

// Options say what to run for which trial.
type Options struct {
	// Store holds the trial, and gets checkpoints and result.
	Store *storage.Store
	// Trial to train, whose configuration is in the store.
	Trial sweeps.TrialID
	// Epochs is the budget, at least 1.
	Epochs int
	// Attempt is at least 1, and no two runs of a trial share one.
	Attempt int
	// Command and its arguments.
	Command []string
	// Env is the command's environment, to which ours is added; nil is this process's.
	Env []string
	// Scratch is where the folder for the command is made; empty is the system's place
	// for temporary files.
	Scratch string
	// Grace is how long the command may take to end once it is preempted; default
	// [DefaultGrace].
	Grace time.Duration
	// Stdout gets what the command prints, and lines of our own; Stderr its standard
	// error. Nil discards.
	Stdout, Stderr io.Writer
	// Log gets warnings and progress for people; nil discards.
	Log *slog.Logger
}

// DefaultGrace leaves some of the 30 s that launchers grant for storing the last
// checkpoint.
const DefaultGrace = 25 * time.Second

// Run runs the command for a trial and commits the result that it leaves; when there is
// one already, it does nothing. The command finds the newest checkpoint of the trial
// that is whole, whoever wrote it.
//
// When ctx is cancelled with the cause [trainer.ErrPreempted], the command gets SIGTERM
// and some time, its last checkpoint is stored, and Run returns ErrPreempted; on any
// other end of ctx the command is killed. A command that ends in another way than with 0
// or 75 is an [*ExitError]. What it left and cannot be used is a [*data.Error], and what
// cannot be run a [*trainer.ConfigError].
func Run(ctx context.Context, o Options) error {
	switch {
	case o.Epochs < 1:
		return badConfig("epochs: %d is less than 1", o.Epochs)
	case o.Attempt < 1:
		return badConfig("attempt: %d is less than 1", o.Attempt)
	case len(o.Command) == 0:
		return badConfig("there is no command to run")
	case o.Grace == 0:
		o.Grace = DefaultGrace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	s := &session{o: o, began: time.Now(), printer: &printer{w: o.Stdout}}
	err := s.run(ctx)
	// Whatever was interrupted when the signal came, what there was to save is saved.
	if errors.Is(err, context.Canceled) && preempted(ctx) {
		return trainer.ErrPreempted
	}
	return err
}

func badConfig(format string, args ...any) error {
	return &trainer.ConfigError{Err: fmt.Errorf(format, args...)}
}

func preempted(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), trainer.ErrPreempted)
}

// session is one run of a command.
type session struct {
	o       Options
	began   time.Time
	printer *printer
	trial   sweeps.Trial
	folder  folder
	resumed resumed
	output  *output
	saver   *saver
}

func (s *session) run(ctx context.Context) (err error) {
	if done, err := s.committed(ctx); done || err != nil {
		return err
	}
	if err := s.readTrial(ctx); err != nil {
		return err
	}
	if _, err := exec.LookPath(s.o.Command[0]); err != nil {
		return startError(s.o.Command[0], err)
	}
	if s.folder, err = newFolder(s.o.Scratch); err != nil {
		return err
	}
	defer func() {
		if e := s.folder.remove(); e != nil {
			s.o.Log.Warn("the folder stays behind", "dir", s.folder.root, "error", e)
		}
	}()
	if err := s.resume(ctx); err != nil {
		return err
	}
	if err := s.folder.writeConfig(s); err != nil {
		return err
	}
	s.printer.emit(startEvent{
		Event: "start", Trial: s.o.Trial, Attempt: s.o.Attempt, Epochs: s.o.Epochs,
		Epoch: s.resumed.epoch, Step: s.resumed.step,
	})
	s.saver = newSaver(s)
	s.output = newOutput(s)
	// Checkpoints that are finished are stored, whatever becomes of the command and ctx.
	storing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.saver.start(storing)
	end, err := s.command(ctx)
	if err != nil || (ctx.Err() != nil && !preempted(ctx)) {
		stop()
		_ = s.saver.finish(storing)
		return errors.Join(err, ctx.Err())
	}
	unsaved := s.saver.finish(storing)
	s.putMetrics(storing)
	return s.outcome(storing, end, unsaved, preempted(ctx))
}

// outcome says what the end of the command means, and commits the result if there is one.
func (s *session) outcome(ctx context.Context, end ended, unsaved error, preempted bool) error {
	if err := s.output.fatal; err != nil {
		return err
	}
	left := end.code == 0 && s.folder.hasResult()
	switch {
	case left && unsaved != nil:
		return unsaved
	case left:
		return s.commit(ctx)
	case end.code == trainer.ExitConfig, end.code == trainer.ExitData:
		return &ExitError{Code: end.code}
	case preempted, end.code == trainer.ExitPreempted:
		// One that was spoilt is no worse than one that was not made.
		if unsaved != nil && !errors.Is(unsaved, errChanged) {
			return fmt.Errorf("preempted without a checkpoint: %w", unsaved)
		}
		return trainer.ErrPreempted
	case end.code == 0:
		return badConfig("%s has exited with 0 and left no %s in $%s", s.o.Command[0], resultFile, outVariable)
	}
	return end.failure(s.o.Command[0])
}

// committed says whether the trial has its result.
func (s *session) committed(ctx context.Context) (bool, error) {
	r, err := s.o.Store.Result(ctx, s.o.Trial, s.o.Epochs)
	if errors.Is(err, backend.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for a result of trial %s: %w", s.o.Trial, err)
	}
	s.o.Log.Info("the result is committed already", "trial", s.o.Trial, "epochs", s.o.Epochs, "attempt", r.Attempt)
	s.printer.emit(endEvent{Event: "end", Status: r.Status, ValidationError: r.ValidationError, Note: r.Note})
	return true, nil
}

func (s *session) readTrial(ctx context.Context) (err error) {
	s.trial, err = s.o.Store.Trial(ctx, s.o.Trial)
	switch {
	case errors.Is(err, backend.ErrNotFound):
		return badConfig("there is no trial %s in the store %s", s.o.Trial, s.o.Store.URL())
	case errors.Is(err, storage.ErrCorrupt):
		return badConfig("reading the configuration of trial %s: %w", s.o.Trial, err)
	case err != nil:
		return fmt.Errorf("reading trial %s: %w", s.o.Trial, err)
	case s.trial.Trainer == trainer.Identity:
		return badConfig("trial %s is for the built-in trainer; a sweep for a command has trainer.command", s.o.Trial)
	}
	return nil
}
