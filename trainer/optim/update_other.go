//go:build !amd64

package optim

func update(value, velocity, grad []float32, momentum, rate float32) {
	updateGo(value, velocity, grad, momentum, rate)
}
