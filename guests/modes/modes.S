/* SPDX-License-Identifier: MIT */
/* guests/modes/modes.S - through the processor's modes, once around.
 *
 * Protected mode, 16-bit protected mode, real mode with its interrupt table
 * and a timer, back, paging with 4 MiB pages, a virtual-8086 task, a hardware
 * task switch and its return. Each stage says so on COM1; the end is a write of
 * 0 to the debug-exit port.
 *
 * Reference: SDM 3A, "Switching to Protected Mode", "Switching Back to
 * Real-Address Mode", "8086 Emulation", "Task Management".
 */
.set MULTIBOOT_MAGIC, 0x1BADB002
.set COM1, 0x3F8
.set DEBUG_EXIT, 0xF4
.set CODE32, 0x08
.set DATA32, 0x10
.set CODE16, 0x18
.set DATA16, 0x20
.set FIRST_TASK, 0x28
.set SECOND_TASK, 0x30
.set STACK, 0x90000
.set SECOND_STACK, 0x88000
.set REAL_CODE, 0x8000            /* where the 16-bit code is copied */
.set REAL_SEGMENT, REAL_CODE / 16
.set VM86_CODE, 0x7000
.set VM86_SEGMENT, VM86_CODE / 16
.set SOFTWARE_VECTOR, 0x40
.set TIMER_VECTOR, 8
.set TICKS, 3
.set EFLAGS_FIXED, 0x2
.set EFLAGS_VM, 0x20000
.set CR0_PE, 1
.set CR0_PG, 0x80000000
.set CR4_PSE, 0x10
.set LARGE_PAGE, 0x87             /* present, writable, user, 4 MiB */
.set GP_VECTOR, 13

.section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

.text
.code32
.globl modes_start
modes_start:
    cli
    movl $STACK, %esp
    movl $tss, %eax
    movl $descriptor_tss, %edi
    call set_base
    movl $second_tss, %eax
    movl $descriptor_second, %edi
    call set_base
    lgdt gdtr
    ljmp $CODE32, $1f
1:  call load_data32
    movl $said_start, %esi
    call say
    movl $real_start, %esi
    movl $REAL_CODE, %edi
    movl $(real_end - real_start), %ecx
    rep movsb
    ljmp $CODE16, $REAL_CODE

from_real:
    movw $DATA32, %ax
    movw %ax, %ss
    movl $STACK, %esp
    call load_data32
    movl $said_protected, %esi
    call say

    /* The first 8 MiB, each to itself. */
    movl %cr4, %eax
    orl $CR4_PSE, %eax
    movl %eax, %cr4
    movl $LARGE_PAGE, directory
    movl $(0x400000 + LARGE_PAGE), directory + 4
    movl $directory, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0
    movl $said_paging, %esi
    call say

    lidt idtr
    movw $FIRST_TASK, %ax
    ltr %ax
    movl $from_vm86, %eax
    movw %ax, idt + GP_VECTOR * 8
    movw $CODE32, idt + GP_VECTOR * 8 + 2
    movw $0x8E00, idt + GP_VECTOR * 8 + 4
    shrl $16, %eax
    movw %ax, idt + GP_VECTOR * 8 + 6
    movl $vm86_start, %esi
    movl $VM86_CODE, %edi
    movl $(vm86_end - vm86_start), %ecx
    rep movsb
    movl $STACK, tss + 4
    movl $DATA32, tss + 8
    pushl $0                    /* GS FS DS ES */
    pushl $0
    pushl $0
    pushl $0
    pushl $0                    /* SS:ESP */
    pushl $0x6000
    pushl $(EFLAGS_VM | EFLAGS_FIXED)
    pushl $VM86_SEGMENT
    pushl $0
    iret

/* The virtual-8086 task's HLT is a #GP. */
from_vm86:
    call load_data32
    movl $said_vm86, %esi
    call say
    movl $second_task, second_tss + 0x20
    movl $EFLAGS_FIXED, second_tss + 0x24
    movl $SECOND_STACK, second_tss + 0x38
    movl $DATA32, second_tss + 0x48
    movl $CODE32, second_tss + 0x4C
    movl $DATA32, second_tss + 0x50
    movl $DATA32, second_tss + 0x54
    movl $directory, second_tss + 0x1C
    movl $directory, tss + 0x1C /* the switch does not save it */
    lcall $SECOND_TASK, $0
    movl $said_back, %esi
    call say
    movb $0, %al
    movw $DEBUG_EXIT, %dx
    outb %al, %dx
    hlt

second_task:
    movl $said_task, %esi
    call say
    iret

/* EAX into the descriptor at EDI. */
set_base:
    movw %ax, 2(%edi)
    shrl $16, %eax
    movb %al, 4(%edi)
    ret

load_data32:
    movw $DATA32, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    ret

say:
    movw $COM1, %dx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  ret

/* ---- copied to REAL_CODE ---------------------------------------------- */

.code16
real_start:
    movw $DATA16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl %cr0, %eax
    andl $~CR0_PE, %eax
    movl %eax, %cr0
    ljmp $REAL_SEGMENT, $(1f - real_start)
1:  xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7000, %sp
    lidtl %cs:(real_idtr - real_start)
    movw $(say_al - real_start), SOFTWARE_VECTOR * 4
    movw $REAL_SEGMENT, SOFTWARE_VECTOR * 4 + 2
    movb $'R', %al
    int $SOFTWARE_VECTOR
    movb $'M', %al
    int $SOFTWARE_VECTOR

    /* The timer, by the table at 0. */
    movw $(tick - real_start), TIMER_VECTOR * 4
    movw $REAL_SEGMENT, TIMER_VECTOR * 4 + 2
    movb $0xFE, %al
    outb %al, $0x21
    movb $0x34, %al
    outb %al, $0x43
    movb $0, %al
    outb %al, $0x40
    movb $0x10, %al
    outb %al, $0x40
    sti
2:  cmpb $TICKS, %cs:(ticks - real_start)
    jb 2b
    hlt
    cli
    movb $0xFF, %al
    outb %al, $0x21
    movb $'\n', %al
    int $SOFTWARE_VECTOR
    lgdtl %cs:(real_gdtr - real_start)
    movl %cr0, %eax
    orl $CR0_PE, %eax
    movl %eax, %cr0
    ljmpl $CODE32, $from_real

tick:
    pushw %ax
    incb %cs:(ticks - real_start)
    movb $'t', %al
    int $SOFTWARE_VECTOR
    movb $0x20, %al
    outb %al, $0x20
    popw %ax
    iretw

say_al:
    pushw %dx
    movw $COM1, %dx
    outb %al, %dx
    popw %dx
    iretw

ticks:
    .byte 0
real_idtr:
    .word 0x3FF
    .long 0
real_gdtr:
    .word gdt_end - gdt - 1
    .long gdt
real_end:

/* ---- copied to VM86_CODE ------------------------------------------------ */

vm86_start:
    movw $VM86_SEGMENT, %ax
    movw %ax, %ds
    pushw %ax
    popw %bx
    hlt
vm86_end:

/* ---- data ---------------------------------------------------------------- */

said_start:     .asciz "protected mode\n"
said_protected: .asciz "protected mode again\n"
said_paging:    .asciz "paging\n"
said_vm86:      .asciz "virtual-8086 mode\n"
said_task:      .asciz "another task\n"
said_back:      .asciz "back\n"

    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9A000000FFFF
    .quad 0x00CF92000000FFFF
    .quad 0x00009A000000FFFF
    .quad 0x000092000000FFFF
descriptor_tss:
    .quad 0x0000890000000067
descriptor_second:
    .quad 0x0000890000000067
gdt_end:
gdtr:
    .word gdt_end - gdt - 1
    .long gdt
idtr:
    .word 256 * 8 - 1
    .long idt

    .balign 4096
directory:
    .skip 4096
idt:
    .skip 256 * 8
tss:
    .skip 104
second_tss:
    .skip 104

.section .note.GNU-stack, "", @progbits
