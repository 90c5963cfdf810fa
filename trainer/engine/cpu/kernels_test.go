package cpu

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/ops"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// sizes of a case: rows, columns, inner dimension.
type sizes struct{ rows, cols, inner int }

// denseBuilder makes a dense layer and its gradients.
func denseBuilder(a ops.Activation) func(s sizes, next func(name string, shape ...int) *gorgonia.Node, labels, step *gorgonia.Node) ([]*gorgonia.Node, error) {
	return func(s sizes, next func(string, ...int) *gorgonia.Node, _, _ *gorgonia.Node) ([]*gorgonia.Node, error) {
		in := gorgonia.Nodes{next("x", s.rows, s.inner), next("w", s.inner, s.cols), next("b", s.cols)}
		y, err := ops.Dense(in[0], in[1], in[2], a)
		if err != nil {
			return nil, err
		}
		grads, err := y.Op().(gorgonia.SDOp).SymDiff(in, y, next("dy", s.rows, s.cols))
		return append(grads, y), err
	}
}

// builders make a node of every operation. Leaves get their values from next.
var builders = map[string]func(s sizes, next func(name string, shape ...int) *gorgonia.Node, labels, step *gorgonia.Node) ([]*gorgonia.Node, error){
	"linear": func(s sizes, next func(string, ...int) *gorgonia.Node, _, _ *gorgonia.Node) ([]*gorgonia.Node, error) {
		y, err := ops.Dense(next("x", s.rows, s.inner), next("w", s.inner, s.cols), next("b", s.cols), ops.Identity)
		return []*gorgonia.Node{y}, err
	},
	"linear with relu and its gradients":    denseBuilder(ops.ReLU),
	"linear with tanh and its gradients":    denseBuilder(ops.Tanh),
	"linear with sigmoid and its gradients": denseBuilder(ops.Sigmoid),
	"dropout": func(s sizes, next func(string, ...int) *gorgonia.Node, _, step *gorgonia.Node) ([]*gorgonia.Node, error) {
		y, err := ops.Dropout(next("x", s.rows, s.cols), step, 0.3, 5, 2)
		return []*gorgonia.Node{y}, err
	},
	"cross-entropy, its gradient and errors": func(s sizes, next func(string, ...int) *gorgonia.Node, labels, _ *gorgonia.Node) ([]*gorgonia.Node, error) {
		x := next("x", s.rows, s.cols)
		loss, err := ops.CrossEntropy(x, labels)
		if err != nil {
			return nil, err
		}
		grads, err := ops.Gradients(loss, x)
		if err != nil {
			return nil, err
		}
		wrong, err := ops.Errors(x, labels)
		return []*gorgonia.Node{loss, grads[0], wrong}, err
	},
	"softmax": func(s sizes, next func(string, ...int) *gorgonia.Node, _, _ *gorgonia.Node) ([]*gorgonia.Node, error) {
		y, err := ops.Softmax(next("x", s.rows, s.cols), s.cols)
		return []*gorgonia.Node{y}, err
	},
}

// Every kernel gives what the operation's reference gives, in both types, with
// either BLAS, for any sizes and any number of threads, and the same bits twice.
func TestKernelsAgreeWithReferences(t *testing.T) {
	t.Parallel()
	var all []*Backend
	for _, threads := range []int{1, 2, 3} {
		all = append(all, backends(t, threads)...)
	}
	for name, build := range builders {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				small := rapid.IntRange(1, 40)
				s := sizes{small.Draw(t, "rows"), small.Draw(t, "cols"), small.Draw(t, "inner")}
				if rapid.IntRange(0, 4).Draw(t, "large") == 0 {
					s.rows, s.cols = s.rows*7, s.cols*8 // enough for several threads
				}
				b := all[rapid.IntRange(0, len(all)-1).Draw(t, "backend")]
				t.Log(b.Name())
				checkKernel(t, b, rapid.SampledFrom([]tensor.Dtype{tensor.Float32, tensor.Float64}).Draw(t, "type"), s, build)
			})
		})
	}
}

func checkKernel(t *rapid.T, b *Backend, dtype tensor.Dtype, s sizes, build func(sizes, func(string, ...int) *gorgonia.Node, *gorgonia.Node, *gorgonia.Node) ([]*gorgonia.Node, error)) {
	g := gorgonia.NewGraph()
	draws := uint64(0)
	next := func(name string, shape ...int) *gorgonia.Node {
		draws++
		return gorgonia.NewTensor(g, dtype, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
			gorgonia.WithValue(normal(dtype, draws, shape...)))
	}
	labelValues := make([]int32, s.rows)
	for i := range labelValues {
		labelValues[i] = int32(i * 7 % s.cols)
	}
	labels := gorgonia.NewVector(g, tensor.Int32, gorgonia.WithName("labels"), gorgonia.WithShape(s.rows),
		gorgonia.WithValue(tensor.New(tensor.WithShape(s.rows), tensor.WithBacking(labelValues))))
	step := gorgonia.NewVector(g, tensor.Int64, gorgonia.WithName("step"), gorgonia.WithShape(1),
		gorgonia.WithValue(tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{11}))))
	nodes, err := build(s, next, labels, step)
	if err != nil {
		t.Fatal(err)
	}
	want := references(t, nodes)
	var results []engine.Result
	for _, n := range nodes {
		results = append(results, engine.Result{Node: n})
	}
	program, err := engine.Compile(b, results...)
	if err != nil {
		t.Fatal(err)
	}
	var first [][]float64
	for range 2 {
		if err := program.RunAll(); err != nil {
			t.Fatal(err)
		}
		var got [][]float64
		for _, n := range nodes {
			got = append(got, floats(t, n.Value()))
		}
		if first == nil {
			first = got
		} else if !slices.EqualFunc(first, got, slices.Equal) {
			t.Fatal("a second run gives other bits")
		}
	}
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	// Sums of up to 300 products of numbers of size 1, in another order.
	tolerance := map[tensor.Dtype]float64{tensor.Float32: 3e-5, tensor.Float64: 1e-13}[dtype]
	for i, n := range nodes {
		for j := range want[i] {
			if math.Abs(first[i][j]-want[i][j]) > tolerance*(1+math.Abs(want[i][j])) {
				t.Fatalf("%v %v: element %d is %v, want %v", n.Op(), n.Shape(), j, first[i][j], want[i][j])
			}
		}
	}
}

// references evaluates nodes by their operations' Do.
func references(t *rapid.T, nodes []*gorgonia.Node) [][]float64 {
	done := map[*gorgonia.Node]gorgonia.Value{}
	var eval func(n *gorgonia.Node) gorgonia.Value
	eval = func(n *gorgonia.Node) gorgonia.Value {
		if v, ok := done[n]; ok {
			return v
		}
		if n.Value() != nil {
			return n.Value()
		}
		var in []gorgonia.Value
		for it := n.Graph().From(n.ID()); it.Next(); {
			in = append(in, eval(it.Node().(*gorgonia.Node)))
		}
		v, err := n.Op().Do(in...)
		if err != nil {
			t.Fatal(err)
		}
		done[n] = v
		return v
	}
	var values [][]float64
	for _, n := range nodes {
		values = append(values, floats(t, eval(n)))
	}
	return values
}

func normal(dtype tensor.Dtype, stream uint64, shape ...int) gorgonia.Value {
	z := make([]float64, tensor.Shape(shape).TotalSize())
	philox.New(1, philox.Init, 0, stream).Normals(z)
	if dtype == tensor.Float64 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(z))
	}
	f := make([]float32, len(z))
	for i, v := range z {
		f[i] = float32(v)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(f))
}

func floats(t interface{ Fatalf(string, ...any) }, v gorgonia.Value) []float64 {
	switch d := v.Data().(type) {
	case []float64:
		return slices.Clone(d)
	case []float32:
		f := make([]float64, len(d))
		for i, x := range d {
			f[i] = float64(x)
		}
		return f
	case float32:
		return []float64{float64(d)}
	case float64:
		return []float64{d}
	default:
		t.Fatalf("a value of %T", d)
		return nil
	}
}

func TestExp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64Range(-1, 0), rapid.Float64Range(-708, 0)).Draw(t, "x")
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-15*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	})
	for x, want := range map[float64]float64{0: 1, -709: 0, math.Inf(-1): 0} {
		if got := exp(x); got != want {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if got := exp(math.NaN()); !math.IsNaN(got) {
		t.Errorf("exp(NaN) = %v", got)
	}
}

func TestSmoothActivations(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64Range(-1, 1), rapid.Float64Range(-700, 700), rapid.Float64Range(-1e-8, 1e-8)).Draw(t, "x")
		if got, want := tanh(x), math.Tanh(x); math.Abs(got-want) > 3e-15*math.Abs(want) {
			t.Fatalf("tanh(%v) = %v, want %v", x, got, want)
		}
		if got, want := sigmoid(x), 1/(1+math.Exp(-x)); math.Abs(got-want) > 3e-15*want {
			t.Fatalf("sigmoid(%v) = %v, want %v", x, got, want)
		}
	})
	for _, c := range []struct{ x, tanh, sigmoid float64 }{{0, 0, 0.5}, {math.Inf(1), 1, 1}, {math.Inf(-1), -1, 0}} {
		if a, b := tanh(c.x), sigmoid(c.x); a != c.tanh || b != c.sigmoid {
			t.Errorf("at %v: tanh %v, sigmoid %v; want %v and %v", c.x, a, b, c.tanh, c.sigmoid)
		}
	}
	if a, b := tanh(math.NaN()), sigmoid(math.NaN()); !math.IsNaN(a) || !math.IsNaN(b) {
		t.Errorf("of NaN: tanh %v, sigmoid %v", a, b)
	}
}

func TestPoolCoversEveryElementOnce(t *testing.T) {
	t.Parallel()
	for threads := 1; threads <= 4; threads++ {
		p := newPool(threads)
		defer p.close()
		rapid.Check(t, func(t *rapid.T) {
			n, unit := rapid.IntRange(1, 300).Draw(t, "n"), rapid.IntRange(1, 50).Draw(t, "unit")
			hits := make([]int, n)
			p.each(n, unit, func(lo, hi int) {
				if lo%unit != 0 || lo >= hi {
					panic(fmt.Sprintf("the range %d … %d", lo, hi))
				}
				for i := lo; i < hi; i++ {
					hits[i]++
				}
			})
			for i, h := range hits {
				if h != 1 {
					t.Fatalf("element %d is covered %d times", i, h)
				}
			}
		})
	}
}

func TestChoiceOfBLAS(t *testing.T) {
	if _, err := New(Options{BLAS: "mkl"}); err == nil {
		t.Error("an unknown BLAS is accepted")
	}
	if _, err := New(Options{Threads: -1}); err == nil {
		t.Error("a negative number of threads is accepted")
	}
	for _, c := range []struct{ option, environment, want string }{
		{Gonum, OpenBLAS, "cpu gonum threads=2"},
		{"", Gonum, "cpu gonum threads=2"},
	} {
		t.Setenv(Environment, c.environment)
		b, err := New(Options{Threads: 2, BLAS: c.option})
		if err != nil {
			t.Fatal(err)
		}
		if b.Name() != c.want {
			t.Errorf("option %q, environment %q: %s, want %s", c.option, c.environment, b.Name(), c.want)
		}
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, name := range []string{Gonum, OpenBLAS} {
		l, err := openLibrary(name)
		if errors.Is(err, ErrNoOpenBLAS) {
			b.Logf("without OpenBLAS: %v", err)
			continue
		} else if err != nil {
			b.Fatal(err)
		}
		for _, s := range []struct {
			label          string
			transA, transB bool
			m, k, n        int
		}{
			{"forward", false, false, 128, 784, 512},
			{"weights", true, false, 784, 128, 512},
			{"inputs", false, true, 128, 512, 512},
		} {
			b.Run(name+"/"+s.label, func(b *testing.B) {
				x, y, z := make([]float32, s.m*s.k), make([]float32, s.k*s.n), make([]float32, s.m*s.n)
				for i := range x {
					x[i] = float32(i%17) - 8
				}
				for i := range y {
					y[i] = float32(i%13) - 6
				}
				lda, ldb := s.k, s.n
				if s.transA {
					lda = s.m
				}
				if s.transB {
					ldb = s.k
				}
				b.ReportAllocs()
				for b.Loop() {
					l.f32.gemm(s.transA, s.transB, s.m, s.n, s.k, x, lda, y, ldb, 0, z, s.n)
				}
				b.ReportMetric(2*float64(s.m*s.n*s.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
