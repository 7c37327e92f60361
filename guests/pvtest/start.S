/* SPDX-License-Identifier: MIT */
/* start.S - pvtest's way in, its handlers, and its one program.
 *
 * Reference: traps/pv_abi.h.
 */
#include "traps/pv_abi.h"

#define KERNEL_BASE 0xC0000000

    .section .note.pv, "a", @note
    .balign 4
    .long 2f - 1f, 4f - 3f, PV_NOTE_TYPE
1:  .asciz PV_NOTE_OWNER
2:  .balign 4
3:  .long PV_VERSION, KERNEL_BASE, PV_KNOWS_DIRECT
4:

    .text
    .globl boot_start
boot_start:
    cld
    movl $stack_top, %esp
    pushl %esi
    call pvtest_main

/* #GP: the frame with its error code goes to C. */
    .globl protection_stub
protection_stub:
    pushl %esp
    call on_protection

/* #PF: likewise. */
    .globl page_fault_stub
page_fault_stub:
    pushl %esp
    call on_page_fault

/* An event: counted, and back to where it came from. */
    .globl upcall_stub
upcall_stub:
    pushal
    leal 32(%esp), %eax
    pushl %eax
    call on_upcall
    addl $4, %esp
    popal
    iret

/* void to_ring_3(uint32_t eip, uint32_t esp) */
    .globl to_ring_3
to_ring_3:
    movl 4(%esp), %eax
    movl 8(%esp), %edx
    pushl $PV_SEL_USER_DATA
    pushl %edx
    pushl $0x202
    pushl $PV_SEL_USER_CODE
    pushl %eax
    iret

/* What runs there: a hypercall, which is not for it. */
    .section .user, "ax"
    .balign 4096
    .globl program
program:
    movl $PV_FEATURES, %eax
    xorl %ebx, %ebx
    int $PV_VECTOR
    ud2
    .balign 4096

    .bss
    .balign 4096
    .skip 8192
    .globl stack_top
stack_top:

    .section .note.GNU-stack, "", @progbits
