package data

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// Augment makes [Batches.Fill] vary the cases: shifts and rotations of images,
// and noise. What becomes of a case is a function of cfg, the case and the seed and
// epoch of the last [Batches.Shuffle], so it depends neither on the size of the
// minibatches nor on what was filled before. shape is that of a case. The zero
// cfg changes nothing.
//
// With augmentation, Fill is for one goroutine at a time. Errors wrap
// [ErrConfig].
func (b *Batches) Augment(cfg sweeps.Augment, shape []int) error {
	if cfg == (sweeps.Augment{}) {
		b.augment = nil
		return nil
	}
	a := &augmenter{cfg: cfg}
	switch {
	case cfg.Shift < 0:
		return fmt.Errorf("%w: data.augment.shift: %d is less than 0", ErrConfig, cfg.Shift)
	case !(cfg.Rotate >= 0 && cfg.Rotate <= 180):
		return fmt.Errorf("%w: data.augment.rotate: %v is not in [0, 180]", ErrConfig, cfg.Rotate)
	case !(cfg.Noise >= 0) || math.IsInf(cfg.Noise, 0):
		return fmt.Errorf("%w: data.augment.noise: %v is not a number of at least 0", ErrConfig, cfg.Noise)
	}
	if cfg.Shift > 0 || cfg.Rotate > 0 {
		switch len(shape) {
		case 2:
			a.channels, a.height, a.width = 1, shape[0], shape[1]
		case 3:
			a.channels, a.height, a.width = shape[0], shape[1], shape[2]
		default:
			return fmt.Errorf("%w: data.augment: shift and rotate need images, [height, width] or [channels, height, width], and these cases are %v", ErrConfig, shape)
		}
		if side := min(a.height, a.width); cfg.Shift >= side {
			return fmt.Errorf("%w: data.augment.shift: %d is not below the images' smaller side, %d", ErrConfig, cfg.Shift, side)
		}
		a.moved = make([]float32, b.features)
	}
	if cfg.Noise > 0 {
		a.noise = make([]float32, b.features)
	}
	b.augment = a
	return nil
}

// augmenter varies one case at a time.
type augmenter struct {
	cfg                     sweeps.Augment
	channels, height, width int
	moved                   []float32 // an image, before standardising; nil if none is moved
	noise                   []float32 // N(0,1) draws; nil for none
}

// fill writes the inputs for case c of split to dst.
func (a *augmenter) fill(dst []float32, split Split, c int32, std *Standardizer, seed uint64, epoch int) {
	at := int(c) * len(dst)
	switch {
	case a.moved == nil && split.Values == nil:
		std.Apply(dst, split.Images[at:][:len(dst)])
	case a.moved == nil:
		std.ApplyFloats(dst, split.Values[at:][:len(dst)])
	case split.Values == nil:
		move(a, a.moved, split.Images[at:][:len(dst)], a.motion(seed, epoch, c))
		std.applyBytes(dst, a.moved)
	default:
		move(a, a.moved, split.Values[at:][:len(dst)], a.motion(seed, epoch, c))
		std.ApplyFloats(dst, a.moved)
	}
	if a.noise == nil {
		return
	}
	philox.New(seed, philox.Augment, uint32(c), 2*uint64(epoch)+1).Normals32(a.noise)
	sigma := float32(a.cfg.Noise)
	for j, z := range a.noise[:len(dst)] {
		dst[j] += float32(sigma * z)
	}
}

// motion is a rotation about the centre, followed by a shift.
type motion struct {
	down, right int     // pixels
	angle       float64 // radians
}

// motion draws that of case c.
func (a *augmenter) motion(seed uint64, epoch int, c int32) motion {
	w := philox.New(seed, philox.Augment, uint32(c), 2*uint64(epoch)).Block(0)
	shift := func(word uint32) int {
		// Some of the values are likelier by one part in 2^32, which does not matter.
		hi, _ := bits.Mul32(word, 2*uint32(a.cfg.Shift)+1)
		return int(hi) - a.cfg.Shift
	}
	turn := (float64(w[2])+0.5)/(1<<31) - 1 // in (-1, 1)
	return motion{down: shift(w[0]), right: shift(w[1]), angle: turn * a.cfg.Rotate * (math.Pi / 180)}
}

// move writes src after m to dst; what comes in from beyond the edges is 0.
func move[T uint8 | float32](a *augmenter, dst []float32, src []T, m motion) {
	area := a.height * a.width
	for k := range a.channels {
		if to, from := dst[k*area:][:area], src[k*area:][:area]; a.cfg.Rotate > 0 {
			rotate(to, from, a.height, a.width, m)
		} else {
			shift(to, from, a.height, a.width, m.down, m.right)
		}
	}
}

// shift writes src, moved by whole pixels, to dst.
func shift[T uint8 | float32](dst []float32, src []T, height, width, down, right int) {
	clear(dst)
	first, last := max(0, right), min(width, width+right) // columns of dst that are written
	if first >= last {
		return
	}
	for i := max(0, down); i < min(height, height+down); i++ {
		to, from := dst[i*width:][first:last], src[(i-down)*width:][first-right:last-right]
		for j, v := range from {
			to[j] = float32(v)
		}
	}
}

// rotate writes src, rotated and then shifted, to dst. Each pixel of dst is
// interpolated between the four of src that surround where it comes from.
//
// The conversions to float32 keep the compiler from fusing a product with a sum,
// so that every machine gets the same bits.
func rotate[T uint8 | float32](dst []float32, src []T, height, width int, m motion) {
	sin64, cos64 := math.Sincos(m.angle)
	sin, cos := float32(sin64), float32(cos64)
	// Pixels are points with whole coordinates, so the centre may be between them.
	cy, cx := float32(height-1)/2, float32(width-1)/2
	h, w := float32(height), float32(width)
	src = src[:height*width]
	for i := range height {
		v := float32(i-m.down) - cy
		rowY, rowX := cy+float32(cos*v), cx+float32(sin*v)
		for j := range width {
			u := float32(j-m.right) - cx
			y, x := rowY-float32(sin*u), rowX+float32(cos*u)
			if !(y > -1 && x > -1 && y < h && x < w) {
				dst[i*width+j] = 0
				continue
			}
			top, left := int(y+1)-1, int(x+1)-1 // rounded down
			fy, fx := y-float32(top), x-float32(left)
			var a, b, c, d float32 // top left, top right, bottom left, bottom right
			if at := top*width + left; top >= 0 && left >= 0 && top+1 < height && left+1 < width {
				a, b = float32(src[at]), float32(src[at+1])
				c, d = float32(src[at+width]), float32(src[at+width+1])
			} else {
				if top >= 0 && left >= 0 {
					a = float32(src[at])
				}
				if top >= 0 && left+1 < width {
					b = float32(src[at+1])
				}
				if top+1 < height && left >= 0 {
					c = float32(src[at+width])
				}
				if top+1 < height && left+1 < width {
					d = float32(src[at+width+1])
				}
			}
			upper, lower := a+float32(fx*(b-a)), c+float32(fx*(d-c))
			dst[i*width+j] = upper + float32(fy*(lower-upper))
		}
	}
}
