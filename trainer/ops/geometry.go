package ops

import "fmt"

// Geometry places a square window on the planes of a case. Cases are rows of a
// matrix, so that the layers before and after need not know of planes: element
// (c, y, x) of a case lies in column (c·Height + y)·Width + x.
type Geometry struct {
	// Channels, Height and Width of a case.
	Channels, Height, Width int
	// Size is the window's side, Stride how far it moves, Padding how many
	// zeros surround every plane.
	Size, Stride, Padding int
}

// Check says what is impossible about a geometry.
func (g Geometry) Check() error {
	switch {
	case g.Channels < 1 || g.Height < 1 || g.Width < 1:
		return fmt.Errorf("planes of %d×%d×%d", g.Channels, g.Height, g.Width)
	case g.Size < 1 || g.Stride < 1:
		return fmt.Errorf("a window of %d with a stride of %d", g.Size, g.Stride)
	case g.Padding < 0 || g.Padding >= g.Size:
		return fmt.Errorf("a padding of %d for a window of %d: beyond it windows see zeros only", g.Padding, g.Size)
	case g.Size > min(g.Height, g.Width)+2*g.Padding:
		return fmt.Errorf("a window of %d on planes of %d×%d with a padding of %d", g.Size, g.Height, g.Width, g.Padding)
	}
	return nil
}

// Inputs is the number of elements of a case.
func (g Geometry) Inputs() int { return g.Channels * g.Height * g.Width }

// Out returns how many windows fit below and beside one another.
func (g Geometry) Out() (height, width int) {
	return (g.Height+2*g.Padding-g.Size)/g.Stride + 1, (g.Width+2*g.Padding-g.Size)/g.Stride + 1
}

// Positions is the number of windows on a plane.
func (g Geometry) Positions() int {
	h, w := g.Out()
	return h * w
}

// Taps is the number of elements that a window sees in all channels.
func (g Geometry) Taps() int { return g.Channels * g.Size * g.Size }

func (g Geometry) String() string {
	return fmt.Sprintf("%d×%d×%d size=%d stride=%d padding=%d", g.Channels, g.Height, g.Width, g.Size, g.Stride, g.Padding)
}

// each calls f with every element of a case that a window sees, its tap, which is
// (channel·Size + row)·Size + column within the window, and the window's position.
// Positions and then elements ascend for each channel.
func (g Geometry) each(f func(in, tap, position int)) {
	oh, ow := g.Out()
	for c := range g.Channels {
		for oy := range oh {
			for ox := range ow {
				for ky := range g.Size {
					for kx := range g.Size {
						y, x := oy*g.Stride+ky-g.Padding, ox*g.Stride+kx-g.Padding
						if y >= 0 && y < g.Height && x >= 0 && x < g.Width {
							f((c*g.Height+y)*g.Width+x, (c*g.Size+ky)*g.Size+kx, oy*ow+ox)
						}
					}
				}
			}
		}
	}
}
