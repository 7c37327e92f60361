/* SPDX-License-Identifier: MIT */
/* pv/entry.S - where the VMM starts the kernel, and where it calls it.
 *
 * The builder has done what boot.S does: paging is on, the kernel is mapped at
 * 3 GiB. ESI is the address of the start-info page.
 *
 * Reference: traps/pv_abi.h.
 */
#include "memory.h"
#include "traps/pv_abi.h"
#include "trap.h"

#define STACK_BYTES 8192

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
    movl $boot_stack_top, %esp
    xorl %ebp, %ebp                     /* ends a debugger's backtrace      */
    pushl $0
    pushl %esi
    call kernel_main                    /* does not return                  */

/* An event: an exception frame without an error code, on the kernel's stack.
 * It goes the way of an interrupt. */
    .globl upcall_stub
upcall_stub:
    pushl $0
    pushl $VEC_IRQ
    jmp trap_common

    .bss
    .balign PAGE_SIZE
    .skip STACK_BYTES
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
