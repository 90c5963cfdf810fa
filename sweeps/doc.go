// Package sweeps is the domain: what a sweep is, what its trials are, and what to
// do next. Everything here is pure. It reads no file, has no clock, starts no
// goroutine and draws no random number, so a decision can be made again from the
// same facts, by anyone, at any time. Whatever acts (workflows, activities, the
// store, the trainer) imports this package; it imports none of them.
//
// A sweep goes through it in this order:
//
//   - [Parse] turns YAML into a [Spec] with every default filled in, or into a
//     [SpecError] that says where and what. The rules are a table, in
//     spec_rules.go; [JSONSchema] publishes the same table.
//   - [NewPlan] spans the grid: trial i of n, each a [Trial] with a [TrialID] that
//     names it for good.
//   - [Controller] says which runs to launch and stop, given how others ended.
//   - Selection picks the members of the ensemble on validation error; package
//     ensemble averages their predictions.
//
// Package space holds parameters and grids, which know nothing of networks.
// Start reading at spec.go and config.go. To add a setting: a field in config.go
// or spec.go, its rule in spec_rules.go, its default in spec_defaults.go, and
// `go generate ./sweeps`; the tests name what is missing.
package sweeps
