package data

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// pictures is a set of n cases of random bytes, labelled by their number.
func pictures(n, features int) Split {
	s := Split{Images: make([]uint8, n*features), Labels: make([]uint8, n), N: n}
	for i := range s.Images {
		s.Images[i] = uint8(i*i*31 + i*7 + 3)
	}
	for i := range n {
		s.Labels[i] = uint8(i)
	}
	return s
}

func TestShiftThereAndBackRestoresTheInterior(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 9).Draw(t, "height"), rapid.IntRange(1, 9).Draw(t, "width")
		down, right := rapid.IntRange(-h+1, h-1).Draw(t, "down"), rapid.IntRange(-w+1, w-1).Draw(t, "right")
		src := rapid.SliceOfN(rapid.Float32Range(1, 2), h*w, h*w).Draw(t, "image")
		there, back := make([]float32, h*w), make([]float32, h*w)
		shift(there, src, h, w, down, right)
		shift(back, there, h, w, -down, -right)
		for i := range h {
			for j := range w {
				want := src[i*w+j]
				if i+down < 0 || i+down >= h || j+right < 0 || j+right >= w {
					want = 0 // it had left the image
				} else if there[(i+down)*w+j+right] != want {
					t.Fatalf("pixel (%d, %d) is not at (%d, %d)", i, j, i+down, j+right)
				}
				if back[i*w+j] != want {
					t.Fatalf("pixel (%d, %d) is %v, want %v", i, j, back[i*w+j], want)
				}
			}
		}
	})
}

func TestRotation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 9).Draw(t, "height"), rapid.IntRange(1, 9).Draw(t, "width")
		down, right := rapid.IntRange(-2, 2).Draw(t, "down"), rapid.IntRange(-2, 2).Draw(t, "right")
		src := rapid.SliceOfN(rapid.Uint8(), h*w, h*w).Draw(t, "image")
		got, want := make([]float32, h*w), make([]float32, h*w)
		rotate(got, src, h, w, motion{down: down, right: right})
		shift(want, src, h, w, down, right)
		if !slices.Equal(got, want) {
			t.Fatalf("a rotation by 0 gives %v, want %v", got, want)
		}
		// By half a turn, all pixels change places with their opposites.
		rotate(got, src, h, w, motion{angle: math.Pi})
		for i, v := range got {
			if opposite := float32(src[h*w-1-i]); math.Abs(float64(v-opposite)) > 1e-2 {
				t.Fatalf("pixel %d of a half turn is %v, want %v", i, v, opposite)
			}
		}
	})
	// Of a single bright pixel, nothing is lost in the middle of an image, and it
	// goes where a rotation takes it.
	const side = 21
	src, dst := make([]float32, side*side), make([]float32, side*side)
	src[10*side+15] = 1 // five to the right of the centre
	for _, degrees := range []float64{-170, -45, 10, 30, 90} {
		rotate(dst, src, side, side, motion{angle: degrees * math.Pi / 180})
		var sum, y, x float64
		for i, v := range dst {
			sum += float64(v)
			y += float64(v) * float64(i/side-10)
			x += float64(v) * float64(i%side-10)
		}
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		if math.Abs(sum-1) > 0.25 || math.Hypot(y/sum-5*sin, x/sum-5*cos) > 0.3 {
			t.Errorf("%v°: the pixel is at (%.2f, %.2f) and weighs %.2f, want (%.2f, %.2f)", degrees, y/sum, x/sum, sum, 5*sin, 5*cos)
		}
	}
}

// filled is the epoch's cases as x, in the order of the cases, for some minibatch size.
func filled(t *testing.T, split Split, cfg sweeps.Augment, shape []int, seed uint64, epoch, size int) [][]float32 {
	t.Helper()
	features := len(split.Images) / split.N
	b := NewBatches(split, nil, Identity(features), size)
	if err := b.Augment(cfg, shape); err != nil {
		t.Fatal(err)
	}
	b.Shuffle(seed, epoch)
	cases := make([][]float32, split.N)
	x, y := make([]float32, size*features), make([]int32, size)
	for step := b.Steps() - 1; step >= 0; step-- { // any order will do
		for i := range b.Fill(step, x, y, nil) {
			cases[y[i]] = slices.Clone(x[i*features:][:features])
		}
	}
	for c, x := range cases {
		if x == nil {
			t.Fatalf("no case has the label %d any more", c)
		}
	}
	return cases
}

func TestAugmentationDependsOnSeedEpochAndCaseAlone(t *testing.T) {
	t.Parallel()
	split, shape := pictures(30, 2*6*7), []int{2, 6, 7}
	for name, cfg := range map[string]sweeps.Augment{
		"shift": {Shift: 3}, "rotate": {Rotate: 20}, "noise": {Noise: 0.1}, "all": {Shift: 2, Rotate: 90, Noise: 1},
	} {
		want := filled(t, split, cfg, shape, 1, 5, 1)
		plain := filled(t, split, sweeps.Augment{}, shape, 1, 5, 1)
		for _, size := range []int{4, 30} {
			for c, x := range filled(t, split, cfg, shape, 1, 5, size) {
				if !slices.Equal(x, want[c]) {
					t.Errorf("%s: in minibatches of %d, case %d is another", name, size, c)
				}
			}
		}
		for other, cases := range map[string][][]float32{
			"plain": plain, "seed": filled(t, split, cfg, shape, 2, 5, 1), "epoch": filled(t, split, cfg, shape, 1, 6, 1),
		} {
			same := 0
			for c, x := range cases {
				if slices.Equal(x, want[c]) {
					same++
				}
			}
			if same > 6 { // shifts by the same whole numbers happen
				t.Errorf("%s: %d of 30 cases are as with another %s", name, same, other)
			}
		}
	}
}

// Every shift is as likely, and a pixel of an image comes with the channels it had.
func TestShiftsAreUniform(t *testing.T) {
	t.Parallel()
	const n, side, channels = 5000, 7, 2
	split := Split{Images: make([]uint8, 200*channels*side*side), Labels: make([]uint8, 200), N: 200}
	for c := range split.N {
		split.Labels[c] = uint8(c)
		for k := range channels {
			split.Images[(c*channels+k)*side*side+3*side+3] = 255
		}
	}
	counts := map[[2]int]int{}
	for epoch := range n / split.N {
		for _, x := range filled(t, split, sweeps.Augment{Shift: 2}, []int{channels, side, side}, 9, epoch, 50) {
			at := slices.Index(x, 1)
			if at < 0 || x[side*side+at] != 1 {
				t.Fatal("the channels are not moved alike")
			}
			counts[[2]int{at/side - 3, at%side - 3}]++
		}
	}
	for down := -2; down <= 2; down++ {
		for right := -2; right <= 2; right++ {
			if got := counts[[2]int{down, right}]; got < 140 || got > 260 { // 200 expected, ±4 deviations
				t.Errorf("shift (%d, %d) came %d times of %d", down, right, got, n)
			}
		}
	}
	if len(counts) != 25 {
		t.Errorf("%d shifts, want 25", len(counts))
	}
}

// Noise is in units of the inputs that the network gets, whatever the pixels' scale.
func TestNoiseHasItsVariance(t *testing.T) {
	t.Parallel()
	const features, sigma = 400, 0.3
	split := pictures(50, features)
	all := make([]int32, split.N)
	for i := range all {
		all[i] = int32(i)
	}
	b := NewBatches(split, all, Fit(split, features, all, 0), split.N)
	plain, noisy := make([]float32, split.N*features), make([]float32, split.N*features)
	b.Shuffle(1, 0)
	b.Fill(0, plain, nil, nil)
	if err := b.Augment(sweeps.Augment{Noise: sigma}, []int{features}); err != nil {
		t.Fatal(err)
	}
	b.Fill(0, noisy, nil, nil)
	var sum, squares, fourth float64
	for i := range plain {
		d := float64(noisy[i]-plain[i]) / sigma
		sum, squares, fourth = sum+d, squares+d*d, fourth+d*d*d*d
	}
	n := float64(len(plain))
	if mean, variance, kurtosis := sum/n, squares/n, fourth/n; math.Abs(mean) > 0.03 || math.Abs(variance-1) > 0.04 || math.Abs(kurtosis-3) > 0.3 {
		t.Errorf("noise has mean %v, variance %v and fourth moment %v, want 0, 1 and 3", mean, variance, kurtosis)
	}
}

// What moves in is what a blank pixel is, also for floats: 0 before standardising.
func TestBlankEdgesAreStandardised(t *testing.T) {
	t.Parallel()
	std := NewStandardizer([]float32{0.5, 0.5, 0.5, 0.5}, []float32{0.25, 0.25, 0.25, 0.25})
	for name, split := range map[string]Split{
		"bytes":  {Images: []uint8{255, 255, 255, 255}, Labels: []uint8{0}, N: 1},
		"floats": {Values: []float32{1, 1, 1, 1}, Labels: []uint8{0}, N: 1},
	} {
		b := NewBatches(split, nil, std, 1)
		if err := b.Augment(sweeps.Augment{Shift: 1}, []int{2, 2}); err != nil {
			t.Fatal(err)
		}
		x, seen := make([]float32, 4), map[float64]int{}
		for epoch := range 20 {
			b.Shuffle(1, epoch)
			b.Fill(0, x, nil, nil)
			for _, v := range x {
				seen[math.Round(float64(v)*1e4)/1e4]++
			}
		}
		if len(seen) != 2 || seen[-2] == 0 || seen[2] == 0 {
			t.Errorf("%s: inputs are %v, want -2 and 2", name, seen)
		}
	}
}

func TestAugmentErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg   sweeps.Augment
		shape []int
		want  string
	}{
		"shift a table":   {sweeps.Augment{Shift: 1}, []int{12}, "need images"},
		"rotate a table":  {sweeps.Augment{Rotate: 1}, []int{12}, "need images"},
		"too far":         {sweeps.Augment{Shift: 3}, []int{4, 3}, "not below the images' smaller side, 3"},
		"negative shift":  {sweeps.Augment{Shift: -1}, []int{4, 3}, "less than 0"},
		"negative angle":  {sweeps.Augment{Rotate: -1}, []int{4, 3}, "not in [0, 180]"},
		"no noise":        {sweeps.Augment{Noise: math.NaN()}, []int{4, 3}, "not a number"},
		"unlimited noise": {sweeps.Augment{Noise: math.Inf(1)}, []int{4, 3}, "not a number"},
	} {
		err := NewBatches(pictures(2, 12), nil, Identity(12), 1).Augment(c.cfg, c.shape)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error = %v, want one with %q", name, err, c.want)
		}
	}
}

func TestFillWithAugmentationDoesNotAllocate(t *testing.T) {
	b := NewBatches(pictures(20, 64), nil, Identity(64), 8)
	if err := b.Augment(sweeps.Augment{Shift: 1, Rotate: 10, Noise: 0.1}, []int{8, 8}); err != nil {
		t.Fatal(err)
	}
	b.Shuffle(1, 0)
	x, y := make([]float32, 8*64), make([]int32, 8)
	if n := testing.AllocsPerRun(100, func() { b.Fill(1, x, y, nil) }); n != 0 {
		t.Errorf("Fill allocates %v times", n)
	}
}

// BenchmarkFill is the loader's time for images of 28 by 28 bytes.
func BenchmarkFill(b *testing.B) {
	const n, size, features = 1000, 128, 784
	for _, cfg := range []sweeps.Augment{{}, {Shift: 2}, {Rotate: 10}, {Shift: 2, Rotate: 10}, {Noise: 0.1}} {
		b.Run(fmt.Sprintf("shift=%d/rotate=%v/noise=%v", cfg.Shift, cfg.Rotate, cfg.Noise), func(b *testing.B) {
			batches := NewBatches(pictures(n, features), nil, Identity(features), size)
			if err := batches.Augment(cfg, []int{28, 28}); err != nil {
				b.Fatal(err)
			}
			batches.Shuffle(1, 0)
			x, y := make([]float32, size*features), make([]int32, size)
			b.ReportAllocs()
			for b.Loop() {
				batches.Fill(3, x, y, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/image")
		})
	}
}
