/* SPDX-License-Identifier: MIT */
/* boot.S - from the boot loader to C.
 *
 * A multiboot loader leaves us in protected mode, paging off, interrupts off,
 * EAX = 0x2BADB002 and EBX = the boot information. This page is linked where
 * it is loaded; it maps the first 4 MiB at 0 and at 3 GiB and jumps up.
 *
 * Reference: Multiboot Specification 0.6.96; SDM 3A, "32-Bit Paging".
 */
#include "memory.h"

#define CR0_PG_WP    0x80010000   /* paging; ring 0 obeys read-only pages   */
#define MAGIC        0x1BADB002
#define FLAGS        0x00000003   /* page-align modules; tell memory size   */
#define STACK_BYTES  8192

    .section .multiboot, "a"
    .balign 4
    .long MAGIC, FLAGS, -(MAGIC + FLAGS)

    .section .boot, "ax"
    .globl boot_start
boot_start:
    cli
    cld
    movl %eax, %esi                     /* the loader's magic number        */

    /* One page table, entry i = frame i, is right for both places. */
    movl $(boot_table - KERNEL_BASE), %edi
    movl $(PTE_P | PTE_W), %eax
    movl $1024, %ecx
1:  movl %eax, (%edi)
    addl $PAGE_SIZE, %eax
    addl $4, %edi
    loop 1b

    movl $(boot_directory - KERNEL_BASE), %edi
    movl $(boot_table - KERNEL_BASE + PTE_P + PTE_W), %eax
    movl %eax, (%edi)
    movl %eax, (KERNEL_BASE >> 20)(%edi)  /* 4 bytes an entry, 4 MiB each   */

    movl %edi, %cr3
    movl %cr0, %eax
    orl $CR0_PG_WP, %eax
    movl %eax, %cr0
    movl $boot_high, %eax
    jmp *%eax

    .text
boot_high:
    /* Nothing below 3 GiB is ours from here on. Loading CR3 empties the TLB. */
    movl $0, boot_directory
    movl %cr3, %eax
    movl %eax, %cr3

    movl $boot_stack_top, %esp
    xorl %ebp, %ebp                     /* ends a debugger's backtrace      */
    pushl %ebx
    pushl %esi
    call kernel_main                    /* does not return                  */

    .bss
    .balign PAGE_SIZE
    .globl boot_directory
boot_directory:
    .skip PAGE_SIZE
boot_table:
    .skip PAGE_SIZE
    .globl boot_stack_top
    .skip STACK_BYTES
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
