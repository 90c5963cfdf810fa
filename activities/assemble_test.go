package activities_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

const (
	demoSweep   = "demo-12345678"
	demoClasses = 3
	demoTest    = 20
	demoHeldOut = 10
)

// demo is a prepared sweep of four trials on a tiny data set.
type demo struct {
	*stage
	spec     sweeps.Spec
	prepared contract.PrepareOutput
	plan     *sweeps.Plan
	labels   *ensemble.Labels
}

func newDemo(t *testing.T, opts ...mem.Option) *demo {
	t.Helper()
	return newDemoOn(t, writeIDX(t), opts...)
}

func newDemoOn(t *testing.T, dir string, opts ...mem.Option) *demo {
	t.Helper()
	d := &demo{stage: newStage(t, never, opts...), spec: parse(t, `
version: 1
name: demo
seed: 1
data: {name: `+dir+`, validation: 10}
model: {kind: mlp, hidden: [4]}
train: {epochs: 2}
parameters:
  train.learning_rate: {values: [0.1, 0.2, 0.3, 0.4]}
ensemble: {size: 2}
`)}
	d.run(contract.PrepareActivity, contract.PrepareInput{Sweep: demoSweep, Spec: d.spec}, &d.prepared)
	var err error
	if d.plan, err = sweeps.NewPlan(d.spec, d.prepared.Dataset, d.prepared.Trainer); err != nil {
		t.Fatal(err)
	}
	set, err := data.LoadLabels(t.Context(), d.store, d.prepared.Dataset)
	if err != nil {
		t.Fatal(err)
	}
	_, validation, err := data.Partition(set, d.spec.Data)
	if err != nil {
		t.Fatal(err)
	}
	d.labels = &ensemble.Labels{Classes: set.Classes, Validation: set.Labels(set.Train, validation), Test: set.Labels(set.Test, nil)}
	return d
}

func parse(t *testing.T, text string) sweeps.Spec {
	t.Helper()
	spec, err := sweeps.Parse("demo.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// writeIDX writes a data set of 40 and 20 cases of one pixel.
func writeIDX(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, n := range map[string]int{"train": 40, "t10k": demoTest} {
		images := binary.BigEndian.AppendUint32(nil, 0x0803)
		for _, v := range []int{n, 1, 1} {
			images = binary.BigEndian.AppendUint32(images, uint32(v))
		}
		labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x0801), uint32(n))
		for i := range n {
			images, labels = append(images, byte(7*i)), append(labels, byte(i%demoClasses))
		}
		for suffix, b := range map[string][]byte{"-images-idx3-ubyte": images, "-labels-idx1-ubyte": labels} {
			if err := os.WriteFile(filepath.Join(dir, name+suffix), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// run runs an activity that succeeds.
func (s *stage) run(name string, in, out any) {
	s.t.Helper()
	if err := s.try(name, in, out); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
}

func (s *stage) try(name string, in, out any) error {
	v, err := s.env(s.t.Context()).ExecuteActivity(name, in)
	if err != nil {
		return err
	}
	return v.Get(out)
}

// npy writes a matrix with any header.
func npy(header string, values []float32) []byte {
	b := []byte("\x93NUMPY\x01\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	b = append(b, header...)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func matrix(rows, columns int) string {
	return fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }  \n", rows, columns)
}

// predict gives the right class for all cases but the first wrong ones.
func predict(labels []int32, wrong int) []byte {
	var values []float32
	for i, label := range labels {
		if i < wrong {
			label = (label + 1) % demoClasses
		}
		row := make([]float32, demoClasses)
		for k := range row {
			row[k] = 0.25
		}
		row[label] = 0.5
		values = append(values, row...)
	}
	return npy(matrix(len(labels), demoClasses), values)
}

// finish commits the result of trial i, with so many wrong cases.
func (d *demo) finish(i, wrong, attempt int, change func(*sweeps.Result)) sweeps.Result {
	d.t.Helper()
	ctx := context.Background()
	id, trial, err := d.plan.Trial(i)
	if err != nil {
		d.t.Fatal(err)
	}
	dir := storage.PredictionsDir(id, trial.Config.Train.Epochs)
	r := sweeps.Result{
		Version: 1, Trial: id, Epochs: trial.Config.Train.Epochs, Attempt: attempt, Status: sweeps.Completed,
		ValidationError: float64(wrong) / demoHeldOut, ValidationNLL: 1,
		Curve:   []sweeps.EpochMetrics{{Epoch: 1, ValidationError: 0.9}, {Epoch: 2, ValidationError: float64(wrong) / demoHeldOut}},
		Seconds: float64(attempt),
	}
	for _, p := range []struct {
		dir, name, ext string
		b              []byte
		into           *sweeps.Artifact
	}{
		{storage.CheckpointDir(id), "2", "safetensors", []byte("weights of " + string(id)), &r.Checkpoint},
		{dir, "validation", "npy", predict(d.labels.Validation, wrong), &r.ValidationPredictions},
		{dir, "test", "npy", predict(d.labels.Test, 2*wrong), &r.TestPredictions},
	} {
		if *p.into, err = d.store.PutArtifact(ctx, p.dir, p.name, p.ext, p.b); err != nil {
			d.t.Fatal(err)
		}
	}
	if change != nil {
		change(&r)
	}
	if _, _, err := d.store.CommitResult(ctx, r); err != nil {
		d.t.Fatal(err)
	}
	return r
}

func (d *demo) assembleInput() contract.AssembleInput {
	return contract.AssembleInput{Sweep: demoSweep, Spec: d.spec, Prepare: d.prepared}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	if d.prepared.Trainer != trainer.Identity {
		t.Errorf("trainer %q, want that of the trainer that is built in, %q", d.prepared.Trainer, trainer.Identity)
	}
	if !strings.HasPrefix(d.prepared.Dataset, "sha256:") {
		t.Errorf("data set %q, want a digest", d.prepared.Dataset)
	}
	read := func(key string) []byte {
		t.Helper()
		b, err := d.store.ReadAll(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	yaml, plan := read(storage.SpecKey(demoSweep)), read(storage.PlanKey(demoSweep))
	again, err := sweeps.Parse("spec.yaml", yaml)
	if err != nil || sweeps.SweepID(again) != sweeps.SweepID(d.spec) {
		t.Errorf("spec.yaml is another sweep's: %v\n%s", err, yaml)
	}
	var list struct {
		Sweep  string
		Trials []struct {
			Index    int
			ID       sweeps.TrialID
			Settings []sweeps.Setting
		}
	}
	if err := json.Unmarshal(plan, &list); err != nil {
		t.Fatalf("plan.json: %v\n%s", err, plan)
	}
	if len(list.Trials) != 4 || list.Sweep != demoSweep {
		t.Fatalf("plan.json: %+v", list)
	}
	for i, trial := range list.Trials {
		if id, _, err := d.plan.Trial(i); err != nil || trial.ID != id || trial.Index != i || trial.Settings[0].Path != "train.learning_rate" {
			t.Errorf("trial %d in plan.json: %+v, want %s (%v)", i, trial, id, err)
		}
	}
	// Again, which changes nothing.
	var second contract.PrepareOutput
	d.run(contract.PrepareActivity, contract.PrepareInput{Sweep: demoSweep, Spec: d.spec}, &second)
	if second != d.prepared || !bytes.Equal(plan, read(storage.PlanKey(demoSweep))) {
		t.Errorf("prepared again: %+v, want %+v and the same plan", second, d.prepared)
	}
}

// TestPrepareForACustomTrainer: its identity is what its trials' IDs depend on, so it
// changes with what the trainer's files hold and with nothing else.
func TestPrepareForACustomTrainer(t *testing.T) {
	t.Parallel()
	s := newStage(t, never)
	here := locator{s.launcher, t.TempDir()}
	s.rebuild(here)
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	identity := func(command string) string {
		t.Helper()
		spec := parse(t, "version: 1\nname: custom\ntrainer: {command: ["+command+"]}\ntrain: {epochs: 3}\nparameters: {seed: {values: [1]}}\n")
		var out contract.PrepareOutput
		s.run(contract.PrepareActivity, contract.PrepareInput{Sweep: "custom-1", Spec: spec}, &out)
		return out.Trainer
	}
	arguments := filepath.Join(here.dir, "train.py")
	write(here.dir, "train.sh", "#!/bin/sh\n")
	write(here.dir, "train.py", "pass")
	script, python := identity("./train.sh"), identity("./train.sh, "+arguments)
	if want := `command:["./train.sh"] sha256:`; !strings.HasPrefix(script, want) || len(script) != len(want)+64 {
		t.Errorf("identity %q, want %q and 64 digits", script, want)
	}
	for what, other := range map[string]string{"an argument": identity("./train.sh, other"), "a file": python} {
		if other == script {
			t.Errorf("%s makes no difference", what)
		}
	}
	if again := identity("./train.sh"); again != script {
		t.Errorf("%q and %q, and nothing changed", script, again)
	}
	write(here.dir, "train.py", "print(1)")
	if changed := identity("./train.sh, " + arguments); changed == python || identity("./train.sh") != script {
		t.Error("a file that an argument names was changed: it should matter to that trainer alone")
	}
	write(here.dir, "train.sh", "#!/bin/sh\nexit 1\n")
	if changed := identity("./train.sh"); changed == script {
		t.Error("the program was changed, and it makes no difference")
	}

	// The same trainer elsewhere.
	elsewhere := locator{s.launcher, t.TempDir()}
	write(elsewhere.dir, "train.sh", "#!/bin/sh\n")
	s.rebuild(elsewhere)
	if moved := identity("./train.sh"); moved != script {
		t.Errorf("%q, and %q in another folder", script, moved)
	}
}

// locator is a launcher that looks for programs in a folder.
type locator struct {
	activities.Launcher
	dir string
}

func (l locator) Locate(_ context.Context, _ string, command []string) ([]string, error) {
	return append([]string{filepath.Join(l.dir, command[0])}, command[1:]...), nil
}

func TestPrepareForATrainerThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newStage(t, never)
	spec := parse(t, `
version: 1
name: custom
trainer: {command: [no-such-python, "train <1>.py"]}
train: {epochs: 3}
config: {layers: 2}
parameters:
  config.layers: {values: [1, 2, 3]}
ensemble: {size: 0}
`)
	var out contract.PrepareOutput
	s.run(contract.PrepareActivity, contract.PrepareInput{Sweep: "custom-1", Spec: spec}, &out)
	if want := (contract.PrepareOutput{Trainer: `command:["no-such-python","train <1>.py"]`}); out != want {
		t.Errorf("%+v, want %+v", out, want)
	}
}

func TestPrepareFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		op, key, says string
		err           error
		user          bool
	}{
		"full store":        {mem.OpPut, "", "the store mem: is full; make room in it", backend.ErrFull, true},
		"read-only store":   {mem.OpPut, "", "no permission for the store mem:", backend.ErrPermission, true},
		"store in trouble":  {mem.OpPut, "", "disk on fire", errDisk, false},
		"no data directory": {"", "", "import the data set", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, never, mem.WithFault(func(op, key string) error {
				if tc.op != "" && (op == mem.OpPut || op == mem.OpPutIfAbsent) {
					return fmt.Errorf("%s %s: %w", op, key, tc.err)
				}
				return nil
			}))
			dir := writeIDX(t)
			if tc.op == "" {
				dir = filepath.Join(dir, "none")
			}
			spec := parse(t, "version: 1\nname: demo\ndata: {name: "+dir+", validation: 10}\nparameters:\n  seed: {values: [1, 2]}\nensemble: {size: 2}\n")
			wantFailure(t, s.try(contract.PrepareActivity, contract.PrepareInput{Sweep: demoSweep, Spec: spec}, nil), tc.user, tc.says)
		})
	}
}

// wantFailure checks an activity's error: whose fault it is and what it says.
func wantFailure(t *testing.T, err error, user bool, says ...string) {
	t.Helper()
	var application *temporal.ApplicationError
	if !errors.As(err, &application) {
		t.Fatalf("error %v, want an application's", err)
	}
	if got := application.Type() == contract.UserError && application.NonRetryable(); got != user {
		t.Errorf("user's fault: %v, want %v (%v)", got, user, err)
	}
	for _, s := range says {
		if !strings.Contains(application.Message(), s) {
			t.Errorf("error %q, want %q in it", application.Message(), s)
		}
	}
	if strings.Contains(application.Message(), "\n") {
		t.Errorf("error %q has more than a line", application.Message())
	}
}

func TestAssembleAndReport(t *testing.T) {
	t.Parallel()
	dir := writeIDX(t)
	var manifests [][]byte
	for _, attempt := range []int{1, 7} { // as if undisturbed, and as if much killed
		d := newDemoOn(t, dir)
		for i, wrong := range []int{3, 1, 4, 2} {
			d.finish(i, wrong, attempt, nil)
		}
		var out contract.AssembleOutput
		d.run(contract.AssembleActivity, d.assembleInput(), &out)
		b, err := d.store.ReadArtifact(t.Context(), out.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, b)
		// Members 1 and 3 have 2 and 4 wrong of 20. The two of them agree on the
		// right class from the fourth on, and cancel out to a tie on the third.
		m, err := ensemble.ParseManifest(b)
		if err != nil {
			t.Fatal(err)
		}
		second, _, _ := d.plan.Trial(1)
		fourth, _, _ := d.plan.Trial(3)
		if len(m.Members) != 2 || m.Members[0].Trial != second || m.Members[1].Trial != fourth {
			t.Fatalf("members %+v, want trials 1 and 3", m.Members)
		}
		if out.Members != 2 || out.BestSingleTestError != 0.1 || out.MinMemberTestError != 0.1 || out.EnsembleTestError > 0.2 || out.EnsembleTestNLL <= 0 {
			t.Errorf("output %+v", out)
		}

		var reported contract.ReportOutput
		d.run(contract.ReportActivity, contract.ReportInput{Sweep: demoSweep, Spec: d.spec, Prepare: d.prepared}, &reported)
		page, err := d.store.ReadArtifact(t.Context(), reported.Report)
		if err != nil || reported.Report.Key != storage.ReportHTMLKey(demoSweep) || !bytes.Contains(page, []byte(second)) {
			t.Errorf("report %+v: %v", reported, err)
		}
	}
	if !bytes.Equal(manifests[0], manifests[1]) {
		t.Errorf("manifests differ:\n%s\n%s", manifests[0], manifests[1])
	}
}

func TestAssembleFailures(t *testing.T) {
	t.Parallel()
	// replace puts other predictions in the place of a member's.
	replace := func(b []byte) func(*testing.T, *demo, *sweeps.Result) {
		return func(t *testing.T, d *demo, r *sweeps.Result) {
			var err error
			if r.TestPredictions, err = d.store.PutArtifact(t.Context(), storage.PredictionsDir(r.Trial, 2), "test", "npy", b); err != nil {
				t.Fatal(err)
			}
		}
	}
	good := make([]float32, demoTest*demoClasses)
	for i := range good {
		good[i] = 1.0 / demoClasses
	}
	bad := slices.Clone(good)
	bad[4] = float32(math.NaN())
	for name, tc := range map[string]struct {
		change func(*testing.T, *demo, *sweeps.Result)
		after  func(*testing.T, *demo, sweeps.Result)
		says   string
	}{
		"not a .npy":     {change: replace([]byte("PK\x03\x04")), says: "not a .npy file"},
		"cut header":     {change: replace([]byte("\x93NUMPY\x01\x00\xff\x00{")), says: "ends within its header"},
		"float64":        {change: replace(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 3), }\n", good)), says: `"<f8"`},
		"Fortran order":  {change: replace(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (20, 3), }\n", good)), says: "Fortran order"},
		"one dimension":  {change: replace(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (60,), }\n", good)), says: "two dimensions"},
		"too short":      {change: replace(npy(matrix(demoTest, demoClasses), good[1:])), says: "holds 236 bytes"},
		"huge":           {change: replace(npy(matrix(1<<62, 4), good)), says: "holds 240 bytes"},
		"strange header": {change: replace(npy("{'shape': 3}", good)), says: "header is not understood"},
		"another shape":  {change: replace(npy(matrix(demoClasses, demoTest), good)), says: "its shape is (3, 20), want (20, 3)"},
		"NaN":            {change: replace(npy(matrix(demoTest, demoClasses), bad)), says: "row 1 has NaN"},
		"another's validation predictions": {
			change: func(_ *testing.T, _ *demo, r *sweeps.Result) {
				r.ValidationError = 0.6
				r.TestPredictions = r.ValidationPredictions
			},
			says: "want (20, 3)",
		},
		"corrupt": {
			after: func(t *testing.T, d *demo, r sweeps.Result) {
				b, err := d.store.ReadAll(t.Context(), r.TestPredictions.Key)
				if err != nil {
					t.Fatal(err)
				}
				b[len(b)-1] ^= 1
				if err := d.backend.Put(t.Context(), r.TestPredictions.Key, bytes.NewReader(b)); err != nil {
					t.Fatal(err)
				}
			},
			says: "its SHA-256 is",
		},
		"truncated": {
			after: func(t *testing.T, d *demo, r sweeps.Result) {
				if err := d.backend.Put(t.Context(), r.TestPredictions.Key, strings.NewReader("x")); err != nil {
					t.Fatal(err)
				}
			},
			says: "it ends after 1 of",
		},
		"missing": {
			after: func(t *testing.T, d *demo, r sweeps.Result) {
				if err := d.backend.Delete(t.Context(), r.TestPredictions.Key); err != nil {
					t.Fatal(err)
				}
			},
			says: "is missing from the store",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDemo(t)
			var broken sweeps.Result
			for i := range 3 {
				var change func(*sweeps.Result)
				if i == 1 && tc.change != nil {
					change = func(r *sweeps.Result) { tc.change(t, d, r) }
				}
				r := d.finish(i, i, 1, change)
				if i == 1 {
					broken = r
				}
			}
			if tc.after != nil {
				tc.after(t, d, broken)
			}
			if broken.ValidationError > 0.5 {
				d.spec.Ensemble.Size = 3
			}
			key := broken.TestPredictions.Key
			wantFailure(t, d.try(contract.AssembleActivity, d.assembleInput(), nil), true, tc.says, key, string(broken.Trial))
			if _, err := d.store.ReadAll(t.Context(), storage.ManifestKey(demoSweep)); !errors.Is(err, backend.ErrNotFound) {
				t.Errorf("a manifest was written: %v", err)
			}
		})
	}
}

func TestAssembleMismatchNamesTheObject(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	d.finish(0, 1, 1, nil)
	r := d.finish(1, 8, 1, func(r *sweeps.Result) { r.ValidationError = 0 })
	wantFailure(t, d.try(contract.AssembleActivity, d.assembleInput(), nil), true,
		r.ValidationPredictions.Key, "they give a validation error of 0.8000, but the committed result says 0.0000")
}

func diverge(r *sweeps.Result) {
	*r = sweeps.Result{Version: 1, Trial: r.Trial, Epochs: r.Epochs, Attempt: 1, Status: sweeps.Diverged, ValidationError: 1}
}

// TestAssembleWithFewer has trials that diverged and failed, which a sweep tolerates.
func TestAssembleWithFewer(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	d.spec.Ensemble.Size = 4
	d.finish(0, 1, 1, nil)
	d.finish(1, 1, 1, diverge)
	d.finish(2, 2, 1, nil)
	in := d.assembleInput()
	in.Failed = []int{3}
	var out contract.AssembleOutput
	d.run(contract.AssembleActivity, in, &out)
	b, err := d.store.ReadArtifact(t.Context(), out.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ensemble.ParseManifest(b)
	if err != nil || m.Size != 4 || len(m.Members) != 2 || out.Members != 2 || m.Members[0].Weight != 0.5 {
		t.Errorf("manifest of %d members of %d wanted (%v), output %+v; want 2 of 4", len(m.Members), m.Size, err, out)
	}
}

func TestAssembleWithNone(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	d.finish(1, 1, 1, diverge)
	in := d.assembleInput()
	in.Failed = []int{0, 2, 3}
	wantFailure(t, d.try(contract.AssembleActivity, in, nil), true,
		"no ensemble: none of 4 trials completed (1 diverged, 3 have no result)")
}

// TestAssembleMissesAResult: a trial that did not fail has a result, unless
// somebody removed it. Older workflows do not say which trials failed.
func TestAssembleMissesAResult(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	for i := range 3 {
		d.finish(i, i, 1, nil)
	}
	id, _, err := d.plan.Trial(3)
	if err != nil {
		t.Fatal(err)
	}
	in := d.assembleInput()
	in.Failed = []int{}
	wantFailure(t, d.try(contract.AssembleActivity, in, nil), true, storage.ResultKey(id, 2), "is missing from the store")
	in.Failed = nil
	d.run(contract.AssembleActivity, in, new(contract.AssembleOutput))
}

// TestAssembleChecksTheWeights: invariant of the manifest, whose hashes others rely on.
func TestAssembleChecksTheWeights(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(d *demo, key string) error
		says  string
	}{
		"damaged": {func(d *demo, key string) error {
			return d.backend.Put(t.Context(), key, strings.NewReader("weights of 0123456789abcdeX"))
		}, "its SHA-256 is"},
		"truncated": {func(d *demo, key string) error { return d.backend.Put(t.Context(), key, strings.NewReader("w")) }, "it has 1 bytes"},
		"missing":   {func(d *demo, key string) error { return d.backend.Delete(t.Context(), key) }, "is missing from the store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDemo(t)
			var member sweeps.Result
			for i := range 4 {
				r := d.finish(i, i, 1, nil)
				if i == 1 {
					member = r
				}
			}
			if err := tc.spoil(d, member.Checkpoint.Key); err != nil {
				t.Fatal(err)
			}
			wantFailure(t, d.try(contract.AssembleActivity, d.assembleInput(), nil), true, member.Checkpoint.Key, string(member.Trial), tc.says)
		})
	}
}

func TestAssembleWithATroubledStore(t *testing.T) {
	t.Parallel()
	trouble := false
	d := newDemo(t, mem.WithFault(func(op, key string) error {
		if trouble && strings.HasPrefix(key, "trials/") {
			return errDisk
		}
		return nil
	}))
	for i := range 4 {
		d.finish(i, i, 1, nil)
	}
	trouble = true
	wantFailure(t, d.try(contract.AssembleActivity, d.assembleInput(), nil), false, "disk on fire")
	trouble = false
	var out contract.AssembleOutput
	d.run(contract.AssembleActivity, d.assembleInput(), &out)
}

func TestAssembleMeetsACorruptResult(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	for i := range 3 {
		d.finish(i, i, 1, nil)
	}
	id, _, err := d.plan.Trial(3)
	if err != nil {
		t.Fatal(err)
	}
	key := storage.ResultKey(id, 2)
	if err := d.backend.Put(t.Context(), key, strings.NewReader("{")); err != nil {
		t.Fatal(err)
	}
	in, report := d.assembleInput(), contract.ReportInput{Sweep: demoSweep, Spec: d.spec, Prepare: d.prepared}
	wantFailure(t, d.try(contract.AssembleActivity, in, nil), true, key)
	// The report is written, says so, and fails the sweep.
	wantFailure(t, d.try(contract.ReportActivity, report, nil), true, key)
	if b, err := d.store.ReadAll(t.Context(), storage.ReportJSONKey(demoSweep)); err != nil || !bytes.Contains(b, []byte(key)) {
		t.Errorf("report.json: %v, want %s named in it", err, key)
	}

	// Where the trial failed for it, and that was tolerated, nothing else fails.
	in.Failed, report.Failed = []int{3}, map[int]string{3: "corrupt object, the trial said"}
	var out contract.AssembleOutput
	d.run(contract.AssembleActivity, in, &out)
	var reported contract.ReportOutput
	d.run(contract.ReportActivity, report, &reported)
	page, err := d.store.ReadArtifact(t.Context(), reported.Report)
	if err != nil || out.Members != 2 || !bytes.Contains(page, []byte("corrupt object, the trial said")) {
		t.Errorf("%d members, report: %v; want 2 and the trial's message in the report", out.Members, err)
	}
}

func TestAssembleWithoutLabels(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	d.prepared.Dataset = ""
	plan, err := sweeps.NewPlan(d.spec, "", d.prepared.Trainer)
	if err != nil {
		t.Fatal(err)
	}
	d.plan = plan
	for i := range 4 {
		d.finish(i, i, 1, func(r *sweeps.Result) { r.TestPredictions = sweeps.Artifact{} })
	}
	var out contract.AssembleOutput
	d.run(contract.AssembleActivity, d.assembleInput(), &out)
	if out.Members != 2 || out.EnsembleTestError != 0 {
		t.Errorf("output %+v, want two members that are not measured", out)
	}
}

func TestReportOfAFailedSweep(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	d.finish(0, 1, 1, nil)
	d.finish(1, 1, 1, func(r *sweeps.Result) {
		*r = sweeps.Result{Version: 1, Trial: r.Trial, Epochs: 2, Attempt: 1, Status: sweeps.Diverged, ValidationError: 1, Note: "weights are not finite"}
	})
	var out contract.ReportOutput
	d.run(contract.ReportActivity, contract.ReportInput{
		Sweep: demoSweep, Spec: d.spec, Prepare: d.prepared,
		Failed: map[int]string{0: "stale: it has a result", 2: "trainer exited with code 64: <script>alert(1)</script>"},
	}, &out)
	b, err := d.store.ReadAll(t.Context(), storage.ReportJSONKey(demoSweep))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Trials []struct {
			ID              sweeps.TrialID
			Status, Failure string
			Result          string
			ValidationError *float64 `json:"validation_error"`
			EpochsRun       int      `json:"epochs_run"`
		}
		Ensemble any
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Trials) != 4 || list.Ensemble != nil {
		t.Fatalf("report.json: %s", b)
	}
	first, diverged, failed, open := list.Trials[0], list.Trials[1], list.Trials[2], list.Trials[3]
	if first.Status != "completed" || first.ValidationError == nil || *first.ValidationError != 0.1 || first.EpochsRun != 2 ||
		first.Result != storage.ResultKey(first.ID, 2) || first.Failure != "" {
		t.Errorf("completed trial: %+v", first)
	}
	if diverged.Status != "diverged" || diverged.ValidationError != nil {
		t.Errorf("diverged trial: %+v", diverged)
	}
	if failed.Failure == "" || failed.Status != "" || open.Failure != "" || open.Status != "" {
		t.Errorf("failed trial: %+v, unfinished: %+v", failed, open)
	}
	page, err := d.store.ReadArtifact(t.Context(), out.Report)
	if err != nil || bytes.Contains(page, []byte("<script>alert")) {
		t.Errorf("page: %v; a message must not become a script", err)
	}
}

func TestReportMeetsACorruptManifest(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	key := storage.ManifestKey(demoSweep)
	if err := d.backend.Put(t.Context(), key, strings.NewReader("{}")); err != nil {
		t.Fatal(err)
	}
	err := d.try(contract.ReportActivity, contract.ReportInput{Sweep: demoSweep, Spec: d.spec, Prepare: d.prepared}, nil)
	wantFailure(t, err, true, key, "remove it")
}
