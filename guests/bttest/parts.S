/* SPDX-License-Identifier: MIT */
/* parts.S - what bttest tests, where a compiler may not choose.
 *
 * Reference: SDM 3A, "Handling Self- and Cross-Modifying Code", "Interrupt
 * 0 - Divide Error Exception (#DE)", "Interrupt 14 - Page-Fault Exception".
 */
#include "bttest.h"
#include "kit.h"

#define RECORD(i) record + 4 * (i)

.macro PART name
    .globl \name
\name:
.endm

    .text

/* ---- Handlers -------------------------------------------------------------- */

.macro KEEP
    movl %eax, RECORD(0)
    movl %ecx, RECORD(1)
    movl %edx, RECORD(2)
    movl %ebx, RECORD(3)
    movl %ebp, RECORD(4)
    movl %esi, RECORD(5)
    movl %edi, RECORD(6)
    movl %esp, RECORD(RECORD_ESP)
    .set word, 0
    .rept 8
    movl -4 - 4 * word(%esp), %eax
    movl %eax, RECORD(RECORD_BELOW + word)
    .set word, word + 1
    .endr
.endm

.macro KEEP_FRAME at
    movl \at(%esp), %eax
    movl %eax, RECORD(RECORD_EIP)
    movl \at + 4(%esp), %eax
    movl %eax, RECORD(RECORD_CS)
    movl \at + 8(%esp), %eax
    movl %eax, RECORD(RECORD_EFLAGS)
.endm

PART on_divide
    KEEP
    KEEP_FRAME 0
    movl $0, RECORD(RECORD_ERROR)
    movl resume, %eax
    movl %eax, (%esp)
    iret

PART on_page_fault
    KEEP
    movl (%esp), %eax
    movl %eax, RECORD(RECORD_ERROR)
    KEEP_FRAME 4
    addl $4, %esp
    movl resume, %eax
    movl %eax, (%esp)
    iret

/* The timer, that notes where it came. */
PART on_tick
    pushl %eax
    movl 4(%esp), %eax
    movl %eax, shadow_eip
    incl kit_ticks
    movb $0x20, %al
    outb %al, $0x20
    popl %eax
    iret

/* ---- Faults in the middle --------------------------------------------------- */

/* Known registers, flags and words below the stack; then the fault, then
 * something that must not have happened; back from 1. */
.macro FAULT name, code:vararg
    PART \name
    pushal
    .set word, 0
    .rept 16
    movl $0xA5A50000 + word, -4 - 4 * word(%esp)
    .set word, word + 1
    .endr
    movl $1f, resume
    movl $0x11111111, %eax
    movl $0x22222222, %edx
    movl $0x33333333, %ebx
    movl $0x55555555, %ebp
    movl $0x66666666, %esi
    movl $0x77777777, %edi
    xorl %ecx, %ecx
    addl $0x70000000, %edi      # OF, SF
    stc
    \code
    movl $0xDEAD, %eax
    movl %eax, record
1:  popal
    ret
.endm

FAULT fault_divide, divl %ecx
FAULT fault_load, addl BAD + 8, %ebx
FAULT fault_push, pushl BAD + 12
FAULT fault_call, call *BAD + 16
FAULT fault_jump, jmp *BAD + 20(%ecx)
/* in the middle of what POPF becomes: the stack is gone */
PART fault_popf
    pushal
    movl $1f, resume
    movl %esp, %ebp
    movl $0x11111111, %eax
    movl $0x22222222, %ecx
    movl $BAD + 0x24, %edi
    addl 4(%edi), %eax
    movl $0xDEAD, record
1:  movl %ebp, %esp
    popal
    ret

/* ---- Code that changes itself ------------------------------------------------ */

/* The immediate of the very next instruction. */
PART change_next
    pushl %ebx
    movl 8(%esp), %ecx
    xorl %ebx, %ebx
1:  leal 7(%ecx), %edx
    movl %edx, 2f + 1
2:  movl $0, %eax
    leal (%eax, %ebx, 2), %ebx
    decl %ecx
    jnz 1b
    movl %ebx, %eax
    popl %ebx
    ret

/* An instruction some way ahead in the same unit. */
PART change_later
    pushl %ebx
    movl 8(%esp), %ecx
    xorl %ebx, %ebx
1:  movb %cl, 2f + 2
    nop
    xorl %eax, %eax
    nop
2:  addl $1, %eax               # 83 C0 ib
    leal (%eax, %ebx, 2), %ebx
    decl %ecx
    jnz 1b
    movl %ebx, %eax
    popl %ebx
    ret

/* The opcode in a function that is called: INC, DEC. */
PART change_other
    pushl %ebx
    movl 8(%esp), %ecx
    xorl %ebx, %ebx
1:  movl %ecx, %edx
    andl $1, %edx
    shll $3, %edx
    addl $0x40, %edx            # 40: inc eax; 48: dec eax
    movb %dl, changed
    movl %ebx, %eax
    call changed
    leal (%eax, %eax, 2), %ebx
    decl %ecx
    jnz 1b
    movl %ebx, %eax
    popl %ebx
    ret

/* An instruction that was already executed, in a loop. */
PART change_back
    pushl %ebx
    movl 8(%esp), %ecx
    xorl %ebx, %ebx
    movb $1, 1f + 2
1:  addl $1, %ebx
    leal (%ebx, %ebx, 4), %ebx
    movb %cl, 1b + 2
    decl %ecx
    jnz 1b
    movl %ebx, %eax
    popl %ebx
    ret

    .balign 4096
changed:
    incl %eax
    ret

/* A counter on the page of the loop that counts. */
    .balign 4096
PART count_beside
    movl 4(%esp), %ecx
1:  incl beside
    nop
    decl %ecx
    jnz 1b
    movl beside, %eax
    ret
    .balign 64
beside:
    .long 0
    .balign 4096

/* To be copied elsewhere: 10 * n + 3, n in EAX. */
PART piece
    pushl %ecx
    movl $10, %ecx
    imull %ecx, %eax
    addl $3, %eax
    popl %ecx
    ret
PART piece_end

/* ---- What is shown ----------------------------------------------------------- */

/* The return address that a call leaves, less where it should point. */
PART show_call
    call 1f
1:  popl %eax
    subl $1b, %eax
    ret

PART show_call_indirect
    movl $1f, %eax
    call *%eax
1:  popl %eax
    subl $1b, %eax
    ret

/* uint32_t show_popf(flags): what PUSHF shows after POPF of these. Only IF, and
 * ways of the CPU that the test may end with. */
PART show_popf
PART show_pushf
    pushl 4(%esp)
    popfl
    pushfl
    popl %eax
    pushl $0x202
    popfl
    ret

/* uint32_t show_iret(flags, now): what PUSHF shows after an IRET to the very
 * next instruction with these flags, from others. */
PART show_iret
    pushl 8(%esp)
    popfl
    pushl 4(%esp)
    pushl %cs
    pushl $1f
    iret
1:  pushfl
    popl %eax
    pushl $0x202
    popfl
    ret

/* uint32_t iret_absent(void): an IRET within a code segment whose descriptor
 * has just become absent; how often that was noticed. */
PART iret_absent
    movl $0, absences
    ljmp $ALIAS_CS, $1f
1:  pushl $0x202
    pushl %cs
    pushl $2f
    andb $0x7F, kit_gdt + ALIAS_CS + 5
    iret
2:  ljmp $KIT_CS, $3f
3:  movl absences, %eax
    ret

PART on_absent
    orb $0x80, kit_gdt + ALIAS_CS + 5
    incl absences
    addl $4, %esp
    iret

PART show_push_cs
    pushl %cs
    popl %eax
    pushl %ss
    popl %edx
    shll $16, %edx
    orl %edx, %eax
    ret

PART show_mov_cs
    movl $-1, %eax
    movw %cs, %ax
    movl %cs, %edx
    addl %edx, %eax
    ret
PART show_mov_ss
    movl $-1, %eax
    movw %ss, %ax
    movl %ss, %edx
    addl %edx, %eax
    ret
PART show_str
    movl $-1, %eax
    str %ax
    str %edx
    addl %edx, %eax
    ret
PART show_sldt
    movl $-1, %eax
    sldt %ax
    ret
PART show_smsw
    smsw %eax
    movl %cr0, %edx
    subl %eax, %edx
    leal (%eax, %edx), %eax
    ret
PART show_sgdt
    sgdt seen
    ret
PART show_sidt
    sidt seen
    ret

.macro DESCRIPTOR name, code:vararg
    PART \name
    movl $0x12345678, %eax
    movl 4(%esp), %ecx
    \code
    jz 1f
    notl %eax
1:  ret
.endm
DESCRIPTOR show_lar, lar %ecx, %eax
DESCRIPTOR show_lsl, lsl %ecx, %eax
DESCRIPTOR show_verr, verr %cx
DESCRIPTOR show_verw, verw %cx

/* ---- Interrupts -------------------------------------------------------------- */

/* Direct jumps alone, from unit to unit. */
PART wait_for_tick
    xorl %eax, %eax
    sti
1:  incl %eax
    jmp 2f
3:  cmpl $0, kit_ticks
    je 1b
    ret
2:  nop
    jmp 3b

/* An interrupt waits: it comes behind the instruction behind STI. */
PART sti_and_three
    cli
    nop
    sti
PART behind_sti
    nop
    nop
    nop
    ret

/* ---- Loops for the counters --------------------------------------------------- */

PART flags_loop
    movl 4(%esp), %ecx
1:  pushfl
    cli
    popfl
    decl %ecx
    jnz 1b
    movl %ecx, %eax
    ret

PART tables_loop
    pushl %ebx
    movl 8(%esp), %ecx
    xorl %eax, %eax
1:  movl %cr0, %ebx
    addl %ebx, %eax
    movl %cs, %ebx
    addl %ebx, %eax
    decl %ecx
    jnz 1b
    popl %ebx
    ret

PART returns_loop
    movl 4(%esp), %ecx
    xorl %eax, %eax
1:  call 2f
    decl %ecx
    jnz 1b
    ret
2:  addl $3, %eax
    ret

/* A procedure called from two places, one that moves its return address, and a
 * return that no call led to. */
PART callers_loop
    movl 4(%esp), %ecx
    xorl %eax, %eax
1:  call 5f
    call 5f
    addl $0x100, %eax
    call 6f
    incl %eax                   # one byte, skipped
    pushl $2f
    jmp 5f
2:  decl %ecx
    jnz 1b
    ret
5:  leal 3(%eax, %ecx, 4), %eax
    ret
6:  incl (%esp)
    ret

PART stores_loop
    pushl %ebx
    movl 8(%esp), %ecx
    movl 12(%esp), %ebx
1:  movl %ecx, (%ebx)
    decl %ecx
    jnz 1b
    movl (%ebx), %eax
    popl %ebx
    ret

PART jumps_loop
    movl 4(%esp), %ecx
    xorl %eax, %eax
1:  incl %eax
    jmp 2f
    .balign 32
2:  decl %ecx
    jnz 1b
    ret

    .data
    .balign 64
PART record
    .skip 4 * RECORD_WORDS
PART seen
    .skip 32
PART resume
    .long 0
PART absences
    .long 0
PART shadow_eip
    .long 0

    .section .note.GNU-stack, "", @progbits
