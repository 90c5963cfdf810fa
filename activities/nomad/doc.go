// Package nomad launches trainers as batch jobs of a Nomad cluster.
//
// One launch is one job, registered under an ID that follows from what it trains
// and from its attempt, so that registering it twice makes one job. Nomad itself
// never starts it again: retries are the workflow's. The jobs belong to the cluster
// and not to this process: a [Launcher] that is closed lets go of them, and one of
// another process finds them again by their IDs.
//
// All launches of a worker share one event stream per namespace (feed.go) and one
// reader of their output (sampler.go), so that running trials cost a bounded number
// of requests. What the events of a job mean is decided without any I/O in
// history.go, exit.go and explain.go; what a job looks like in job.go and merge.go.
//
// Start reading at [Cluster], then launch.go, watch.go and stop.go.
package nomad
