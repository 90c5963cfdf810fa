// Package devserver runs Temporal's own server inside this process: four
// services without the system workers, one SQLite file, loopback only, no
// metrics, no telemetry and nothing on standard output. It is what `sweep run`
// and `sweep dev` use where no cluster is configured, and what integration
// tests run against. It knows nothing of sweeps; workers and clients connect to
// it as to any other Temporal server. Start reading at [Start].
//
// # Durability
//
// The file is in WAL mode with synchronous=NORMAL. A transaction that Temporal
// was told is committed is in the operating system's hands, so kill -9 of this
// process loses nothing. A power cut may lose the latest transactions, all from
// some point on, and never leaves a torn file. That is enough here, since a
// trial's result is in the store (fsynced before it counts) and not in
// Temporal: after a power cut the workflow is a little in the past, launches
// again what it does not remember, and each of those launches finds the
// committed result or the latest checkpoint. synchronous=FULL would buy
// nothing but an fsync for each of about eight transactions per trial.
//
// One process at a time may serve a file: [Start] locks a file of its name with
// ".lock" appended, and a second caller gets [ErrInUse]. This guards the file and
// nothing else; who serves it where is announced by whoever calls Start.
//
// # What is left behind
//
// [Server.Stop] returns when every service has stopped and no port is bound.
// Temporal's SQLite plugin keeps its one connection per file open for as long as
// the process lives (its connection pool never closes), so a file descriptor
// and, for a server in memory, the database itself remain. A few goroutines of
// the server's caches and of that connection remain, too; they are idle.
package devserver
