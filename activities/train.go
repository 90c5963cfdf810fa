package activities

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Train sees to it that a trial is trained, and says how that went. It takes
// the committed result if there is one, else attaches to the trial's job, else
// launches one. A lost worker, a retry and a workflow that continued as new are
// therefore all the same case.
//
// Whatever happens to a trainer is an outcome. Errors are returned when ctx ends or
// the worker stops, and the job goes on then, since killing is Stop's; when the
// store is full or refuses, which no retry of this trial or another one helps
// against: that one is of type contract.UserError, and ends the sweep; and when the
// launcher may not be used, of type contract.Denied, which pauses it.
func (a *Activities) Train(ctx context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
	beat := a.beat(ctx, contract.Progress{ID: in.ID, Attempt: in.Attempt, Phase: contract.PhaseQueued, Epochs: in.Epochs})
	defer beat.stop()
	out, committed, err := a.committed(ctx, in)
	if err != nil {
		return a.infra(ctx, "read the trial's result", err)
	}
	if committed {
		out.Reused = out.Outcome == sweeps.OutcomeCompleted || out.Outcome == sweeps.OutcomeDiverged
		return out, ctx.Err()
	}
	job, err := a.job(in)
	if err != nil {
		return contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: contract.OneLine(err.Error())}, nil
	}
	if err := a.Store.PutTrial(ctx, in.ID, in.Trial); err != nil {
		return a.infra(ctx, "save the trial's configuration", err)
	}
	launcher, err := a.launcher(in.Launcher)
	if err != nil {
		return contract.TrainOutput{}, denied("launch the trainer", err)
	}
	attempt, err := launcher.Launch(ctx, job)
	if err != nil {
		return a.infra(ctx, "launch the trainer", err)
	}
	end, err := a.watch(ctx, launcher, in, attempt, beat)
	if err != nil {
		return contract.TrainOutput{}, err
	}
	a.keepLog(ctx, launcher, job.Key, attempt)
	// The result is the truth, however the trainer ended and whichever attempt
	// committed it.
	out, committed, err = a.committed(ctx, in)
	if err != nil {
		return a.infra(ctx, "read the trial's result", err)
	}
	if !committed {
		if errors.Is(end.failed, ErrDenied) {
			return a.infra(ctx, "watch the trainer", end.failed)
		}
		if out = classify(end); out.Outcome == sweeps.OutcomeInfra {
			if err := a.unusable(ctx, end.exit); err != nil {
				return contract.TrainOutput{}, err
			}
		}
	}
	return out, ctx.Err()
}

// committed returns what the store has to say about a run, if that settles it.
func (a *Activities) committed(ctx context.Context, in contract.TrainInput) (_ contract.TrainOutput, settled bool, _ error) {
	r, err := a.Store.Result(ctx, in.ID, in.Epochs)
	switch {
	case errors.Is(err, backend.ErrNotFound):
		return contract.TrainOutput{}, false, nil
	case errors.Is(err, storage.ErrCorrupt):
		// Training again could not replace it, and what damaged it is worth knowing.
		return contract.TrainOutput{
			Outcome: sweeps.OutcomeUserError,
			Message: contract.OneLine(err.Error()) + "; remove the object to train the trial again",
		}, true, nil
	case err != nil:
		return contract.TrainOutput{}, false, err
	case r.Status == sweeps.Diverged:
		return contract.TrainOutput{Outcome: sweeps.OutcomeDiverged, ValidationError: r.ValidationError, Message: r.Note}, true, nil
	}
	return contract.TrainOutput{Outcome: sweeps.OutcomeCompleted, ValidationError: r.ValidationError}, true, nil
}

// job describes the launch of a run.
func (a *Activities) job(in contract.TrainInput) (Job, error) {
	command := in.Command
	if len(command) == 0 {
		if a.TrainerPath == "" {
			return Job{}, errors.New("this worker knows no trainer: it was started without one")
		}
		command = []string{a.TrainerPath, "train"}
	}
	cores := in.Resources.CPU
	if cores <= 0 && in.Launcher.Kind != sweeps.NomadLauncher { // this machine's, to be shared
		cores = max(1, a.Cores/max(1, min(in.Parallelism, a.Cores)))
	}
	return Job{
		Key:     JobKey{Sweep: in.Sweep, Trial: in.ID, Epochs: in.Epochs},
		Attempt: in.Attempt,
		Command: command,
		Env: map[string]string{
			"TENFOLD_STORE":   a.Store.URL(),
			"TENFOLD_TRIAL":   string(in.ID),
			"TENFOLD_EPOCHS":  strconv.Itoa(in.Epochs),
			"TENFOLD_ATTEMPT": strconv.Itoa(in.Attempt),
		},
		Cores:       cores,
		MemoryBytes: int64(in.Resources.Memory),
		GPUs:        in.Resources.GPUs,
	}, nil
}

// infra is the outcome of something that went wrong around the trainer.
func (a *Activities) infra(ctx context.Context, doing string, err error) (contract.TrainOutput, error) {
	if ctx.Err() != nil {
		return contract.TrainOutput{}, ctx.Err()
	}
	if err := a.refusal(err); err != nil {
		return contract.TrainOutput{}, err
	}
	switch {
	case errors.Is(err, ErrDenied):
		return contract.TrainOutput{}, denied(doing, err)
	case errors.Is(err, ErrUnplaceable):
		return contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: contract.OneLine(fmt.Sprintf("%s: %v", doing, err))}, nil
	}
	return contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: contract.OneLine(fmt.Sprintf("%s: %v", doing, err))}, nil
}

// unusable returns the error that ends a sweep if a trainer failed because the
// store is full or refuses. A trainer that keeps the contract says so with its
// exit code: what does not fit is more than a probe of the store would write. The
// probe is for the others.
func (a *Activities) unusable(ctx context.Context, exit Exit) error {
	err := a.refusal(a.Store.Probe(ctx))
	if err == nil && exit.Code == contract.ExitStore {
		err = a.unusableStore("is full or may not be written to; make room in it")
	}
	return err
}

// refusal is the error that ends a sweep, or nil if err says of the store neither
// that it is full nor that it refuses.
func (a *Activities) refusal(err error) error {
	switch {
	case errors.Is(err, backend.ErrFull):
		return a.unusableStore("is full; make room in it")
	case errors.Is(err, backend.ErrPermission):
		return a.unusableStore("gives no permission; change its permissions")
	}
	return nil
}

func (a *Activities) unusableStore(why string) error {
	message := fmt.Sprintf("the store %s %s, and start the sweep again: what is finished is kept", a.Store.URL(), why)
	return temporal.NewNonRetryableApplicationError(contract.OneLine(message), contract.UserError, nil)
}
