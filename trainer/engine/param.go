package engine

// Param is a trainable array. Its slices are the storage itself: programs read
// Value and write Grad in place, optimisers update Value in place, and a
// checkpoint is restored by copying into Value.
type Param struct {
	// Name is unique within a network: "dense0.weight".
	Name string
	// Shape is row-major, last index fastest. Biases have one dimension. Matrices of
	// weights are [inputs, units], filters of convolutions begin with the number of
	// units: [filters, channels, height, width].
	Shape []int
	// Value and Grad have as many numbers as Shape says.
	Value, Grad []float32
}
