// Package bench is where measurements live, each in a folder of its own with a
// main that prints its figures; docs/benchmarks.md keeps them. bench/engine measures
// the way from spec to results without any training, bench/nooptrainer is
// the trainer that does nothing for it, and bench/internal/rig puts the embedded
// engine together for both and for the tests that need the real thing. bench/trainer
// measures training against PyTorch and bench/agreement checks that both compute the
// same; bench/internal/pytorch installs it for them. bench/cluster measures sweeps on
// Nomad, with the servers of internal/testcluster.
package bench
