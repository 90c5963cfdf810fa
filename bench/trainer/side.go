package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// side is a process that trains one workload and waits in between.
type side struct {
	name    string
	engine  string
	process *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
	// said is what it wrote to standard error.
	said *strings.Builder
	// rates are the steps a second of each round.
	rates []float64
	last  roundDone
}

// startSide starts a process and waits until it is warm.
func startSide(name string, cmd *exec.Cmd) (_ *side, err error) {
	s := &side{name: name, process: cmd, said: &strings.Builder{}}
	cmd.Stderr = s.said
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	s.answers = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	var r ready
	if err := s.answer(&r); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.engine = r.Engine
	return s, nil
}

// round has it train for some seconds, and adds what came of it. With cpu, its cores' time
// counts: what they could have done had nobody else wanted them.
func (s *side) round(seconds float64, threads int, cpu bool) error {
	if _, err := fmt.Fprintf(s.in, "round %g\n", seconds); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.answer(&s.last); err != nil {
		return err
	}
	took := s.last.Seconds
	if cpu {
		took = s.last.CPU / float64(threads)
	}
	s.rates = append(s.rates, float64(s.last.Steps)/took)
	return nil
}

func (s *side) answer(v any) error {
	if !s.answers.Scan() {
		lines := strings.Split(strings.TrimSpace(s.said.String()), "\n")
		return fmt.Errorf("%s ended: %s", s.name, lines[len(lines)-1])
	}
	if err := json.Unmarshal(s.answers.Bytes(), v); err != nil {
		return fmt.Errorf("%s answered %q: %w", s.name, s.answers.Text(), err)
	}
	return nil
}

// stop ends the process.
func (s *side) stop() error {
	s.in.Close()
	if err := s.process.Wait(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// peak is the largest resident memory of the process so far, in bytes, and how much
// of what is resident now is CUDA's libraries, which have nothing to do on
// a CPU but are loaded. Both are 0 where the system does not say.
func (s *side) peak() (peak, cuda int64) {
	proc := fmt.Sprintf("/proc/%d/", s.process.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			peak = kilobytes(rest)
		}
	}
	maps, err := os.ReadFile(proc + "smaps")
	if err != nil {
		return peak, 0
	}
	counts := false
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && !strings.HasSuffix(fields[0], ":") { // a mapping begins
			counts = strings.Contains(line, "cuda") || strings.Contains(line, "nvshmem") || strings.Contains(line, "libcu")
		}
		if rest, ok := strings.CutPrefix(line, "Rss:"); ok && counts {
			cuda += kilobytes(rest)
		}
	}
	return peak, cuda
}

func kilobytes(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// rate is the median of the rounds.
func (s *side) rate() float64 { return median(s.rates) }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// startSides starts some processes, in the order of names.
func startSides(commands map[string]*exec.Cmd, names ...string) ([]*side, error) {
	var sides []*side
	for _, name := range names {
		s, err := startSide(name, commands[name])
		if err != nil {
			return nil, errors.Join(err, stopSides(sides))
		}
		sides = append(sides, s)
	}
	return sides, nil
}

func stopSides(sides []*side) error {
	var errs []error
	for _, s := range sides {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}
