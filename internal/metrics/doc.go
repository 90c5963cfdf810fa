// Package metrics counts and times what a worker does, for Prometheus.
//
// [Metrics] holds everything and serves it. It wraps what a worker works with: its
// launchers (launcher.go), its store (store.go) and the metrics of Temporal's SDK
// (temporal.go). It decides nothing, and nothing in it fails. docs/operations.md has
// the table of what there is. Start reading at [New].
package metrics
