#include "textflag.h"

// Operands are in the reverse of the processor's order: the destination is the last,
// and VSUBPS a, b, c is c = b − a.

// func updateVectors(value, velocity, grad *float32, n int, momentum, rate float32)
TEXT ·updateVectors(SB), NOSPLIT, $0-40
	MOVQ value+0(FP), DI
	MOVQ velocity+8(FP), SI
	MOVQ grad+16(FP), DX
	MOVQ n+24(FP), CX
	VBROADCASTSS momentum+32(FP), Y0
	VBROADCASTSS rate+36(FP), Y1
	XORQ AX, AX

loop:
	VMULPS (SI)(AX*4), Y0, Y2
	VMULPS 32(SI)(AX*4), Y0, Y3
	VMULPS (DX)(AX*4), Y1, Y4
	VMULPS 32(DX)(AX*4), Y1, Y5
	VSUBPS Y4, Y2, Y2
	VSUBPS Y5, Y3, Y3
	VMOVUPS Y2, (SI)(AX*4)
	VMOVUPS Y3, 32(SI)(AX*4)
	VADDPS (DI)(AX*4), Y2, Y2
	VADDPS 32(DI)(AX*4), Y3, Y3
	VMOVUPS Y2, (DI)(AX*4)
	VMOVUPS Y3, 32(DI)(AX*4)
	ADDQ $16, AX
	CMPQ AX, CX
	JLT  loop
	VZEROUPPER
	RET
