#include "textflag.h"

// Vector forms (AVX, eight float32 at a time) of the loops in vectors.go, of the same
// bits. Go's assembler writes operands in the reverse of the processor's order: the
// destination is the last, and VCMPPS $greater, a, b, c is c = b > a.

#define notLessOrEqual 0x16
#define greater 0x1e

DATA unit<>+0(SB)/4, $0x3f800000
GLOBL unit<>(SB), RODATA|NOPTR, $4

// func addWhole(x, y *float32, n int)
TEXT ·addWhole(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ AX, AX

addLoop:
	VMOVUPS (DI)(AX*4), Y0
	VADDPS  (SI)(AX*4), Y0, Y0
	VMOVUPS Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  addLoop
	VZEROUPPER
	RET

// func rectifyWhole(x *float32, n int)
TEXT ·rectifyWhole(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	VXORPS Y15, Y15, Y15
	XORQ AX, AX

rectifyLoop:
	VMOVUPS (DI)(AX*4), Y0
	VCMPPS  $notLessOrEqual, Y15, Y0, Y1
	VANDPS  Y1, Y0, Y0
	VMOVUPS Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  rectifyLoop
	VZEROUPPER
	RET

// func rectifyGradWhole(dy, y, dz *float32, n int)
TEXT ·rectifyGradWhole(SB), NOSPLIT, $0-32
	MOVQ dy+0(FP), SI
	MOVQ y+8(FP), DX
	MOVQ dz+16(FP), DI
	MOVQ n+24(FP), CX
	VBROADCASTSS unit<>(SB), Y14
	VXORPS Y15, Y15, Y15
	XORQ AX, AX

gradLoop:
	VMOVUPS (DX)(AX*4), Y0
	VCMPPS  $greater, Y15, Y0, Y0
	VANDPS  Y14, Y0, Y0
	VMULPS  (SI)(AX*4), Y0, Y0
	VMOVUPS Y0, (DI)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  gradLoop
	VZEROUPPER
	RET

// func quadSums(x *float32, size, quads int, sums *[4][lanes]float32)
TEXT ·quadSums(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ size+8(FP), DX
	MOVQ quads+16(FP), CX
	MOVQ sums+24(FP), DI
	LEAQ (DX)(DX*2), R8
	LEAQ (SI)(R8*4), R8            // the fourth plane
	VXORPS X0, X0, X0
	VXORPS X1, X1, X1
	VXORPS X2, X2, X2
	VXORPS X3, X3, X3

sumLoop:
	VADDPS (SI), X0, X0
	VADDPS (SI)(DX*4), X1, X1
	VADDPS (SI)(DX*8), X2, X2
	VADDPS (R8), X3, X3
	ADDQ $16, SI
	ADDQ $16, R8
	DECQ CX
	JNE  sumLoop
	VMOVUPS X0, (DI)
	VMOVUPS X1, 16(DI)
	VMOVUPS X2, 32(DI)
	VMOVUPS X3, 48(DI)
	RET
