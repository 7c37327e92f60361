/* SPDX-License-Identifier: MIT */
/* crt0.S - a program's first instructions. The kernel has put argc and the
 * argv array on the stack. */
    .text
    .globl _start
_start:
    xorl %ebp, %ebp
    movl (%esp), %eax
    leal 4(%esp), %edx
    andl $-16, %esp
    subl $8, %esp
    pushl %edx
    pushl %eax
    call main
    movl %eax, (%esp)
    call exit

    .section .note.GNU-stack, "", @progbits
