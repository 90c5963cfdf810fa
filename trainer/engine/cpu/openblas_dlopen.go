//go:build (linux || darwin) && (amd64 || arm64)

package cpu

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// openBLASNames are tried in turn: what distributions call the library, then
// where Homebrew puts it.
func openBLASNames() []string {
	if runtime.GOOS == "darwin" {
		return []string{
			"libopenblas.0.dylib", "libopenblas.dylib",
			"/opt/homebrew/opt/openblas/lib/libopenblas.dylib", "/usr/local/opt/openblas/lib/libopenblas.dylib",
		}
	}
	return []string{"libopenblas.so.0", "libopenblas.so", "libopenblasp.so.0", "libopenblaso.so.0"}
}

// openOpenBLAS loads the library without cgo. The number of OpenBLAS's own threads
// belongs to the whole process, and two backends may differ, so it is set to one
// and the backend's pool splits the products.
func openOpenBLAS() (library, error) {
	handle, err := dlopenFirst(openBLASNames())
	if err != nil {
		return library{}, err
	}
	symbols := map[string]uintptr{"sgemm_": 0, "dgemm_": 0, "openblas_set_num_threads": 0, "openblas_get_config": 0}
	for name := range symbols {
		if symbols[name], err = purego.Dlsym(handle, name); err != nil {
			return library{}, fmt.Errorf("OpenBLAS has no %s: %w", name, err)
		}
	}
	var config func() string
	purego.RegisterFunc(&config, symbols["openblas_get_config"])
	purego.SyscallN(symbols["openblas_set_num_threads"], 1)
	return library{
		name: strings.TrimSpace(OpenBLAS + " " + openBLASVersion(config())),
		f32:  newFortran[float32](symbols["sgemm_"]),
		f64:  newFortran[float64](symbols["dgemm_"]),
	}, nil
}

func dlopenFirst(names []string) (uintptr, error) {
	for _, name := range names {
		// The handle is never closed: OpenBLAS has threads of its own.
		if handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			return handle, nil
		}
	}
	return 0, fmt.Errorf("%w (tried %s); install it, or choose gonum", ErrNoOpenBLAS, strings.Join(names, ", "))
}

// openBLASVersion finds the version in "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …".
func openBLASVersion(config string) string {
	if words := strings.Fields(config); len(words) > 1 {
		return words[1]
	}
	return ""
}

// fortran calls xGEMM of the Fortran interface, which takes pointers only: what
// can be called without cgo and without a float in a register.
type fortran[T float] struct {
	symbol uintptr
	pool   *sync.Pool // of *call[T]
}

func newFortran[T float](symbol uintptr) fortran[T] {
	return fortran[T]{symbol, &sync.Pool{New: func() any { return newCall[T]() }}}
}

// call holds the arguments of one call, which all are pointers, and what they
// point to. It is on the heap and recycled: a step makes a dozen calls, and none
// of them is to allocate.
type call[T float] struct {
	transA, transB byte
	m, n, k        int32
	lda, ldb, ldc  int32
	alpha, beta    T
	a, b, c        *T // keeps the matrices alive, and on the heap, where they do not move
	pointers       [13]uintptr
}

func newCall[T float]() *call[T] {
	c := new(call[T])
	for i, p := range [...]unsafe.Pointer{
		unsafe.Pointer(&c.transA), unsafe.Pointer(&c.transB), unsafe.Pointer(&c.m), unsafe.Pointer(&c.n), unsafe.Pointer(&c.k),
		unsafe.Pointer(&c.alpha), nil, unsafe.Pointer(&c.lda), nil, unsafe.Pointer(&c.ldb),
		unsafe.Pointer(&c.beta), nil, unsafe.Pointer(&c.ldc),
	} {
		c.pointers[i] = uintptr(p)
	}
	return c
}

func (f fortran[T]) gemm(transA, transB bool, m, n, k int, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	args := f.pool.Get().(*call[T])
	// Fortran sees a row-major matrix as its transpose, so it is asked for
	// cᵀ = op(b)ᵀ·op(a)ᵀ.
	args.transA, args.transB = letter(transB), letter(transA)
	args.m, args.n, args.k = int32(n), int32(m), int32(k)
	args.lda, args.ldb, args.ldc = int32(ldb), int32(lda), int32(ldc)
	args.alpha, args.beta = 1, beta
	args.a, args.b, args.c = &b[0], &a[0], &c[0]
	args.pointers[6] = uintptr(unsafe.Pointer(args.a))
	args.pointers[8] = uintptr(unsafe.Pointer(args.b))
	args.pointers[11] = uintptr(unsafe.Pointer(args.c))
	purego.SyscallN(f.symbol, args.pointers[:]...)
	runtime.KeepAlive(args)
	args.a, args.b, args.c = nil, nil, nil
	f.pool.Put(args)
}

func letter(trans bool) byte {
	if trans {
		return 'T'
	}
	return 'N'
}
