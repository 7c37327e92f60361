/* SPDX-License-Identifier: MIT */
/* guests/bios/move.S - INT 15h, 87h: memory anywhere, by way of protected mode.
 *
 * The caller's ES:SI is a descriptor table with room for what is needed here.
 *
 * Reference: IBM, "Personal Computer AT Technical Reference", system services.
 */
#include "bios.h"

    .set TABLE_LIMIT, 6 * 8 - 1
    .set SOURCE, 0x10               /* selectors; the caller's */
    .set TARGET, 0x18
    .set CODE, 0x20                 /* to be filled in here */
    .set STACK, 0x28
    .set LIMIT_64K, 0xFFFF
    .set CODE_HIGH, 0x9B0F          /* execute, read; base F0000 */
    .set DATA_ACCESS, 0x93
    .set SEGMENT, 0xF000

.code16
.text
.globl block_move
block_move:
    cli
    movw F_ES(%bp), %es
    movw F_SI(%bp), %si
    movl $LIMIT_64K, %es:CODE(%si)
    movl $CODE_HIGH, %es:CODE + 4(%si)
    xorl %ecx, %ecx
    movw %ss, %cx
    shll $4, %ecx
    movl %ecx, %edx
    shll $16, %edx
    movw $LIMIT_64K, %dx
    movl %edx, %es:STACK(%si)
    shrl $16, %ecx
    movb $DATA_ACCESS, %ch
    movl %ecx, %es:STACK + 4(%si)

    xorl %eax, %eax
    movw %es, %ax
    shll $4, %eax
    movzwl %si, %ebx
    addl %ebx, %eax
    pushl %eax
    pushw $TABLE_LIMIT
    movw %sp, %bx
    lgdtl %ss:(%bx)
    addw $6, %sp

    movw F_CX(%bp), %cx
    xorw %si, %si
    xorw %di, %di
    pushw %ss
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmp $CODE, $1f
1:  movw $STACK, %bx
    movw %bx, %ss
    movw $SOURCE, %bx
    movw %bx, %ds
    movw $TARGET, %bx
    movw %bx, %es
    rep movsw
    andb $~1, %al
    movl %eax, %cr0
    ljmp $SEGMENT, $2f
2:  popw %ss
    pushw $BDA
    popw %ds
    movb $0, F_AX + 1(%bp)
    ret

.section .note.GNU-stack, "", @progbits
