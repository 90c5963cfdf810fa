package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// layer is relu(x·w + b) with x an input and the others parameters, in float64.
type layer struct {
	graph   *gorgonia.ExprGraph
	x, y    *gorgonia.Node
	w, b    []float64
	backend *cpu.Backend
}

func newLayer(t *testing.T) layer {
	t.Helper()
	backend, err := cpu.New(cpu.Options{BLAS: cpu.Gonum})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	})
	l := layer{graph: gorgonia.NewGraph(), w: []float64{1, -1, 1, -2}, b: []float64{0.5, 1}, backend: backend}
	l.x = gorgonia.NewMatrix(l.graph, tensor.Float64, gorgonia.WithShape(1, 2), gorgonia.WithName("x"))
	w := gorgonia.NewMatrix(l.graph, tensor.Float64, gorgonia.WithShape(2, 2), gorgonia.WithName("w"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(l.w))))
	b := gorgonia.NewVector(l.graph, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("b"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(2), tensor.WithBacking(l.b))))
	if l.y, err = ops.Dense(l.x, w, b, ops.ReLU); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l layer) compile(t *testing.T, results ...engine.Result) *engine.Program {
	t.Helper()
	p, err := engine.Compile(l.backend, results...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func run(t *testing.T, p *engine.Program) {
	t.Helper()
	if err := p.RunAll(); err != nil {
		t.Fatal(err)
	}
}

func TestInputsByBindAndByLet(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	p := l.compile(t, engine.Result{Node: l.y})
	if err := p.RunAll(); err == nil || !strings.Contains(err.Error(), "input x has no value") {
		t.Fatalf("without an input: error %v", err)
	}
	expect := func(want ...float64) {
		t.Helper()
		run(t, p)
		if got := l.y.Value().Data().([]float64); !slices.Equal(got, want) {
			t.Errorf("y = %v, want %v", got, want)
		}
	}
	let := func(values ...float64) {
		t.Helper()
		if err := gorgonia.Let(l.x, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking(values))); err != nil {
			t.Fatal(err)
		}
	}
	let(1, 2)
	expect(3.5, 0)
	let(3, 4)
	expect(7.5, 0)
	x := []float64{-3, 1}
	if err := p.Bind(l.x, engine.SliceOf(x)); err != nil {
		t.Fatal(err)
	}
	expect(0, 2)
	x[0] = -1 // bound, not copied
	expect(0.5, 0)
	l.b[1] = 5 // parameters are used in place
	expect(0.5, 4)
}

func TestResultsGoWhereTheyShould(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	into, other := make([]float64, 2), make([]float64, 2)
	p := l.compile(t, engine.Result{Node: l.y, Into: engine.SliceOf(into)})
	if err := p.Bind(l.x, engine.SliceOf([]float64{1, 2})); err != nil {
		t.Fatal(err)
	}
	run(t, p)
	if want := []float64{3.5, 0}; !slices.Equal(into, want) || !slices.Equal(l.y.Value().Data().([]float64), want) {
		t.Errorf("result %v, the node's value %v, want %v", into, l.y.Value(), want)
	}
	if err := p.Bind(l.y, engine.SliceOf(other)); err != nil {
		t.Fatal(err)
	}
	into[0] = -1
	run(t, p)
	if other[0] != 3.5 || into[0] != -1 {
		t.Errorf("bound elsewhere: %v there, %v in the first place", other, into)
	}
}

// A part of an input is read where the input is, wherever it is bound.
func TestViewsFollowTheirBase(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	x := gorgonia.NewMatrix(l.graph, tensor.Float64, gorgonia.WithShape(3, 2), gorgonia.WithName("long"))
	rows, err := ops.Rows(x, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ops.Rows(rows, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	probs, err := ops.Softmax(second, 1)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := ops.SquaredError(rows, rows)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := ops.Rows(x, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	p := l.compile(t, engine.Result{Node: probs}, engine.Result{Node: sums}, engine.Result{Node: copied})
	if err := p.Bind(rows, engine.SliceOf(make([]float64, 4))); err == nil {
		t.Error("a view is bound")
	}
	for _, data := range [][]float64{{1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1}} {
		if err := p.Bind(x, engine.SliceOf(data)); err != nil {
			t.Fatal(err)
		}
		run(t, p)
		if got, want := copied.Value().Data().([]float64), data[:4]; !slices.Equal(got, want) {
			t.Errorf("rows 0 and 1 are %v, want %v", got, want)
		}
	}
	var b strings.Builder
	if err := p.Dump(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[2 2]  float64  view long+16\n", "[1 2]  float64  view long+32\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the dump\n%s", want, b.String())
		}
	}
}

func TestBindRefuses(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	probs, err := ops.Softmax(l.y, 2)
	if err != nil {
		t.Fatal(err)
	}
	unused := gorgonia.NewMatrix(l.graph, tensor.Float64, gorgonia.WithShape(1, 2), gorgonia.WithName("unused"))
	p := l.compile(t, engine.Result{Node: probs})
	two := engine.SliceOf(make([]float64, 2))
	for _, c := range []struct {
		node *gorgonia.Node
		data engine.Slice
		says string
	}{
		{l.x, engine.SliceOf(make([]float64, 3)), "2 numbers, not 3"},
		{l.x, engine.SliceOf(make([]float32, 2)), "float64, not float32"},
		{l.y, two, "neither a leaf nor a result"},
		{unused, two, "neither a leaf nor a result"},
	} {
		if err := p.Bind(c.node, c.data); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want one with %q", err, c.says)
		}
	}
	if p.Uses(unused) || !p.Uses(l.x) {
		t.Error("Uses is wrong about x or about an unused node")
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	square, err := gorgonia.Square(l.y)
	if err != nil {
		t.Fatal(err)
	}
	transposed := gorgonia.NewMatrix(l.graph, tensor.Float64, gorgonia.WithShape(2, 2), gorgonia.WithName("transposed"),
		gorgonia.WithValue(transpose(t, tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 2, 3, 4})))))
	ofView, err := ops.Softmax(transposed, 2)
	if err != nil {
		t.Fatal(err)
	}
	for says, results := range map[string][]engine.Result{
		"no results":                 nil,
		"has no node":                {{}},
		"has no kernel":              {{Node: square}},
		"already an output":          {{Node: l.y}, {Node: l.y}},
		"already a leaf":             {{Node: l.x}},
		"2 numbers, not 1":           {{Node: l.y, Into: engine.SliceOf(make([]float64, 1))}},
		"holds float64, not float32": {{Node: l.y, Into: engine.SliceOf(make([]float32, 2))}},
		"not contiguous":             {{Node: ofView}},
	} {
		if _, err := engine.Compile(l.backend, results...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one with %q", err, says)
		}
	}
}

func transpose(t *testing.T, d *tensor.Dense) *tensor.Dense {
	t.Helper()
	if err := d.T(); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOnlyWhatIsNeededIsCompiled(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	if _, err := ops.Softmax(l.y, 2); err != nil { // nobody asks for it
		t.Fatal(err)
	}
	if n := len(l.compile(t, engine.Result{Node: l.y}).Plan().Instructions); n != 1 {
		t.Errorf("%d instructions, want 1", n)
	}
}

func TestClosedProgram(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	p := l.compile(t, engine.Result{Node: l.y})
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if err := p.RunAll(); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("error %v, want %v", err, engine.ErrClosed)
	}
}

func TestDump(t *testing.T) {
	t.Parallel()
	l := newLayer(t)
	probs, err := ops.Softmax(l.y, 2)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := l.compile(t, engine.Result{Node: probs}).Dump(&b); err != nil {
		t.Fatal(err)
	}
	want := `
   x                          [1 2]  float64  leaf
   w                          [2 2]  float64  leaf
   b                          [2]    float64  leaf
0  %3  linear[relu](x, w, b)  [1 2]  float64  arena 0+16  80 bytes  8 flops
1  %4  softmax[2](%3)         [1 2]  float64  output      32 bytes  2 flops
arena: 64 bytes
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("dump is%s\nwant%s", got, want)
	}
}
