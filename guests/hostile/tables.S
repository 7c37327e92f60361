/* SPDX-License-Identifier: MIT */
/* tables.S - descriptor tables, gates, tasks and page tables full of nonsense,
 * or in places where none should be. */
#include "hostile.h"

/* Gates of every type with random selectors. Those that lead anywhere lead to
 * code at `landing`. */
PROGRAM wild_gates, 4, END_EXIT, 0
    movl %ebx, seed
    call lead_to_landing
    movw $0, idt + 8 * WILD_VECTOR
    movl $300, left
    RESUME next_gate
next_gate:
    decl left
    js 3f
    call random
    movl %eax, %edx
    andl $0xFF78, %eax              /* few selectors are in the table */
    testl $0x80000000, %edx
    jnz 1f
    andl $0x7B, %eax
1:  movw %ax, idt + 8 * WILD_VECTOR + 2
    shrl $8, %edx
    andl $0xFF00, %edx
    movl %edx, %eax
    andl $0x0700, %eax
    cmpl $0x0500, %eax              /* tasks are another program's */
    jne 2f
    xorl $0x0300, %edx
2:  movw %dx, idt + 8 * WILD_VECTOR + 4
    movw $SCRATCH >> 16, idt + 8 * WILD_VECTOR + 6
    xorl %eax, %eax
    xorl %edx, %edx
    int $WILD_VECTOR
3:  LEAVE

/* Where gates of 32 and of 16 bits go. */
lead_to_landing:
    movb $0xE9, SCRATCH
    movl $landing - SCRATCH - 5, SCRATCH + 1
    movb $0xE9, 0
    movl $landing - 5, 1
    ret
landing:
    movl $KERNEL_DS, %eax
    movw %ax, %ds
    movw %ax, %es
    movl $0x1A4D, %eax
    NOTE %eax
    jmp *resume

/* Call gates likewise. */
PROGRAM wild_call_gates, 4, END_EXIT, NOT_TRAP
    movl %ebx, seed
    call lead_to_landing
    movl $300, left
    RESUME 1f
1:  decl left
    js 3f
    movl $TOP_STACK, %esp
    call random
    movl %eax, %edx
    andl $0x7B, %eax
    movw $0, gdt + WILD_GATE
    movw %ax, gdt + WILD_GATE + 2
    shrl $8, %edx
    movb %dh, %al
    andb $7, %al
    testb $1, %al
    jnz 1b                          /* no tasks here */
    andl $0x00EF1F, %edx            /* system types only */
    movw %dx, gdt + WILD_GATE + 4
    movw $SCRATCH >> 16, gdt + WILD_GATE + 6
    xorl %eax, %eax
    xorl %edx, %edx
    lcall $WILD_GATE, $0
3:  LEAVE

/* Tables in odd places. Each then loads a segment and takes an exception. */
    .macro WILD_TABLE instruction at
    movl $\at, %edi
    movl odd_bases(, %ebx, 4), %eax
    movw $0xFFFF, ARENA
    movl %eax, ARENA + 2
    \instruction ARENA
    RESUME 1f
    movl $KERNEL_DS, %eax
    movw %ax, %ds
1:  RESUME 2f
    ud2
2:  LEAVE
    .endm

PROGRAM wild_gdt, 9, END_AS_BARE, PAGED | MAY_REFUSE
    WILD_TABLE lgdt gdt
PROGRAM wild_gdt_unpaged, 9, END_AS_BARE, MAY_REFUSE
    WILD_TABLE lgdt gdt
PROGRAM wild_idt, 9, END_AS_BARE, PAGED | MAY_REFUSE
    WILD_TABLE lidt idt
PROGRAM wild_idt_unpaged, 9, END_AS_BARE, MAY_REFUSE
    WILD_TABLE lidt idt

/* The tables' limits, down to nothing. */
PROGRAM short_gdt, 12, END_AS_BARE, 0
    movl %ebx, %eax
    shll $2, %eax
    decw %ax
    movw %ax, gdtr
    lgdt gdtr
    RESUME 1f
    movl $KERNEL_DS, %eax
    movw %ax, %es
1:  RESUME 2f
    movl $USER_DS, %eax
    movw %ax, %es
2:  LEAVE

/* The table is in a page whose protection says no; which the processor does
 * not ask, but for writes. */
PROGRAM read_only_gdt, 1, END_EXIT, PAGED
    movl gdt + KERNEL_DS, %eax
    movl %eax, ARENA + KERNEL_DS
    movl gdt + KERNEL_DS + 4, %eax
    movl %eax, ARENA + KERNEL_DS + 4
    movl gdt + KERNEL_CS, %eax
    movl %eax, ARENA + KERNEL_CS
    movl gdt + KERNEL_CS + 4, %eax
    movl %eax, ARENA + KERNEL_CS + 4
    movl $0x0000FFFF, ARENA + USER_DS - 3
    movl $0x00CFF200, ARENA + USER_DS + 1   /* not accessed */
    andl $~2, TABLES + 4 * (ARENA >> 12)
    invlpg ARENA
    movl $ARENA, gdtr + 2
    lgdt gdtr
    RESUME 1f
    movl $USER_DS, %eax
    movw %ax, %es                   /* sets the accessed bit: #PF */
1:  LEAVE

/* Code that changes the table it uses, from the same page. */
PROGRAM gdt_among_code, 1, END_EXIT, PAGED
    movl $1000, %ecx
1:  movb $0xFE, gdt + READ_ONLY + 5 /* not present... */
    andb $0x7F, gdt + READ_ONLY + 5
    RESUME 2f
    movl $READ_ONLY, %eax
    movw %ax, %es
2:  movb $0x90, gdt + READ_ONLY + 5 /* and again */
    movl $READ_ONLY, %eax
    movw %ax, %es
    incl left
    loop 1b
    movl left, %eax
    NOTE %eax
    movb gdt + READ_ONLY + 5, %al
    movzbl %al, %eax
    NOTE %eax
    LEAVE

/* Tasks that never were: a random TSS, by a jump, a call, a gate, a return. */
PROGRAM wild_tasks, 24, END_AS_BARE, NOT_TRAP | NOT_STATIC | PAGED | MAY_REFUSE
    movl %ebx, seed
    movl $wild_tss, %edi
    movl $26, %ecx
1:  call random
    stosl
    loop 1b
    movl %ebx, %eax
    shrl $2, %eax
    cmpl $2, %eax
    ja 2f
    movl $DIRECTORY, wild_tss + 0x1C
    cmpl $1, %eax
    ja 2f
    movl $task_landing, wild_tss + 0x20
    movl $2, wild_tss + 0x24
    movl $KERNEL_CS, wild_tss + 0x4C
2:  andl $3, %ebx
    jmp *3f(, %ebx, 4)
3:  .long 4f, 5f, 6f, 7f
4:  ljmp $WILD_TSS, $0
5:  lcall $WILD_TSS, $0
6:  movl $WILD_TSS << 16, idt + 8 * DONE
    movl $0xE500, idt + 8 * DONE + 4
    int $DONE
7:  movl $WILD_TSS, tss
    movb $0x8B, gdt + WILD_TSS + 5
    pushl $0x4002                   /* NT */
    popfl
    iret
task_landing:
    movl $0x7A5C, %eax
    NOTE %eax
    LEAVE

/* What tasks may not be. */
PROGRAM no_tasks, 6, END_AS_BARE, NOT_TRAP | NOT_STATIC
    jmp *1f(, %ebx, 4)
1:  .long 2f, 3f, 4f, 5f, 6f, 7f
2:  ljmp $TSS, $0                   /* busy: it is running */
3:  movw $20, gdt + WILD_TSS        /* too short */
    ljmp $WILD_TSS, $0
4:  andb $0x7F, gdt + WILD_TSS + 5
    lcall $WILD_TSS, $0
5:  movl $0xFFF8, tss               /* a back link to nowhere */
    pushl $0x4002
    popfl
    iret
6:  movl $KERNEL_DS << 16, idt + 8 * DONE
    movl $0xE500, idt + 8 * DONE + 4
    int $DONE
7:  movl $WILD_TSS | 4, %eax        /* in a local table that is not */
    ltr %ax

/* Page directories where none should be. */
PROGRAM wild_cr3, 8, END_AS_BARE, PAGED | MAY_REFUSE
    movl odd_roots(, %ebx, 4), %eax
    movl %eax, %cr3
    nop
    movl $7, ARENA
    LEAVE

/* A directory that leads to tables there. */
PROGRAM wild_tables, 8, END_EXIT, PAGED | MAY_REFUSE
    movl odd_roots(, %ebx, 4), %eax
    orl $7, %eax
    movl %eax, DIRECTORY + (UNMAPPED >> 20)
    RESUME 1f
    movl UNMAPPED, %eax
1:  RESUME 2f
    movl %eax, UNMAPPED + 0x1000
2:  RESUME 3f
    movl UNMAPPED + 0x3FF000, %eax
3:  LEAVE

/* And pages. */
PROGRAM wild_pages, 8, END_AS_BARE, PAGED | MAY_REFUSE | NOT_LOGGED | ANY_TLB
    movl $SPARE + 7, DIRECTORY + (UNMAPPED >> 20)
    movl odd_roots(, %ebx, 4), %eax
    orl $7, %eax
    movl %eax, SPARE
    RESUME 1f
    movl UNMAPPED, %eax
1:  RESUME 2f
    movl %eax, UNMAPPED + 0x10
2:  RESUME 3f
    lock incl UNMAPPED + 0x20
3:  RESUME 4f
    movl $UNMAPPED + 0x80, %esi
    movl $ARENA, %edi
    movl $8, %ecx
    rep movsl
4:  RESUME 5f
    movl $UNMAPPED, %eax
    jmp *%eax
5:  LEAVE

    .data
    .balign 4
left: .long 0
odd_bases:
    .long 0, UNMAPPED, 0xFFFFFFF0, 0xFEE00000, 0x000A0000, MEMORY_END - 8
    .long hostile_start, DIRECTORY, 0xFFC00000
odd_roots:
    .long MEMORY_END, 0x80000000, 0xFFFFF000, 0xFEE00000, 0x000A0000
    .long 0x000F0000, TABLES, DIRECTORY

    .section .note.GNU-stack, "", @progbits
