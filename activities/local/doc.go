// Package local launches trainers as child processes of this one.
//
// A trainer gets this process's environment, the job's, the number of its
// threads and a scratch directory of its own. It leads a process group, so that
// a Ctrl-C at the terminal reaches this process alone, which then decides. A job
// ends when that leader does; whatever it left running in its group is killed.
//
// On Linux trainers die with this process, even if that is killed with SIGKILL.
// That holds for the process launched, not for its children: a command that is a
// shell script should `exec` its trainer. What such children and a killed
// launcher leave behind, the next [New] on the same scratch directory cleans up.
//
// Start reading at [Launcher], then process_unix.go for the life of one job.
package local
