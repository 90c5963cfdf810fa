package optim

// updateGo is one update with classical momentum. The conversions fix the rounding
// where the processor could fuse.
func updateGo(value, velocity, grad []float32, momentum, rate float32) {
	velocity = velocity[:len(value)]
	grad = grad[:len(value)]
	for i, w := range value {
		v := float32(momentum*velocity[i]) - float32(rate*grad[i])
		velocity[i] = v
		value[i] = w + v
	}
}
