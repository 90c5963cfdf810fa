package cpu

import "sync"

// pool runs pieces of work on a fixed number of threads, the caller's included.
// Its goroutines live until close. It is used by one goroutine at a time.
type pool struct {
	threads int
	queues  []chan piece // one for each goroutine, so that pieces stay where they are
	pending sync.WaitGroup
	done    sync.WaitGroup
}

// piece is the half-open range of one call.
type piece struct {
	f      func(lo, hi int)
	lo, hi int
}

func newPool(threads int) *pool {
	p := &pool{threads: threads, queues: make([]chan piece, threads-1)}
	for i := range p.queues {
		queue := make(chan piece, 1)
		p.queues[i] = queue
		p.done.Go(func() {
			for w := range queue {
				w.f(w.lo, w.hi)
				p.pending.Done()
			}
		})
	}
	return p
}

// each calls f on ranges that together make [0, n), and returns when all are done.
// Every thread gets one range; ranges start at multiples of unit. f must be made
// beforehand: a closure made for the call would be an allocation.
func (p *pool) each(n, unit int, f func(lo, hi int)) {
	units := (n + unit - 1) / unit
	threads := min(p.threads, units)
	if threads <= 1 {
		f(0, n)
		return
	}
	p.pending.Add(threads - 1)
	for i := 1; i < threads; i++ {
		p.queues[i-1] <- piece{f, units * i / threads * unit, min(units*(i+1)/threads*unit, n)}
	}
	f(0, units/threads*unit)
	p.pending.Wait()
}

// close ends the goroutines. Closing twice is harmless.
func (p *pool) close() {
	for _, queue := range p.queues {
		close(queue)
	}
	p.queues = nil
	p.done.Wait()
}
