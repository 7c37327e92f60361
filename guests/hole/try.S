/* SPDX-License-Identifier: MIT */
/* try.S - each sensitive instruction, once or twice, under the name by which a
 * monitor's events are told apart: between a label try_NAME (or try_NAME_1) and
 * the next label no other instruction is sensitive.
 *
 * Reference: Robin & Irvine, "Analysis of the Intel Pentium's Ability to
 * Support a Secure Virtual Machine Monitor", USENIX Security 2000.
 */
#include "hole.h"
#include "kit.h"

#define SEEN(i) seen + 4 * (i)

.macro TRY name
    .globl \name
\name:
.endm

    .text

/* uint32_t attempt(void (*f)(void)): 0, or 256 and the vector of the exception
 * that ended it. Interrupts are on afterwards if it was one. */
TRY attempt
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, recover
    movl $caught, kit_caught
    call *20(%esp)
    xorl %eax, %eax
    jmp leave
caught:
    movl recover, %esp
    addl $256, %eax
    sti
leave:
    movl $0, kit_caught
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    ret

TRY segments_back
    movl $KIT_USER_DS, %eax
    movw %ax, %es
    ret

/* ---- The interrupt flag ---------------------------------------------------- */

TRY run_pushf
    cli
TRY try_pushf
    pushfl
    popl SEEN(0)
    ret

TRY run_popf
    pushl $2
TRY try_popf
    popfl
    ret

/* A kernel's own frame, its CS as it sees it. */
TRY run_iret
    pushl $2
    pushl %cs
    pushl $1f
TRY try_iret
    iret
1:  ret

/* ---- Table registers ------------------------------------------------------- */

TRY try_sgdt
    sgdt SEEN(0)
    ret
TRY try_sidt
    sidt SEEN(0)
    ret
TRY try_sldt
    sldt SEEN(0)
    ret
TRY try_str
    str SEEN(0)
    ret
TRY try_smsw
    smsw SEEN(0)
    ret

/* ---- Descriptors, by a selector of ring 0 and by one of ring 1 -------------- */

TRY try_lar
    movl $KIT_CS, %eax
    lar %eax, %eax
    movl %eax, SEEN(0)
    movl $(KIT_CS | 1), %eax
    lar %eax, %eax
    setz SEEN(1)
    ret

TRY try_lsl
    movl $KIT_CS, %eax
    lsl %eax, %eax
    movl %eax, SEEN(0)
    movl $(KIT_CS | 1), %eax
    lsl %eax, %eax
    setz SEEN(1)
    ret

TRY try_verr
    movl $KIT_SS, %eax
    verr %ax
    setz SEEN(0)
    movl $(KIT_SS | 1), %eax
    verr %ax
    setz SEEN(1)
    ret

TRY try_verw
    movl $KIT_SS, %eax
    verw %ax
    setz SEEN(0)
    movl $(KIT_SS | 1), %eax
    verw %ax
    setz SEEN(1)
    ret

/* ---- Segment registers ------------------------------------------------------ */

TRY try_push
    pushl %cs
    pushl %ss
    popl SEEN(1)
    popl SEEN(0)
    ret

TRY try_pop
    pushl $KIT_SS
    popl %es
    ret
TRY try_pop_1
    pushl $(KIT_SS | 1)
    popl %es
    ret

TRY try_mov
    movl %cs, %eax
    movl %ss, %edx
    movl %eax, SEEN(0)
    movl %edx, SEEN(1)
    ret
TRY run_mov_1
    movl $(KIT_SS | 1), %eax
TRY try_mov_1
    movw %ax, %es
    ret

/* ---- Gates and far transfers ------------------------------------------------- */

TRY try_call
    lcall $KIT_CS, $1f
1:  popl %eax
    popl SEEN(0)
    ret

TRY try_jmp
    ljmp $KIT_CS, $1f
1:  ret
TRY try_jmp_1
    ljmp $(KIT_CS | 1), $1f
1:  ret

TRY run_ret
    pushl $KIT_CS
    pushl $1f
TRY try_ret
    lret
1:  ret
TRY run_ret_1
    pushl $(KIT_CS | 1)
    pushl $1f
TRY try_ret_1
    lret
1:  ret

TRY try_int
    int $OWN_INT
    ret
TRY on_int
    pushl %eax
    movl 8(%esp), %eax
    movl %eax, SEEN(0)
    movl 12(%esp), %eax
    movl %eax, SEEN(1)
    popl %eax
    iret

/* ---- Ports, and what anyone sees ---------------------------------------------- */

TRY run_out
    movb $0xFD, %al
TRY try_out
    outb %al, $0x21
    ret
TRY try_in
    inb $0x21, %al
    movzbl %al, %eax
    movl %eax, SEEN(0)
    ret

TRY try_rdtsc
    rdtsc
    movl %eax, SEEN(0)
    movl %edx, SEEN(1)
    rdtsc
    movl %eax, SEEN(2)
    movl %edx, SEEN(3)
    ret

TRY try_cpuid
    pushl %ebx
    movl $0, %eax
    cpuid
    movl %eax, SEEN(0)
    movl $1, %eax
    cpuid
    movl %eax, SEEN(1)
    movl %ecx, SEEN(2)
    popl %ebx
    ret

/* ---- At ring 3 ------------------------------------------------------------------ */

    .section .user, "awx", @progbits
TRY try_in_3
    inb $0x21, %al
    int $KIT_EXIT_USER
TRY try_out_3
    outb %al, $0x80
    int $KIT_EXIT_USER
TRY try_rdtsc_3
    rdtsc
    int $KIT_EXIT_USER

    .bss
    .balign 4
recover:
    .skip 4
    .globl seen
seen:
    .skip 32

    .section .note.GNU-stack, "", @progbits
