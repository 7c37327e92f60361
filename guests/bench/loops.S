/* SPDX-License-Identifier: MIT */
/* loops.S - what is measured: one loop for each benchmark, and the handlers
 * that it ends in. Every loop takes its count first and does nothing when it
 * is 0, so that a run of 0 is the price of everything around the loop.
 *
 * Reference: Adams & Agesen, "A Comparison of Software and Hardware Techniques
 * for x86 Virtualization", ASPLOS 2006, section 6.3 names the first seven.
 */
#include "bench.h"
#include "kit.h"

/* uint32_t NAME(uint32_t n, ...): ECX = n, EAX = EDX = 0; further arguments
 * from 12(%esp). */
.macro LOOP name
    .balign 16
    .globl \name
\name:
    pushl %ebx
    movl 8(%esp), %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    testl %ecx, %ecx
    jz 9f
1:
.endm
.macro ENDLOOP result
    decl %ecx
    jnz 1b
9:  movl \result, %eax
    popl %ebx
    ret
.endm

    .text
LOOP loop_in
    inb $0x80, %al
ENDLOOP %eax

/* 32-bit mode has no CR8. CR2 is the one control register whose write has no
 * effect beyond the register, as CR8's has none in the paper's test: it writes
 * a priority that lets no interrupt in. */
LOOP loop_cr8wr
    movl %ecx, %cr2
ENDLOOP %cr2

LOOP loop_callret
    call 2f
ENDLOOP %edx
2:  incl %edx
    ret

LOOP loop_divzero
    xorl %ebx, %ebx
    divl %ebx                           /* 2 bytes, as on_divzero knows     */
ENDLOOP fault_count

LOOP loop_pgfault
    movl %ecx, %ebx
    andl $63, %ebx
    shll $12, %ebx
    movl ABSENT(%ebx), %eax             /* 6 bytes, as on_page_fault knows  */
ENDLOOP fault_count

/* (n, uint32_t *pte, uint32_t a, uint32_t b): a and b in turn, a last */
LOOP loop_ptemod
    movl 12(%esp), %ebx
    movl 16(%esp), %eax
    testl $1, %ecx
    jnz 2f
    movl 20(%esp), %eax
2:  movl %eax, (%ebx)
ENDLOOP $0

/* The same, and the page is used: (n, pte, a, b); the sum of what was read. */
LOOP loop_remap
    movl 12(%esp), %ebx
    movl 16(%esp), %eax
    testl $1, %ecx
    jnz 2f
    movl 20(%esp), %eax
2:  movl %eax, (%ebx)
    invlpg WINDOW
    addl WINDOW + 4, %edx
ENDLOOP %edx

LOOP loop_popf
    pushfl
    cli
    popfl
ENDLOOP $0

LOOP loop_clisti
    cli
    sti
ENDLOOP $0

LOOP loop_iret
    pushl $0x202
    pushl $KIT_CS
    pushl $2f
    iret
2:  incl %edx
ENDLOOP %edx

LOOP loop_int3
    int3
ENDLOOP fault_count

/* (n, const uint32_t *directory[2]): go to the other address space and read
 * SWITCH_PAGES pages of it; the sum of what was read. */
LOOP loop_switch
    movl 12(%esp), %ebx
    movl %ecx, %eax
    andl $1, %eax
    movl (%ebx, %eax, 4), %eax
    movl %eax, %cr3
    movl $WINDOW, %eax
2:  addl (%eax), %edx
    addl $4096, %eax
    cmpl $(WINDOW + 4096 * SWITCH_PAGES), %eax
    jne 2b
ENDLOOP %edx

/* Arithmetic and memory: Marsaglia's xorshift chooses a word of WORK_BYTES and
 * is added to it. ECX steps on the table at EDX; the sum in EAX. */
.macro WORK
    pushl %ebx
    pushl %esi
    movl $2463534242, %eax
    xorl %ebx, %ebx
    testl %ecx, %ecx
    jz 3f
1:  movl %eax, %esi
    shll $13, %esi
    xorl %esi, %eax
    movl %eax, %esi
    shrl $17, %esi
    xorl %esi, %eax
    movl %eax, %esi
    shll $5, %esi
    xorl %esi, %eax
    movl %eax, %esi
    andl $(WORK_BYTES - 4), %esi
    addl %eax, (%edx, %esi)
    testl $0x100, %eax
    jz 2f
    addl (%edx, %esi), %ebx
2:  decl %ecx
    jnz 1b
3:  movl %ebx, %eax
    popl %esi
    popl %ebx
.endm

    .globl kernel_work
kernel_work:                            /* (n, table)                       */
    movl 4(%esp), %ecx
    movl 8(%esp), %edx
    WORK
    ret

/* ---- Handlers -------------------------------------------------------------- */

    .balign 16
    .globl on_syscall
on_syscall:
    incl fault_count
    iret

    .globl on_divzero
on_divzero:
    incl fault_count
    addl $2, (%esp)
    iret

    .globl on_int3
on_int3:
    incl fault_count
    iret

    .globl on_page_fault
on_page_fault:
    pushl %eax
    movl %cr2, %eax
    testl $PTE_P, 4(%esp)               /* the error code                   */
    jnz 1f
    addl %eax, fault_sum
    incl fault_count
    popl %eax
    addl $4, %esp
    addl $6, (%esp)
    iret
1:  pushl %ecx
    pushl %edx
    pushl %eax
    call copy_on_write
    addl $4, %esp
    popl %edx
    popl %ecx
    popl %eax
    addl $4, %esp
    iret

/* ---- Ring 3 ---------------------------------------------------------------- */

    .section .user, "awx", @progbits
    .balign 16
    .globl user_syscalls
user_syscalls:
    testl %ecx, %ecx
    jz 2f
1:  int $SYSCALL
    decl %ecx
    jnz 1b
2:  int $KIT_EXIT_USER

    .globl user_work
user_work:
    WORK
    int $KIT_EXIT_USER

/* A child of the process benchmark: read CHILD_PAGES pages, write to the first
 * CHILD_WRITES of them. */
    .globl user_child
user_child:
    xorl %eax, %eax
    movl $WINDOW, %edx
1:  addl (%edx), %eax
    addl $4096, %edx
    cmpl $(WINDOW + 4096 * CHILD_PAGES), %edx
    jne 1b
    movl $WINDOW, %edx
2:  movl %eax, (%edx)
    addl $4096, %edx
    cmpl $(WINDOW + 4096 * CHILD_WRITES), %edx
    jne 2b
    int $KIT_EXIT_USER

    .section .ubss, "aw", @nobits
    .balign 4096
    .globl work_table
work_table:
    .skip WORK_BYTES

    .section .note.GNU-stack, "", @progbits
