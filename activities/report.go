package activities

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/activities/report"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
)

// Report writes what became of every trial and of the ensemble, for people
// (report.html) and for programs (report.json). It may be repeated.
func (a *Activities) Report(ctx context.Context, in contract.ReportInput) (contract.ReportOutput, error) {
	defer a.beat(ctx).stop()
	out, err := a.report(ctx, in)
	if err != nil {
		return contract.ReportOutput{}, a.classified("write the report", err)
	}
	return out, nil
}

func (a *Activities) report(ctx context.Context, in contract.ReportInput) (contract.ReportOutput, error) {
	d, damage, err := a.reportData(ctx, in)
	if err != nil {
		return contract.ReportOutput{}, err
	}
	var html bytes.Buffer
	if err := report.Render(&html, d); err != nil {
		return contract.ReportOutput{}, err
	}
	list, err := reportJSON(d)
	if err != nil {
		return contract.ReportOutput{}, err
	}
	if err := a.Store.PutAll(ctx, storage.ReportJSONKey(in.Sweep), list); err != nil {
		return contract.ReportOutput{}, err
	}
	page, err := a.put(ctx, storage.ReportHTMLKey(in.Sweep), html.Bytes())
	// The report tells of the damage, and nobody may mistake the sweep for a whole one.
	return contract.ReportOutput{Report: page}, cmp.Or(err, damage)
}

// reportData gathers what is in the store about a sweep. damage is about a result
// that cannot be used though its trial did not fail.
func (a *Activities) reportData(ctx context.Context, in contract.ReportInput) (d report.Data, damage, err error) {
	plan, err := sweeps.NewPlan(in.Spec, in.Prepare.Dataset, in.Prepare.Trainer)
	if err != nil {
		return report.Data{}, nil, fault{err}
	}
	yaml, err := in.Spec.YAML()
	if err != nil {
		return report.Data{}, nil, fault{err}
	}
	sum, err := specSHA256(in.Spec)
	if err != nil {
		return report.Data{}, nil, err
	}
	d = report.Data{
		Sweep: in.Sweep, Spec: in.Spec, SpecYAML: string(yaml), SpecSHA256: sum,
		Dataset: in.Prepare.Dataset, Trainer: in.Prepare.Trainer,
		Trials: make([]report.TrialRow, plan.Len()),
	}
	if in.Spec.Ensemble.Size > 0 {
		if d.Manifest, err = a.manifest(ctx, in.Sweep); err != nil {
			return report.Data{}, nil, err
		}
	}
	var spoilt spoilt
	err = a.eachResult(ctx, plan, func(f finished) {
		row := report.TrialRow{ID: f.id, Settings: plan.Settings(f.index), Result: f.result}
		if f.result == nil {
			row.Failure = in.Failed[f.index]
		}
		if f.damage != nil && row.Failure == "" {
			row.Failure = contract.OneLine(f.damage.Error())
			spoilt.add(f.index, f.damage)
		}
		d.Trials[f.index] = row
	})
	return d, spoilt.err, err
}

// manifest reads the ensemble's, or returns nil when there is none: the sweep
// may have failed before.
func (a *Activities) manifest(ctx context.Context, sweep string) (*ensemble.Manifest, error) {
	key := storage.ManifestKey(sweep)
	b, err := a.Store.ReadAll(ctx, key)
	if errors.Is(err, backend.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := ensemble.ParseManifest(b)
	if err != nil {
		return nil, faultf("%s: %w; remove it to have it made again", key, err)
	}
	return m, nil
}

// reportVersion is the version of report.json.
const reportVersion = 1

// reportTrial is a trial in report.json. The whole of its result, with the curve,
// is at Result.
type reportTrial struct {
	Index           int                 `json:"index"`
	ID              sweeps.TrialID      `json:"id"`
	Settings        []sweeps.Setting    `json:"settings"`
	Status          sweeps.ResultStatus `json:"status,omitzero"`
	ValidationError *float64            `json:"validation_error,omitempty"`
	ValidationNLL   *float64            `json:"validation_nll,omitempty"`
	EpochsRun       int                 `json:"epochs_run,omitzero"`
	Seconds         float64             `json:"seconds,omitzero"`
	Note            string              `json:"note,omitzero"`
	Result          string              `json:"result,omitzero"`
	Failure         string              `json:"failure,omitzero"`
}

func reportJSON(d report.Data) ([]byte, error) {
	out := struct {
		Version    int                `json:"version"`
		Sweep      string             `json:"sweep"`
		SpecSHA256 string             `json:"spec_sha256"`
		Dataset    string             `json:"dataset,omitzero"`
		Trainer    string             `json:"trainer"`
		Trials     []reportTrial      `json:"trials"`
		Ensemble   *ensemble.Manifest `json:"ensemble,omitzero"`
	}{Version: reportVersion, Sweep: d.Sweep, SpecSHA256: d.SpecSHA256, Dataset: d.Dataset, Trainer: d.Trainer, Ensemble: d.Manifest}
	for i, row := range d.Trials {
		t := reportTrial{Index: i, ID: row.ID, Settings: row.Settings, Failure: row.Failure}
		if r := row.Result; r != nil {
			t.Status, t.EpochsRun, t.Seconds, t.Note = r.Status, len(r.Curve), r.Seconds, r.Note
			t.Result = storage.ResultKey(r.Trial, r.Epochs)
			if r.Status == sweeps.Completed {
				t.ValidationError, t.ValidationNLL = &r.ValidationError, &r.ValidationNLL
			}
		}
		out.Trials = append(out.Trials, t)
	}
	b, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode report.json: %w", err)
	}
	return append(b, '\n'), nil
}
