/* SPDX-License-Identifier: MIT */
/* guests/kit/stubs.h - entry points for the vectors of an IDT (assembler). */
#ifndef KIT_STUBS_H
#define KIT_STUBS_H

/* clang-format off */

/* \count of them, \bytes apart. Each pushes an error code where the processor
 * has not, and its number, and goes on at \common. */
.macro STUBS count, bytes, common
    .set vector, 0
    .rept \count
    .balign \bytes
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
    .else
    pushl $0
    .endif
    pushl $vector
    jmp \common
    .set vector, vector + 1
    .endr
.endm

#endif
