package trainer

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The parts of a profile sum to the whole, and each has its share of what happened.
func TestProfileSumsToTheWhole(t *testing.T) {
	t.Parallel()
	cfg := smallConfig()
	cfg.Train.Epochs = 3
	r := newRunner(t, cfg)
	var out strings.Builder
	o := Options{
		Store: r.store, Trial: r.id, Epochs: 3, Attempt: 1, CheckpointEvery: -1, Profile: &out,
	}
	begin := time.Now()
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(begin).Seconds()
	head := regexp.MustCompile(`^training took ([0-9.]+) s, 24 steps\n`).FindStringSubmatch(out.String())
	if head == nil {
		t.Fatalf("the profile is\n%s", out.String())
	}
	total, _ := strconv.ParseFloat(head[1], 64)
	sum, parts := 0.0, 0
	for _, m := range regexp.MustCompile(`(?m)^[0-9.]+% +([0-9.]+) +[0-9.]+ +([a-z'’ ]+)$`).FindAllStringSubmatch(out.String(), -1) {
		s, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += s
		parts++
	}
	if parts != int(stages) || sum < total-0.02 || sum > total+0.02 || total > whole+0.01 {
		t.Errorf("%d parts of %.3f s in all; the whole is %v s, and %.3f s by the clock:\n%s", parts, sum, total, whole, out.String())
	}
	// Minibatches that are not full are folded into a line.
	for _, want := range []string{"training, 64 rows: 21 calls", "training, 52 rows: 3 calls", "prediction, 64 rows: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the profile has no %q:\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "GFLOP/s"); n != 2 {
		t.Errorf("%d tables of instructions, want 2:\n%s", n, out.String())
	}
}

func TestStopwatchIsOffUnlessStarted(t *testing.T) {
	t.Parallel()
	var s stopwatch
	s.lap(computing)
	if s != (stopwatch{}) {
		t.Errorf("%+v", s)
	}
	s.start()
	s.lap(computing)
	s.lap(other)
	if s.steps != 1 {
		t.Errorf("%d steps, want 1", s.steps)
	}
}
