package optim

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the processor has, an update is the same to the last bit.
func TestUpdateIsThatOfTheLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(t, "n")
		// Any bits at all, of which some are tiny, infinite or no numbers.
		draw := func(name string) []float32 {
			bits := rapid.SliceOfN(rapid.Uint32(), n, n).Draw(t, name)
			values := make([]float32, n, n+1) // and no element beyond them
			for i, b := range bits {
				values[i] = math.Float32frombits(b)
			}
			return values
		}
		value, velocity, grad := draw("value"), draw("velocity"), draw("grad")
		momentum, rate := rapid.Float32Range(0, 1).Draw(t, "momentum"), rapid.Float32Range(0, 10).Draw(t, "rate")
		wantValue, wantVelocity := append([]float32{}, value...), append([]float32{}, velocity...)
		updateGo(wantValue, wantVelocity, grad, momentum, rate)
		update(value, velocity, grad, momentum, rate)
		for i := range value {
			if !same(value[i], wantValue[i]) || !same(velocity[i], wantVelocity[i]) {
				t.Fatalf("element %d of %d: value %v and velocity %v, want %v and %v", i, n, value[i], velocity[i], wantValue[i], wantVelocity[i])
			}
		}
		for name, s := range map[string][]float32{"value": value, "velocity": velocity} {
			if s[:n+1][n] != 0 {
				t.Fatalf("the update went beyond the end of %s", name)
			}
		}
	})
}

// same compares bits; one NaN is as good as another.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}
