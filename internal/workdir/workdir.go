// Package workdir is the folder (.tenfold) in which one machine keeps what it
// needs to run sweeps without a server: locks that die with their process, the
// address of the embedded server that runs, and its database and log.
//
// A lock is what decides; files that only describe (server.json) may be left
// over by a process that was killed, and are believed only while the lock that
// goes with them is held. What sweeps produce is not here but in the store.
package workdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is such a folder.
type Dir struct{ path string }

// Open makes the folder if it is not there yet.
func Open(path string) (Dir, error) {
	d, err := At(path)
	if err != nil {
		return Dir{}, err
	}
	for _, p := range []string{d.path, filepath.Join(d.path, "log"), filepath.Join(d.path, "locks")} {
		if err := os.MkdirAll(p, 0o755); err != nil {
			return Dir{}, fmt.Errorf("make the folder %s: %w", path, cause(err))
		}
	}
	return d, nil
}

// At is the folder without making it.
func At(path string) (Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("find the folder %s: %w", path, err)
	}
	return Dir{path: abs}, nil
}

// Exists says whether a folder was used before, without making it.
func Exists(path string) bool {
	_, err := os.Stat(filepath.Join(path, "locks"))
	return err == nil
}

// Path of the folder, absolute.
func (d Dir) Path() string { return d.path }

// Database is the embedded server's file.
func (d Dir) Database() string { return filepath.Join(d.path, "temporal.db") }

// Log is the file that processes append their log to.
func (d Dir) Log() string { return filepath.Join(d.path, "log", "sweep.log") }

// TrialLog is where the standard error of a trial's last failed trainer is kept.
func (d Dir) TrialLog(trial string) string {
	return filepath.Join(d.path, "log", "trials", trial+".log")
}

// Server describes the embedded server that a process runs.
type Server struct {
	PID     int    `json:"pid"`
	Address string `json:"address"`
	// Verb is the command that runs it: "run", "dev", "status", …
	Verb string `json:"verb"`
	// Store is the URL of the store that the process works with on everybody's
	// sweeps, so of "dev" alone.
	Store string `json:"store,omitzero"`
}

// WriteServer announces the server; the caller holds the lock [ServerLock].
func (d Dir) WriteServer(s Server) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := d.serverFile() + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("announce the server: %w", err)
	}
	if err := os.Rename(tmp, d.serverFile()); err != nil {
		return fmt.Errorf("announce the server: %w", err)
	}
	return nil
}

// ReadServer returns what was announced last, and ok == false when nothing was.
// It says nothing about whether that server still runs.
func (d Dir) ReadServer() (s Server, ok bool, err error) {
	b, err := os.ReadFile(d.serverFile())
	if errors.Is(err, fs.ErrNotExist) {
		return Server{}, false, nil
	}
	if err != nil {
		return Server{}, false, fmt.Errorf("read which server runs: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return Server{}, false, fmt.Errorf("read %s: %w", d.serverFile(), err)
	}
	return s, true, nil
}

// RemoveServer takes the announcement back.
func (d Dir) RemoveServer() error {
	if err := os.Remove(d.serverFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d Dir) serverFile() string { return filepath.Join(d.path, "server.json") }

// cause drops the operation and path of a file error, for messages that name
// the path themselves.
func cause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
