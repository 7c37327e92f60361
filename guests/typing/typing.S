/* SPDX-License-Identifier: MIT */
/* guests/typing/typing.S - a kernel that has a keyboard and a text screen.
 *
 * It shows each scan code in hexadecimal on the screen, and ends when Enter is
 * released, by a write of 0 to the debug-exit port. It has nothing to do with
 * COM1.
 *
 * Reference: IBM, "Personal Computer AT Technical Reference"; Intel, "8259A
 * Programmable Interrupt Controller".
 */
.set MULTIBOOT_MAGIC, 0x1BADB002
.set CODE_SELECTOR, 0x08
.set INTERRUPT_GATE, 0x8E00
.set VECTORS, 0x20
.set KEYBOARD, 1                    /* its line */
.set PIC, 0x20
.set PIC_DATA, 0x21
.set SLAVE_DATA, 0xA1
.set ICW1, 0x11
.set ICW3, 0x04
.set ICW4, 0x01
.set END_OF_INTERRUPT, 0x20
.set KEY_DATA, 0x60
.set ENTER_RELEASED, 0x9C
.set SCREEN, 0xB8000
.set ATTRIBUTE, 0x07
.set DEBUG_EXIT, 0xF4

.section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

.text
.globl typing_start
typing_start:
    movl $stack, %esp
    lgdt gdt_pointer
    ljmp $CODE_SELECTOR, $1f
1:  movl $pressed, %eax
    movw %ax, gate
    shrl $16, %eax
    movw %ax, gate + 6
    lidt idt_pointer

    movb $ICW1, %al
    outb %al, $PIC
    movb $VECTORS, %al
    outb %al, $PIC_DATA
    movb $ICW3, %al
    outb %al, $PIC_DATA
    movb $ICW4, %al
    outb %al, $PIC_DATA
    movb $~(1 << KEYBOARD), %al
    outb %al, $PIC_DATA
    movb $0xFF, %al
    outb %al, $SLAVE_DATA
    movl $SCREEN, %edi
    sti
2:  hlt
    jmp 2b

pressed:
    inb $KEY_DATA, %al
    movb %al, %bl
    shrb $4, %al
    call digit
    movb %bl, %al
    andb $0x0F, %al
    call digit
    addl $2, %edi                   /* a blank */
    cmpb $ENTER_RELEASED, %bl
    je done
    movb $END_OF_INTERRUPT, %al
    outb %al, $PIC
    iret

done:
    xorb %al, %al
    outb %al, $DEBUG_EXIT

digit:
    movzbl %al, %eax
    movb digits(%eax), %al
    movb $ATTRIBUTE, %ah
    stosw
    ret

digits: .ascii "0123456789abcdef"

    .balign 8
gdt: .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer: .word . - gdt - 1
    .long gdt
    .balign 8
idt: .skip 8 * (VECTORS + KEYBOARD)
gate: .word 0, CODE_SELECTOR, INTERRUPT_GATE, 0
idt_pointer: .word . - idt - 1
    .long idt

    .balign 16
    .skip 1024
stack:

.section .note.GNU-stack, "", @progbits
