package optim

import "golang.org/x/sys/cpu"

// updateWidth is what the number of elements that updateVectors takes is a multiple of.
const updateWidth = 16

// updateVectors is updateGo for n elements, by vector instructions (AVX) that round as
// it does: the same bits in less time, as long as the memory keeps up.
//
//go:noescape
func updateVectors(value, velocity, grad *float32, n int, momentum, rate float32)

// update is updateGo.
func update(value, velocity, grad []float32, momentum, rate float32) {
	velocity = velocity[:len(value)]
	grad = grad[:len(value)]
	if n := len(value) / updateWidth * updateWidth; n > 0 && cpu.X86.HasAVX {
		updateVectors(&value[0], &velocity[0], &grad[0], n, momentum, rate)
		value, velocity, grad = value[n:], velocity[n:], grad[n:]
	}
	updateGo(value, velocity, grad, momentum, rate)
}
