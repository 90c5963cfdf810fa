package jobs

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/activities"
)

func update(s activities.JobState, line string) activities.JobUpdate {
	return activities.JobUpdate{State: s, Line: line}
}

func TestCursorSeesEverythingOnce(t *testing.T) {
	t.Parallel()
	o := NewOutput()
	var c cursor
	next := func() ([]activities.JobUpdate, *activities.Exit) {
		updates, exit, _ := o.next(&c)
		return updates, exit
	}
	steps := []struct {
		do   func()
		want []activities.JobUpdate
	}{
		{func() {}, []activities.JobUpdate{update(activities.JobQueued, "")}},
		{func() {}, nil},
		{o.Run, []activities.JobUpdate{update(activities.JobRunning, "")}},
		{func() { o.Line("a"); o.Line("b") }, []activities.JobUpdate{update(activities.JobRunning, "a"), update(activities.JobRunning, "b")}},
		{func() {}, nil},
		{o.Alive, []activities.JobUpdate{update(activities.JobRunning, "")}},
		{o.Alive, nil}, // too soon after the last
		{func() { o.Line("c"); o.End(activities.Exit{Code: 3}) }, []activities.JobUpdate{update(activities.JobRunning, "c"), update(activities.JobEnded, "")}},
	}
	for i, s := range steps {
		_, _, changed := o.next(&cursor{started: true, line: 1 << 30})
		s.do()
		got, exit := next()
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
		if last := i == len(steps)-1; last != (exit != nil) {
			t.Errorf("step %d: exit %v", i, exit)
		}
		if len(s.want) > 0 && i > 0 {
			select {
			case <-changed:
			default:
				t.Errorf("step %d: the watchers were not woken", i)
			}
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	o := NewOutput()
	o.Run()
	sleepy := cursor{}
	o.next(&sleepy)
	for i := range 10 * keepLines {
		o.Line(strconv.Itoa(i))
	}
	got, _, _ := o.next(&sleepy)
	if len(got) != keepLines || got[len(got)-1].Line != strconv.Itoa(10*keepLines-1) {
		t.Errorf("%d lines, the last %q; want the latest %d", len(got), got[len(got)-1].Line, keepLines)
	}
	long := strings.Repeat("x", keepBytes/4+1)
	for range 10 {
		o.Line(long)
	}
	if o.bytes > keepBytes || len(o.lines) != 3 {
		t.Errorf("%d bytes in %d lines are kept, want %d bytes at most", o.bytes, len(o.lines), keepBytes)
	}
	o.End(activities.Exit{})
	// Of a job that has ended, the last line is kept whatever its length.
	if got, exit, _ := o.next(&cursor{}); exit == nil || len(got) != 2 || got[0].Line != long {
		t.Errorf("after the end: %d updates", len(got))
	}
}
