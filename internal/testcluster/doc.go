// Package testcluster runs the servers of a small cluster on this machine: Nomad with
// any number of clients, an S3 server, Temporal and workers, each as a process of its
// own at a loopback port, below one folder. It is made for tests that kill, freeze and
// cut off what they like, and knows no testing.T (package clustertest does), so that a
// person can have such a cluster, too.
//
// Start reading at [New] and [Cluster]; [Process] is what every server is, [Nomad] and
// [Client] are the most of it. The servers' binaries are built by `make cluster-bin`.
//
// # What is left behind
//
// Nothing. [Cluster.Stop] ends every process that was started, and every one that
// those have started, unmounts what they mounted, removes their cgroups and the folder,
// and returns an error that names what is left. When the process that owns a cluster
// is killed its servers are killed with it, by the kernel; what those leave, tasks,
// their supervisors and mounts, goes when the next cluster starts (see [SweepUp]).
//
// The package needs Linux: /proc, PDEATHSIG and mounts.
package testcluster
