/* SPDX-License-Identifier: MIT */
/* boot.S - from the boot loader to C; into ring 3 and out of it; the stubs of
 * exceptions that nobody expects.
 *
 * Reference: Multiboot Specification 0.6.96; SDM 3A, "Exception- or
 * Interrupt-Handler Procedures".
 */
#include "kit.h"
#include "stubs.h"

    .section .multiboot, "a"
    .balign 4
    .long 0x1BADB002, 3, -(0x1BADB002 + 3)

    .text
    .globl kit_start
kit_start:
    cli
    cld
    movl $kit_stack_top, %esp
    xorl %ebp, %ebp
    pushl %ebx
    call kit_main

/* void kit_load(const void *gdtr, const void *idtr) */
    .globl kit_load
kit_load:
    movl 4(%esp), %eax
    movl 8(%esp), %edx
    lgdt (%eax)
    lidt (%edx)
    ljmp $KIT_CS, $1f
1:  movl $KIT_SS, %eax
    movw %ax, %ss
    movl $KIT_USER_DS, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movl $KIT_TSS, %eax
    ltr %ax
    ret

    .globl enter_user
enter_user:
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl 20(%esp), %eax
    movl 24(%esp), %ecx
    movl 28(%esp), %edx
    movl %esp, kit_tss + 4              /* traps from ring 3 begin here     */
    pushl $KIT_USER_DS
    pushl $user_stack_top
    pushl $0x202                        /* interrupts on                    */
    pushl $KIT_USER_CS
    pushl %eax
    iret

    .globl kit_leave_user
kit_leave_user:
    movl kit_tss + 4, %esp
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    ret

    .globl kit_timer
kit_timer:
    pushl %eax
    incl kit_ticks
    movb $0x20, %al                     /* end of interrupt                 */
    outb %al, $0x20
    popl %eax
    iret

/* One stub for each exception, 16 bytes apart. */
    .balign 16
    .globl kit_stubs
kit_stubs:
    STUBS 32, 16, unexpected

unexpected:
    cld
    movl (%esp), %eax
    movl kit_caught, %edx
    testl %edx, %edx
    jz 1f
    jmp *%edx
1:  pushal
    pushl %esp
    call kit_unexpected

    .bss
    .balign 16
    .skip 8192
kit_stack_top:

    .section .user, "awx", @progbits
    .balign 16
    .skip 2048
user_stack_top:

    .section .note.GNU-stack, "", @progbits
