/* SPDX-License-Identifier: MIT */
/* hostile.h - what hostile programs and the test that runs them both know. */
#ifndef GUESTS_HOSTILE_H
#define GUESTS_HOSTILE_H

/* The image: its first words, behind the multiboot header. */
#define HOSTILE_IMAGE   0x00200000 /* above what VM86 code can reach */
#define HOSTILE_CHOICE  12         /* the program's number in the table */
#define HOSTILE_VARIANT 16         /* which of its variants */
#define HOSTILE_TABLE   20         /* address of the table, of its end */
#define HOSTILE_LOGGED  28         /* words in the log */

/* An entry of the table. */
#define PROGRAM_ENTRY    0
#define PROGRAM_VARIANTS 4
#define PROGRAM_END      8
#define PROGRAM_FLAGS    12
#define PROGRAM_NAME     16
#define PROGRAM_BYTES    48

/* How a program ends. */
#define END_AS_BARE 0 /* whatever the bare machine makes of it */
#define END_EXIT    1 /* by the debug exit port */
#define END_TRIPLE  2
#define END_NEVER   3
#define END_DEAD    4

/* Under pure trapping, static translation: another end and log are right, for
 * it executes instructions that these are silently wrong about. */
#define NOT_TRAP   1
#define NOT_STATIC 2
#define NOT_LOGGED 4  /* compare the end only */
#define MAY_REFUSE 8  /* a technique may say that it cannot do this */
#define PAGED      16 /* starts with paging on, else without */
#define ANY_TLB    32 /* changes its tables and flushes nothing */

/* Guest-physical addresses; linear ones are the same. */
#define SCRATCH    0x00010000 /* 64 KiB to play with, below 1 MiB */
#define TOP_STACK  0x00300000
#define DIRECTORY  0x00310000
#define TABLES     0x00311000 /* four page tables: the first 16 MiB */
#define SPARE      0x00320000 /* pages to make tables of */
#define LOG        0x00400000
#define LOG_WORDS  0x4000
#define ARENA      0x00800000 /* 4 MiB to play with */
#define UNMAPPED   0x40000000 /* with paging: nothing is here */
#define MEMORY_END 0x01000000

/* Selectors. */
#define KERNEL_CS  0x08
#define KERNEL_DS  0x10
#define USER_CS    0x1B
#define USER_DS    0x23
#define TSS        0x28
#define FAULT_TSS  0x30 /* a task with a stack of its own */
#define WILD_TSS   0x38
#define CONFORMING 0x40
#define MISSING    0x48 /* not present */
#define READ_ONLY  0x50
#define WILD_GATE  0x58 /* a call gate, perhaps */
#define GDT_BYTES  0x60

#define DONE        0x40 /* a vector that everybody may use */
#define WILD_VECTOR 0x50

#ifdef __ASSEMBLER__
/* clang-format off */
/* A program begins: name, variants, end, flags. EBX is the variant; there are
 * a stack and handlers that log what they get. */
    .macro PROGRAM name, variants, end, flags
    .section .programs, "a"
7771: .long \name, \variants, \end, \flags
    .asciz "\name"
    .org 7771b + PROGRAM_BYTES
    .text
    .globl \name
\name:
    .endm

/* Where to go on after an exception or interrupt. */
    .macro RESUME at
    movl $\at, resume
    .endm

/* Another handler for a vector. */
    .macro HANDLER vector at
    movl $\at, %eax
    movw %ax, idt + 8 * \vector
    shrl $16, %eax
    movw %ax, idt + 8 * \vector + 6
    .endm

/* Put a word into the log. */
    .macro NOTE value
    pushl \value
    call note
    .endm

    .macro LEAVE
    jmp leave
    .endm
/* clang-format on */
#endif

#endif
