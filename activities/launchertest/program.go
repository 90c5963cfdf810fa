package launchertest

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A program is a list of words, each "verb" or "verb:argument", carried out in turn:
//
//	print:TEXT        a line on standard output
//	error:TEXT        a line on standard error
//	env:NAME          prints NAME=value
//	touch:FILE        creates a file
//	append:FILE=TEXT  appends a line to a file
//	occupy:DIR        holds a file in DIR from here to the end
//	wait:FILE         waits until the file exists, or the program is asked to go
//	on-term:CODE      from here on, exits with CODE when asked to go; else the
//	                  program is ended by the signal
//	ignore-term       from here on, pays no attention when asked to go
//	raise:N           ends by signal N
//	exit:CODE         ends with a code; at the end of the program the code is 0
const (
	sigterm = 15
	sigkill = 9
)

// World is what a program acts on.
type World interface {
	Print(line string)
	Error(line string)
	Getenv(name string) string
	// Terminated is closed when the program is asked to go, Killed when it has to.
	Terminated() <-chan struct{}
	Killed() <-chan struct{}
}

// Interpret carries out a program and returns how it ends: with a code, or by a
// signal if that is not 0.
func Interpret(words []string, w World) (code, sig int) {
	onTerm, ignore := -1, false
	for _, word := range words {
		verb, arg, _ := strings.Cut(word, ":")
		switch verb {
		case "print":
			w.Print(arg)
		case "error":
			w.Error(arg)
		case "env":
			w.Print(arg + "=" + w.Getenv(arg))
		case "touch":
			if err := os.WriteFile(arg, nil, 0o600); err != nil {
				return fail(w, err), 0
			}
		case "append":
			name, text, _ := strings.Cut(arg, "=")
			if err := appendLine(name, text); err != nil {
				return fail(w, err), 0
			}
		case "occupy":
			f, err := os.CreateTemp(arg, "job")
			if err != nil {
				return fail(w, err), 0
			}
			defer func() {
				_ = f.Close()
				_ = os.Remove(f.Name())
			}()
			held, err := filepath.Glob(filepath.Join(arg, "job*"))
			if err != nil {
				return fail(w, err), 0
			}
			w.Print("held " + strconv.Itoa(len(held)))
		case "on-term":
			onTerm = number(arg)
		case "ignore-term":
			ignore = true
		case "wait":
			terminated := w.Terminated()
			if ignore {
				terminated = nil
			}
			switch waitFor(arg, terminated, w.Killed()) {
			case sigkill:
				return -1, sigkill
			case sigterm:
				if onTerm >= 0 {
					return onTerm, 0
				}
				return -1, sigterm
			}
		case "raise":
			return -1, number(arg)
		case "exit":
			return number(arg), 0
		default:
			return fail(w, fmt.Errorf("no such verb: %s", verb)), 0
		}
	}
	return 0, 0
}

// failed is the code of a program that could not do what it was told to.
const failed = 99

func fail(w World, err error) int {
	w.Error(err.Error())
	return failed
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return failed
	}
	return n
}

func appendLine(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, text); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// waitFor polls, since a file is the one thing that a process and a function
// can both be made to wait for everywhere.
func waitFor(file string, terminated, killed <-chan struct{}) (sig int) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(file); err == nil {
			return 0
		}
		select {
		case <-killed:
			return sigkill
		case <-terminated:
			return sigterm
		case <-tick.C:
		}
	}
}

// mainVariable marks a process that is to carry out a program.
const mainVariable = "TENFOLD_LAUNCHERTEST"

// Main carries out a program and exits if this process was started for that, by
// [Command]. A test's TestMain calls it first.
func Main() {
	if os.Getenv(mainVariable) == "" {
		return
	}
	w := &processWorld{terminated: make(chan struct{})}
	words := os.Args[1:]
	for _, word := range words {
		if word == "ignore-term" || strings.HasPrefix(word, "on-term:") {
			w.catch()
			break
		}
	}
	code, sig := Interpret(words, w)
	if sig != 0 {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			signal.Reset()
			err = self.Signal(syscall.Signal(sig))
		}
		if err == nil {
			<-time.After(time.Minute) // the signal is on its way
		}
		code = failed
	}
	os.Exit(code)
}

// Command runs a program in a process of the test binary, in the environment
// that [Environment] returns.
func Command(words ...string) ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return append([]string{exe}, words...), nil
}

// Environment is what a job needs for Command.
func Environment() map[string]string {
	return map[string]string{
		mainVariable: "1",
		// Under the race detector a process sleeps for a second before it exits.
		"GORACE": "atexit_sleep_ms=0",
	}
}

// processWorld is the World of a process.
type processWorld struct {
	once       sync.Once
	terminated chan struct{}
}

func (*processWorld) Print(line string)             { fmt.Fprintln(os.Stdout, line) }
func (*processWorld) Error(line string)             { fmt.Fprintln(os.Stderr, line) }
func (*processWorld) Getenv(name string) string     { return os.Getenv(name) }
func (w *processWorld) Terminated() <-chan struct{} { return w.terminated }
func (*processWorld) Killed() <-chan struct{}       { return nil }

// catch turns SIGTERM into a closed channel, for as long as the process lives.
func (w *processWorld) catch() {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGTERM)
	go func() {
		for range caught {
			w.once.Do(func() { close(w.terminated) })
		}
	}()
}
