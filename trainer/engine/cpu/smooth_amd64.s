#include "textflag.h"

// Vector forms (AVX2 and FMA, eight float32 at a time) of what smooth.go and lstm.go
// compute; the method and its error are described there. Go's assembler writes operands
// in the reverse of the processor's order: the destination is the last.

// one: also the exponent bits of 2^0.
DATA one<>+0(SB)/8, $0x3f8000003f800000
DATA one<>+8(SB)/8, $0x3f8000003f800000
DATA one<>+16(SB)/8, $0x3f8000003f800000
DATA one<>+24(SB)/8, $0x3f8000003f800000
GLOBL one<>(SB), RODATA|NOPTR, $32
DATA two<>+0(SB)/8, $0x4000000040000000
DATA two<>+8(SB)/8, $0x4000000040000000
DATA two<>+16(SB)/8, $0x4000000040000000
DATA two<>+24(SB)/8, $0x4000000040000000
GLOBL two<>(SB), RODATA|NOPTR, $32
DATA sign<>+0(SB)/8, $0x8000000080000000
DATA sign<>+8(SB)/8, $0x8000000080000000
DATA sign<>+16(SB)/8, $0x8000000080000000
DATA sign<>+24(SB)/8, $0x8000000080000000
GLOBL sign<>(SB), RODATA|NOPTR, $32
DATA magnitude<>+0(SB)/8, $0x7fffffff7fffffff
DATA magnitude<>+8(SB)/8, $0x7fffffff7fffffff
DATA magnitude<>+16(SB)/8, $0x7fffffff7fffffff
DATA magnitude<>+24(SB)/8, $0x7fffffff7fffffff
GLOBL magnitude<>(SB), RODATA|NOPTR, $32
// limit: expLimit.
DATA limit<>+0(SB)/8, $0x42ae000042ae0000
DATA limit<>+8(SB)/8, $0x42ae000042ae0000
DATA limit<>+16(SB)/8, $0x42ae000042ae0000
DATA limit<>+24(SB)/8, $0x42ae000042ae0000
GLOBL limit<>(SB), RODATA|NOPTR, $32
DATA minusLimit<>+0(SB)/8, $0xc2ae0000c2ae0000
DATA minusLimit<>+8(SB)/8, $0xc2ae0000c2ae0000
DATA minusLimit<>+16(SB)/8, $0xc2ae0000c2ae0000
DATA minusLimit<>+24(SB)/8, $0xc2ae0000c2ae0000
GLOBL minusLimit<>(SB), RODATA|NOPTR, $32
DATA log2e<>+0(SB)/8, $0x3fb8aa3b3fb8aa3b
DATA log2e<>+8(SB)/8, $0x3fb8aa3b3fb8aa3b
DATA log2e<>+16(SB)/8, $0x3fb8aa3b3fb8aa3b
DATA log2e<>+24(SB)/8, $0x3fb8aa3b3fb8aa3b
GLOBL log2e<>(SB), RODATA|NOPTR, $32
DATA ln2Hi<>+0(SB)/8, $0x3f3180003f318000
DATA ln2Hi<>+8(SB)/8, $0x3f3180003f318000
DATA ln2Hi<>+16(SB)/8, $0x3f3180003f318000
DATA ln2Hi<>+24(SB)/8, $0x3f3180003f318000
GLOBL ln2Hi<>(SB), RODATA|NOPTR, $32
DATA ln2Lo<>+0(SB)/8, $0xb95e8083b95e8083
DATA ln2Lo<>+8(SB)/8, $0xb95e8083b95e8083
DATA ln2Lo<>+16(SB)/8, $0xb95e8083b95e8083
DATA ln2Lo<>+24(SB)/8, $0xb95e8083b95e8083
GLOBL ln2Lo<>(SB), RODATA|NOPTR, $32
// c1: the polynomial of exp32.
DATA c1<>+0(SB)/8, $0x3f0000003f000000
DATA c1<>+8(SB)/8, $0x3f0000003f000000
DATA c1<>+16(SB)/8, $0x3f0000003f000000
DATA c1<>+24(SB)/8, $0x3f0000003f000000
GLOBL c1<>(SB), RODATA|NOPTR, $32
DATA c2<>+0(SB)/8, $0x3e2aaa573e2aaa57
DATA c2<>+8(SB)/8, $0x3e2aaa573e2aaa57
DATA c2<>+16(SB)/8, $0x3e2aaa573e2aaa57
DATA c2<>+24(SB)/8, $0x3e2aaa573e2aaa57
GLOBL c2<>(SB), RODATA|NOPTR, $32
DATA c3<>+0(SB)/8, $0x3d2aaa433d2aaa43
DATA c3<>+8(SB)/8, $0x3d2aaa433d2aaa43
DATA c3<>+16(SB)/8, $0x3d2aaa433d2aaa43
DATA c3<>+24(SB)/8, $0x3d2aaa433d2aaa43
GLOBL c3<>(SB), RODATA|NOPTR, $32
DATA c4<>+0(SB)/8, $0x3c0914403c091440
DATA c4<>+8(SB)/8, $0x3c0914403c091440
DATA c4<>+16(SB)/8, $0x3c0914403c091440
DATA c4<>+24(SB)/8, $0x3c0914403c091440
GLOBL c4<>(SB), RODATA|NOPTR, $32
DATA c5<>+0(SB)/8, $0x3ab6ccdd3ab6ccdd
DATA c5<>+8(SB)/8, $0x3ab6ccdd3ab6ccdd
DATA c5<>+16(SB)/8, $0x3ab6ccdd3ab6ccdd
DATA c5<>+24(SB)/8, $0x3ab6ccdd3ab6ccdd
GLOBL c5<>(SB), RODATA|NOPTR, $32

// EXP takes A with |A| ≤ 87 and returns S = 2^k and R = e^r - 1, so that e^A = S + S·R.
// A is lost.
#define EXP(A, S, R) \
	VMULPS log2e<>(SB), A, S           \
	VROUNDPS $8, S, S                  \
	VFNMADD231PS ln2Hi<>(SB), S, A     \
	VFNMADD231PS ln2Lo<>(SB), S, A     \
	VCVTPS2DQ S, S                     \
	VPSLLD $23, S, S                   \
	VPADDD one<>(SB), S, S             \
	VMOVUPS c5<>(SB), R                \
	VFMADD213PS c4<>(SB), A, R         \
	VFMADD213PS c3<>(SB), A, R         \
	VFMADD213PS c2<>(SB), A, R         \
	VFMADD213PS c1<>(SB), A, R         \
	VFMADD213PS one<>(SB), A, R        \
	VMULPS A, R, R

// SIGMOID replaces X by 1/(1 + e^-X). Y14 is the limit and Y15 its negative; being the
// first source of minimum and maximum, they leave NaN alone.
#define SIGMOID(X, S, R) \
	VXORPS sign<>(SB), X, X            \
	VMINPS X, Y14, X                   \
	VMAXPS X, Y15, X                   \
	EXP(X, S, R)                       \
	VFMADD213PS S, S, R                \
	VADDPS one<>(SB), R, R             \
	VMOVUPS one<>(SB), S               \
	VDIVPS R, S, X

// TANH replaces X: with t = e^-2|X| - 1, it is -t/(2 + t), with X's sign.
#define TANH(X, A, S, R) \
	VORPS sign<>(SB), X, A             \
	VADDPS A, A, A                     \
	VMAXPS A, Y15, A                   \
	EXP(A, S, R)                       \
	VSUBPS one<>(SB), S, A             \
	VFMADD231PS S, R, A                \
	VADDPS two<>(SB), A, S             \
	VDIVPS S, A, A                     \
	VANDPS magnitude<>(SB), A, A       \
	VANDPS sign<>(SB), X, X            \
	VORPS A, X, X

// func tanhVectors(x *float32, n int)
TEXT ·tanhVectors(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VMOVUPS limit<>(SB), Y14
	VMOVUPS minusLimit<>(SB), Y15

tanhLoop:
	VMOVUPS (SI), Y0
	TANH(Y0, Y1, Y2, Y3)
	VMOVUPS Y0, (SI)
	ADDQ $32, SI
	SUBQ $8, CX
	JNE  tanhLoop
	VZEROUPPER
	RET

// func sigmoidVectors(x *float32, n int)
TEXT ·sigmoidVectors(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VMOVUPS limit<>(SB), Y14
	VMOVUPS minusLimit<>(SB), Y15

sigmoidLoop:
	VMOVUPS (SI), Y0
	SIGMOID(Y0, Y2, Y3)
	VMOVUPS Y0, (SI)
	ADDQ $32, SI
	SUBQ $8, CX
	JNE  sigmoidLoop
	VZEROUPPER
	RET

// func lstmForwardVectors(n, stride int, active, before, cell, hidden *float32)
TEXT ·lstmForwardVectors(SB), NOSPLIT, $0-48
	MOVQ n+0(FP), CX
	MOVQ stride+8(FP), R8
	MOVQ active+16(FP), DI
	MOVQ before+24(FP), DX
	MOVQ cell+32(FP), R10
	MOVQ hidden+40(FP), R12
	SHLQ $2, R8
	LEAQ (R8)(R8*2), R9
	VMOVUPS limit<>(SB), Y14
	VMOVUPS minusLimit<>(SB), Y15

forwardLoop:
	// Y0 the input gate, Y1 the candidate, Y2 the forget gate, Y3 the output gate.
	VMOVUPS (DI), Y0
	SIGMOID(Y0, Y6, Y7)
	VMOVUPS Y0, (DI)
	VMOVUPS (DI)(R8*2), Y1
	TANH(Y1, Y8, Y9, Y10)
	VMOVUPS Y1, (DI)(R8*2)
	VMOVUPS (DI)(R8*1), Y2
	SIGMOID(Y2, Y11, Y12)
	VMOVUPS Y2, (DI)(R8*1)
	VMOVUPS (DI)(R9*1), Y3
	SIGMOID(Y3, Y4, Y5)
	VMOVUPS Y3, (DI)(R9*1)
	VMULPS  Y0, Y1, Y0
	VFMADD231PS (DX), Y2, Y0
	VMOVUPS Y0, (R10)
	TANH(Y0, Y8, Y9, Y10)
	VMULPS  Y3, Y0, Y0
	VMOVUPS Y0, (R12)
	ADDQ $32, DI
	ADDQ $32, DX
	ADDQ $32, R10
	ADDQ $32, R12
	SUBQ $8, CX
	JNE  forwardLoop
	VZEROUPPER
	RET

// func lstmBackwardVectors(n, stride int, dHidden, dh, dc, active, before, cell, dz *float32)
TEXT ·lstmBackwardVectors(SB), NOSPLIT, $0-72
	MOVQ n+0(FP), CX
	MOVQ stride+8(FP), R8
	MOVQ dHidden+16(FP), SI
	MOVQ dh+24(FP), DI
	MOVQ dc+32(FP), DX
	MOVQ active+40(FP), R10
	MOVQ before+48(FP), R11
	MOVQ cell+56(FP), R12
	MOVQ dz+64(FP), R13
	SHLQ $2, R8
	LEAQ (R8)(R8*2), R9
	VMOVUPS one<>(SB), Y14
	VMOVUPS minusLimit<>(SB), Y15

backwardLoop:
	VMOVUPS (R12), Y1
	TANH(Y1, Y11, Y12, Y13)        // Y1: tanh(c)
	VMOVUPS (SI), Y0
	VADDPS  (DI), Y0, Y0           // Y0: by the hidden state
	VMOVUPS (R10)(R9*1), Y2        // Y2: o
	VMULPS  Y2, Y0, Y3
	VMOVAPS Y14, Y4
	VFNMADD231PS Y1, Y1, Y4
	VMOVUPS (DX), Y5
	VFMADD231PS Y3, Y4, Y5         // Y5: by the cell
	VMULPS  Y1, Y0, Y0
	VSUBPS  Y2, Y14, Y3
	VMULPS  Y2, Y3, Y3
	VMULPS  Y3, Y0, Y0
	VMOVUPS Y0, (R13)(R9*1)
	VMOVUPS (R10), Y6              // Y6: i
	VMOVUPS (R10)(R8*1), Y7        // Y7: f
	VMOVUPS (R10)(R8*2), Y8        // Y8: g
	VMULPS  Y7, Y5, Y9
	VMOVUPS Y9, (DX)
	VMULPS  Y8, Y5, Y9
	VSUBPS  Y6, Y14, Y10
	VMULPS  Y6, Y10, Y10
	VMULPS  Y10, Y9, Y9
	VMOVUPS Y9, (R13)
	VMULPS  (R11), Y5, Y9
	VSUBPS  Y7, Y14, Y10
	VMULPS  Y7, Y10, Y10
	VMULPS  Y10, Y9, Y9
	VMOVUPS Y9, (R13)(R8*1)
	VMOVAPS Y14, Y10
	VFNMADD231PS Y8, Y8, Y10
	VMULPS  Y6, Y5, Y9
	VMULPS  Y10, Y9, Y9
	VMOVUPS Y9, (R13)(R8*2)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, DX
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, R12
	ADDQ $32, R13
	SUBQ $8, CX
	JNE  backwardLoop
	VZEROUPPER
	RET
