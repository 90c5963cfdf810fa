package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// interrupted is a run that was stopped and goes on when started again.
type interrupted struct{ hint string }

func (e *interrupted) Error() string { return "interrupted: " + e.hint }
func (e *interrupted) Unwrap() error { return trainer.ErrPreempted }

// checkAlone says what does not go together with --config.
func (f trainFlags) checkAlone(cmd *cobra.Command) error {
	for _, flag := range []string{"store", "epochs", "attempt"} {
		if cmd.Flags().Changed(flag) {
			return usageError("--%s is for a trial in a store, and --config for a spec in a file; leave one of them out", flag)
		}
	}
	if f.out == "" && !f.dump {
		return usageError("--out DIR is needed: the folder for checkpoints and the result")
	}
	if err := checkOutput(f.output); err != nil {
		return err
	}
	return f.checkComputing()
}

// runAlone trains one network of a spec, with the folder --out as its store.
func runAlone(ctx context.Context, f trainFlags, stdout, stderr io.Writer) error {
	spec, err := loadSpec(f.config)
	if err != nil {
		return err
	}
	// Which trial is meant does not depend on the data, which take longer to read.
	if _, _, err := planOne(f.config, spec, "", f.trial); err != nil {
		return err
	}
	runtime.GOMAXPROCS(f.threads)
	dir, err := filepath.Abs(f.out)
	if err != nil {
		return fmt.Errorf("finding the folder %s: %w", f.out, err)
	}
	store, err := openStore(ctx, (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String())
	if err != nil {
		return err
	}
	digest, err := data.Import(ctx, store, spec.Data, data.SourceFromEnv())
	if err != nil {
		if errors.Is(context.Cause(ctx), trainer.ErrPreempted) {
			return &interrupted{"nothing was trained yet"}
		}
		return err
	}
	id, trial, err := planOne(f.config, spec, digest, f.trial)
	if err != nil {
		return err
	}
	if err := store.PutTrial(ctx, id, trial); err != nil {
		return err
	}
	attempt, err := claimAttempt(ctx, store, id)
	if err != nil {
		return err
	}
	if attempt == 1 {
		if err := warnOfLeakage(ctx, stderr, store, trial); err != nil {
			return err
		}
	}
	o := f.options(store, stdout, stderr)
	o.Trial, o.Epochs, o.Attempt = id, trial.Config.Train.Epochs, attempt
	show := newProgress(stdout, spec.Name)
	if f.output == "text" {
		o.Metrics, o.ProgressEvery = show, show.every
	}
	err = trainer.Run(ctx, o)
	if f.output == "text" {
		show.clear()
	}
	if errors.Is(err, trainer.ErrPreempted) {
		return &interrupted{"saved " + show.where() + "; the same command goes on there"}
	}
	if err != nil || f.output != "text" {
		return err
	}
	return summarize(ctx, stdout, store, dir, id, trial)
}

// warnOfLeakage says which measures of a run will mislead: those on cases that are
// among the training cases. What can't be trained on at all, the run itself will say.
func warnOfLeakage(ctx context.Context, w io.Writer, store *storage.Store, trial sweeps.Trial) error {
	ds, err := data.Load(ctx, store, trial.Dataset)
	if err != nil {
		return err
	}
	if err := data.Leakage(ds); err != nil {
		_, _ = fmt.Fprintf(w, "trainer: warning: %v\n", err)
	}
	train, validation, err := data.Partition(ds, trial.Config.Data)
	if err != nil || ds.Ordered {
		return nil //nolint:nilerr // as the comment says
	}
	if n := data.Shared(ds, train, validation); n > 0 {
		_, _ = fmt.Fprintf(w, "trainer: warning: %s: leaks: %d of %d validation cases have the inputs of training cases\n", ds.Name, n, len(validation))
	}
	return nil
}

// claimAttempt finds the first number that no attempt has yet, and takes it.
func claimAttempt(ctx context.Context, store *storage.Store, id sweeps.TrialID) (int, error) {
	for n := 1; ; n++ {
		created, err := store.PutAllIfAbsent(ctx, storage.MetricsKey(id, n), nil)
		if err != nil {
			return 0, fmt.Errorf("beginning attempt %d: %w", n, err)
		}
		if created {
			return n, nil
		}
	}
}

// summarize tells how the training went.
func summarize(ctx context.Context, w io.Writer, store *storage.Store, dir string, id sweeps.TrialID, trial sweeps.Trial) error {
	r, err := store.Result(ctx, id, trial.Config.Train.Epochs)
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	if r.Status == sweeps.Diverged {
		clip := "a smaller train.clip_norm"
		if trial.Config.Train.ClipNorm == 0 {
			clip = "set train.clip_norm"
		}
		_, err := fmt.Fprintf(w, "%s\ntry a smaller train.learning_rate, or %s\n", r.Note, clip)
		return err
	}
	test, err := trainer.TestMeasures(ctx, store, trial, r)
	if err != nil {
		return err
	}
	best := r.Curve[0]
	for _, m := range r.Curve {
		if m.ValidationError < best.ValidationError {
			best = m
		}
	}
	note := ""
	if r.Note != "" {
		note = r.Note + "\n"
	}
	show := measuresOf(test.Task)
	_, err = fmt.Fprintf(w, `%strained    %s in %s (%s)
validation %s, %s; the best epoch was %d with %s
test       %s, %s, of %d cases; nothing was decided by them
%sweights    %s
`, note, plural(len(r.Curve), "epoch"), seconds(r.Seconds), r.Engine,
		show.error(r.ValidationError), show.loss(r.ValidationNLL), best.Epoch, show.share(best.ValidationError),
		show.error(test.Error), show.loss(test.NLL), test.Cases, updates(r.Curve[len(r.Curve)-1]),
		filepath.Join(dir, filepath.FromSlash(r.Checkpoint.Key)))
	return err
}

// updates is a line about the sizes of an epoch's last update, or nothing where they
// are not known.
func updates(m sweeps.EpochMetrics) string {
	var low, high string
	for _, name := range slices.Sorted(maps.Keys(m.UpdateRatio)) {
		if !strings.HasSuffix(name, ".weight") && !strings.HasSuffix(name, ".recurrent") {
			continue // biases begin at 0
		}
		if low == "" || m.UpdateRatio[name] < m.UpdateRatio[low] {
			low = name
		}
		if high == "" || m.UpdateRatio[name] > m.UpdateRatio[high] {
			high = name
		}
	}
	if low == "" {
		return ""
	}
	return fmt.Sprintf("updates    %.1e (%s) to %.1e (%s) of the weights; about 1e-03 is right\n", m.UpdateRatio[low], low, m.UpdateRatio[high], high)
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// seconds prints a time for people.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// terminalWidth is the number of columns of a terminal, or 0 for anything else.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 1 {
		return 80
	}
	return columns
}
