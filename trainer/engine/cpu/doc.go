// Package cpu executes compiled programs on the host's processor: matrix products
// by OpenBLAS where it is installed, else by gonum, everything else by loops in
// Go. For what takes the time there are vector instructions too, where the processor
// has them: the gates of recurrent layers (smooth_amd64.s), pooling by two
// (halve_amd64.s) and simple loops (vectors_amd64.s), each beside its form in Go. There
// is a kernel for each operation of trainer/ops, in float32 and float64.
//
// Exactly as many threads compute as the backend is given. Kernels split their
// work over them in pieces that do not depend on timing, so a program gives the
// same bits whenever it runs with the same number of threads on the same machine.
//
// Start reading at [New], then lower, which chooses the kernels. To add an
// operation, write its kernel and name it there.
package cpu
