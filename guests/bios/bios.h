/* SPDX-License-Identifier: MIT */
/* guests/bios/bios.h - what the parts of the BIOS share (assembly only).
 *
 * The whole ROM is in the segment F000, its data in the BIOS data area.
 */
#ifndef GUESTS_BIOS_H
#define GUESTS_BIOS_H

/* clang-format off */

    /* The BIOS data area, by offset in segment 40h. */
    .set BDA, 0x40
    .set BDA_EXTENDED, 0x0E         /* segment of the extended area */
    .set BDA_EQUIPMENT, 0x10
    .set BDA_BASE_MEMORY, 0x13
    .set BDA_SHIFT, 0x17
    .set BDA_KEY_HEAD, 0x1A
    .set BDA_KEY_TAIL, 0x1C
    .set BDA_DISK_STATUS, 0x41
    .set BDA_VIDEO_MODE, 0x49
    .set BDA_COLUMNS, 0x4A
    .set BDA_CURSOR, 0x50           /* column, row */
    .set BDA_CURSOR_SHAPE, 0x60
    .set BDA_TICKS, 0x6C
    .set BDA_MIDNIGHT, 0x70
    .set BDA_DISKS, 0x75
    .set BDA_KEY_FIRST, 0x80
    .set BDA_KEY_END, 0x82
    .set BDA_DISKETTE, 0x90         /* its drive's state; 0: there is none */

    .set COM1, 0x3F8
    .set UART_LINE, 5
    .set LINE_RECEIVED, 0x01
    .set LINE_EMPTY, 0x20

    /* A service's caller, as ENTER leaves it at SS:BP. */
    .set F_DI, 0
    .set F_SI, 4
    .set F_BP, 8
    .set F_BX, 16
    .set F_DX, 20
    .set F_CX, 24
    .set F_AX, 28
    .set F_ES, 32
    .set F_DS, 34
    .set F_FLAGS, 40
    .set FLAG_CARRY, 0x01
    .set FLAG_ZERO, 0x40

/* A service begins: all registers are kept, DS is the BIOS data area. */
.macro ENTER
    pushw %ds
    pushw %es
    pushal
    movw %sp, %bp
    cld
    pushw $BDA
    popw %ds
    andb $~FLAG_CARRY, F_FLAGS(%bp)
.endm

/* Call the entry of a table of (function, routine) that is the caller's AH;
 * jump to `otherwise` if there is none. */
.macro DISPATCH table, otherwise
    movw $\table, %si
1:  cmpw $0, %cs:2(%si)
    je \otherwise
    movb F_AX + 1(%bp), %al
    cmpb %cs:(%si), %al
    je 2f
    addw $4, %si
    jmp 1b
2:  call *%cs:2(%si)
    jmp leave
.endm

.macro FUNCTION number, routine
    .word \number, \routine
.endm

#endif
