package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/workflows"
)

// summary is how a sweep ended: the last event of `run -o json`, and what `best`
// and `status` show of it. Errors are shares of the labels, or of the variance of the
// values.
type summary struct {
	Sweep   string        `json:"sweep"`
	State   state         `json:"state"`
	Message string        `json:"message,omitzero"`
	Seconds float64       `json:"seconds,omitzero"`
	Trials  int           `json:"trials"`
	Counts  sweeps.Counts `json:"counts"`
	// Relaunched says how many of counts.retries followed a preemption or a lost
	// worker; the others followed a failure.
	Relaunched int `json:"relaunched,omitzero"`
	// Reused counts the trials whose results were there already.
	Reused int `json:"reused,omitzero"`
	// Members of the ensemble, best on validation first; none where there is no ensemble.
	Members []member `json:"members,omitzero"`
	// MembersWanted is how many members were asked for, where there are fewer.
	MembersWanted int `json:"members_wanted,omitzero"`
	// BestSingle is the member that one would use without an ensemble.
	BestSingle *member `json:"best_single,omitzero"`
	// Ensemble is nil where it could not be measured.
	Ensemble *measures           `json:"ensemble,omitzero"`
	Failures []workflows.Failure `json:"failures,omitzero"`
	// Report and Manifest are paths where the store is a folder, else URLs.
	Report   string `json:"report,omitzero"`
	Manifest string `json:"manifest,omitzero"`

	userFault bool // the sweep failed of something that its user can change
	values    bool // cases ask for values, so errors are shares of their variance
}

// member of an ensemble.
type member struct {
	Rank            int              `json:"rank"`
	Trial           sweeps.TrialID   `json:"trial"`
	Settings        []sweeps.Setting `json:"settings"`
	ValidationError float64          `json:"validation_error"`
	TestError       *float64         `json:"test_error,omitempty"`
}

// measures of the averaged predictions.
type measures struct {
	Members         int     `json:"members"`
	ValidationError float64 `json:"validation_error"`
	TestError       float64 `json:"test_error"`
	TestNLL         float64 `json:"test_nll"`
}

// conclude waits for the end of a sweep and sums it up.
func (f *follower) conclude(ctx context.Context, store *storage.Store) (*summary, error) {
	s := &summary{Sweep: f.sweep}
	var out workflows.SweepOutput
	err := outcome(ctx, f.conn, f.sweep, f.run, &out)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		s.State, s.Message, s.userFault = workflowFailure(err)
		if s.State == "" {
			return nil, f.diagnose(ctx, err)
		}
	default:
		s.State, s.Counts = state(out.Verdict), out.Counts
	}
	h := newHistorian(f.sweep, f.trialLog)
	if err := h.readAll(ctx, f.conn); err == nil {
		snap := h.snapshot()
		s.Trials, s.Failures, s.Reused, s.Relaunched = snap.total, snap.failures, snap.reused, snap.relaunched
		if s.State == state(workflows.PhaseCancelled) && s.Message == "" {
			s.Message = snap.reason
		}
		if s.Counts == (sweeps.Counts{}) {
			s.Counts = snap.counts
		}
	}
	if d, err := f.conn.client.DescribeWorkflowExecution(ctx, f.sweep, ""); err == nil {
		i := d.GetWorkflowExecutionInfo()
		started := h.started
		if started.IsZero() {
			started = i.GetStartTime().AsTime()
		}
		s.Seconds = i.GetCloseTime().AsTime().Sub(started).Seconds()
	}
	if s.State == state(workflows.PhaseFailed) && s.Message == "" {
		s.Message = fmt.Sprintf("%s failed", plural(s.Counts.Failed, "trial"))
	}
	if out.Report.Key != "" {
		s.Report = place(store, out.Report.Key)
	}
	if out.Ensemble != nil {
		if _, err := s.addEnsemble(ctx, store, out.Ensemble.Manifest.Key); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// outcome waits for the end of a sweep and decodes its output. Its own failure is a
// temporal.WorkflowExecutionError. The SDK reads a history for it, which may have
// to be done again: see eachEvent.
func outcome(ctx context.Context, conn *connection, sweep, run string, out *workflows.SweepOutput) error {
	for failures := 0; ; failures++ {
		err := conn.client.GetWorkflow(ctx, sweep, run).Get(ctx, out)
		var failed *temporal.WorkflowExecutionError
		if err == nil || ctx.Err() != nil || !passing(err) || failures == rereads || errors.As(err, &failed) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(rereadPause):
		}
	}
}

// addEnsemble reads the manifest; it returns nil if there is none.
func (s *summary) addEnsemble(ctx context.Context, store *storage.Store, key string) (*ensemble.Manifest, error) {
	b, err := store.ReadAll(ctx, key)
	if errors.Is(err, backend.ErrNotFound) {
		return nil, nil // somebody else's store
	}
	if err != nil {
		return nil, fmt.Errorf("read the ensemble: %w", err)
	}
	m, err := ensemble.ParseManifest(b)
	if err != nil {
		return nil, userErrorf("read the ensemble: %s: %w; move it away and run the sweep again, which trains nothing twice", key, err)
	}
	s.Manifest = place(store, key)
	if len(m.Members) < m.Size {
		s.MembersWanted = m.Size
	}
	for _, x := range m.Members {
		y := member{Rank: x.Rank, Trial: x.Trial, Settings: x.Settings, ValidationError: x.ValidationError}
		if x.Test != nil {
			y.TestError = &x.Test.Error
		}
		s.Members = append(s.Members, y)
		if x.Trial == m.BestSingle.Trial {
			single := y
			s.BestSingle = &single
		}
	}
	if m.Measured != nil {
		s.values = m.Split.Classes == 0
		s.Ensemble = &measures{Members: len(m.Members), ValidationError: m.Measured.Validation.Error,
			TestError: m.Measured.Test.Error, TestNLL: m.Measured.Test.NLL}
	}
	return m, nil
}

// workflowFailure says what an error of a workflow means to its user; the state is
// empty where it is not about the workflow.
func workflowFailure(err error) (s state, message string, userFault bool) {
	var failed *temporal.WorkflowExecutionError
	if !errors.As(err, &failed) {
		return "", "", false
	}
	var terminated *temporal.TerminatedError
	var timeout *temporal.TimeoutError
	if errors.As(err, &terminated) || temporal.IsCanceledError(err) {
		return state(workflows.PhaseCancelled), "", false
	}
	if errors.As(err, &timeout) && timeout.TimeoutType() != enumspb.TIMEOUT_TYPE_UNSPECIFIED {
		return state(workflows.PhaseFailed), timeout.Error(), false
	}
	message = err.Error()
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if app := (*temporal.ApplicationError)(nil); errors.As(inner, &app) {
			message = app.Message()
			userFault = userFault || app.Type() == contract.UserError
			inner = app
		}
	}
	return state(workflows.PhaseFailed), message, userFault
}

// lines sets a summary for people.
func (s *summary) lines(style terminal.Style) []string {
	head := "sweep " + s.Sweep + ": " + stateWord(s.State, style)
	if s.Seconds > 0 {
		head += " in " + spell(time.Duration(s.Seconds*float64(time.Second)))
	}
	if s.Trials > 0 {
		c := s.Counts
		parts := []string{strconv.Itoa(c.Completed) + " of " + plural(s.Trials, "trial") + " completed"}
		for _, x := range []struct {
			n    int
			what string
		}{{c.Diverged, "diverged"}, {c.Failed, "failed"}} {
			if x.n > 0 {
				parts = append(parts, strconv.Itoa(x.n)+" "+x.what)
			}
		}
		parts = append(parts, retryWords(c.Retries, s.Relaunched, style)...)
		head += "; " + strings.Join(parts, ", ")
		if s.Reused == s.Trials {
			head += "; all results were there"
		}
	}
	lines := append([]string{head}, s.ensembleLines(style)...)
	if s.Report != "" {
		lines = append(lines, "report: "+s.Report)
	}
	return lines
}

// ensembleLines shows the members and what their average is worth.
func (s *summary) ensembleLines(style terminal.Style) []string {
	var lines []string
	if len(s.Members) > 0 {
		lines = append(lines, "")
		lines = append(lines, memberTable(s.Members).Lines(style)...)
		lines = append(lines, "")
	}
	if s.Ensemble != nil && s.BestSingle != nil && s.BestSingle.TestError != nil {
		table := terminal.Table{Right: []bool{false, true}}
		table.Add("best single (by validation)", percent(*s.BestSingle.TestError)+s.errorWords())
		table.Add(style.Bold(s.ensembleWords()), style.Bold(style.Green(percent(s.Ensemble.TestError)))+s.errorWords())
		lines = append(lines, table.Lines(style)...)
	} else if s.MembersWanted > 0 {
		lines = append(lines, s.ensembleWords())
	}
	return lines
}

// errorWords says what a test error is a share of, where it is not of labels.
func (s *summary) errorWords() string {
	if s.values {
		return " of the test values' variance unexplained"
	}
	return " test error"
}

// ensembleWords says how large the ensemble is, and how large it should have been.
func (s *summary) ensembleWords() string {
	text := "ensemble of " + strconv.Itoa(len(s.Members))
	if s.MembersWanted > 0 {
		text += " (" + strconv.Itoa(s.MembersWanted) + " wanted)"
	}
	return text
}

func memberTable(members []member) *terminal.Table {
	t := &terminal.Table{Header: []string{"MEMBER", "TRIAL", "VALIDATION", "TEST", "SETTINGS"}, Right: []bool{true, false, true, true}}
	for _, m := range members {
		test := "–"
		if m.TestError != nil {
			test = percent(*m.TestError)
		}
		t.Add(strconv.Itoa(m.Rank), string(m.Trial), percent(m.ValidationError), test, settingsLine(m.Settings))
	}
	return t
}

// err is the error that the command ends with.
func (s *summary) err() error {
	if s.State == state(workflows.PhaseFinished) {
		return nil
	}
	text := "sweep " + s.Sweep + " " + string(s.State)
	if s.Message != "" {
		text += ": " + s.Message
	}
	if s.userFault {
		return &userError{errors.New(text)}
	}
	return errors.New(text)
}

// existing is a path if there is something, else empty.
func existing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
