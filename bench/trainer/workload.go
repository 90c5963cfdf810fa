package main

import (
	"fmt"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// workload is a network and what it is trained with. As JSON it is what both sides'
// processes are told.
type workload struct {
	Name    string       `json:"name"`
	Model   sweeps.Model `json:"model"`
	Inputs  int          `json:"inputs"`
	Shape   []int        `json:"shape,omitempty"` // of a case, where the model asks for it
	Classes int          `json:"classes"`
	Batch   int          `json:"batch"`
	// Rate is so small that the weights, and with them what there is to compute,
	// stay as they are.
	Rate     float64 `json:"rate"`
	Momentum float64 `json:"momentum"`
	Clip     float64 `json:"clip"` // of the gradient's norm; 0 for none
	// Goal is the ratio of our samples/s to PyTorch's that was set.
	Goal float64 `json:"goal"`
}

// workloads are all that are measured, each without and with dropout.
func workloads(clip float64) []workload {
	var all []workload
	add := func(w workload, dropout sweeps.Dropout) {
		w.Rate, w.Momentum, w.Clip = 1e-4, 0.9, clip
		w.Classes = 10
		w.Model.Init = sweeps.Init{Kind: "scaled", Scale: 1}
		all = append(all, w)
		w.Name += " dropout"
		w.Model.Dropout = dropout
		all = append(all, w)
	}
	for _, units := range []int{128, 1024} {
		add(workload{
			Name:  fmt.Sprintf("mlp 784-%d-%d-10", units, units),
			Model: sweeps.Model{Kind: "mlp", Hidden: []int{units, units}, Activation: "relu"}, Inputs: 784,
			Batch: 128, Goal: 1.3,
		}, sweeps.Dropout{Input: 0.2, Hidden: 0.5})
	}
	conv := func(channels int) sweeps.ConvLayer {
		return sweeps.ConvLayer{Channels: channels, Kernel: 3, Stride: 1, Padding: 1, Pool: 2}
	}
	add(workload{
		Name: "convnet 32-64-128",
		Model: sweeps.Model{
			Kind: "convnet", Conv: []sweeps.ConvLayer{conv(32), conv(64)}, Hidden: []int{128}, Activation: "relu",
		},
		Inputs: 28 * 28, Shape: []int{28, 28}, Batch: 128, Goal: 1,
	}, sweeps.Dropout{Hidden: 0.5})
	add(workload{
		Name:   "lstm 128, T=100",
		Model:  sweeps.Model{Kind: "lstm", Hidden: []int{128}, Activation: "tanh", ForgetBias: 1},
		Inputs: 100 * 64, Shape: []int{100, 64}, Batch: 64, Goal: 1.5,
	}, sweeps.Dropout{Input: 0.2, Hidden: 0.5})
	return all
}

// variants of PyTorch that are tried: the fastest is what we are held against.
func (w workload) variants() []string {
	if w.Model.Kind == "convnet" {
		return []string{"eager", "compile", "eager+nhwc", "compile+nhwc"}
	}
	return []string{"eager", "compile"}
}

// flops is the arithmetic of the products of one minibatch, forward and backward,
// without the gradient of the inputs, which nobody needs.
func (w workload) flops() float64 {
	total := 0.0
	add := func(inner, outer int, first bool) {
		passes := 3.0 // forward, the gradient of the weights, that of the inputs
		if first {
			passes = 2
		}
		total += passes * 2 * float64(inner) * float64(outer)
	}
	inputs := w.Inputs
	hidden := w.Model.Hidden
	switch w.Model.Kind {
	case "convnet":
		planes, err := sweeps.PlanesOf(w.Shape)
		for i, l := range w.Model.Conv {
			var after sweeps.Planes
			if err == nil {
				after, err = l.Convolved(planes)
			}
			if err != nil {
				return 0
			}
			add(planes.Channels*l.Kernel*l.Kernel, after.Channels*after.Height*after.Width, i == 0)
			planes, err = l.Pooled(after)
		}
		inputs = planes.Channels * planes.Height * planes.Width
	case "lstm":
		inputs = w.Shape[1]
		for i, units := range hidden {
			for range w.Shape[0] {
				add(inputs, 4*units, i == 0)
				add(units, 4*units, false)
			}
			inputs = units
		}
		hidden = nil
	}
	for i, units := range append(append([]int{}, hidden...), w.Classes) {
		add(inputs, units, i == 0 && w.Model.Kind == "mlp")
		inputs = units
	}
	return total * float64(w.Batch)
}
