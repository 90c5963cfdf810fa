package model

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// convnet is a convolutional network: layers of a convolution, the activation and
// max-pooling, then a multilayer perceptron. Layer i has the parameters
// "conv<i>.weight" [channels, input channels, kernel, kernel] and "conv<i>.bias"
// [channels]; the dense layers are named as in an mlp. Dropout of hidden units is
// that of the inputs of the dense layers.
type convnet struct {
	layers     []convLayer
	activation ops.Activation
	dropout    float64 // of the inputs
	seed       uint64
	dense      mlp
}

// convLayer is one layer's geometry.
type convLayer struct {
	conv     ops.Geometry
	channels int
	pool     ops.Geometry
	pooled   bool
}

func newConvnet(cfg sweeps.Model, o Options) (convnet, error) {
	fail := func(err error) (convnet, error) { return convnet{}, fmt.Errorf("%w: conv: %w", ErrConfig, err) }
	if len(cfg.Conv) == 0 {
		return convnet{}, fmt.Errorf("%w: conv has no layers", ErrConfig)
	}
	planes, err := sweeps.PlanesOf(o.Shape)
	if err != nil {
		return fail(err)
	}
	if n := planes.Channels * planes.Height * planes.Width; n != o.Inputs {
		return fail(fmt.Errorf("a shape of %v for cases of %d features", o.Shape, o.Inputs))
	}
	c := convnet{dropout: cfg.Dropout.Input, seed: o.Seed}
	for i, l := range cfg.Conv {
		layer := convLayer{channels: l.Channels, pooled: l.Pool > 1, conv: geometry(planes, l.Kernel, l.Stride, l.Padding)}
		convolved, err := l.Convolved(planes)
		if err != nil {
			return fail(fmt.Errorf("layer %d: %w", i+1, err))
		}
		layer.pool = geometry(convolved, l.Pool, l.Pool, 0)
		if planes, err = l.Pooled(convolved); err != nil {
			return fail(fmt.Errorf("layer %d: %w", i+1, err))
		}
		c.layers = append(c.layers, layer)
	}
	// The inputs of its first layer are hidden units.
	cfg.Dropout.Input = cfg.Dropout.Hidden
	o.Inputs = planes.Channels * planes.Height * planes.Width
	c.dense, err = newMLP(cfg, o)
	c.dense.firstMask = uint32(len(c.layers))
	c.activation = c.dense.activation
	return c, err
}

func geometry(p sweeps.Planes, size, stride, padding int) ops.Geometry {
	return ops.Geometry{Channels: p.Channels, Height: p.Height, Width: p.Width, Size: size, Stride: stride, Padding: padding}
}

func (c convnet) parameters() []parameter {
	var ps []parameter
	for i, l := range c.layers {
		ps = append(ps,
			parameter{
				name: fmt.Sprintf("conv%d.weight", i), shape: []int{l.channels, l.conv.Channels, l.conv.Size, l.conv.Size},
				fanIn: l.conv.Taps(),
			},
			parameter{name: fmt.Sprintf("conv%d.bias", i), shape: []int{l.channels}, hiddenBias: true})
	}
	return append(ps, c.dense.parameters()...)
}

func (convnet) memories() []memory { return nil }

func (c convnet) outputs(p pass) (*gorgonia.Node, gorgonia.Nodes, error) {
	h := p.x
	var err error
	if c.dropout > 0 && p.step != nil {
		if h, err = ops.Dropout(h, p.step, c.dropout, c.seed, 0); err != nil {
			return nil, nil, fmt.Errorf("dropout of the inputs: %w", err)
		}
	}
	for i, l := range c.layers {
		// Activations never fall, so where there is a pool the activation is left
		// to it, which has less to do.
		activation := c.activation
		if l.pooled {
			activation = ops.Identity
		}
		if h, err = ops.Conv(h, p.params[2*i], p.params[2*i+1], l.conv, activation); err != nil {
			return nil, nil, fmt.Errorf("layer %d: %w", i, err)
		}
		if l.pooled {
			if h, err = ops.MaxPool(h, l.pool, c.activation); err != nil {
				return nil, nil, fmt.Errorf("layer %d: %w", i, err)
			}
		}
	}
	p.x, p.params = h, p.params[2*len(c.layers):]
	return c.dense.outputs(p)
}
