/* SPDX-License-Identifier: MIT */
/* guests/tasks/tasks.S - a kernel in the manner of the first Linux.
 *
 * Two programs at ring 3, each with its own LDT (code and data at a base of
 * their own, with limits) and its own task state segment. The timer's handler
 * switches between them by a far jump to the other TSS, system calls come by
 * INT 80h and reach the program's data through FS, and a task gate takes the
 * #GP of a selector that there is not. Each program writes six letters and an
 * exclamation mark to COM1; the end is a write of 0 to the debug-exit port.
 *
 * Reference: SDM 3A, "Task Management", "Protection", "Interrupt 13".
 */
.set MULTIBOOT_MAGIC, 0x1BADB002
.set COM1, 0x3F8
.set DEBUG_EXIT, 0xF4
.set KERNEL_CODE, 0x08
.set KERNEL_DATA, 0x10
.set FIRST_TSS, 0x18
.set FIRST_LDT, 0x20
.set SECOND_TSS, 0x28
.set SECOND_LDT, 0x30
.set FAULT_TSS, 0x38
.set USER_CODE, 0x0F                /* in an LDT, ring 3 */
.set USER_DATA, 0x17
.set PROGRAM_AT, 0x400000           /* the first program's linear base */
.set PROGRAM_APART, 0x100000
.set PROGRAM_STACK, 0x8000
.set EFLAGS_IF, 0x202
.set EFLAGS_FIXED, 0x2
.set LARGE_ENTRY, 0x87
.set ROUNDS, 6
.set TSS_BYTES, 104
.set TIMER, 0x20
.set PIC_EOI, 0x20

.section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

/* The base EAX into the descriptor at EDI. */
.text
set_base:
    movw %ax, 2(%edi)
    shrl $16, %eax
    movb %al, 4(%edi)
    movb %ah, 7(%edi)
    ret

/* A gate of type AL for vector ECX to selector DX, offset EBX. */
set_gate:
    movw %bx, idt(, %ecx, 8)
    movw %dx, idt + 2(, %ecx, 8)
    movb $0, idt + 4(, %ecx, 8)
    movb %al, idt + 5(, %ecx, 8)
    shrl $16, %ebx
    movw %bx, idt + 6(, %ecx, 8)
    ret

/* The program at base EAX: LDT at ESI, TSS at EBP, kernel stack EDX, letter BL
 * at the start of its data. */
make_program:
    pushl %eax
    leal 8(%esi), %edi
    movl $0x0000FFFF, (%edi)
    movl $0x0040FA00, 4(%edi)       /* code to 64 KiB */
    call set_base
    movl (%esp), %eax
    leal 16(%esi), %edi
    movl $0x0000FFFF, (%edi)
    movl $0x0040F200, 4(%edi)
    call set_base
    popl %edi
    pushl %esi
    movl $program, %esi
    movl $program_end - program, %ecx
    rep movsb
    popl %esi
    movl %edx, 4(%ebp)              /* ESP0, SS0 */
    movl $KERNEL_DATA, 8(%ebp)
    movl $directory, 0x1C(%ebp)
    movl $0, 0x20(%ebp)
    movl $EFLAGS_IF, 0x24(%ebp)
    movl %ebx, 0x34(%ebp)           /* EBX: the letter */
    movl $PROGRAM_STACK, 0x38(%ebp)
    movl $USER_DATA, 0x48(%ebp)
    movl $USER_CODE, 0x4C(%ebp)
    movl $USER_DATA, 0x50(%ebp)
    movl $USER_DATA, 0x54(%ebp)
    movl $USER_DATA, 0x58(%ebp)
    movl $USER_DATA, 0x5C(%ebp)
    movl $TSS_BYTES << 16, 0x64(%ebp)
    ret

/* The descriptor at an offset in the GDT gets a segment's address. */
.macro SET_BASE descriptor, segment
    movl $\segment, %eax
    movl $gdt + \descriptor, %edi
    call set_base
.endm

.globl tasks_start
tasks_start:
    movl $boot_stack, %esp
    SET_BASE FIRST_TSS, first_tss
    SET_BASE FIRST_LDT, first_ldt
    SET_BASE SECOND_TSS, second_tss
    SET_BASE SECOND_LDT, second_ldt
    SET_BASE FAULT_TSS, fault_tss
    lgdt gdtr
    ljmp $KERNEL_CODE, $1f
1:  movw $KERNEL_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs

    movl $PROGRAM_AT, %eax
    movl $first_ldt, %esi
    movl $first_tss, %ebp
    movl $first_stack, %edx
    movl $'a', %ebx
    call make_program
    movw $FIRST_LDT, 0x60 + first_tss
    movl $PROGRAM_AT + PROGRAM_APART, %eax
    movl $second_ldt, %esi
    movl $second_tss, %ebp
    movl $second_stack, %edx
    movl $'A', %ebx
    call make_program
    movw $SECOND_LDT, 0x60 + second_tss
    movl $fault_task, fault_tss + 0x20
    movl $EFLAGS_FIXED, fault_tss + 0x24
    movl $fault_stack, fault_tss + 0x38
    movl $directory, fault_tss + 0x1C
    movl $KERNEL_DATA, fault_tss + 0x48
    movl $KERNEL_CODE, fault_tss + 0x4C
    movl $KERNEL_DATA, fault_tss + 0x50
    movl $KERNEL_DATA, fault_tss + 0x54

    movl $timer, %ebx
    movl $KERNEL_CODE, %edx
    movl $TIMER, %ecx
    movb $0x8E, %al
    call set_gate
    movl $system_call, %ebx
    movl $0x80, %ecx
    movb $0xEF, %al
    call set_gate
    movl $FAULT_TSS, %edx           /* a task gate */
    movl $13, %ecx
    movb $0x85, %al
    call set_gate
    lidt idtr

    movl %cr4, %eax
    orl $0x10, %eax
    movl %eax, %cr4
    movl $LARGE_ENTRY, directory
    movl $0x400000 + LARGE_ENTRY, directory + 4
    movl $directory, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0

    movb $0x11, %al                 /* the PICs to 20h and 28h */
    outb %al, $0x20
    outb %al, $0xA0
    movb $TIMER, %al
    outb %al, $0x21
    movb $TIMER + 8, %al
    outb %al, $0xA1
    movb $4, %al
    outb %al, $0x21
    movb $2, %al
    outb %al, $0xA1
    movb $1, %al
    outb %al, $0x21
    outb %al, $0xA1
    movb $0xFE, %al
    outb %al, $0x21
    movb $0xFF, %al
    outb %al, $0xA1
    movb $0x36, %al                 /* 1 kHz, square wave */
    outb %al, $0x43
    movb $1193 & 0xFF, %al
    outb %al, $0x40
    movb $1193 >> 8, %al
    outb %al, $0x40

    /* Into the first program as the first Linux does it. */
    movw $FIRST_TSS, %ax
    ltr %ax
    movw $FIRST_LDT, %ax
    lldt %ax
    movl $'a', %ebx
    pushl $USER_DATA
    pushl $PROGRAM_STACK
    pushl $EFLAGS_IF
    pushl $USER_CODE
    pushl $0
    movw $USER_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    iret

timer:
    pushl %eax
    pushl %ds
    movl $KERNEL_DATA, %eax
    movw %ax, %ds
    movb $PIC_EOI, %al
    outb %al, $0x20
    xorl $1, running
    jnz 1f
    ljmp $FIRST_TSS, $0
    jmp 2f
1:  ljmp $SECOND_TSS, $0
2:  popl %ds
    popl %eax
    iret

/* EAX 0: the byte at EBX of the program is a letter to write; 1: the end. */
system_call:
    pushl %ds
    pushl %fs
    pushl %edx
    movl $KERNEL_DATA, %edx
    movw %dx, %ds
    movl $USER_DATA, %edx
    movw %dx, %fs
    testl %eax, %eax
    jnz 1f
    movb %fs:(%ebx), %al
    movw $COM1, %dx
    outb %al, %dx
    xorl %eax, %eax
1:  popl %edx
    popl %fs
    popl %ds
    iret

/* #GP by the task gate, with the error code on its stack. The program goes on
 * behind the instruction, of seven bytes. At the second one it is the end. */
fault_task:
    popl %eax
    movl $first_tss, %ebp
    cmpw $FIRST_TSS, fault_tss
    je 1f
    movl $second_tss, %ebp
1:  addl $7, 0x20(%ebp)
    movw $COM1, %dx
    movb $'!', %al
    outb %al, %dx
    incl faults
    cmpl $2, faults
    jne 2f
    movb $'\n', %al
    outb %al, %dx
    xorl %eax, %eax
    movw $DEBUG_EXIT, %dx
    outb %al, %dx
2:  iret
    jmp fault_task

/* ---- copied to each program's base ------------------------------------------ */

program:
    movb %bl, letter - program
    movl $ROUNDS, %ecx
1:  movl $200000, %edx
2:  decl %edx
    jnz 2b
    movl $letter - program, %ebx
    xorl %eax, %eax
    int $0x80
    incb letter - program
    loop 1b
    ljmp *%cs:beyond - program      /* seven bytes */
    jmp .
beyond:                             /* the LDT's end */
    .long 0
    .word 0x1F
letter:
    .byte 0
program_end:

.data
    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9A000000FFFF
    .quad 0x00CF92000000FFFF
    .quad 0x0000890000000067
    .quad 0x0000820000000017
    .quad 0x0000890000000067
    .quad 0x0000820000000017
    .quad 0x0000890000000067
gdt_end:
gdtr:
    .word gdt_end - gdt - 1
    .long gdt
idtr:
    .word 256 * 8 - 1
    .long idt
running:
    .long 0
faults:
    .long 0

.bss
    .balign 4096
directory:  .skip 4096
idt:        .skip 256 * 8
first_tss:  .skip TSS_BYTES
second_tss: .skip TSS_BYTES
fault_tss:  .skip TSS_BYTES
first_ldt:  .skip 24
second_ldt: .skip 24
    .skip 2048
first_stack:
    .skip 2048
second_stack:
    .skip 2048
fault_stack:
    .skip 2048
boot_stack:

.section .note.GNU-stack, "", @progbits
