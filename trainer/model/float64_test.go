package model

import (
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/gradcheck"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// The check passes the networks' own gradients and catches broken ones: of other
// dropout masks, of a wrong scale, of a layer that was forgotten.
func TestGradcheckOfNetworks(t *testing.T) {
	t.Parallel()
	for _, activation := range []string{"relu", "tanh", "sigmoid"} {
		for _, test := range []struct {
			name  string
			spoil func(t *testing.T, n *Float64, x []float64, labels []int32)
			ok    bool
		}{
			{"right", func(*testing.T, *Float64, []float64, []int32) {}, true},
			{"other masks", func(t *testing.T, n *Float64, x []float64, labels []int32) {
				must(t, n.Bind(Minibatch64{X: x, Labels: labels}, 8))
				_, err := n.Gradient()
				must(t, err)
				must(t, n.Bind(Minibatch64{X: x, Labels: labels}, 7))
			}, false},
			{"wrong scale", func(_ *testing.T, n *Float64, _ []float64, _ []int32) {
				for i := range n.params[2].Grad {
					n.params[2].Grad[i] *= 1.0001
				}
			}, false},
			{"forgotten layer", func(_ *testing.T, n *Float64, _ []float64, _ []int32) { clear(n.params[1].Grad) }, false},
		} {
			t.Run(activation+" "+test.name, func(t *testing.T) {
				t.Parallel()
				n, err := NewFloat64(sweeps.Model{
					Kind: "mlp", Hidden: []int{17, 13}, Activation: activation,
					Init: sweeps.Init{Kind: "scaled", Scale: 1}, Dropout: sweeps.Dropout{Input: 0.1, Hidden: 0.3},
				}, Options{Inputs: 11, Classes: 3, BatchSize: 6, Seed: 1, Threads: 1, BLAS: "gonum"})
				must(t, err)
				defer func() { must(t, n.Close()) }()
				x, labels := make([]float64, 66), []int32{0, 1, 2, 2, 1, 0}
				philox.New(1, philox.Init, 9, 9).Normals(x)
				must(t, n.Bind(Minibatch64{X: x, Labels: labels}, 7))
				_, err = n.Gradient()
				must(t, err)
				test.spoil(t, n, x, labels)
				var params []gradcheck.Parameter
				for _, p := range n.Params() {
					params = append(params, gradcheck.Parameter{Name: p.Name, Value: p.Value, Grad: p.Grad})
				}
				rows, err := gradcheck.Check(n.Loss, params, gradcheck.Options{Entries: 30, Kinked: n.Kinked()})
				must(t, err)
				ok := true
				for _, r := range rows {
					ok = ok && r.OK
				}
				if ok != test.ok || n.Kinked() != (activation == "relu") {
					t.Errorf("passed: %v, want %v: %+v", ok, test.ok, rows)
				}
			})
		}
	}
}

// Only relu and max-pool have kinks, for which the check is less strict.
func TestKinksAreOfReluAndMaxPool(t *testing.T) {
	t.Parallel()
	conv := func(pools ...int) (layers []sweeps.ConvLayer) {
		for _, p := range pools {
			layers = append(layers, sweeps.ConvLayer{Channels: 2, Kernel: 3, Stride: 1, Padding: 1, Pool: p})
		}
		return layers
	}
	for name, c := range map[string]struct {
		cfg  sweeps.Model
		want bool
	}{
		"mlp, relu":              {sweeps.Model{Kind: "mlp", Activation: "relu"}, true},
		"mlp, tanh":              {sweeps.Model{Kind: "mlp", Activation: "tanh"}, false},
		"convnet, relu":          {sweeps.Model{Kind: "convnet", Conv: conv(0), Activation: "relu"}, true},
		"convnet, tanh":          {sweeps.Model{Kind: "convnet", Conv: conv(0, 0), Activation: "tanh"}, false},
		"convnet, tanh, pool 1":  {sweeps.Model{Kind: "convnet", Conv: conv(1), Activation: "tanh"}, false},
		"convnet, tanh, a pool":  {sweeps.Model{Kind: "convnet", Conv: conv(0, 2), Activation: "tanh"}, true},
		"lstm, whatever is said": {sweeps.Model{Kind: "lstm", Hidden: []int{3}, Activation: "relu"}, false},
	} {
		c.cfg.Init = sweeps.Init{Kind: "scaled", Scale: 1}
		o := Options{Inputs: 36, Shape: []int{6, 6}, Classes: 3, BatchSize: 2, Seed: 1, Threads: 1, BLAS: "gonum"}
		n, err := NewFloat64(c.cfg, o)
		must(t, err)
		if n.Kinked() != c.want {
			t.Errorf("%s: kinked %v, want %v", name, n.Kinked(), c.want)
		}
		must(t, n.Close())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
