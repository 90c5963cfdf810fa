package activities

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// fault says with its text what the user has to do.
type fault struct{ err error }

func (f fault) Error() string { return f.err.Error() }
func (f fault) Unwrap() error { return f.err }

func faultf(format string, args ...any) error { return fault{fmt.Errorf(format, args...)} }

// classified makes the error of an activity from err: one that is not retried
// if it is the user's fault, else one that is. It is the only place that decides so.
func (a *Activities) classified(doing string, err error) error {
	if err == nil {
		return nil
	}
	var bad *data.Error
	var mine fault
	var member *ensemble.MemberError
	switch {
	case errors.Is(err, backend.ErrFull):
		err = fmt.Errorf("%s: the store %s is full; make room in it: %w", doing, a.Store.URL(), err)
	case errors.Is(err, backend.ErrPermission):
		err = fmt.Errorf("%s: no permission for the store %s: %w", doing, a.Store.URL(), err)
	case errors.As(err, &mine), errors.As(err, &bad), errors.As(err, &member),
		errors.Is(err, ErrUnplaceable), errors.Is(err, ErrDenied),
		errors.Is(err, data.ErrConfig), errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrInvalid):
		err = fmt.Errorf("%s: %w", doing, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return temporal.NewNonRetryableApplicationError(contract.OneLine(err.Error()), contract.UserError, nil)
}

// denied is the error of a Train activity that makes the sweep pause.
func denied(doing string, err error) error {
	return temporal.NewNonRetryableApplicationError(deniedMessage(doing, err), contract.Denied, nil)
}

func deniedMessage(doing string, err error) string {
	return contract.OneLine(fmt.Sprintf("%s: %v; resume the sweep when that is settled", doing, err))
}
