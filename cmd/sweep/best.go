package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// bestJSON is the output of `best -o json`.
type bestJSON struct {
	Sweep string `json:"sweep"`
	// Final says that these are the members of the ensemble; before it exists
	// they are the best trials so far, at most ten.
	Final      bool        `json:"final"`
	Trials     []bestTrial `json:"trials"`
	BestSingle *member     `json:"best_single,omitzero"`
	Ensemble   *measures   `json:"ensemble,omitzero"`
}

// bestTrial is a member with where its weights are.
type bestTrial struct {
	member
	Checkpoint *sweeps.Artifact `json:"checkpoint,omitzero"`
}

func newBestCommand(a *app) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:   "best [SWEEP]",
		Short: "Show the best trials of a sweep, and its ensemble",
		Long: `Show the members of a sweep's ensemble, or, before it exists, the best trials so
far, at most ten. Trials are ranked on validation; the test split decides nothing.`,
		Example: `  sweep best
  sweep best mnist-mlp
  sweep best -o json | jq -r '.trials[].checkpoint.key'`,
		Args:              sweepArg(false),
		ValidArgsFunction: a.sweepIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			store, err := a.openStore(ctx)
			if err != nil {
				return err
			}
			arg := strings.Join(args, "")
			if id, ok, err := storedSweep(ctx, store, arg, storage.ManifestKey); err != nil {
				return err
			} else if ok {
				return a.printMembers(ctx, store, id, output)
			}
			return a.connected(ctx, "best", func(conn *connection) error {
				id, store, err := a.findStored(ctx, conn, arg)
				if err != nil {
					return err
				}
				return a.printBest(ctx, conn, store, id, output)
			})
		},
	}
	addFormat(cmd, &output)
	return cmd
}

// storedSweep finds a sweep in the store alone, if that is enough: it is the one
// that was named, or the only one, and it has the object of key.
func storedSweep(ctx context.Context, store *storage.Store, arg string, key func(string) string) (id string, ok bool, err error) {
	ids, err := storedSweeps(ctx, store)
	if err != nil {
		return "", false, err
	}
	for _, x := range ids {
		if x == arg || arg == "" && len(ids) == 1 {
			id = x
		}
	}
	if id == "" {
		return "", false, nil
	}
	ok, err = stored(ctx, store, key(id))
	return id, ok, err
}

// stored says whether the store has an object.
func stored(ctx context.Context, store *storage.Store, key string) (bool, error) {
	r, err := store.Backend().GetRange(ctx, key, 0, 1)
	if errors.Is(err, backend.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, storeError(store.URL(), err)
	}
	return true, r.Close()
}

// printBest shows the members, or the best trials so far.
func (a *app) printBest(ctx context.Context, conn *connection, store *storage.Store, id string, output format) error {
	if ok, err := stored(ctx, store, storage.ManifestKey(id)); err != nil {
		return err
	} else if ok {
		return a.printMembers(ctx, store, id, output)
	}
	h := newHistorian(id, nil)
	if err := h.readAll(ctx, conn); err != nil {
		return err
	}
	s := h.snapshot()
	out := bestJSON{Sweep: id, Trials: []bestTrial{}}
	for i, t := range s.best {
		x := bestTrial{member: member{Rank: i + 1, Trial: t.Trial, Settings: t.Settings, ValidationError: t.ValidationError}}
		if r, err := store.Result(ctx, t.Trial, h.spec.Train.Epochs); err == nil && r.Checkpoint.Key != "" {
			x.Checkpoint = &r.Checkpoint
		}
		out.Trials = append(out.Trials, x)
	}
	if output == formatJSON {
		return writeJSON(a.stdout, out)
	}
	if len(out.Trials) == 0 {
		return (&lineView{out: a.stdout}).print("sweep " + id + ": no trial is completed yet")
	}
	t := terminal.Table{Header: []string{"RANK", "TRIAL", "VALIDATION", "SETTINGS"}, Right: []bool{true, false, true}}
	for _, x := range out.Trials {
		t.Add(strconv.Itoa(x.Rank), string(x.Trial), percent(x.ValidationError), settingsLine(x.Settings))
	}
	lines := append([]string{"sweep " + id + ": the best so far"}, t.Lines(a.style())...)
	return (&lineView{out: a.stdout}).print(lines...)
}

// printMembers shows the ensemble of the manifest.
func (a *app) printMembers(ctx context.Context, store *storage.Store, id string, output format) error {
	s := &summary{Sweep: id}
	m, err := s.addEnsemble(ctx, store, storage.ManifestKey(id))
	if err != nil {
		return err
	}
	if output == formatJSON {
		out := bestJSON{Sweep: id, Final: true, BestSingle: s.BestSingle, Ensemble: s.Ensemble}
		for i, x := range s.Members {
			out.Trials = append(out.Trials, bestTrial{member: x, Checkpoint: &m.Members[i].Checkpoint})
		}
		return writeJSON(a.stdout, out)
	}
	lines := append([]string{"sweep " + id}, s.ensembleLines(a.style())...)
	return (&lineView{out: a.stdout}).print(lines...)
}
