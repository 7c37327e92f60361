/* SPDX-License-Identifier: MIT */
/* code.S - hostile code: in the middle of other code, in tables, off the end,
 * changing itself. */
#include "hostile.h"

/* The same bytes as an immediate and as instructions. */
PROGRAM middle_of_an_instruction, 1, END_EXIT, 0
    xorl %eax, %eax
    xorl %ebx, %ebx
    call 1f
    call 1f + 1
    call 1f + 2
    call 1f
    NOTE %eax
    NOTE %ebx
    LEAVE
1:  .byte 0xB8, 0x43, 0x83, 0xC3, 0x11      /* mov; or: inc, add $0x11 */
    ret

/* A sensitive instruction that only the middle shows. */
PROGRAM sensitive_in_the_middle, 1, END_EXIT, NOT_TRAP | NOT_STATIC
    call 1f
    NOTE %eax
    call 1f + 1
    andl $0x3200, %eax
    NOTE %eax
    call 1f
    call 1f + 1
    andl $0x3200, %eax
    NOTE %eax
    LEAVE
1:  .byte 0xB8, 0x9C, 0x58, 0xC3, 0x90      /* mov; or: pushf, pop %eax, ret */
    ret

/* JMP to its own second byte: INC EAX. */
PROGRAM overlapping, 1, END_EXIT, 0
    xorl %eax, %eax
    movl $100, %ecx
1:  .byte 0xEB, 0xFF, 0xC0
    loop 1b
    NOTE %eax
    LEAVE

/* Entries that map nothing hold instructions. */
PROGRAM code_in_a_page_table, 1, END_EXIT, PAGED
    movl $TABLES + 0x3800, %edi
    xorl %ebx, %ebx
    movl $100, %ecx
1:  movl $0xC3439090, (%edi)        /* nop, nop, inc %ebx, ret */
    call *%edi
    movl $0xC3434390, (%edi)
    call *%edi
    movl $0x90909090, (%edi)
    movl $0x90C34342, 4(%edi)       /* inc %edx first */
    call *%edi
    loop 1b
    NOTE %ebx
    NOTE %edx
    LEAVE

/* The page directory maps itself; its entries are executed where it appears. */
PROGRAM code_in_the_directory, 1, END_EXIT, PAGED
    movl $DIRECTORY + 0x003, DIRECTORY + 4092
    movl $0x90909090, DIRECTORY + 0x800
    movl $0xC3439090, DIRECTORY + 0x804
    movl $0xFFFFF800, %edi
    xorl %ebx, %ebx
    movl $20, %ecx
1:  call *%edi
    movl $0xC3434390, 4(%edi)       /* by its own mapping */
    call *%edi
    movl $0xC3439090, DIRECTORY + 0x804
    loop 1b
    NOTE %ebx
    movl 0xFFC00000, %eax           /* the first table's first entry */
    andl $0xFFFFF01F, %eax
    NOTE %eax
    LEAVE

/* Each time round the loop changes the instruction behind the store. */
PROGRAM changes_the_next_instruction, 1, END_EXIT, 0
    xorl %ebx, %ebx
    movl $1000, %ecx
1:  movb %cl, 2f + 1
2:  movb $0, %al
    movzbl %al, %eax
    addl %eax, %ebx
    loop 1b
    NOTE %ebx
    LEAVE

/* And the one in the next block. */
PROGRAM changes_the_next_block, 1, END_EXIT, 0
    xorl %ebx, %ebx
    movl $1000, %ecx
1:  movb %cl, 2f + 1
    jmp 2f
    .balign 64
2:  movb $0, %al
    movzbl %al, %eax
    addl %eax, %ebx
    loop 1b
    NOTE %ebx
    LEAVE

/* And one that lies across two pages. */
PROGRAM changes_across_a_page, 1, END_EXIT, PAGED
    movl $ARENA + 0xFFD, %edi
    movl $0x000000B8, (%edi)        /* mov $imm32, %eax; ret */
    movb $0, 4(%edi)
    movb $0xC3, 5(%edi)
    xorl %ebx, %ebx
    movl $1000, %ecx
1:  movl %ecx, 1(%edi)
    call *%edi
    addl %eax, %ebx
    movb $0x55, 4(%edi)
    call *%edi
    addl %eax, %ebx
    loop 1b
    NOTE %ebx
    LEAVE

/* The same page by another name. */
PROGRAM changes_by_another_name, 1, END_EXIT, PAGED
    movl $SPARE + 0x007, DIRECTORY + (UNMAPPED >> 20)
    movl $ARENA + 0x007, SPARE
    movl $0x90C300B0, ARENA         /* mov $0, %al; ret */
    xorl %ebx, %ebx
    movl $1000, %ecx
    movl $ARENA, %edi
1:  movb %cl, UNMAPPED + 1
    call *%edi
    movzbl %al, %eax
    addl %eax, %ebx
    loop 1b
    NOTE %ebx
    LEAVE

/* Another page under the same name. */
PROGRAM remapped_code, 1, END_EXIT, PAGED
    movl $SPARE + 0x007, DIRECTORY + (UNMAPPED >> 20)
    movl $0x90C301B0, ARENA
    movl $0x90C302B0, ARENA + 0x1000
    xorl %ebx, %ebx
    movl $200, %ecx
    movl $UNMAPPED, %edi
1:  movl $ARENA + 0x007, SPARE
    invlpg (%edi)
    call *%edi
    movzbl %al, %eax
    addl %eax, %ebx
    movl $ARENA + 0x1007, SPARE
    movl %cr3, %eax
    movl %eax, %cr3
    call *%edi
    movzbl %al, %eax
    shll $8, %eax
    addl %eax, %ebx
    loop 1b
    NOTE %ebx
    LEAVE

/* REP MOVS over what follows it. */
PROGRAM string_move_over_code, 1, END_EXIT, PAGED
    xorl %ebx, %ebx
    movl $1f, %esi
    movl $ARENA + 0xFE0, %edi
    movl $3f - 1f, %ecx
    rep movsb
    movl $2f, %esi
    movl $ARENA + 0xFE2, %edi
    movl $3f - 2f, %ecx
    movl $ARENA + 0xFE0, %eax
    jmp *%eax
1:  rep movsb                       /* copies `2` to where it is */
    .fill 0x40, 1, 0xF4             /* HLT, if it were still there */
2:  .fill 0x20, 1, 0x43             /* INC EBX */
    movl $note, %eax
    pushl %ebx
    call *%eax
    movl $leave, %eax
    jmp *%eax
3:

/* NOPs up to the last byte. */
.macro FALL_OFF_MEMORY
    movl $MEMORY_END - 32, %edi
    movl $0x90909090, %eax
    movl $8, %ecx
    rep stosl
    movl $MEMORY_END - 32, %edi
    jmp *%edi
.endm

/* Off the end of memory, where nothing answers. */
PROGRAM off_the_end, 1, END_AS_BARE, MAY_REFUSE
    FALL_OFF_MEMORY

PROGRAM off_the_mapped, 1, END_EXIT, PAGED
    FALL_OFF_MEMORY

/* An instruction whose second half is in no page. */
PROGRAM cut_by_the_end, 14, END_EXIT, PAGED
    movl $MEMORY_END - 15, %edi
    addl %ebx, %edi
    movl %edi, %esi
    movl $15, %ecx
    subl %ebx, %ecx
    movb $0x66, %al
    rep stosb
    jmp *%esi

/* Where a PC has its firmware. */
PROGRAM top_of_the_space, 2, END_AS_BARE, MAY_REFUSE
    movl 1f(, %ebx, 4), %edi
    jmp *%edi
1:  .long 0xFFFFFFF0, 0xFFFF0000

/* From the last byte to the first. */
PROGRAM around_the_top, 1, END_EXIT, PAGED
    movl $SPARE + 0x007, DIRECTORY + 4092
    movl $ARENA + 0x007, SPARE + 4092
    movl $ARENA, %edi
    movl $0x90909090, %eax
    movl $1024, %ecx
    rep stosl
    movl $0x43434343, ARENA + 0xFFC
    movb $0xE9, 0                   /* JMP out of page 0 */
    movl $1f - 5, 1
    xorl %ebx, %ebx
    movl $0xFFFFFFC0, %edi
    jmp *%edi
1:  NOTE %ebx
    LEAVE

/* No code at all: APICs, nothing. */
PROGRAM executes_devices, 3, END_AS_BARE, MAY_REFUSE
    movl 1f(, %ebx, 4), %edi
    jmp *%edi
1:  .long 0xFEE00000, 0xFEC00000, 0x80000000

/* Fifteen bytes are an instruction, sixteen are not. */
PROGRAM long_instructions, 24, END_EXIT, 0
    movl $ARENA, %edi
    movb $0x66, %al
    cmpl $12, %ebx
    jb 1f
    subl $12, %ebx
    movb $0x2E, %al
1:  leal 6(%ebx), %ecx
    rep stosb
    movl $0x90C3C340, (%edi)        /* INC, RET, RET */
    xorl %eax, %eax
    movl $ARENA, %edi
    call *%edi
    NOTE %eax
    LEAVE

/* LOCK where there is no such thing. */
PROGRAM undefined_locks, 16, END_EXIT, 0
    movl $ARENA, %edi
    movl %edi, %eax
    imull $8, %ebx
    addl $1f, %ebx
    jmp *%ebx
    .balign 8
    .macro LOCKED bytes:vararg
    .balign 8
    .byte 0xF0, \bytes
    ud2
    .endm
1:  LOCKED 0x90                     /* NOP */
    LOCKED 0x01, 0xC0               /* ADD to a register */
    LOCKED 0x0F, 0xA3, 0xC0         /* BT, BTS, BTR, BTC of registers */
    LOCKED 0x0F, 0xAB, 0xC0
    LOCKED 0x0F, 0xB3, 0xC0
    LOCKED 0x0F, 0xBB, 0xC0
    LOCKED 0x0F, 0xBA, 0xE0, 0x01
    LOCKED 0x0F, 0xBA, 0xE8, 0x01
    LOCKED 0x0F, 0xBA, 0xF0, 0x01
    LOCKED 0x0F, 0xBA, 0xF8, 0x01
    LOCKED 0x39, 0x00               /* CMP */
    LOCKED 0xFF, 0xC0               /* INC of a register */
    LOCKED 0xF7, 0xD0               /* NOT */
    LOCKED 0x0F, 0xB1, 0xC0         /* CMPXCHG */
    LOCKED 0x0F, 0xC7, 0xC8         /* CMPXCHG8B of a register */
    LOCKED 0x66, 0x0F, 0xA3, 0xC0

    .section .note.GNU-stack, "", @progbits
