//go:build !amd64

package cpu

func tanhs(x []float32)    { tanhsGo(x) }
func sigmoids(x []float32) { sigmoidsGo(x) }

// vectorLSTMCell returns none: there are no vector instructions for it here.
func vectorLSTMCell() (lstmCell[float32], bool) { return lstmCell[float32]{}, false }
