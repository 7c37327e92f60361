/* SPDX-License-Identifier: MIT */
/* pv.S - the probe's port to the paravirtual interface: part of probe.S.
 *
 * Ring 1, page tables of its own that hold guest-physical addresses, handlers
 * and descriptors handed in. Cases run at ring 3 alone, and change nothing that
 * a program may not.
 *
 * Reference: traps/pv_abi.h.
 */
#include "traps/pv_abi.h"

    .section .multiboot, "a"
    .balign 4
    .long 0, 0, 0, 0
    .long probe_landing                 /* PROBE_LANDING_ENTRY */
    .long 2f - 1f, 4f - 3f, PV_NOTE_TYPE /* PROBE_NOTE */
1:  .asciz PV_NOTE_OWNER
2:  .balign 4
3:  .long PV_VERSION, 0, 0
4:

    .macro HYPERCALL number, a, b, c
    movl $\number, %eax
    movl $\a, %ebx
    movl $\b, %ecx
    movl $\c, %edx
    int $PV_VECTOR
    .endm

    .text
    .globl probe_start
probe_start:
    cld
    movl PROBE_START_SHARED(%esi), %eax
    orl $3, %eax                        /* present, writable */
    movl %eax, PROBE_TABLES + PROBE_SHARED / 4096 * 4
    HYPERCALL PV_SET_GDT, PROBE_GDT, PROBE_GDT_BYTES / 8, 0
    HYPERCALL PV_SET_TRAP_TABLE, PROBE_IDT, 255, 0
    HYPERCALL PV_STACK_SWITCH, KERNEL(PROBE_SS), PROBE_STACK, 0
    HYPERCALL PV_MMU_OP, take_tables, 1, 0
    ljmp $KERNEL(PROBE_CS), $1f
1:  movl $KERNEL(PROBE_SS), %eax
    movw %ax, %ss
    movl $PROBE_STACK, %esp
    movl $PROBE_TEMPLATE, %esi
    movl $PROBE_SANDBOX, %edi
    movl $1024, %ecx
    rep movsl
    jmp next_case

    .balign 4
take_tables:
    .long PV_MMU_NEW_BASE, PROBE_DIRECTORY
forget:
    .long PV_MMU_FLUSH, 0

/* What probe.S asks of its processor. */
    .macro SET_CONTROL
    movl $0, PROBE_SHARED + PROBE_SHARED_CR2
    fxrstor PROBE_FPU
    .endm

    .macro FLUSH
    pushl %ebx
    HYPERCALL PV_MMU_OP, forget, 1, 0
    popl %ebx
    .endm

    .macro ALLOW_INTERRUPTS             /* they are, at ring 3 */
    .endm

    .macro READ_CONTROL cr2, cr0
    movl PROBE_SHARED + PROBE_SHARED_CR2, %eax
    movl %eax, \cr2
    movl CTL(CTL_CR0), %eax
    movl %eax, \cr0
    .endm

    .macro FORGET_TRAPS
    .endm

    .macro LEAVE
    HYPERCALL PV_SCHED_OP, PV_SCHED_SHUTDOWN, PV_SHUTDOWN_EXIT, 0
    .endm
