package launchertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Config is what a test asks of a launcher.
type Config struct {
	Cores    int
	Grace    time.Duration
	Remember int
}

// Harness makes launchers and jobs for the suite.
type Harness struct {
	// New makes a launcher; the suite closes it.
	New func(t *testing.T, c Config) activities.Launcher
	// Job makes a job that carries out a program. The suite fills in its key,
	// attempt and cores.
	Job func(t *testing.T, words ...string) activities.Job
	// Cluster says that the jobs are a cluster's and not this process's. Then the
	// cluster decides which of the waiting jobs is next, a job asks for as many cores as
	// it gets, jobs are known after the launcher has forgotten them, and closing it only
	// detaches.
	Cluster bool
}

// timeout is for what should happen at once, on a machine that is busy with
// everything else.
const timeout = 60 * time.Second

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	tests := map[string]func(*testing.T, Harness){
		"exit codes and signals":      testExits,
		"environment":                 testEnvironment,
		"launch is idempotent":        testIdempotent,
		"relaunch after the end":      testRelaunch,
		"lines in order to everyone":  testWatchers,
		"attach sees the last line":   testAttach,
		"late watch":                  testLateWatch,
		"detach leaves the job":       testDetach,
		"no job":                      testNoJob,
		"stop":                        testStop,
		"stop of a stubborn job":      testStopStubborn,
		"stop of a queued job":        testStopQueued,
		"stop that is not waited for": testStopGivenUp,
		"logs":                        testLogs,
		"no command":                  testNoCommand,
	}
	if h.Cluster {
		tests["close only detaches"] = testCloseDetaches
	} else {
		maps.Copy(tests, map[string]func(*testing.T, Harness){
			"queue order":               testOrder,
			"core limit":                testCoreLimit,
			"wide jobs are not starved": testWide,
			"bounded memory":            testForgets,
			"close":                     testClose,
			"close in a rush":           testCloseNow,
		})
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// bench is one test's launcher with its short cuts.
type bench struct {
	activities.Launcher
	t   *testing.T
	h   Harness
	dir string
}

func setup(t *testing.T, h Harness, c Config) *bench {
	t.Helper()
	c.Cores = max(c.Cores, 1)
	if c.Grace == 0 {
		c.Grace = timeout
	}
	b := &bench{Launcher: h.New(t, c), t: t, h: h, dir: t.TempDir()}
	t.Cleanup(func() {
		// What a failed test left running must not hold up the others.
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

func key(name string) activities.JobKey {
	return activities.JobKey{Sweep: "s", Trial: sweeps.TrialID(name), Epochs: 2}
}

func (b *bench) launch(name string, attempt, cores int, words ...string) int {
	b.t.Helper()
	j := b.h.Job(b.t, words...)
	j.Key, j.Attempt, j.Cores = key(name), attempt, cores
	got, err := b.Launch(b.ctx(), j)
	if err != nil {
		b.t.Fatalf("launch %s: %v", name, err)
	}
	return got
}

func (b *bench) watch(name string) activities.Exit {
	b.t.Helper()
	exit, err := b.Watch(b.ctx(), key(name), nil)
	if err != nil {
		b.t.Fatalf("watch %s: %v", name, err)
	}
	return exit
}

// await waits until a program has made a file.
func (b *bench) await(file string) {
	b.t.Helper()
	if waitFor(b.file(file), b.ctx().Done(), nil) != 0 {
		b.t.Fatalf("no %s after %s", file, timeout)
	}
}

func (b *bench) touch(file string) {
	b.t.Helper()
	if err := os.WriteFile(b.file(file), nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) exists(file string) bool {
	_, err := os.Stat(b.file(file))
	return err == nil
}

func (b *bench) lines(file string) []string {
	b.t.Helper()
	text, err := os.ReadFile(b.file(file))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func testExits(t *testing.T, h Harness) {
	b := setup(t, h, Config{Cores: 2})
	for name, tc := range map[string]struct {
		words     []string
		code, sig int
	}{
		"ok":        {nil, 0, 0},
		"one":       {[]string{"exit:1"}, 1, 0},
		"config":    {[]string{"exit:64"}, 64, 0},
		"preempted": {[]string{"exit:75"}, 75, 0},
		"killed":    {[]string{"raise:9"}, -1, 9},
		"asked":     {[]string{"raise:15"}, -1, 15},
	} {
		b.launch(name, 7, 1, append(slices.Clone(tc.words), "print:never")...)
		got := b.watch(name)
		if got.Code != tc.code || got.Signal != tc.sig || got.Attempt != 7 || got.Stopped || got.NotStarted {
			t.Errorf("%s: exit %+v, want code %d, signal %d, attempt 7", name, got, tc.code, tc.sig)
		}
	}
}

func testEnvironment(t *testing.T, h Harness) {
	b := setup(t, h, Config{Cores: 2})
	words := []string{"env:TENFOLD_STORE", "env:TENFOLD_THREADS"}
	// More cores than there are means all there are.
	want := []string{"TENFOLD_STORE=mem:x=y", "TENFOLD_THREADS=2"}
	if h.Cluster { // and there it would mean to wait
		words, want = words[:1], want[:1]
	}
	j := b.h.Job(t, words...)
	j.Key, j.Attempt, j.Cores = key("a"), 1, 5
	if h.Cluster {
		j.Cores = 2
	}
	j.Env["TENFOLD_STORE"] = "mem:x=y"
	if _, err := b.Launch(b.ctx(), j); err != nil {
		t.Fatal(err)
	}
	got, _ := b.collect("a")
	if !slices.Equal(got, want) {
		t.Errorf("environment %q, want %q", got, want)
	}
}

// collect watches a job to its end and returns its lines.
func (b *bench) collect(name string) (lines []string, states []activities.JobState) {
	b.t.Helper()
	_, err := b.Watch(b.ctx(), key(name), func(u activities.JobUpdate) {
		if u.Line != "" {
			lines = append(lines, u.Line)
		}
		if len(states) == 0 || states[len(states)-1] != u.State {
			states = append(states, u.State)
		}
	})
	if err != nil {
		b.t.Fatalf("watch %s: %v", name, err)
	}
	return lines, states
}

func testIdempotent(t *testing.T, h Harness) {
	b := setup(t, h, Config{Cores: 4})
	const callers = 16
	var group sync.WaitGroup
	got := make([]int, callers)
	for i := range callers {
		j := b.h.Job(t, "append:"+b.file("runs")+"=run", "wait:"+b.file("go"))
		j.Key, j.Attempt, j.Cores = key("a"), i+1, 1
		group.Go(func() {
			var err error
			if got[i], err = b.Launch(b.ctx(), j); err != nil {
				t.Errorf("launch: %v", err)
			}
		})
	}
	group.Wait()
	for _, attempt := range got {
		if attempt != got[0] || attempt < 1 {
			t.Fatalf("attempts %v, want the same for all", got)
		}
	}
	b.touch("go")
	if exit := b.watch("a"); exit.Attempt != got[0] || exit.Code != 0 {
		t.Errorf("exit %+v, want code 0 of attempt %d", exit, got[0])
	}
	if runs := b.lines("runs"); len(runs) != 1 {
		t.Errorf("%d runs, want 1", len(runs))
	}
}

func testRelaunch(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	for attempt := 1; attempt <= 3; attempt++ {
		if got := b.launch("a", attempt, 1, fmt.Sprintf("exit:%d", attempt)); got != attempt {
			t.Errorf("launch of attempt %d returned %d", attempt, got)
		}
		if exit := b.watch("a"); exit.Attempt != attempt || exit.Code != attempt {
			t.Errorf("exit %+v, want code and attempt %d", exit, attempt)
		}
	}
}

func testWatchers(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	words := []string{"wait:" + b.file("go")}
	var want []string
	for i := range 50 {
		line := "line " + strconv.Itoa(i)
		want = append(want, line)
		words = append(words, "print:"+line)
	}
	b.launch("first", 1, 1, "wait:"+b.file("go"))
	b.launch("a", 1, 1, words...)
	var group sync.WaitGroup
	for range 5 {
		watching := make(chan struct{})
		group.Go(func() {
			var once sync.Once
			var got []string
			var states []activities.JobState
			exit, err := b.Watch(b.ctx(), key("a"), func(u activities.JobUpdate) {
				once.Do(func() { close(watching) })
				if u.Line != "" {
					got = append(got, u.Line)
				}
				if len(states) == 0 || states[len(states)-1] != u.State {
					states = append(states, u.State)
				}
			})
			if err != nil || exit.Code != 0 {
				t.Errorf("watch: %+v, %v", exit, err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("lines %q, want %q", got, want)
			}
			if s := []activities.JobState{activities.JobQueued, activities.JobRunning, activities.JobEnded}; !slices.Equal(states, s) {
				t.Errorf("states %v, want %v", states, s)
			}
		})
		<-watching // the queued state is a first update
	}
	b.touch("go")
	group.Wait()
}

func testAttach(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "print:epoch 1", "print:epoch 2", "touch:"+b.file("up"), "wait:"+b.file("go"))
	b.await("up")
	// The program's word may reach the disk before the launcher.
	b.until("a", "epoch 2")
	if got := b.launch("a", 2, 1, "exit:9"); got != 1 {
		t.Errorf("launch returned attempt %d, want that of the running job, 1", got)
	}
	seen := make(chan struct{})
	var once sync.Once
	var group sync.WaitGroup
	group.Go(func() {
		exit, err := b.Watch(b.ctx(), key("a"), func(u activities.JobUpdate) {
			if u.State != activities.JobRunning {
				return
			}
			if u.Line == "epoch 2" {
				once.Do(func() { close(seen) })
			}
		})
		if err != nil || exit.Attempt != 1 || exit.Code != 0 {
			t.Errorf("watch: %+v, %v; want code 0 of attempt 1", exit, err)
		}
	})
	select {
	case <-seen:
	case <-b.ctx().Done():
		t.Error("the attached watcher has not seen the last line")
	}
	b.touch("go")
	group.Wait()
}

// until watches until a job has printed a line.
func (b *bench) until(name, line string) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx())
	defer cancel()
	found := false
	_, err := b.Watch(ctx, key(name), func(u activities.JobUpdate) {
		if u.Line == line {
			found = true
			cancel()
		}
	})
	if !found {
		b.t.Fatalf("job %s has not printed %q (%v)", name, line, err)
	}
}

func testLateWatch(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 3, 1, "print:hello", "error:oh dear", "exit:5")
	b.watch("a")
	exit, err := b.Watch(b.ctx(), key("a"), nil)
	if err != nil || exit.Code != 5 || exit.Attempt != 3 || !strings.Contains(exit.Stderr, "oh dear") {
		t.Errorf("late watch: %+v, %v; want code 5 of attempt 3 with its standard error", exit, err)
	}
	if lines, _ := b.collect("a"); !slices.Equal(lines, []string{"hello"}) {
		t.Errorf("late watch: lines %q, want the last one", lines)
	}
}

func testDetach(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "touch:"+b.file("up"), "wait:"+b.file("go"), "exit:3")
	b.await("up")
	ctx, cancel := context.WithCancel(b.ctx())
	cancel()
	if _, err := b.Watch(ctx, key("a"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("watch with an ended context: %v", err)
	}
	j := b.h.Job(t)
	j.Key, j.Attempt, j.Cores = key("b"), 1, 1
	if _, err := b.Launch(ctx, j); !errors.Is(err, context.Canceled) {
		t.Errorf("launch with an ended context: %v", err)
	}
	b.touch("go")
	if exit := b.watch("a"); exit.Code != 3 || exit.Stopped {
		t.Errorf("exit %+v, want code 3: the job was to go on", exit)
	}
}

func testNoJob(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	if _, err := b.Watch(b.ctx(), key("none"), nil); !errors.Is(err, activities.ErrNoJob) {
		t.Errorf("watch: %v, want ErrNoJob", err)
	}
	if err := b.Logs(b.ctx(), key("none"), &bytes.Buffer{}); !errors.Is(err, activities.ErrNoJob) {
		t.Errorf("logs: %v, want ErrNoJob", err)
	}
	if err := b.Stop(b.ctx(), key("none")); err != nil {
		t.Errorf("stop: %v, want nil", err)
	}
}

func testOrder(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("first", 1, 1, "wait:"+b.file("go"))
	var want []string
	for i := range 8 {
		name := "job" + strconv.Itoa(i)
		want = append(want, name)
		b.launch(name, 1, 1, "append:"+b.file("order")+"="+name)
	}
	b.touch("go")
	for _, name := range want {
		b.watch(name)
	}
	if got := b.lines("order"); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func testCoreLimit(t *testing.T, h Harness) {
	b := setup(t, h, Config{Cores: 3})
	var names []string
	for i := range 12 {
		name := "job" + strconv.Itoa(i)
		names = append(names, name)
		b.launch(name, 1, 1, "occupy:"+b.dir, "wait:"+b.file("go"))
	}
	b.launch("wide", 1, 2, "touch:"+b.file("wide"))
	for _, name := range names[:3] {
		b.until(name, b.heldLine(name))
	}
	b.touch("go")
	most := 0
	for _, name := range names {
		lines, _ := b.collect(name)
		held, err := strconv.Atoi(strings.TrimPrefix(lines[0], "held "))
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, held)
	}
	if most != 3 {
		t.Errorf("%d jobs at a time, want 3 at most and that many at some time", most)
	}
	b.watch("wide")
}

// heldLine waits until a job has said how many hold a core, and returns that line.
func (b *bench) heldLine(name string) (line string) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx())
	defer cancel()
	_, err := b.Watch(ctx, key(name), func(u activities.JobUpdate) {
		if strings.HasPrefix(u.Line, "held ") {
			line = u.Line
			cancel()
		}
	})
	if line == "" {
		b.t.Fatalf("job %s does not hold a core: %v", name, err)
	}
	return line
}

func testWide(t *testing.T, h Harness) {
	b := setup(t, h, Config{Cores: 2})
	b.launch("narrow1", 1, 1, "touch:"+b.file("up"), "wait:"+b.file("go"))
	b.await("up")
	b.launch("wide", 1, 2, "append:"+b.file("order")+"=wide")
	b.launch("narrow2", 1, 1, "append:"+b.file("order")+"=narrow")
	b.touch("go")
	b.watch("wide")
	b.watch("narrow2")
	if got := b.lines("order"); !slices.Equal(got, []string{"wide", "narrow"}) {
		t.Errorf("order %v, want the wide job first, as launched", got)
	}
}

func testStop(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "on-term:75", "occupy:"+b.dir, "touch:"+b.file("up"), "wait:"+b.file("never"))
	b.await("up")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := b.Stop(b.ctx(), key("a")); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	group.Wait()
	if held, err := filepath.Glob(b.file("job*")); err != nil || len(held) > 0 {
		t.Errorf("the job still holds %v (%v) after Stop", held, err)
	}
	if exit := b.watch("a"); exit.Code != 75 || !exit.Stopped {
		t.Errorf("exit %+v, want code 75, stopped", exit)
	}
	if err := b.Stop(b.ctx(), key("a")); err != nil {
		t.Errorf("stop of an ended job: %v", err)
	}
	// Its core is free again.
	b.launch("b", 1, 1)
	b.watch("b")
}

func testStopStubborn(t *testing.T, h Harness) {
	b := setup(t, h, Config{Grace: 50 * time.Millisecond})
	b.launch("a", 1, 1, "ignore-term", "touch:"+b.file("up"), "wait:"+b.file("never"))
	b.await("up")
	if err := b.Stop(b.ctx(), key("a")); err != nil {
		t.Errorf("stop: %v", err)
	}
	if exit := b.watch("a"); exit.Signal != sigkill || !exit.Stopped {
		t.Errorf("exit %+v, want signal 9, stopped", exit)
	}
}

func testStopQueued(t *testing.T, h Harness) {
	b := setup(t, h, Config{Cores: 2})
	b.launch("first", 1, 1, "wait:"+b.file("go"))
	b.launch("wide", 1, 2, "touch:"+b.file("wide"))
	b.launch("narrow", 1, 1, "touch:"+b.file("narrow"))
	if err := b.Stop(b.ctx(), key("wide")); err != nil {
		t.Errorf("stop: %v", err)
	}
	if exit := b.watch("wide"); !exit.Stopped || exit.Code != -1 || exit.Reason == "" {
		t.Errorf("exit %+v, want stopped with a reason", exit)
	}
	// The one behind it fits now.
	b.await("narrow")
	b.touch("go")
	b.watch("first")
	if b.exists("wide") {
		t.Error("the stopped job ran")
	}
}

func testStopGivenUp(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "on-term:75", "touch:"+b.file("up"), "wait:"+b.file("never"))
	b.await("up")
	ctx, cancel := context.WithCancel(b.ctx())
	cancel()
	// Nobody waits, but it is stopped all the same.
	if err := b.Stop(ctx, key("a")); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	if exit := b.watch("a"); !exit.Stopped {
		t.Errorf("exit %+v, want stopped", exit)
	}
}

func testLogs(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "error:first", "print:not here", "error:second", "exit:1")
	exit := b.watch("a")
	var logs bytes.Buffer
	if err := b.Logs(b.ctx(), key("a"), &logs); err != nil {
		t.Fatalf("logs: %v", err)
	}
	if got := logs.String(); got != "first\nsecond\n" {
		t.Errorf("logs %q", got)
	}
	if exit.Stderr != "first\nsecond\n" {
		t.Errorf("exit's standard error %q", exit.Stderr)
	}
}

func testForgets(t *testing.T, h Harness) {
	b := setup(t, h, Config{Remember: 3})
	for i := range 6 {
		name := "job" + strconv.Itoa(i)
		b.launch(name, 1, 1, "error:x")
		b.watch(name)
	}
	for i := range 6 {
		_, err := b.Watch(b.ctx(), key("job"+strconv.Itoa(i)), nil)
		if i < 3 && !errors.Is(err, activities.ErrNoJob) || i >= 3 && err != nil {
			t.Errorf("watch of job %d of 6, 3 remembered: %v", i, err)
		}
	}
}

func testClose(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "on-term:75", "touch:"+b.file("up"), "wait:"+b.file("never"))
	b.launch("queued", 1, 1, "touch:"+b.file("ran"))
	b.await("up")
	var group sync.WaitGroup
	group.Go(func() {
		if exit := b.watch("a"); exit.Code != 75 || !exit.Stopped {
			t.Errorf("exit %+v, want code 75, stopped", exit)
		}
	})
	for range 2 {
		if err := b.Close(b.ctx()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	group.Wait()
	if exit := b.watch("queued"); !exit.Stopped {
		t.Errorf("queued job: exit %+v, want stopped", exit)
	}
	if b.exists("ran") {
		t.Error("a queued job was started by Close")
	}
	j := b.h.Job(t)
	j.Key, j.Attempt, j.Cores = key("b"), 1, 1
	if _, err := b.Launch(b.ctx(), j); !errors.Is(err, activities.ErrClosed) {
		t.Errorf("launch after close: %v, want ErrClosed", err)
	}
}

func testCloseDetaches(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "touch:"+b.file("up"), "wait:"+b.file("go"), "touch:"+b.file("done"))
	b.await("up")
	for range 2 {
		if err := b.Close(b.ctx()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	j := b.h.Job(t)
	j.Key, j.Attempt, j.Cores = key("b"), 1, 1
	if _, err := b.Launch(b.ctx(), j); !errors.Is(err, activities.ErrClosed) {
		t.Errorf("launch after close: %v, want ErrClosed", err)
	}
	b.touch("go")
	b.await("done")
}

func testCloseNow(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	b.launch("a", 1, 1, "ignore-term", "touch:"+b.file("up"), "wait:"+b.file("never"))
	b.await("up")
	ctx, cancel := context.WithCancel(b.ctx())
	cancel()
	if err := b.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close with an ended context: %v", err)
	}
	if exit := b.watch("a"); exit.Signal != sigkill || !exit.Stopped {
		t.Errorf("exit %+v, want signal 9, stopped", exit)
	}
}

func testNoCommand(t *testing.T, h Harness) {
	b := setup(t, h, Config{})
	if _, err := b.Launch(b.ctx(), activities.Job{Key: key("a"), Attempt: 1, Cores: 1}); err == nil {
		t.Error("a job without a command was launched")
	}
}
