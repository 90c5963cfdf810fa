package trainer

import "github.com/tenfold-ml/tenfold/trainer/data"

// buffer holds one minibatch, of cases rows.
type buffer struct {
	x       []float32
	labels  []int32
	targets []float32
	cases   int
}

// newBuffers makes those of a run: two where there is a thread to read ahead.
func newBuffers(threads, size int, ds *data.Dataset) []buffer {
	buffers := make([]buffer, min(threads, 2))
	for i := range buffers {
		b := &buffers[i]
		b.x = make([]float32, size*ds.Features())
		if ds.Classes > 0 {
			b.labels = make([]int32, size*ds.Outputs)
		} else {
			b.targets = make([]float32, size*ds.Outputs)
		}
	}
	return buffers
}

// reader hands out minibatches in the order of their steps. With two buffers it reads,
// standardises and augments the next one in a goroutine of its own while the network
// computes on the last; with one it does so when asked. What is in them is the same.
//
// A trainer of one thread has one buffer: there would be nothing for a second
// goroutine to run on but the time of the first. With more, the goroutine is among
// those that Go runs on as many threads as GOMAXPROCS, which cmd/trainer sets to the
// threads that it was given, so it takes the place of one that has to wait for others.
type reader struct {
	batches *data.Batches
	step    int // to be handed out next
	last    *buffer
	// free and full are buffers to be read into and to be handed out. The goroutine
	// ends after the last step, or when quit is closed, and then closes done.
	free, full chan *buffer
	quit, done chan struct{}
	failure    error // what the goroutine panicked with, once full is closed
}

// newReader begins with a step, whose minibatches have room in each of the buffers. It
// has to be closed, and until then nobody else may use batches.
func newReader(batches *data.Batches, step int, buffers []buffer) *reader {
	r := &reader{batches: batches, step: step, last: &buffers[0]}
	if len(buffers) == 1 {
		return r
	}
	r.free, r.full = make(chan *buffer, len(buffers)), make(chan *buffer, len(buffers))
	r.quit, r.done = make(chan struct{}), make(chan struct{})
	for i := range buffers[1:] {
		r.free <- &buffers[i+1]
	}
	go r.readAhead(step)
	return r
}

// next returns the minibatch of the next step, which is good until next is called again. It
// must not be called after the last step.
func (r *reader) next() *buffer {
	r.step++
	if r.free == nil {
		r.fill(r.step-1, r.last)
		return r.last
	}
	r.free <- r.last
	b, ok := <-r.full
	if !ok {
		panic(r.failure) // where [Run] catches it, as without a goroutine
	}
	r.last = b
	return b
}

func (r *reader) fill(step int, b *buffer) {
	b.cases = r.batches.Fill(step, b.x, b.labels, b.targets)
}

func (r *reader) readAhead(step int) {
	defer close(r.done)
	defer func() {
		if v := recover(); v != nil {
			r.failure = caught(v)
			close(r.full)
		}
	}()
	for ; step < r.batches.Steps(); step++ {
		var b *buffer
		select {
		case b = <-r.free:
		case <-r.quit:
			return
		}
		r.fill(step, b)
		r.full <- b // which has room for all
	}
}

// close ends the goroutine and waits for it.
func (r *reader) close() {
	if r.quit != nil {
		close(r.quit)
		<-r.done
	}
}
