/* SPDX-License-Identifier: MIT */
/* hostile.S - guests that mean no good, one at a time: for Umbra's own tests.
 *
 * The test writes into the image which program is to run. It gets a flat
 * address space, a stack, and descriptor tables whose handlers write what
 * happened to a log and go on where `resume` says (nowhere: the guest ends).
 * The programs are in code.S, stack.S, tables.S, memory.S and system.S.
 */
#include "../kit/stubs.h"
#include "hostile.h"

    .section .multiboot, "a"
    .balign 4
    .long 0x1BADB002, 0, -0x1BADB002
choice: .long 0
variant: .long 0
    .long programs_start, programs_end
    .globl logged
logged: .long 0

    .macro TSS_BASE selector at
    movl $\at, %eax
    movw %ax, gdt + \selector + 2
    shrl $16, %eax
    movb %al, gdt + \selector + 4
    .endm

    .text
    .globl hostile_start
hostile_start:
    cli
    cld
    movl $TOP_STACK, %esp
    lgdt gdtr
    ljmp $KERNEL_CS, $1f
1:  movl $KERNEL_DS, %eax
    movw %ax, %ss
    movw %ax, %ds
    movw %ax, %es
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    movb $0xFF, %al             /* no interrupts from the PICs */
    outb %al, $0x21
    outb %al, $0xA1
    TSS_BASE TSS, tss
    TSS_BASE FAULT_TSS, fault_tss
    TSS_BASE WILD_TSS, wild_tss
    call make_idt
    lidt idtr
    movl $TSS, %eax
    ltr %ax
    movl choice, %edx
    imull $PROGRAM_BYTES, %edx
    addl $programs_start, %edx
    testl $PAGED, PROGRAM_FLAGS(%edx)
    jz 1f
    call make_tables
    movl $DIRECTORY, %eax
    movl %eax, %cr3
    movl $0x80010031, %eax      /* PG WP NE ET PE */
    movl %eax, %cr0
1:  movl variant, %ebx
    jmp *PROGRAM_ENTRY(%edx)

/* Every vector to its stub; a ring 3 program may use those from DONE on. */
make_idt:
    movl $stubs, %eax
    movl $idt, %edi
    movl $256, %ecx
1:  movw %ax, (%edi)
    movw $KERNEL_CS, 2(%edi)
    movl %eax, 4(%edi)
    movw $0x8E00, 4(%edi)
    cmpl $256 - DONE, %ecx
    ja 2f
    movw $0xEE00, 4(%edi)
2:  addl $16, %eax
    addl $8, %edi
    loop 1b
    ret

/* The first 16 MiB as they are, for everybody. */
make_tables:
    movl $TABLES, %edi
    movl $0x007, %eax
    movl $4096, %ecx
1:  stosl
    addl $0x1000, %eax
    loop 1b
    movl $DIRECTORY, %edi
    movl $1024, %ecx
    xorl %eax, %eax
    rep stosl
    movl $TABLES + 0x0007, DIRECTORY
    movl $TABLES + 0x1007, DIRECTORY + 4
    movl $TABLES + 0x2007, DIRECTORY + 8
    movl $TABLES + 0x3007, DIRECTORY + 12
    ret

/* The word on the stack to the log; nothing else changes. */
    .globl note
note:
    pushl %eax
    pushl %ecx
    movl logged, %ecx
    cmpl $LOG_WORDS, %ecx
    jae 1f
    movl 12(%esp), %eax
    movl %eax, LOG(, %ecx, 4)
    incl logged
1:  popl %ecx
    popl %eax
    ret $4

    .globl leave
leave:
    movb $0, %al
    outb %al, $0xF4
1:  hlt
    jmp 1b

/* EAX: random numbers, from a seed in `seed`. */
    .globl random
random:
    movl seed, %eax
    imull $1664525, %eax
    addl $1013904223, %eax
    movl %eax, seed
    roll $16, %eax
    ret

/* On the stack: vector, error, EIP, CS, EFLAGS. Flags that instructions leave
 * undefined are not logged. */
common:
    pushl %eax
    movl $KERNEL_DS, %eax
    movw %ax, %ds
    movw %ax, %es
    popl %eax
    NOTE 0(%esp)
    NOTE 4(%esp)
    NOTE 8(%esp)
    movl %eax, saved_eax
    movzwl 12(%esp), %eax
    NOTE %eax
    movl 16(%esp), %eax
    andl $0x00277300, %eax
    NOTE %eax
    cmpl $14, 0(%esp)
    jne 1f
    movl %cr2, %eax
    NOTE %eax
1:  movl 0(%esp), %eax
    movl %eax, last_vector
    movl 8(%esp), %eax
    movl %eax, last_eip
    movl $KERNEL_DS, %eax
    movw %ax, %ss
    movl $TOP_STACK, %esp
    movl saved_eax, %eax
    cmpl $0, resume
    je leave
    jmp *resume

/* The task that faults may be given to. It says so, and that is the end. */
    .globl fault_task
fault_task:
    movl $0xDF, %eax
    NOTE %eax
    LEAVE

    .balign 16
stubs:
    STUBS 256, 16, common

    .data
    .globl resume, seed, last_vector, last_eip, gdt, idt, gdtr, idtr, tss
    .globl fault_tss, wild_tss
    .balign 4
resume: .long 0
seed:   .long 1
last_vector: .long 0
last_eip: .long 0
saved_eax: .long 0

    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF    /* KERNEL_CS */
    .quad 0x00CF93000000FFFF    /* KERNEL_DS */
    .quad 0x00CFFB000000FFFF    /* USER_CS */
    .quad 0x00CFF3000000FFFF    /* USER_DS */
    .quad 0x0000890000000067    /* TSS, FAULT_TSS, WILD_TSS: bases by */
    .quad 0x0000890000000067    /* hostile_start */
    .quad 0x0000890000000067
    .quad 0x00CF9F000000FFFF    /* CONFORMING */
    .quad 0x00CF13000000FFFF    /* MISSING */
    .quad 0x00CF91000000FFFF    /* READ_ONLY */
    .quad 0                     /* WILD_GATE */
gdtr:
    .word GDT_BYTES - 1
    .long gdt
    .balign 4
idtr:
    .word 2047
    .long idt

    .balign 128
tss:
    .long 0, TOP_STACK, KERNEL_DS
    .skip 0x64 - 12
    .word 0, 104
    .balign 128
fault_tss:
    .long 0, TOP_STACK, KERNEL_DS, 0, 0, 0, 0, DIRECTORY
    .long fault_task, 2, 0, 0, 0, 0, TOP_STACK - 0x1000, 0, 0, 0
    .long KERNEL_DS, KERNEL_CS, KERNEL_DS, KERNEL_DS, 0, 0, 0
    .word 0, 104
    .balign 128
wild_tss:
    .skip 128
    .balign 8
idt:
    .skip 2048

    .section .note.GNU-stack, "", @progbits
