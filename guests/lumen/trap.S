/* SPDX-License-Identifier: MIT */
/* trap.S - into the kernel and out of it, and from one kernel stack to
 * another.
 *
 * Reference: SDM 3A, "Exception- or Interrupt-Handler Procedures".
 */
#include "irq.h"
#include "trap.h"

    .text

/* One stub for each vector, 16 bytes apart. All push the same shape: where
 * the CPU pushes no error code they push a 0. */
    .balign 16
    .globl trap_stubs
trap_stubs:
    .irp vector, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22, \
        23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45, \
        46,47
    .balign 16
    .if (\vector != 8) && ((\vector < 10) || (\vector > 14)) && (\vector != 17)
    pushl $0
    .endif
    pushl $\vector
    jmp trap_common
    .endr

    .globl trap_stub_syscall
trap_stub_syscall:
    pushl $0
    pushl $VEC_SYSCALL

    .globl trap_common
trap_common:
    pushl %ds
    pushl %es
    pushal
    movl $SEL_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    cld
    pushl %esp                          /* struct trap_frame *              */
    call trap_enter
    addl $4, %esp

/* A new process starts here, ESP at the frame it begins with. */
    .globl trap_return
trap_return:
    pushl %esp
    call trap_leave                     /* interrupts are off after this    */
    addl $4, %esp

    testb $USER_BIT, FRAME_CS(%esp)
    jz 1f
    popal
    popl %es
    popl %ds
    addl $8, %esp                       /* vector, error code               */
    RETURN_TO_USER
1:  popal
    popl %es
    popl %ds
    addl $8, %esp
    iret                                /* into the kernel itself           */

/* void switch_stacks(uint32_t *save_esp, uint32_t esp)
 *
 * C expects a call to keep EBX, ESI, EDI, EBP. They go on the old stack; the
 * new stack holds those of whoever called this on it. */
    .globl switch_stacks
switch_stacks:
    movl 4(%esp), %eax
    movl 8(%esp), %edx
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, (%eax)
    movl %edx, %esp
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    ret

    .section .note.GNU-stack, "", @progbits
