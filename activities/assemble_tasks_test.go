package activities_test

import (
	"bytes"
	"testing"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer"
)

// Sweeps whose cases ask for values, or for several labels, are trained, averaged and
// measured by what the trainer commits.
func TestAssembleOtherTasks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data  string
		split ensemble.Split
		says  string
	}{
		"values": {
			"{name: adding, length: 4, cases: 120, test: 30, validation: 40}",
			ensemble.Split{Seed: 1, Validation: 40, Test: 30, Classes: 0}, "of the variance of the values of the 30 test cases unexplained",
		},
		"labels": {
			"{name: copy, length: 2, cases: 50, test: 10, validation: 20}",
			ensemble.Split{Seed: 1, Validation: 20, Test: 10, Classes: 9, Outputs: 4}, "of the labels of the 10 test cases",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, never)
			spec := parse(t, `
version: 1
name: demo
seed: 1
data: `+c.data+`
model: {kind: lstm, hidden: [4]}
train: {epochs: 2}
parameters:
  seed: {values: [1, 2, 3]}
ensemble: {size: 2}
`)
			var prepared contract.PrepareOutput
			s.run(contract.PrepareActivity, contract.PrepareInput{Sweep: demoSweep, Spec: spec}, &prepared)
			plan, err := sweeps.NewPlan(spec, prepared.Dataset, prepared.Trainer)
			if err != nil {
				t.Fatal(err)
			}
			for i := range plan.Len() {
				id, trial, err := plan.Trial(i)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.store.PutTrial(t.Context(), id, trial); err != nil {
					t.Fatal(err)
				}
				if err := trainer.Run(t.Context(), trainer.Options{Store: s.store, Trial: id, Epochs: 2, Attempt: 1}); err != nil {
					t.Fatal(err)
				}
			}
			var out contract.AssembleOutput
			s.run(contract.AssembleActivity, contract.AssembleInput{Sweep: demoSweep, Spec: spec, Prepare: prepared}, &out)
			b, err := s.store.ReadArtifact(t.Context(), out.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			m, err := ensemble.ParseManifest(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.Split != c.split {
				t.Errorf("split %+v, want %+v", m.Split, c.split)
			}
			test := m.Measured.Test
			if len(m.Members) != 2 || !(test.Error > 0) || !(test.NLL > 0) || (test.Brier == 0) != (c.split.Classes == 0) {
				t.Errorf("%d members, test %+v", len(m.Members), test)
			}
			if test.Error > m.Measured.MeanMemberTestError && c.split.Classes == 0 {
				t.Errorf("the average's squared error, %v, is above the members' mean, %v", test.Error, m.Measured.MeanMemberTestError)
			}
			var reported contract.ReportOutput
			s.run(contract.ReportActivity, contract.ReportInput{Sweep: demoSweep, Spec: spec, Prepare: prepared}, &reported)
			page, err := s.store.ReadArtifact(t.Context(), reported.Report)
			if err != nil || !bytes.Contains(page, []byte(c.says)) {
				t.Errorf("the report does not say %q: %v", c.says, err)
			}
		})
	}
}
