// Package gradcheck compares gradients with finite differences of the loss.
//
// [Check] takes any function of float64 parameters and says per parameter how
// far the two are apart at most. It knows nothing of networks: trainer/model has
// [model.Float64] for it, and `trainer gradcheck` puts the two together.
//
// Start reading at check.go.
//
// [model.Float64]: https://pkg.go.dev/github.com/tenfold-ml/tenfold/trainer/model#Float64
package gradcheck
