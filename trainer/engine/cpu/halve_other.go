//go:build !amd64

package cpu

// vectorHalving returns none: there are no vector instructions for it here.
func vectorHalving() (halving[float32], bool) { return halving[float32]{}, false }
