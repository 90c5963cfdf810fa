// Package trainer is one training run, from a trial's configuration in the store
// to its committed result.
//
// [Run] is the whole of it, and can be killed anywhere: the next attempt goes on
// at the newest whole checkpoint and ends in the same weights, bit for bit. What
// makes that true: every random number is a function of (seed, purpose, step),
// minibatches can be had at any step, sums over an unfinished epoch are part of
// the checkpoint, and numbers are computed in a fixed order.
//
// The parts are in the folders below: data (data sets and minibatches), model,
// ops and engine (the network), optim (the optimiser), checkpoint (saving),
// philox (random numbers); adapter runs another program in the place of all these. The
// command line is in cmd/trainer. Nothing here knows of sweeps running, of workflows or
// of launchers: a trainer sees a store and one trial in it.
//
// With more than one thread, the next minibatch is read while the network computes on
// the last (reader.go).
//
// Start reading at run.go, then epoch.go.
package trainer

// Identity names the code that trains, as far as its numbers go. It is part of
// every trial's ID, so it changes exactly when the same configuration leads to
// other weights.
const Identity = "tenfold/1"
