package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
)

func testResult() sweeps.Result {
	sum := strings.Repeat("0a", 32)
	artifact := func(name string) sweeps.Artifact {
		return sweeps.Artifact{Key: "trials/" + string(trialA) + "/" + name, SHA256: sum, Bytes: 10}
	}
	return sweeps.Result{
		Version: 1, Trial: trialA, Epochs: 20, Attempt: 1, Status: sweeps.Completed,
		ValidationError: 0.0173, ValidationNLL: 0.0612345678901234,
		Curve: []sweeps.EpochMetrics{
			{Epoch: 1, LearningRate: 0.1, TrainLoss: 0.4, UpdateRatio: map[string]float64{"w1": 1e-3}},
			{Epoch: 2, LearningRate: 0.1, TrainLoss: 0.3},
		},
		Checkpoint: artifact("w"), ValidationPredictions: artifact("v"), TestPredictions: artifact("t"),
		Weights: 669_706, Engine: "cpu", Seconds: 61.5,
	}
}

func TestCommitResult(t *testing.T) {
	t.Parallel()
	s := newStore()
	first := testResult()
	if _, err := s.Result(t.Context(), trialA, 20); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Result before the commit: %v, want ErrNotFound", err)
	}
	got, won, err := s.CommitResult(t.Context(), first)
	if err != nil || !won {
		t.Fatalf("CommitResult: won %v, %v", won, err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("the winner gets another result (-want +got):\n%s", diff)
	}
	second := first
	second.Attempt, second.ValidationError = 2, 0.5
	got, won, err = s.CommitResult(t.Context(), second)
	if err != nil || won {
		t.Errorf("the second CommitResult: won %v, %v", won, err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("the loser gets another result than the committed one (-want +got):\n%s", diff)
	}
	if got, err := s.Result(t.Context(), trialA, 20); err != nil || !cmp.Equal(first, got) {
		t.Errorf("Result = %v, %v", got, err)
	}
	// Another budget, another trial: other results.
	for _, change := range []func(*sweeps.Result){
		func(r *sweeps.Result) { r.Epochs = 40 },
		func(r *sweeps.Result) { r.Trial = trialB },
	} {
		r := testResult()
		change(&r)
		if _, won, err := s.CommitResult(t.Context(), r); err != nil || !won {
			t.Errorf("CommitResult of trial %s, %d epochs: won %v, %v", r.Trial, r.Epochs, won, err)
		}
	}
}

// TestCommitResultRace has many commit different results of one run at once, on
// files and in memory.
func TestCommitResultRace(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mem:", "file:" + t.TempDir()} {
		s, err := storage.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 20 {
			var winner atomic.Int64
			var wg sync.WaitGroup
			got := make([]sweeps.Result, 30)
			for i := range got {
				wg.Go(func() {
					r := testResult()
					r.Epochs, r.Attempt = 1+round, 1+i
					committed, won, err := s.CommitResult(t.Context(), r)
					if err != nil {
						t.Errorf("CommitResult: %v", err)
					}
					if won && !winner.CompareAndSwap(0, int64(r.Attempt)) {
						t.Errorf("attempts %d and %d have both won", winner.Load(), r.Attempt)
					}
					got[i] = committed
				})
			}
			wg.Wait()
			for i, r := range got {
				if int64(r.Attempt) != winner.Load() {
					t.Errorf("attempt %d is told that %d is committed, %d has won", i+1, r.Attempt, winner.Load())
				}
			}
		}
	}
}

func TestCommitResultRefuses(t *testing.T) {
	t.Parallel()
	s := newStore()
	for want, change := range map[string]func(*sweeps.Result){
		"version 0":                        func(r *sweeps.Result) { r.Version = 0 },
		"version 2":                        func(r *sweeps.Result) { r.Version = 2 },
		`""`:                               func(r *sweeps.Result) { r.Trial = "" },
		`"00112233445566zz"`:               func(r *sweeps.Result) { r.Trial = "00112233445566zz" },
		"budget of 0":                      func(r *sweeps.Result) { r.Epochs = 0 },
		"attempts count from 1":            func(r *sweeps.Result) { r.Attempt = 0 },
		"status":                           func(r *sweeps.Result) { r.Status = "done" },
		"validation_error is NaN":          func(r *sweeps.Result) { r.ValidationError = math.NaN() },
		"not in [0, 1]":                    func(r *sweeps.Result) { r.ValidationError = 1.5 },
		"validation_error is -0.5, below":  func(r *sweeps.Result) { r.ValidationError, r.Values = -0.5, true },
		"validation_nll is +Inf":           func(r *sweeps.Result) { r.ValidationNLL = math.Inf(1) },
		"seconds is -Inf":                  func(r *sweeps.Result) { r.Seconds = math.Inf(-1) },
		"curve[1].train_loss is NaN":       func(r *sweeps.Result) { r.Curve[1].TrainLoss = math.NaN() },
		"curve[0].update_ratio.w1 is +Inf": func(r *sweeps.Result) { r.Curve[0].UpdateRatio["w1"] = math.Inf(1) },
		"bad object key":                   func(r *sweeps.Result) { r.Checkpoint.Key = "../x" },
		"no SHA-256":                       func(r *sweeps.Result) { r.TestPredictions.SHA256 = "x" },
		"size of -1":                       func(r *sweeps.Result) { r.ValidationPredictions.Bytes = -1 },
	} {
		r := testResult()
		change(&r)
		_, won, err := s.CommitResult(t.Context(), r)
		if won || !errors.Is(err, storage.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("won %v, %v, want ErrInvalid with %q", won, err, want)
		}
	}
	for o, err := range s.Backend().List(t.Context(), "") {
		t.Errorf("a refused result has left %v, %v", o, err)
	}
	values := testResult()
	values.Trial, values.Values, values.ValidationError = trialB, true, 1.5
	if committed, won, err := s.CommitResult(t.Context(), values); err != nil || !won || !committed.Values {
		t.Errorf("a squared error above the variance: won %v, %v", won, err)
	}
	diverged := sweeps.Result{Version: 1, Trial: trialA, Epochs: 20, Attempt: 1, Status: sweeps.Diverged, ValidationError: 1}
	if _, won, err := s.CommitResult(t.Context(), diverged); err != nil || !won {
		t.Errorf("a diverged result without artifacts: won %v, %v", won, err)
	}
}

func TestResultCorrupt(t *testing.T) {
	t.Parallel()
	s := newStore()
	key := storage.ResultKey(trialA, 20)
	if _, _, err := s.CommitResult(t.Context(), testResult()); err != nil {
		t.Fatal(err)
	}
	good := read(t, s, key)
	damages := map[string]func([]byte) []byte{
		"other trial":  func(b []byte) []byte { return bytes.Replace(b, []byte(trialA), []byte(trialB), 1) },
		"other epochs": func(b []byte) []byte { return bytes.Replace(b, []byte(`"epochs":20`), []byte(`"epochs":21`), 1) },
		"later version": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"version":1`), []byte(`"version":2`), 1)
		},
		"error of 2": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"validation_error":0.0173`), []byte(`"validation_error":2`), 1)
		},
	}
	for name, damage := range corruptions {
		damages[name] = damage
	}
	for name, damage := range damages {
		bad := damage(good)
		put(t, s, key, bad)
		_, err := s.Result(t.Context(), trialA, 20)
		wantCorrupt(t, "Result, "+name, key, err)
		// Nobody wins over a damaged result, and it is not overwritten: a person has to look.
		_, won, err := s.CommitResult(t.Context(), testResult())
		wantCorrupt(t, "CommitResult over "+name, key, err)
		if won || !bytes.Equal(read(t, s, key), bad) {
			t.Errorf("%s: won %v, or the object has changed", name, won)
		}
	}
}

// TestCommitResultLostAnswer has the backend commit and then fail, as a network
// may. Trying again must lose, and return what the first attempt committed.
func TestCommitResultLostAnswer(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := newStore(mem.WithLateFault(func(op, _ string) error {
		if op == mem.OpPutIfAbsent && calls.Add(1) == 1 {
			return errFault
		}
		return nil
	}))
	r := testResult()
	if _, won, err := s.CommitResult(t.Context(), r); won || !errors.Is(err, errFault) {
		t.Errorf("CommitResult whose answer is lost: won %v, %v", won, err)
	}
	r.Attempt = 2
	got, won, err := s.CommitResult(t.Context(), r)
	if won || err != nil || got.Attempt != 1 {
		t.Errorf("CommitResult again: attempt %d is committed, won %v, %v", got.Attempt, won, err)
	}
}

func ExampleStore_CommitResult() {
	s := storage.New(mem.New())
	for attempt := 1; attempt <= 2; attempt++ {
		committed, won, err := s.CommitResult(context.Background(), sweeps.Result{
			Version: 1, Trial: "00112233445566aa", Epochs: 20, Attempt: attempt,
			Status: sweeps.Completed, ValidationError: 0.02 / float64(attempt),
		})
		fmt.Println(won, committed.Attempt, committed.ValidationError, err)
	}
	// Output:
	// true 1 0.02 <nil>
	// false 1 0.02 <nil>
}
