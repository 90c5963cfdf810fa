package activities

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// builtinTrainer is trainer.Identity, which a test asserts. Imported from there
// it would bring the whole of Gorgonia into every worker.
const builtinTrainer = "tenfold/1"

// Prepare probes the store, imports the data set into it, asks whether there is a
// place for trials like these, and writes down what the sweep is going to do. It may
// be repeated.
func (a *Activities) Prepare(ctx context.Context, in contract.PrepareInput) (contract.PrepareOutput, error) {
	defer a.beat(ctx).stop()
	if err := a.Store.Probe(ctx); err != nil {
		return contract.PrepareOutput{}, a.classified("use the store", err)
	}
	launcher, err := a.launcher(in.Spec.Launcher)
	if err != nil {
		return contract.PrepareOutput{}, a.classified("find the launcher", fault{err})
	}
	out, err := a.identify(ctx, launcher, in)
	if err != nil {
		return contract.PrepareOutput{}, err
	}
	if err := a.checkPlaces(ctx, launcher, in, out); err != nil {
		return contract.PrepareOutput{}, a.classified("find a place for the trials", err)
	}
	if err := a.writeSpec(ctx, in.Sweep, in.Spec, out); err != nil {
		return contract.PrepareOutput{}, a.classified("save the sweep's plan", err)
	}
	return out, nil
}

// identify finds out what trial IDs depend on besides the spec.
func (a *Activities) identify(ctx context.Context, launcher Launcher, in contract.PrepareInput) (out contract.PrepareOutput, err error) {
	if command := in.Spec.Trainer.Command; len(command) > 0 {
		out.Trainer, err = a.customTrainer(ctx, launcher, in.Sweep, command)
		return out, a.classified("name the trainer", err)
	}
	if out.Dataset, err = data.Import(ctx, a.Store, in.Spec.Data, a.Source); err != nil {
		return out, a.classified("import the data set", err)
	}
	out.Trainer = builtinTrainer
	return out, nil
}

// checkPlaces asks a launcher that can tell whether trials of the sweep can be
// placed. They all need the same, so it asks for the first.
func (a *Activities) checkPlaces(ctx context.Context, launcher Launcher, in contract.PrepareInput, prepared contract.PrepareOutput) error {
	checker, ok := launcher.(Checker)
	if !ok {
		return nil
	}
	plan, err := sweeps.NewPlan(in.Spec, prepared.Dataset, prepared.Trainer)
	if err != nil {
		return fault{err}
	}
	id, trial, err := plan.Trial(0)
	if err != nil {
		return fault{err}
	}
	job, err := a.job(contract.TrainInput{
		Sweep: in.Sweep, ID: id, Trial: trial, Epochs: trial.Config.Train.Epochs, Attempt: 1,
		Command: in.Spec.Trainer.Command, Resources: in.Spec.Resources, Parallelism: in.Spec.Parallelism,
		Launcher: in.Spec.Launcher,
	})
	if err != nil {
		return fault{err}
	}
	return checker.Check(ctx, job)
}

// planVersion is the version of plan.json.
const planVersion = 1

// writeSpec writes spec.yaml and plan.json, which nothing reads but people and
// other programs: every decision is computed from the spec again.
func (a *Activities) writeSpec(ctx context.Context, sweep string, spec sweeps.Spec, prepared contract.PrepareOutput) error {
	yaml, err := spec.YAML()
	if err != nil {
		return fault{err}
	}
	plan, err := sweeps.NewPlan(spec, prepared.Dataset, prepared.Trainer)
	if err != nil {
		return fault{err}
	}
	list, err := planJSON(sweep, plan, prepared)
	if err != nil {
		return fault{err}
	}
	if err := a.Store.PutAll(ctx, storage.SpecKey(sweep), yaml); err != nil {
		return err
	}
	return a.Store.PutAll(ctx, storage.PlanKey(sweep), list)
}

// planJSON lists the trials of a sweep, one a line.
func planJSON(sweep string, plan *sweeps.Plan, prepared contract.PrepareOutput) ([]byte, error) {
	head, err := json.Marshal(struct {
		Version int    `json:"version"`
		Sweep   string `json:"sweep"`
		Dataset string `json:"dataset,omitzero"`
		Trainer string `json:"trainer"`
	}{planVersion, sweep, prepared.Dataset, prepared.Trainer})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(head, []byte("}")))
	b.WriteString(",\"trials\":[")
	for i := range plan.Len() {
		id, _, err := plan.Trial(i)
		if err != nil {
			return nil, err
		}
		line, err := json.Marshal(struct {
			Index    int              `json:"index"`
			ID       sweeps.TrialID   `json:"id"`
			Settings []sweeps.Setting `json:"settings"`
		}{i, id, plan.Settings(i)})
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}
