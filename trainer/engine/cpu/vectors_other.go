//go:build !amd64

package cpu

// There are no vector instructions here: all elements are left to Go.

func addVectors(x, y []float32) int                                { return 0 }
func rectifyVectors(x []float32) int                               { return 0 }
func rectifyGradVectors(dy, y, dz []float32) int                   { return 0 }
func planeSumsVectors(x []float32, size int, totals []float64) int { return 0 }
