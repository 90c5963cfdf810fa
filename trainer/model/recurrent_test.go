package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/gradcheck"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

func recurrentConfig(kind string, hidden []int, dropout sweeps.Dropout) sweeps.Model {
	cfg := config(hidden, dropout)
	cfg.Kind, cfg.Activation, cfg.ForgetBias = kind, "tanh", 1
	return cfg
}

// tasks are what networks are asked for: sequences in, or images or plain cases; one
// label, several, one each step, values.
var tasks = map[string]struct {
	cfg sweeps.Model
	o   Options
}{
	"lstm, one label":         {recurrentConfig("lstm", []int{5}, sweeps.Dropout{}), Options{Inputs: 12, Shape: []int{4, 3}, Classes: 3}},
	"lstm, two layers, drop":  {recurrentConfig("lstm", []int{5, 4}, sweeps.Dropout{Input: 0.2, Hidden: 0.3}), Options{Inputs: 12, Shape: []int{4, 3}, Classes: 3}},
	"lstm, symbols each step": {recurrentConfig("lstm", []int{6, 3}, sweeps.Dropout{Input: 0.2, Hidden: 0.3}), Options{Inputs: 5, Shape: []int{5}, Symbols: 7, Classes: 7, Outputs: 5}},
	"lstm, two labels":        {recurrentConfig("lstm", []int{5}, sweeps.Dropout{Hidden: 0.3}), Options{Inputs: 12, Shape: []int{4, 3}, Classes: 3, Outputs: 2}},
	"lstm, a value":           {recurrentConfig("lstm", []int{5}, sweeps.Dropout{}), Options{Inputs: 12, Shape: []int{6, 2}}},
	"lstm, a value each step": {recurrentConfig("lstm", []int{5}, sweeps.Dropout{}), Options{Inputs: 12, Shape: []int{6, 2}, Outputs: 6}},
	"lstm, one step":          {recurrentConfig("lstm", []int{5}, sweeps.Dropout{}), Options{Inputs: 3, Shape: []int{1, 3}, Classes: 3}},
	"rnn, one label":          {recurrentConfig("rnn", []int{5, 4}, sweeps.Dropout{Input: 0.2, Hidden: 0.3}), Options{Inputs: 12, Shape: []int{4, 3}, Classes: 3}},
	"rnn, symbols":            {recurrentConfig("rnn", []int{5}, sweeps.Dropout{}), Options{Inputs: 5, Shape: []int{5}, Symbols: 4, Classes: 2}},
	"mlp, three labels":       {config([]int{9}, sweeps.Dropout{Hidden: 0.3}), Options{Inputs: 6, Classes: 2, Outputs: 3}},
	"mlp, two values":         {config([]int{9}, sweeps.Dropout{}), Options{Inputs: 6, Outputs: 2}},
	"convnet, a value": {
		convConfig(convLayers(), []int{5}, sweeps.Dropout{}), Options{Inputs: 84, Shape: []int{2, 7, 6}},
	},
}

func TestTasksAgreeWithTheTapeMachine(t *testing.T) {
	t.Parallel()
	for name, c := range tasks {
		for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, rows := range []int{1, 6} {
				t.Run(fmt.Sprintf("%s/%v/%d rows", name, dtype, rows), func(t *testing.T) {
					t.Parallel()
					o := c.o
					o.BatchSize, o.Seed = rows, 3
					compareWholeNetworks(t, func() wholeNetwork { return newWholeNetworkOf(t, dtype, c.cfg, o) }, dtype, 2)
				})
			}
		}
	}
}

// Every gradient passes the check, relu's too, and a broken one does not.
func TestGradcheckOfTasks(t *testing.T) {
	t.Parallel()
	for name, c := range tasks {
		for _, activation := range []string{"tanh", "relu"} {
			t.Run(name+"/"+activation, func(t *testing.T) {
				t.Parallel()
				cfg, o := c.cfg, c.o
				cfg.Activation = activation
				o.BatchSize, o.Seed, o.BLAS = 4, 3, "gonum"
				n, err := NewFloat64(cfg, o)
				must(t, err)
				defer func() { must(t, n.Close()) }()
				m := minibatchOf(o, 4, 1)
				wide := Minibatch64{X: widen(m.X), Labels: m.Labels, Targets: widen(m.Targets)}
				if o.Classes > 0 {
					wide.Targets = nil
				}
				must(t, n.Bind(wide, 7))
				_, err = n.Gradient()
				must(t, err)
				check := func() (bad []string) {
					var params []gradcheck.Parameter
					for _, p := range n.Params() {
						params = append(params, gradcheck.Parameter{Name: p.Name, Value: p.Value, Grad: p.Grad})
					}
					rows, err := gradcheck.Check(n.Loss, params, gradcheck.Options{Entries: 12, Kinked: n.Kinked()})
					must(t, err)
					for _, r := range rows {
						if !r.OK {
							bad = append(bad, fmt.Sprintf("%+v", r))
						}
					}
					return bad
				}
				for i, p := range n.Params() { // away from the kinks
					z, _ := cases(1, len(p.Value), 2, uint64(300+i))
					for j := range p.Value {
						p.Value[j] += 0.01 * float64(z[j])
					}
				}
				_, err = n.Gradient()
				must(t, err)
				if bad := check(); len(bad) > 0 {
					t.Errorf("wrong: %v", bad)
				}
				for i := range n.params[1].Grad {
					n.params[1].Grad[i] += 1e-3
				}
				if bad := check(); len(bad) != 1 {
					t.Errorf("with one broken gradient these are wrong: %v", bad)
				}
			})
		}
	}
	n, err := NewFloat64(config(nil, sweeps.Dropout{}), Options{Inputs: 2, Classes: 2, BatchSize: 2})
	must(t, err)
	defer func() { must(t, n.Close()) }()
	for _, m := range []Minibatch64{{X: make([]float64, 3), Labels: make([]int32, 2)}, {X: make([]float64, 4)}, {X: make([]float64, 4), Labels: make([]int32, 2), Targets: make([]float64, 2)}} {
		if err := n.Bind(m, 0); err == nil {
			t.Errorf("bound %+v", m)
		}
	}
}

func TestRecurrentParameters(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		cfg sweeps.Model
		o   Options
	}{
		"lstm0.weight[3 20] lstm0.recurrent[5 20] lstm0.bias[20] lstm1.weight[5 16] lstm1.recurrent[4 16] lstm1.bias[16] dense0.weight[4 3] dense0.bias[3]": {
			recurrentConfig("lstm", []int{5, 4}, sweeps.Dropout{}), Options{Inputs: 12, Shape: []int{4, 3}, Classes: 3},
		},
		"rnn0.weight[7 5] rnn0.recurrent[5 5] rnn0.bias[5] dense0.weight[5 7] dense0.bias[7]": {
			recurrentConfig("rnn", []int{5}, sweeps.Dropout{}), Options{Inputs: 4, Shape: []int{4}, Symbols: 7, Classes: 7, Outputs: 4},
		},
		"rnn0.weight[7 5] rnn0.recurrent[5 5] rnn0.bias[5] dense0.weight[5 6] dense0.bias[6]": {
			recurrentConfig("rnn", []int{5}, sweeps.Dropout{}), Options{Inputs: 4, Shape: []int{4}, Symbols: 7, Classes: 2, Outputs: 3},
		},
	} {
		c.o.BatchSize = 1
		n := network(t, c.cfg, c.o)
		var got []string
		count := 0
		for _, p := range n.Params() {
			got = append(got, fmt.Sprintf("%s%v", p.Name, p.Shape))
			count += len(p.Value)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("parameters %s, want %s", s, want)
		}
		if counted, err := CountParameters(c.cfg, c.o); err != nil || counted != count {
			t.Errorf("%d parameters are counted, want %d: %v", counted, count, err)
		}
	}
}

// The forget gates' biases start at the setting, and no other bias does.
func TestForgetBias(t *testing.T) {
	t.Parallel()
	for _, bias := range []float64{0, 1, -2.5} {
		for _, spread := range []float64{0, 0.25} {
			cfg := recurrentConfig("lstm", []int{5, 3}, sweeps.Dropout{})
			cfg.ForgetBias, cfg.Init.Bias = bias, spread
			n := network(t, cfg, Options{Inputs: 12, Shape: []int{4, 3}, Classes: 3, BatchSize: 1})
			for layer, units := range []int{5, 3} {
				for i, v := range n.Params()[3*layer+2].Value {
					want := 0.0
					if i >= units && i < 2*units {
						want = bias
					}
					if math.Abs(float64(v)-want) > spread || spread > 0 && float64(v) == want {
						t.Errorf("bias %v, spread %v: entry %d of layer %d is %v", bias, spread, i, layer, v)
					}
				}
			}
		}
	}
}

// Weights from the inputs are scaled by their number, recurrent ones by the units'.
func TestRecurrentFanIn(t *testing.T) {
	t.Parallel()
	n := network(t, recurrentConfig("lstm", []int{100}, sweeps.Dropout{}), Options{Inputs: 900, Shape: []int{2, 450}, Classes: 2, BatchSize: 1})
	for i, fanIn := range []float64{450, 100} {
		sum := 0.0
		w := n.Params()[i].Value
		for _, v := range w {
			sum += float64(v) * float64(v)
		}
		if variance := sum / float64(len(w)); math.Abs(variance*fanIn-1) > 0.05 {
			t.Errorf("%s: variance %v, want 1/%v", n.Params()[i].Name, variance, fanIn)
		}
	}
}

// carried is a network whose minibatches are windows of steps.
func carried(t *testing.T, kind string, steps, rows int, carry bool) *Network {
	t.Helper()
	return network(t, recurrentConfig(kind, []int{6, 4}, sweeps.Dropout{}), Options{
		Inputs: steps, Shape: []int{steps}, Symbols: 5, Classes: 5, Outputs: steps, BatchSize: rows, Seed: 9, CarryState: carry, Threads: 2,
	})
}

// Two windows, the second carrying on, are the sequence of both in one; without carrying
// they are not, and forgetting begins anew.
func TestWindowsCarriedAreOneSequence(t *testing.T) {
	t.Parallel()
	const steps, rows = 7, 3
	for _, kind := range []string{"lstm", "rnn"} {
		_, symbols := cases(rows*2*steps, 1, 5, 4)
		x := make([]float32, len(symbols))
		for i, s := range symbols {
			x[i] = float32(s)
		}
		windows := [2][]float32{}
		for r := range rows {
			for w := range 2 {
				windows[w] = append(windows[w], x[(2*r+w)*steps:][:steps]...)
			}
		}
		whole := make([]float32, len(x)*5)
		must(t, carried(t, kind, 2*steps, rows, false).Predict(x, whole))
		predict := func(n *Network, w int) []float32 {
			probs := make([]float32, rows*steps*5)
			must(t, n.Predict(windows[w], probs))
			return probs
		}
		part := func(w int) (want []float32) {
			for r := range rows {
				want = append(want, whole[(2*r+w)*steps*5:][:steps*5]...)
			}
			return want
		}
		n := carried(t, kind, steps, rows, true)
		closeTo(t, kind+": first window", predict(n, 0), part(0))
		second := predict(n, 1)
		closeTo(t, kind+": second window", second, part(1))
		if third := predict(n, 1); slices.Equal(third, second) {
			t.Errorf("%s: what came before changes nothing", kind)
		}
		n.Forget()
		closeTo(t, kind+": first window, having forgotten", predict(n, 0), part(0))

		// Training goes on in the same way, whatever the number of rows.
		labels := make([]int32, rows*steps)
		n.Forget()
		trainOn(t, n, Minibatch{X: windows[0], Labels: labels}, 0)
		var memory []float32
		for _, m := range n.Memories() {
			memory = append(memory, m.Value...)
		}
		trainOn(t, n, Minibatch{X: windows[1][:2*steps], Labels: labels[:2*steps]}, 1)
		fewer := make([]float32, 2*steps*5)
		for i, m := range n.Memories() { // back to before it, as after a resume
			last := slices.Clone(m.Value[2*m.Shape[1]:])
			was := memory[:len(m.Value)]
			memory = memory[len(m.Value):]
			if !slices.Equal(last, was[2*m.Shape[1]:]) || slices.Equal(m.Value, was) {
				t.Errorf("%s: memory %d after fewer rows is %v, before it %v", kind, i, m.Value, was)
			}
			copy(m.Value, was)
		}
		must(t, n.Predict(windows[1][:2*steps], fewer))
		closeTo(t, kind+": restored", fewer, second[:2*steps*5])
		if err := n.Predict(x, whole); err == nil {
			t.Errorf("%s: predicted more rows than there are sequences", kind)
		}

		forgetful := carried(t, kind, steps, rows, false)
		predict(forgetful, 0)
		if again := predict(forgetful, 1); slices.Equal(again, second) || len(forgetful.Memories()) != 0 {
			t.Errorf("%s: carried without being told to", kind)
		}
	}
}

// The gradient does not reach back before the window: it is that of the window alone,
// from the carried state as a constant.
func TestTruncation(t *testing.T) {
	t.Parallel()
	const steps, rows = 5, 2
	n := carried(t, "lstm", steps, rows, true)
	m := minibatchOf(n.options, rows, 1)
	trainOn(t, n, m, 0)
	second, _ := trainOn(t, n, m, 1)
	want := gradient(n)
	n.Forget()
	trainOn(t, n, minibatchOf(n.options, rows, 2), 2) // another past
	other, _ := trainOn(t, n, m, 3)
	if other == second || slices.Equal(gradient(n), want) {
		t.Fatal("the past changes nothing")
	}
	// The loss moves with a weight as the gradient says when the memory is held.
	var memory [][]float32
	for _, m := range n.Memories() {
		memory = append(memory, slices.Clone(m.Value))
	}
	loss := func() float64 {
		for i, m := range n.Memories() {
			copy(m.Value, memory[i])
		}
		l, _ := trainOn(t, n, m, 4)
		return l
	}
	loss()
	p := n.Params()[1]
	grad := slices.Clone(p.Grad)
	largest := 0
	for i, g := range grad {
		if math.Abs(float64(g)) > math.Abs(float64(grad[largest])) {
			largest = i
		}
	}
	const h = 0.02
	p.Value[largest] += h
	up := loss()
	p.Value[largest] -= 2 * h
	slope := (up - loss()) / (2 * h)
	if g := float64(grad[largest]); math.Abs(slope-g) > 0.02*math.Abs(g) {
		t.Errorf("gradient %v, slope %v", g, slope)
	}
}

// Networks with a memory learn what takes one: the first symbol, asked for at the end.
func TestRecurrentNetworksRemember(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"lstm", "rnn"} {
		o := Options{Inputs: 8, Shape: []int{8}, Symbols: 4, Classes: 4, BatchSize: 32, Seed: 1}
		n := network(t, recurrentConfig(kind, []int{16}, sweeps.Dropout{}), o)
		adam := optim.New(n.Params(), sweeps.Train{Optimizer: "adam", Adam: sweeps.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}})
		minibatch := func(step uint64) Minibatch {
			m := minibatchOf(o, 32, step)
			for i := range m.Labels {
				m.Labels[i] = int32(m.X[8*i])
			}
			return m
		}
		for step := range uint64(400) {
			trainOn(t, n, minibatch(step), step)
			optim.ClipNorm(n.Params(), 1)
			adam.Step(0.01)
		}
		if loss, wrong := trainOn(t, n, minibatch(1000), 400); wrong > 0 || loss > 0.1 {
			t.Errorf("%s: after 400 steps the loss is %v, %d of 32 are wrong", kind, loss, wrong)
		}
	}
}

// A value that is linear in the inputs is learnt to nothing.
func TestLearnsValues(t *testing.T) {
	t.Parallel()
	o := Options{Inputs: 3, Outputs: 2, BatchSize: 16, Seed: 1}
	n := network(t, config(nil, sweeps.Dropout{}), o)
	sgd := optim.NewSGD(n.Params(), 0.9)
	var loss float64
	for step := range uint64(300) {
		m := minibatchOf(o, 16, step)
		for i := range 16 {
			x := m.X[3*i:]
			m.Targets[2*i], m.Targets[2*i+1] = 2*x[0]-x[1]+0.5, x[2]
		}
		loss, _ = trainOn(t, n, m, step)
		sgd.Step(0.05)
	}
	if !(loss < 1e-6) {
		t.Errorf("the mean squared error is %v", loss)
	}
	values := make([]float32, 2)
	must(t, n.Predict([]float32{1, 2, 3}, values))
	if math.Abs(float64(values[0])-0.5) > 1e-3 || math.Abs(float64(values[1])-3) > 1e-3 {
		t.Errorf("values %v, want 0.5 and 3", values)
	}
}

// Training gives the same bits run after run, and with gonum with any number of threads.
func TestRecurrentTrainingIsDeterministic(t *testing.T) {
	t.Parallel()
	weights := func(blas string, threads int) (all []float32) {
		o := Options{
			Inputs: 6, Shape: []int{6}, Symbols: 9, Classes: 9, Outputs: 6, BatchSize: 20, Seed: 4, CarryState: true, Threads: threads, BLAS: blas,
		}
		n := network(t, recurrentConfig("lstm", []int{33, 20}, sweeps.Dropout{Hidden: 0.3}), o)
		sgd := optim.NewSGD(n.Params(), 0.9)
		for step := range uint64(12) {
			trainOn(t, n, minibatchOf(o, 20-int(step/4), step), step)
			sgd.Step(0.1)
		}
		for _, p := range n.Params() {
			all = append(all, p.Value...)
		}
		for _, m := range n.Memories() {
			all = append(all, m.Value...)
		}
		return all
	}
	for _, blas := range []string{"gonum", "openblas"} {
		for threads := 1; threads <= 3; threads++ {
			one := weights(blas, threads)
			if !slices.Equal(one, weights(blas, threads)) {
				t.Errorf("%s, %d threads: two runs differ", blas, threads)
			}
			if blas == "gonum" && !slices.Equal(one, weights(blas, 1)) {
				t.Errorf("%d threads differ from one", threads)
			}
		}
	}
}

// A step in the steady state allocates nothing. (Not parallel: it counts the
// allocations of the whole process.)
func TestRecurrentStepsDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector, sync.Pool drops entries on purpose")
	}
	for _, kind := range []string{"lstm", "rnn"} {
		for _, threads := range []int{1, 2} {
			o := Options{
				Inputs: 6, Shape: []int{6}, Symbols: 9, Classes: 9, Outputs: 6, BatchSize: 20, Seed: 4, CarryState: true, Threads: threads,
			}
			n := network(t, recurrentConfig(kind, []int{16, 12}, sweeps.Dropout{Hidden: 0.3}), o)
			m := minibatchOf(o, 20, 0)
			fewer := Minibatch{X: m.X[:7*6], Labels: m.Labels[:7*6]}
			probs := make([]float32, 20*6*9)
			step := uint64(0)
			allocations := testing.AllocsPerRun(50, func() {
				trainOn(t, n, m, step)
				trainOn(t, n, fewer, step)
				must(t, n.Predict(m.X, probs))
				n.Forget()
				step++
			})
			if allocations > 1 { // the garbage collector may empty a pool now and then
				t.Errorf("%s, %d threads: %v allocations a step", kind, threads, allocations)
			}
		}
	}
}

func TestNetworksThatCannotBe(t *testing.T) {
	t.Parallel()
	lstm, mlp := recurrentConfig("lstm", []int{4}, sweeps.Dropout{}), config([]int{4}, sweeps.Dropout{})
	layers := recurrentConfig("rnn", nil, sweeps.Dropout{})
	gelu, bias := recurrentConfig("rnn", []int{4}, sweeps.Dropout{}), lstm
	gelu.Activation, bias.ForgetBias = "gelu", math.NaN()
	good := Options{Inputs: 6, Shape: []int{2, 3}, Classes: 2, BatchSize: 1}
	change := func(f func(o *Options)) Options {
		o := good
		f(&o)
		return o
	}
	for _, c := range []struct {
		cfg  sweeps.Model
		o    Options
		says string
	}{
		{layers, good, "rnn: hidden has no layers"},
		{gelu, good, "activation"},
		{bias, good, "forget_bias is NaN"},
		{lstm, change(func(o *Options) { o.Shape = []int{6} }), "cases of shape [6] are not sequences"},
		{lstm, change(func(o *Options) { o.Shape = []int{1, 2, 3} }), "cases of shape [1 2 3] are not sequences"},
		{lstm, change(func(o *Options) { o.Inputs = 7 }), "a shape of [2 3] for cases of 7 features"},
		{lstm, change(func(o *Options) { o.Symbols = 4 }), "cases of symbols have the shape [2 3], want [steps]"},
		{lstm, change(func(o *Options) { o.Symbols, o.Shape = 4, []int{5} }), "a shape of [5] for cases of 6 features"},
		{mlp, change(func(o *Options) { o.Symbols = 4 }), "the inputs are symbols, which mlp cannot take"},
		{mlp, change(func(o *Options) { o.CarryState = true }), "a network of kind mlp has no state to carry"},
		{mlp, change(func(o *Options) { o.Outputs = -1 }), "-1 outputs"},
		{mlp, change(func(o *Options) { o.Symbols = -1 }), "-1 symbols"},
	} {
		n, err := New(c.cfg, c.o)
		if err == nil {
			_ = n.Close()
		}
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with %q", err, c.says)
		}
	}
}

func TestBadMinibatchesOfTasks(t *testing.T) {
	t.Parallel()
	labels := network(t, config(nil, sweeps.Dropout{}), Options{Inputs: 2, Classes: 3, Outputs: 2, BatchSize: 4})
	values := network(t, config(nil, sweeps.Dropout{}), Options{Inputs: 2, Outputs: 2, BatchSize: 4})
	symbols := carried(t, "lstm", 2, 4, false)
	for _, c := range []struct {
		n    *Network
		m    Minibatch
		says string
	}{
		{labels, Minibatch{X: make([]float32, 2), Labels: make([]int32, 3)}, "3 labels and 0 values: want 2 labels of each case"},
		{labels, Minibatch{X: make([]float32, 2), Labels: []int32{0, 3}}, "label 3 of row 0"},
		{labels, Minibatch{X: make([]float32, 2), Labels: make([]int32, 2), Targets: make([]float32, 2)}, "2 labels and 2 values"},
		{values, Minibatch{X: make([]float32, 2), Labels: make([]int32, 2)}, "2 labels and 0 values: want 2 values of each case"},
		{values, Minibatch{X: make([]float32, 10), Targets: make([]float32, 10)}, "5 rows"},
		{symbols, Minibatch{X: []float32{1, 2, 3, 5}, Labels: make([]int32, 4)}, "input 1 of row 1 is 5, not one of 5 symbols"},
		{symbols, Minibatch{X: []float32{1, 0.5}, Labels: make([]int32, 2)}, "is 0.5, not one of 5 symbols"},
		{symbols, Minibatch{X: []float32{float32(math.NaN()), 0}, Labels: make([]int32, 2)}, "is NaN"},
	} {
		if _, _, err := c.n.TrainStep(c.m, 0); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one with %q", err, c.says)
		}
	}
	if err := symbols.Predict([]float32{-1, 0}, make([]float32, 10)); err == nil || !strings.Contains(err.Error(), "input 0 of row 0 is -1") {
		t.Errorf("predict: error %v", err)
	}
}
