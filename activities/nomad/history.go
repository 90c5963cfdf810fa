package nomad

import (
	"cmp"
	"slices"

	"github.com/tenfold-ml/tenfold/activities"
)

// jobRecord is what matters of a job's record: the same fields in lists and events.
type jobRecord struct {
	ID, Namespace            string
	Status                   string
	Stop                     bool
	CreateIndex, ModifyIndex uint64
}

// history is what is known of a job, and what that means. It takes what it is told
// in any order and more than once; the newest of each thing counts.
//
// A job has one allocation, whose end is the job's. But Nomad puts another one in the
// place of one that it had to stop, whatever the job says of restarts: then the job
// has to be deregistered, and ends as its first allocation did once nothing of it is
// left.
type history struct {
	attempt int
	// job is zero until it was seen.
	job jobRecord
	// gone says that Nomad has forgotten the job.
	gone bool
	// stopped says that Stop was asked for.
	stopped bool
	// allocations, first one first.
	allocations []*allocation
}

// record takes a job's record and says whether it was news.
func (h *history) record(j jobRecord) bool {
	if j.ModifyIndex <= h.job.ModifyIndex {
		return false
	}
	h.job = j
	return true
}

// allocated takes an allocation's record and says whether it was news.
func (h *history) allocated(a *allocation) bool {
	for i, old := range h.allocations {
		if old.ID != a.ID {
			continue
		}
		if a.ModifyIndex <= old.ModifyIndex {
			return false
		}
		h.allocations[i] = a
		return true
	}
	h.allocations = append(h.allocations, a)
	slices.SortFunc(h.allocations, func(a, b *allocation) int {
		return cmp.Or(cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID))
	})
	return true
}

// vanished takes that Nomad knows the job no more.
func (h *history) vanished() { h.gone = true }

// first is the allocation that counts, nil while the job is queued.
func (h *history) first() *allocation {
	if len(h.allocations) == 0 {
		return nil
	}
	return h.allocations[0]
}

// closing says that the job has to be deregistered before its end can be told: there
// is, or may come, more than its first allocation.
func (h *history) closing() bool {
	first := h.first()
	switch {
	case h.stopped:
		return true
	case first == nil:
		return false
	case first.ousted() || first.ClientStatus == clientLost:
		return true
	}
	return len(h.allocations) > 1 && first.over()
}

// deregister says that somebody has to deregister the job now.
func (h *history) deregister() bool {
	return h.closing() && !h.dead() && !h.job.Stop
}

// dead says that no allocation will be added.
func (h *history) dead() bool { return h.gone || h.job.Status == jobDead }

// left says that an allocation may still run.
func (h *history) left() bool {
	return slices.ContainsFunc(h.allocations, func(a *allocation) bool { return !a.over() })
}

// running says that the trainer has been started.
func (h *history) running() bool {
	first := h.first()
	return first != nil && first.started()
}

// away says that the node cannot be reached and may come back.
func (h *history) away() bool {
	first := h.first()
	return first != nil && first.ClientStatus == clientUnknown
}

// ended says whether the job has ended, and how. known is false for a job that
// nobody can tell anything of.
func (h *history) ended() (exit activities.Exit, known, ended bool) {
	first := h.first()
	switch {
	case first == nil:
		switch {
		case h.dead() && !h.stopped && !h.job.Stop:
			// Its allocation has been collected, and how it ended with it.
			return exit, false, true
		case h.dead():
			return activities.Exit{Attempt: h.attempt, Code: -1, Reason: "stopped before it was started", Stopped: h.stopped || h.job.Stop}, true, true
		}
		return exit, false, false
	case h.gone:
		// Nomad forgets a job only when nothing of it is left, or when told to.
		if !first.over() {
			return exit, false, true
		}
	case h.left(), (h.closing() || h.job.Stop) && !h.dead():
		return exit, false, false
	}
	exit = exitOf(first)
	exit.Attempt = h.attempt
	// Somebody else's Stop is seen in the job; we ourselves deregister what was ousted.
	exit.Stopped = h.stopped || h.job.Stop && first.DesiredStatus != desiredRun && !first.ousted() && first.ClientStatus != clientLost
	return exit, true, true
}
