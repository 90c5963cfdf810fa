// Package workflows holds what Tenfold runs on Temporal: [Sweep], a thin and
// deterministic shell around sweeps.Controller. The controller decides, the
// activities act, and the workflow carries commands one way and results the
// other, durably. It does no I/O and knows of the activities only what
// activities/contract declares. Start reading at sweep.go, then runs.go.
//
// # The way of a sweep
//
// Prepare → the controller's loop → Assemble, where the sweep finished and wants an
// ensemble → Report. Each launch of the controller is one Train activity with one
// attempt: retries are the controller's business. A backoff is a timer. A stop is the
// Stop activity, followed by the end of the Train activity, and by another Stop
// where that end does not prove that the trainer is gone, since a Train that was
// about to launch might have done so after the first.
//
// The workflow continues as new when the server suggests it, at once, without
// waiting for runs: the next execution attaches to them through new Train
// activities, and the old ones notice at their next heartbeat that nobody wants
// them, and detach.
//
// # Changing this code
//
// Open sweeps replay their history on new code, so the same events must give the
// same commands, in the same order. That binds this package, and it binds
// sweeps.Controller and sweeps.Plan just as much: what they decide, and in which
// order, is in the histories. Anything that would change it for a history that
// exists already is gated:
//
//	v := workflow.GetVersion(ctx, "retry-lost-runs-first", workflow.DefaultVersion, 1)
//	if v == workflow.DefaultVersion {
//		// as it was
//	} else {
//		// as it shall be
//	}
//
// The change ID says what changes and is never used again. A change within the
// controller gets a field in sweeps.ControllerSettings, set by such a gate. The
// old branch can go once no sweep is open that began before it, one retention
// period after the release. New fields of inputs and outputs are free as long as
// their zero value means what it was before.
//
// No time.Now, no rand, no goroutines, no channels of Go's own and no ranging over
// a map whose order can show: time is workflow.Now, concurrency is workflow.Go and
// a selector.
//
// # Recorded histories
//
// testdata/*.json.gz are histories of real executions. TestReplay runs each of
// them against today's code, so that a change which would break an open sweep
// fails the tests. They are recorded, in bench/record, by
//
//	go test ./bench/record -record
//
// which adds files for the cases that are missing. A file is never recorded
// over: a history stays until the release that wrote it is out of support.
package workflows
