package philox

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The double-precision draws, which are tested for their distribution, are the reference.
func TestNormals32AreTheNormals(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		for _, n := range []int{0, 1, 2, 3, 4, 7, 10_000} {
			s := New(seed, Augment, 7, 3)
			want, got := make([]float64, n), make([]float32, n)
			s.Normals(want)
			s.Normals32(got)
			for i, z := range got {
				if !(math.Abs(float64(z)-want[i]) <= 1e-6) {
					t.Fatalf("draw %d of %d is %v, want %v", i, n, z, want[i])
				}
			}
		}
	}
}

func TestNormals32OfExtremeWords(t *testing.T) {
	t.Parallel()
	words := []uint32{0, 1, 2, 3, 1<<29 - 1, 1 << 29, 1<<30 - 1, 1 << 30, 3 << 29, 1<<31 - 1, 1 << 31, 3 << 30, 7 << 29, math.MaxUint32 - 1, math.MaxUint32, 0xb504f333, 0xb504f334, 0x5a827999}
	for _, a := range words {
		for _, b := range words {
			x, y := boxMuller32(a, b)
			wx, wy := boxMuller(a, b)
			if !(math.Abs(float64(x)-wx) <= 1e-6 && math.Abs(float64(y)-wy) <= 1e-6) {
				t.Errorf("words %#x and %#x give %v and %v, want %v and %v", a, b, x, y, wx, wy)
			}
		}
	}
}

// Pinned for good; see the package comment.
func TestGoldenNormals32(t *testing.T) {
	t.Parallel()
	normals := make([]float32, 6)
	New(1, Augment, 2, 3).Normals32(normals)
	got := make([]uint32, len(normals))
	for i, z := range normals {
		got[i] = math.Float32bits(z)
	}
	if diff := cmp.Diff([]uint32{1051966089, 3207311202, 3197409525, 3187176095, 1051838842, 3209700273}, got); diff != "" {
		t.Errorf("bits (-want +got):\n%s\nvalues %v", diff, normals)
	}
}

func BenchmarkNormals32(b *testing.B) {
	dst := make([]float32, 784)
	s := New(1, Augment, 0, 0)
	for b.Loop() {
		s.Normals32(dst)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/784, "ns/draw")
}
