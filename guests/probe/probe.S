/* SPDX-License-Identifier: MIT */
/* probe.S - a kernel that does what a table says and writes down what came of
 * it: for Umbra's own tests.
 *
 * The test that loads it puts everything else into memory too: descriptor
 * tables, page tables, the cases, their code. probe.h is what both know. For
 * each case: set the page-table entries and control registers it wants, load
 * its registers, go to its code at its privilege, and let the handlers record
 * which exception or interrupt ended it. Nothing here needs a sensitive
 * instruction that does not trap, so pure trap-and-emulate can run it: an IRET
 * to ring 0 traps, and IF is set by STI before one to ring 3.
 *
 * With PROBE_PV it is the port to the paravirtual interface (pv.S), for cases
 * at ring 3 alone.
 */
#include "../kit/stubs.h"
#include "probe.h"
#ifdef PROBE_PV
#define KERNEL(selector) ((selector) | 1)
#else
#define KERNEL(selector) (selector)
#endif

#define VEC_DB 1

#define CTL(field) (PROBE_CONTROL + (field))

#ifdef PROBE_PV
#include "pv.S"
#else
    .section .multiboot, "a"
    .balign 4
    .long 0x1BADB002, 3, -(0x1BADB002 + 3)
    .long probe_double_fault            /* PROBE_DF_ENTRY */
    .long probe_landing                 /* PROBE_LANDING_ENTRY */

    .text
    .globl probe_start
probe_start:
    cli
    cld
    movl CTL(CTL_CR3), %eax
    movl %eax, %cr3
    movl CTL(CTL_CR4), %eax
    movl %eax, %cr4
    movl CTL(CTL_CR0), %eax
    movl %eax, %cr0
    lgdt CTL(CTL_GDTR)
    lidt CTL(CTL_IDTR)
    ljmp $PROBE_CS, $1f
1:  movl $PROBE_SS, %eax
    movw %ax, %ss
    movl $PROBE_STACK, %esp
    movl $PROBE_TSS_SELECTOR, %eax
    ltr %ax
    movl $pic_setting, %esi     /* no interrupts from the PICs: a case may */
1:  movzwl (%esi), %edx         /* ask for the timer's, which then needs no */
    movb 2(%esi), %al           /* more than that */
    outb %al, %dx
    addl $3, %esi
    cmpl $pic_setting_end, %esi
    jb 1b
    movl $PROBE_TEMPLATE, %esi
    movl $PROBE_SANDBOX, %edi
    movl $1024, %ecx
    rep movsl
    call set_msrs

/* EBX: the case, EBP: its flags. What not every kernel may. */
    .macro SET_CONTROL
    xorl %eax, %eax
    movl %eax, %cr2
    movl CASE_CR4(%ebx), %eax
    movl %eax, %cr4
    movl CASE_CR0(%ebx), %eax
    movl %eax, %cr0
    fxrstor PROBE_FPU
    testl $CASE_WIDE, %ebp
    jz 1f
    movl $0xC0000080, %ecx              /* IA32_EFER */
    movl CASE_EFER(%ebx), %eax
    xorl %edx, %edx
    wrmsr
1:
    .endm

    .macro FLUSH
    movl %cr3, %eax
    movl %eax, %cr3
    .endm

    .macro ALLOW_INTERRUPTS
    sti
    .endm

    .macro READ_CONTROL cr2, cr0
    movl %cr2, %eax
    movl %eax, \cr2
    movl %cr0, %eax
    movl %eax, \cr0
    .endm

    .macro FORGET_TRAPS
    xorl %eax, %eax
    movl %eax, %dr6
    .endm

    .macro LEAVE
    movb $0, %al
    outb %al, $0xF4
1:  hlt
    jmp 1b
    .endm
#endif

/* EDI: the result of the case that ends. It may have stored to any one of the
 * three words that say which it is. EAX goes. */
    .macro FIND_RESULT
    movl CTL(CTL_RESULT), %eax
    subl $PROBE_RESULTS, %eax
    shrl $PROBE_SHIFT, %eax
    cmpl PROBE_INDEX, %eax
    je 1f
    movl CTL(CTL_INDEX), %eax
1:  movl %eax, CTL(CTL_INDEX)
    shll $PROBE_SHIFT, %eax
    leal PROBE_RESULTS(%eax), %edi
    movl %edi, CTL(CTL_RESULT)
    .endm

next_case:
    movl $PROBE_DS, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movl CTL(CTL_INDEX), %eax
    cmpl CTL(CTL_COUNT), %eax
    jae finished
    movl %eax, PROBE_INDEX
    shll $PROBE_SHIFT, %eax
    leal PROBE_CASES(%eax), %ebx
    leal PROBE_RESULTS(%eax), %edx
    movl %edx, CTL(CTL_RESULT)
    movl CASE_FLAGS(%ebx), %ebp

    testl $CASE_ENTRIES, %ebp
    jz 1f
    movl CTL(CTL_PDE), %esi
    movl CTL(CTL_PTE), %edi
    movl CASE_PDE(%ebx), %eax
    movl %eax, (%esi)
    movl CASE_PTE(%ebx), %eax
    movl %eax, (%edi)
    testl $CASE_WIDE, %ebp
    jz 2f
    movl CASE_PDE_HIGH(%ebx), %eax
    movl %eax, 4(%esi)
    movl CASE_PTE_HIGH(%ebx), %eax
    movl %eax, 4(%edi)
2:  FLUSH
1:  testl $CASE_CONTROL, %ebp
    jz 1f
    SET_CONTROL
1:  testl $CASE_FLUSH, %ebp
    jz 1f
    FLUSH
1:  movl %ebp, CTL(CTL_FLAGS)
    testl $CASE_USER, %ebp
    jz kernel_case
    movl $PROBE_STACK - 20, %edi
    movl CASE_EIP(%ebx), %eax
    movl %eax, (%edi)
    movl $PROBE_USER_CS, 4(%edi)
    movl CASE_EFLAGS(%ebx), %eax
    movl %eax, 8(%edi)
    movl CASE_GPR + 12(%ebx), %eax      /* ESP, in POPA's order */
    movl %eax, 12(%edi)
    movl $PROBE_DS, 16(%edi)
    movl %edi, CTL(CTL_FRAME)
    leal CASE_GPR(%ebx), %esp
    testl $CASE_SEGMENTS, %ebp
    jz 1f
    call load_segments
1:  popal
    movl %ss:CTL(CTL_FRAME), %esp
    ALLOW_INTERRUPTS
    iret

kernel_case:                            /* the frame on its own stack */
    movl CASE_GPR + 12(%ebx), %edi
    subl $12, %edi
    movl CASE_EIP(%ebx), %eax
    movl %eax, (%edi)
    movl $PROBE_CS, 4(%edi)
    movl CASE_EFLAGS(%ebx), %eax
    movl %eax, 8(%edi)
    movl %edi, CTL(CTL_FRAME)
    leal CASE_GPR(%ebx), %esp
    testl $CASE_SEGMENTS, %ebp
    jz 1f
    call load_segments
1:  popal
    movl %ss:CTL(CTL_FRAME), %esp
    iret

load_segments:                          /* the call writes into the case: its
                                           EFLAGS, which the frame has */
    movw CASE_GS(%ebx), %gs
    movw CASE_FS(%ebx), %fs
    movw CASE_ES(%ebx), %es
    movw CASE_DS(%ebx), %ds
    ret

finished:
    LEAVE

/* On the stack: EDI ESI EBP ESP EBX EDX ECX EAX vector error EIP CS EFLAGS, and
 * ESP SS when the privilege changed. Behind them, the segments. */
common:
    pushal
    cld
    pushl %gs
    pushl %fs
    pushl %es
    pushl %ds
    movl $PROBE_DS, %eax
    movw %ax, %ds
    movw %ax, %es
    FIND_RESULT
    movl $17, %ecx
    testl $3, 60(%esp)                  /* the frame's CS */
    jz 1f
    addl $2, %ecx
1:  movl %esp, %esi
2:  movl %ss:(%esi), %eax
    stosl
    addl $4, %esi
    decl %ecx
    jnz 2b
    movl $KERNEL(PROBE_SS), %eax
    movw %ax, %ss
    movl $PROBE_STACK, %esp
    movl CTL(CTL_RESULT), %edi

record:                                 /* what does not lie on the stack */
    READ_CONTROL RESULT_CR2(%edi), RESULT_CR0(%edi)
    movl CTL(CTL_PDE), %esi
    movl (%esi), %eax
    movl %eax, RESULT_PDE(%edi)
    movl 4(%esi), %eax
    movl %eax, RESULT_PDE_HIGH(%edi)
    movl CTL(CTL_PTE), %esi
    movl (%esi), %eax
    movl %eax, RESULT_PTE(%edi)
    movl 4(%esi), %eax
    movl %eax, RESULT_PTE_HIGH(%edi)
    testl $CASE_SANDBOX, CTL(CTL_FLAGS)
    jz 1f
    call restore_memory
    movl %edx, RESULT_SUM(%edi)
    cmpl $VEC_DB, RESULT_VECTOR(%edi)
    jne 1f
    FORGET_TRAPS
1:
#ifndef PROBE_PV
    testl $CASE_RESTORE, CTL(CTL_FLAGS)
    jz 1f
    call restore_system
#endif
1:  incl CTL(CTL_INDEX)
    jmp next_case

#ifndef PROBE_PV
pic_setting:                            /* port, value */
    .irp setting, 0x1120, 0x5021, 0x0421, 0x0321, 0xFF21, 0xFFA1, 0x3043
    .word \setting & 0xFF
    .byte \setting >> 8
    .endr
pic_setting_end:
#endif

/* What a case changed of its memory goes into a sum (EDX; 0: nothing) and is
 * made good. Most change little: 64 bytes are compared at a time. */
restore_memory:
    xorl %edx, %edx
    movl $PROBE_SANDBOX, %esi
    movl $PROBE_TEMPLATE, %ebx
    movl $PROBE_SANDBOX + 4096, %ebp
    call restore_range
    movl $PROBE_TRACED_FROM, %esi
    movl $PROBE_TRACED_COPY, %ebx
    movl $PROBE_TRACED_TO, %ebp
    call restore_range
    movl $PROBE_GDT_CASES, %esi
    movl $PROBE_GDT_COPY, %ebx
    movl $PROBE_GDT_CASES + PROBE_GDT_CASES_BYTES, %ebp

restore_range:                          /* [ESI, EBP) as at EBX */
    movl (%esi), %eax
    xorl (%ebx), %eax
    .set offset, 4
    .rept 15
    movl offset(%esi), %ecx
    xorl offset(%ebx), %ecx
    orl %ecx, %eax
    .set offset, offset + 4
    .endr
    testl %eax, %eax
    jnz 2f
    addl $64, %esi
    addl $64, %ebx
1:  cmpl %ebp, %esi
    jb restore_range
    ret
2:  movl $16, %ecx
3:  roll $5, %edx
    addl (%esi), %edx
    addl %esi, %edx
    movl (%ebx), %eax
    cmpl (%esi), %eax
    je 4f
    movl %eax, (%esi)
4:  addl $4, %esi
    addl $4, %ebx
    decl %ecx
    jnz 3b
    jmp 1b

#ifndef PROBE_PV
/* System registers: what they are goes into the result, then they are again
 * what they were. */
restore_system:
    movl %cr3, %eax
    movl %eax, RESULT_CR3(%edi)
    movl %cr4, %eax
    movl %eax, RESULT_CR4(%edi)
    movl %dr7, %eax
    movl %eax, RESULT_DR7(%edi)
    xorl %eax, %eax
    movl %eax, %dr0
    movl %eax, %dr1
    movl %eax, %dr2
    movl %eax, %dr3
    movl %eax, %dr6
    movl $0x400, %eax
    movl %eax, %dr7
    movl CTL(CTL_CR3), %eax
    movl %eax, %cr3
    lgdt CTL(CTL_GDTR)
    lidt CTL(CTL_IDTR)
    xorl %eax, %eax
    lldt %ax
    movb $0x89, PROBE_GDT + PROBE_TSS_SELECTOR + 5
    movl $PROBE_TSS_SELECTOR, %eax
    ltr %ax

set_msrs:
    movl $CTL(CTL_MSRS), %esi
1:  movl (%esi), %ecx
    jecxz 2f
    movl 4(%esi), %eax
    movl 8(%esi), %edx
    wrmsr
    addl $12, %esi
    jmp 1b
2:  ret
#endif

/* Where SYSENTER and the call gates lead: the end of a case. */
probe_landing:
    int $PROBE_LANDED

#ifndef PROBE_PV
/* The double fault has a task of its own: the stack may be what is broken. */
    .globl probe_double_fault
probe_double_fault:
    cld
    clts
    movl $PROBE_DS, %eax
    movw %ax, %ds
    movw %ax, %es
    FIND_RESULT
    movl PROBE_TSS + 0x48, %eax         /* ES CS SS DS FS GS */
    movl %eax, RESULT_ES(%edi)
    movl PROBE_TSS + 0x54, %eax
    movl %eax, RESULT_DS(%edi)
    movl PROBE_TSS + 0x58, %eax
    movl %eax, RESULT_FS(%edi)
    movl PROBE_TSS + 0x5C, %eax
    movl %eax, RESULT_GS(%edi)
    movl $8, RESULT_VECTOR(%edi)
    popl RESULT_ERROR(%edi)
    movl PROBE_TSS + 0x20, %eax
    movl %eax, RESULT_EIP(%edi)
    movl PROBE_TSS + 0x4C, %eax
    movl %eax, RESULT_CS(%edi)
    movl PROBE_TSS + 0x24, %eax
    movl %eax, RESULT_EFLAGS(%edi)
    movl PROBE_TSS + 0x50, %eax
    movl %eax, RESULT_SS(%edi)
    movl PROBE_TSS + 0x38, %eax
    movl %eax, RESULT_ESP(%edi)
    xorl %ecx, %ecx                     /* EAX ECX EDX EBX . EBP ESI EDI */
1:  movl PROBE_TSS + 0x28(, %ecx, 4), %eax
    movl $7, %edx
    subl %ecx, %edx
    movl %eax, RESULT_GPR(%edi, %edx, 4)
    incl %ecx
    cmpl $8, %ecx
    jne 1b
    pushl $2                            /* NT off */
    popfl
    movb $0x89, PROBE_GDT + PROBE_TSS_SELECTOR + 5  /* available again */
    movl $PROBE_TSS_SELECTOR, %eax
    ltr %ax
    movb $0x89, PROBE_GDT + PROBE_DF_TSS_SELECTOR + 5
    movl $PROBE_STACK, %esp
    jmp record
#endif

/* 256 entry points, PROBE_STUB bytes apart. */
    .balign 4096
    .globl probe_stubs
probe_stubs:
    STUBS 256, PROBE_STUB, common

    .section .note.GNU-stack, "", @progbits
