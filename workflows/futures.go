package workflows

import "go.temporal.io/sdk/workflow"

// futures calls a function for each future that becomes ready, one at a time.
//
// A coroutine for each run would be simpler, but the SDK wakes every coroutine
// of a workflow in every workflow task, which costs two switches of goroutines
// each. A selector asks every future instead, which is some thirty times
// cheaper. It never forgets a future that was ready, though, so it is
// made anew once half of what it holds is done with.
type futures struct {
	selector workflow.Selector
	wake     workflow.Channel
	waits    []*wait
	done     int // of waits
}

type wait struct {
	future workflow.Future
	call   func(workflow.Future)
	done   bool
}

func newFutures(ctx workflow.Context) futures {
	f := futures{wake: workflow.NewNamedBufferedChannel(ctx, "wake", 1)}
	f.rebuild(ctx)
	return f
}

// add has call called when the future is ready.
func (f *futures) add(future workflow.Future, call func(workflow.Future)) {
	w := &wait{future: future, call: call}
	f.waits = append(f.waits, w)
	f.watch(w)
}

func (f *futures) watch(w *wait) {
	f.selector.AddFuture(w.future, func(ready workflow.Future) {
		w.done = true
		f.done++
		w.call(ready)
	})
}

// poke makes next return though no future is ready.
func (f *futures) poke() {
	f.wake.SendAsync(true) // one in the buffer is enough
}

// next blocks until a function was called, or poke was.
func (f *futures) next(ctx workflow.Context) {
	if f.done > 64 && f.done > len(f.waits)/2 {
		f.rebuild(ctx)
	}
	f.selector.Select(ctx)
}

func (f *futures) rebuild(ctx workflow.Context) {
	f.selector = workflow.NewSelector(ctx)
	f.selector.AddReceive(f.wake, func(c workflow.ReceiveChannel, _ bool) { c.ReceiveAsync(nil) })
	open := f.waits[:0]
	for _, w := range f.waits {
		if !w.done {
			open = append(open, w)
			f.watch(w)
		}
	}
	clear(f.waits[len(open):])
	f.waits, f.done = open, 0
}
