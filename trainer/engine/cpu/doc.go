// Package cpu executes compiled programs on the host's processor: matrix products
// by OpenBLAS where it is installed, else by gonum, everything else by loops in
// Go, but for the gates of recurrent layers, which have vector instructions where the
// processor does (smooth_amd64.s, beside its form in Go). It has a kernel for each operation of trainer/ops, in float32 and float64.
//
// Exactly as many threads compute as the backend is given. Kernels split their
// work over them in pieces that do not depend on timing, so a program gives the
// same bits whenever it runs with the same number of threads on the same machine.
//
// Start reading at [New], then lower, which chooses the kernels. To add an
// operation, write its kernel and name it there.
package cpu
