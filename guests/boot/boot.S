/* SPDX-License-Identifier: MIT */
/* guests/boot/boot.S - a disk that boots: a boot sector, and what it loads.
 *
 * It asks the BIOS for what boot loaders ask for and says on its teletype what
 * it got. The stack is right below the code, in the same page, as with most
 * boot sectors. The end, in protected mode, is a write of 0 to the debug-exit
 * port; of 1 where a service failed.
 *
 * Reference: see guests/bios.
 */
.set ORIGIN, 0x7C00
.set SECTOR, 512
.set SECTORS, 5                    /* of the image */
.set BUFFER, 0x9000
.set SCRATCH_SECTOR, 40             /* is written to */
.set COM1, 0x3F8
.set DEBUG_EXIT, 0xF4
.set SMAP, 0x534D4150
.set CALLS, 20000
.set TICKS, 3
.set BIOS_TICKS, 0x46C

.code16
.text
.globl boot_start
boot_start:
    ljmp $0, $1f
1:  xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $ORIGIN, %sp
    movb %dl, drive
    movw $said_hello, %si
    call say
    movzbw drive, %ax
    call say_hex

    movw $0x0200 | (SECTORS - 1), %ax   /* by cylinder, head, sector */
    movw $ORIGIN + SECTOR, %bx
    movw $2, %cx
    xorb %dh, %dh
    movb drive, %dl
    int $0x13
    jc failed
    movw $CALLS, %cx                /* beside the code */
2:  call nothing
    loop 2b
    jmp second_stage

nothing:
    pushw %cx
    popw %cx
    ret

failed:
    movw $said_failed, %si
    call say
    movb $1, %al
    movw $DEBUG_EXIT, %dx
    outb %al, %dx
    hlt

/* The string at SI. */
say:
    movb $0x0E, %ah
    xorw %bx, %bx
1:  lodsb
    testb %al, %al
    jz 2f
    int $0x10
    jmp 1b
2:  ret

/* AX and the end of a line. */
say_hex:
    call say_word
    movw $said_end, %si
    jmp say

say_word:
    movw $4, %cx
1:  rolw $4, %ax
    pushw %ax
    andw $0x0F, %ax
    movw %ax, %si
    movb digits(%si), %al
    movb $0x0E, %ah
    xorw %bx, %bx
    int $0x10
    popw %ax
    loop 1b
    ret

drive:
    .byte 0
digits:
    .ascii "0123456789abcdef"
said_hello:
    .asciz "booted from drive "
said_failed:
    .asciz "failed\r\n"
said_end:
    .asciz "\r\n"

    .org 510
    .word 0xAA55

/* ---- Loaded by the boot sector ------------------------------------------- */

second_stage:
    call memory_sizes
    call memory_map
    call disk_writes
    call disk_table
    call moves
    call timer_ticks
    call adapter
    call screen
    jmp protected_mode

memory_sizes:
    movw $said_base, %si
    call say
    int $0x12
    call say_hex
    movw $said_extended, %si
    call say
    movb $0x88, %ah
    int $0x15
    jc failed
    call say_hex
    movw $said_above, %si
    call say
    movw $0xE801, %ax
    int $0x15
    jc failed
    movw %dx, %ax
    jmp say_hex

memory_map:
    xorl %ebx, %ebx
1:  movw $BUFFER, %di
    movl $0xE820, %eax
    movl $SMAP, %edx
    movl $20, %ecx
    int $0x15
    jc failed
    cmpl $SMAP, %eax
    jne failed
    pushl %ebx
    movw $BUFFER + 20, %di
2:  subw $2, %di                    /* begin, bytes, type; from above */
    movw (%di), %ax
    call say_word
    cmpw $BUFFER, %di
    jne 2b
    movw $said_end, %si
    call say
    popl %ebx
    testl %ebx, %ebx
    jnz 1b
    ret

/* By number, if the drive has that; read back by cylinder, head, sector. */
disk_writes:
    movb $0x08, %ah
    movb drive, %dl
    int $0x13
    jc failed
    pushw %dx
    movw %cx, %ax
    call say_hex
    popw %ax
    call say_hex
    movb $0x41, %ah
    movw $0x55AA, %bx
    movb $0x80, %dl
    int $0x13
    jc failed
    cmpw $0xAA55, %bx
    jne failed
    movw $BUFFER, %di
    movw $SECTOR / 2, %cx
    movw $0x1234, %ax
    rep stosw
    movw $packet, %si
    movb $0x43, %ah
    movb $0x80, %dl
    int $0x13
    jc failed
    movw $0x0201, %ax
    movw $BUFFER + SECTOR, %bx
    movw $SCRATCH_SECTOR + 1, %cx
    movw $0x0080, %dx
    int $0x13
    jc failed
    movw $BUFFER, %si
    movw $BUFFER + SECTOR, %di
    movw $SECTOR / 2, %cx
    repe cmpsw
    jne failed
    movw $0x0201, %ax               /* the second track */
    movw $BUFFER, %bx
    movw $1, %cx
    movw $0x0180, %dx
    int $0x13
    jc failed
    movw BUFFER, %ax
    call say_hex
    movw $0x0201, %ax               /* no such drive */
    movb $0x9F, %dl
    int $0x13
    jnc failed
    ret

/* What interrupt 41h points to: cylinders; sectors and what follows them. */
disk_table:
    lesw 0x41 * 4, %di
    movw %es:(%di), %ax
    movw %es:14(%di), %bx
    xorw %cx, %cx
    movw %cx, %es
    pushw %bx
    call say_hex
    popw %ax
    jmp say_hex

/* The boot sector to 2 MiB and from there to the buffer, after a moment. */
moves:
    movw $0x8600, %ax
    xorw %cx, %cx
    movw $1000, %dx
    int $0x15
    jc failed
    movl $BUFFER, BUFFER
    movw $out, %si
    call move
    movw $back, %si
    call move
    movw $ORIGIN, %si
    movw $BUFFER, %di
    movw $SECTOR / 2, %cx
    repe cmpsw
    jne failed
    movw $said_moved, %si
    jmp say

move:
    movw $0x8700, %ax
    movw $SECTOR / 2, %cx
    int $0x15
    jc failed
    ret

/* The BIOS counts, whoever waits. */
timer_ticks:
    sti
    movw BIOS_TICKS, %bx
1:  hlt
    movw BIOS_TICKS, %ax
    subw %bx, %ax
    cmpw $TICKS, %ax
    jb 1b
    xorw %ax, %ax
    int $0x1A
    jc failed
    movw $said_ticks, %si
    jmp say

/* Which one it is, by the ways of an EGA and of a VGA. */
adapter:
    movb $0x12, %ah
    movw $0xFF10, %bx
    int $0x10
    movw %bx, %ax
    call say_hex
    movw $0x1A00, %ax
    int $0x10
    pushw %bx
    call say_hex
    popw %ax
    jmp say_hex

/* What was written is on the screen. */
screen:
    movw $0x0003, %ax
    int $0x10
    movw $0x0200, %ax
    xorw %bx, %bx
    movw $0x0305, %dx
    int $0x10
    movw $said_screen, %si
    call say
    movw $0xB800, %ax
    movw %ax, %es
    movw %es:(3 * 80 + 5) * 2, %ax
    xorw %cx, %cx
    movw %cx, %es
    call say_hex
    movw $0x0601, %ax               /* up by a line */
    movb $7, %bh
    xorw %cx, %cx
    movw $0x184F, %dx
    int $0x10
    movb $0x02, %ah
    xorw %bx, %bx
    movw $0x0205, %dx
    int $0x10
    movb $0x08, %ah
    int $0x10
    call say_hex
    movb $0x03, %ah
    int $0x10
    movw %dx, %ax
    jmp say_hex

protected_mode:
    movw $0x2401, %ax               /* A20 */
    int $0x15
    jc failed
    cli
    lgdt gdtr
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $8, $1f
.code32
1:  movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x100000, %esp
    movl $said_protected, %esi
    movw $COM1, %dx
    cld
2:  lodsb
    testb %al, %al
    jz 3f
    outb %al, %dx
    jmp 2b
3:  movw $DEBUG_EXIT, %dx
    outb %al, %dx
    hlt

    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9A000000FFFF
    .quad 0x00CF92000000FFFF
gdt_end:
gdtr:
    .word gdt_end - gdt - 1
    .long gdt
packet:
    .byte 16, 0
    .word 1, BUFFER, 0
    .quad SCRATCH_SECTOR

    .balign 8
out:
    .quad 0, 0, 0x0000930000000000 | ORIGIN << 16 | 0xFFFF, 0x000093200000FFFF
    .quad 0, 0
back:
    .quad 0, 0, 0x000093200000FFFF, 0x0000930000000000 | BUFFER << 16 | 0xFFFF
    .quad 0, 0

said_moved:     .asciz "moved\r\n"
said_base:      .asciz "KiB from 0: "
said_extended:  .asciz "KiB from 1 MiB: "
said_above:     .asciz "64 KiB from 16 MiB: "
said_ticks:     .asciz "the timer ticks\r\n"
said_screen:    .asciz "Screen\r\n"
said_protected: .asciz "protected mode\n"

    .org SECTORS * SECTOR
.section .note.GNU-stack, "", @progbits
