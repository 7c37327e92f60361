/* SPDX-License-Identifier: MIT */
/* stack.S - no stack to take a fault on, and faults that come of faults. */
#include "hostile.h"

    .macro UNDEFINED_WITH_STACK at
    movl $\at, %esp
    ud2
    .endm

PROGRAM stack_nowhere, 1, END_TRIPLE, PAGED
    UNDEFINED_WITH_STACK UNMAPPED

PROGRAM stack_at_zero, 1, END_TRIPLE, PAGED
    andl $~1, TABLES + 4092         /* nothing at 003FF000h */
    movl $0, DIRECTORY + 4092
    UNDEFINED_WITH_STACK 0          /* pushes below 4 GiB */

/* A monitor pushes selectors from its own data: not onto its own data. */
PROGRAM stack_where_a_monitor_may_be, 3, END_TRIPLE, PAGED
    movl 1f(, %ebx, 4), %esp
    pushl %cs
    pushl %ss
    LEAVE
1:  .long 0xBFC21008, 0xBFC21004, 0xBFC22100

PROGRAM stack_read_only, 1, END_TRIPLE, PAGED
    andl $~2, TABLES + 4 * 0x810
    UNDEFINED_WITH_STACK 0x00810800

PROGRAM stack_in_a_page_table, 1, END_AS_BARE, PAGED
    movl $ud_again, resume
    movl $TABLES + 0x3800, %esp
    ud2
ud_again:
    movl TABLES + 0x37FC, %eax
    NOTE %eax
    LEAVE

/* The stack is the directory, entries in use: EFLAGS, CS and EIP become page
 * directory entries. */
PROGRAM stack_in_the_directory, 1, END_AS_BARE, PAGED
    movl $DIRECTORY + 8, %esp
    ud2

PROGRAM stack_in_a_device, 3, END_AS_BARE, MAY_REFUSE
    movl 1f(, %ebx, 4), %esp
    RESUME 2f
    ud2
2:  LEAVE
1:  .long 0x000A0800, 0xFEE00400, 0xE0000000

/* INT instead of a fault. */
PROGRAM interrupt_without_stack, 1, END_TRIPLE, PAGED
    movl $UNMAPPED, %esp
    int $DONE

/* The same with a task for the double fault: it sees the fault. */
PROGRAM double_fault_task, 3, END_EXIT, PAGED
    movl $FAULT_TSS << 16, idt + 64
    movl $0x8500, idt + 68
    jmp *1f(, %ebx, 4)
1:  .long 2f, 3f, 4f
2:  UNDEFINED_WITH_STACK UNMAPPED
3:  movl $UNMAPPED, %esp
    pushl %eax
4:  movl $UNMAPPED, %esp
    int $DONE

/* SS must not be null in the kernel. */
PROGRAM null_stack_segment, 1, END_EXIT, 0
    RESUME 1f
    xorl %eax, %eax
    movw %ax, %ss
1:  RESUME 2f
    movl $READ_ONLY, %eax
    movw %ax, %ss
2:  RESUME 3f
    movl $MISSING, %eax
    movw %ax, %ss
3:  RESUME 4f
    movl $USER_DS, %eax
    movw %ax, %ss
4:  RESUME 5f
    movl $0xFFF8, %eax
    movw %ax, %ss
5:  LEAVE

/* Ring 3 in, with what the TSS says of the inner stack. */
    .macro TO_USER at
    pushl $USER_DS
    pushl $ARENA + 0x1000
    pushl $2
    pushl $USER_CS
    pushl $\at
    iret
    .endm

PROGRAM inner_stack_null, 1, END_TRIPLE, 0
    movl $0, tss + 8
    TO_USER 1f
1:  int $DONE

PROGRAM inner_stack_wild, 6, END_TRIPLE, PAGED
    movl 1f(, %ebx, 8), %eax
    movl %eax, tss + 4
    movl 1f + 4(, %ebx, 8), %eax
    movl %eax, tss + 8
    TO_USER 2f
2:  int $DONE
1:  .long TOP_STACK, READ_ONLY, TOP_STACK, MISSING, TOP_STACK, USER_DS
    .long TOP_STACK, 0xFFF8, UNMAPPED, KERNEL_DS, TOP_STACK, KERNEL_CS

PROGRAM inner_stack_limit, 1, END_TRIPLE, 0
    movw $5, gdt + TSS              /* the TSS ends before ESP0 */
    movb $0x89, gdt + TSS + 5
    movl $TSS, %eax
    ltr %ax
    TO_USER 1f
1:  int $DONE

PROGRAM task_state_unmapped, 1, END_TRIPLE, PAGED
    movl $UNMAPPED << 16 | 103, gdt + TSS
    movl $(UNMAPPED & 0xFF000000) | 0x8900, gdt + TSS + 4
    movl $TSS, %eax
    ltr %ax
    TO_USER 1f
1:  int $DONE

/* Nowhere for interrupts to go. */
PROGRAM no_interrupt_table, 4, END_TRIPLE, 0
    lidt 1f(, %ebx, 8)
    ud2
    .balign 8
1:  .word 0
    .long 0
    .word 0, 6 * 8 - 1
    .long idt
    .word 0, 6 * 8 + 3
    .long idt
    .word 0, 2047
    .long ARENA
    .word 0

PROGRAM gates_not_present, 1, END_TRIPLE, 0
    movl $256, %ecx
    movl $idt + 5, %edi
1:  andb $0x7F, (%edi)
    addl $8, %edi
    loop 1b
    int $DONE

PROGRAM fault_in_the_fault_handler, 1, END_TRIPLE, PAGED
    HANDLER 14, 1f
    movl UNMAPPED, %eax
1:  movl $UNMAPPED, %esp            /* a page fault pushes on this */
    pushl %eax

/* The handlers are not there: each fault faults, on a stack that goes down
 * until it meets the end. */
PROGRAM handler_unmapped, 1, END_TRIPLE, PAGED
    HANDLER 14, UNMAPPED
    andl $~1, TABLES + 4 * 0x810
    movl $0x00812000, %esp
    movl UNMAPPED, %eax

/* #UD whose handler is undefined. */
PROGRAM undefined_handler, 1, END_AS_BARE, PAGED
    HANDLER 6, 1f
    andl $~1, TABLES + 4 * 0x810
    movl $0x00812000, %esp
1:  ud2

    .section .note.GNU-stack, "", @progbits
