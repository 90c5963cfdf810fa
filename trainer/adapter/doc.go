// Package adapter makes any program a trainer: it keeps the trainer's contract for a
// command that knows nothing of stores, only of files and of lines that it prints.
// docs/trainer-contract.md has what such a command finds and leaves.
//
// [Run] is the whole of it: it fetches the trial's configuration and the newest
// checkpoint into a folder, starts the command, stores each checkpoint that the command
// says it has finished, and commits the result of what the command left. What a
// checkpoint consists of is the command's business: here it is a tar of files.
//
// Checking what was left is in output.go (lines) and left.go (files), and acts on
// nothing; the process is in command.go, the store in saver.go and resume.go. Start
// reading at run.go. Nothing here trains, and nothing knows of sweeps or launchers.
package adapter
