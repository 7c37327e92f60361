/* SPDX-License-Identifier: MIT */
/* guests/bios/bios.S - a small BIOS, for guests that boot from a disk.
 *
 * The devices are as firmware leaves them (io/), and so are the BIOS data area
 * and the default interrupt table (vmm/firmware.c). What is here: the services
 * that boot sectors ask for, and the boot itself. It is guest code like any
 * other; no service is done by the VMM.
 *
 * Reference: IBM, "Personal Computer AT Technical Reference", BIOS listing;
 * Phoenix, "BIOS Boot Specification"; ACPI Specification, "INT 15H, E820H".
 */
#include "bios.h"

    .set BOOT_SECTOR, 0x7C00
    .set BOOT_STACK, 0x7000
    .set BOOT_MAGIC, 0xAA55
    .set BY_DISK, 0
    .set BY_SETUP, 1
    .set SETUP, 0x9000              /* segment: see vmm/load_setup.c */
    .set SETUP_STACK, 0xE000
    .set FLOPPY_MOST, 5760          /* sectors of the largest diskette */
    .set FIRST_HARD_DISK, 0x80
    .set MASTER_PIC, 0x20
    .set END_OF_INTERRUPT, 0x20
    .set TICKS_PER_DAY, 0x1800B0

.code16
.text
.globl bios_start
bios_start:                         /* F000:2000: boot the first disk */
    cli
    movw $BY_DISK, %dx
    jmp begin
    .balign 16
bios_kernel:                        /* F000:2010: Linux's setup is in memory */
    cli
    movw $BY_SETUP, %dx
begin:
    cld
    xorw %ax, %ax
    movw %ax, %es
    movw %ax, %ss
    movw $BOOT_STACK, %sp
    movw $vectors, %si
1:  lodsw %cs:(%si), %ax
    cmpw $0xFFFF, %ax
    je 2f
    movw %ax, %di
    shlw $2, %di
    movsw %cs:(%si), %es:(%di)
    movw %cs, %ax
    stosw
    jmp 1b
2:  call describe_disks
    sti
    cmpw $BY_SETUP, %dx
    je enter_setup
    int $0x19

/* "The Linux/x86 Boot Protocol", Running the Kernel. */
enter_setup:
    movw $SETUP, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    cli
    movw %ax, %ss
    movw $SETUP_STACK, %sp
    sti
    ljmp $SETUP + 0x20, $0

vectors:
    .word 0x08, timer
    .word 0x09, keyboard
    .word 0x10, video
    .word 0x11, equipment
    .word 0x12, base_memory
    .word 0x13, disk
    .word 0x14, serial
    .word 0x15, system
    .word 0x16, keys
    .word 0x18, no_boot
    .word 0x19, boot
    .word 0x1A, clock
    .word 0xFFFF

/* Every service ends here. */
.globl leave, leave_carry
leave_carry:
    orb $FLAG_CARRY, F_FLAGS(%bp)
leave:
    popal
    popw %es
    popw %ds
    iretw

/* INT 19h: the first sector of the diskette, or of the first disk. */
boot:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw $BOOT_SECTOR, %bx
    movw $0x0201, %ax
    movw $1, %cx
    xorw %dx, %dx
    cmpb $0, BDA * 16 + BDA_DISKETTE
    jne 1f
    movw $FIRST_HARD_DISK, %dx
1:  int $0x13
    jc no_boot
    cmpw $BOOT_MAGIC, BOOT_SECTOR + 510
    jne no_boot
    testb %dl, %dl
    jz 2f
    movb $0x15, %ah                 /* how large is it? */
    movw $FIRST_HARD_DISK, %dx
    int $0x13
    testw %cx, %cx
    jnz 1f
    cmpw $FLOPPY_MOST, %dx
    ja 1f
    xorw %dx, %dx                   /* a diskette's image */
    jmp 2f
1:  movw $FIRST_HARD_DISK, %dx
2:  xorl %eax, %eax                 /* Pintos reckons with all of it */
    xorl %ebx, %ebx
    xorl %ecx, %ecx
    ljmp $0, $BOOT_SECTOR

/* INT 18h */
no_boot:
    movw $said_no_boot, %si
1:  lodsb %cs:(%si), %al
    testb %al, %al
    jz 2f
    movb $0x0E, %ah
    int $0x10
    jmp 1b
2:  cli
    hlt
    jmp 2b
said_no_boot:
    .asciz "No disk to boot from\r\n"

/* INT 11h, 12h */
equipment:
    pushw %ds
    pushw $BDA
    popw %ds
    movw BDA_EQUIPMENT, %ax
    popw %ds
    iretw

base_memory:
    pushw %ds
    pushw $BDA
    popw %ds
    movw BDA_BASE_MEMORY, %ax
    popw %ds
    iretw

/* IRQ 0: 18.2 times a second. */
timer:
    pushw %ds
    pushw %ax
    pushw $BDA
    popw %ds
    incl BDA_TICKS
    cmpl $TICKS_PER_DAY, BDA_TICKS
    jb 1f
    movl $0, BDA_TICKS
    movb $1, BDA_MIDNIGHT
1:  int $0x1C                       /* the user's */
    movb $END_OF_INTERRUPT, %al
    outb %al, $MASTER_PIC
    popw %ax
    popw %ds
    iretw

    .set CMOS_INDEX, 0x70
    .set CMOS_DATA, 0x71

/* CMOS byte AL to AL. */
.globl cmos
cmos:
    outb %al, $CMOS_INDEX
    inb $CMOS_DATA, %al
    ret

/* CMOS word at AL to AX. */
.globl cmos_word
cmos_word:
    pushw %bx
    movb %al, %bl
    incb %al
    call cmos
    movb %al, %bh
    movb %bl, %al
    call cmos
    movb %bh, %ah
    popw %bx
    ret

/* INT 1Ah */
clock:
    ENTER
    DISPATCH clock_functions, leave_carry
clock_functions:
    FUNCTION 0x00, get_ticks
    FUNCTION 0x01, set_ticks
    FUNCTION 0x02, get_time
    FUNCTION 0x04, get_date
    FUNCTION 0, 0

get_ticks:
    movw BDA_TICKS, %ax
    movw %ax, F_DX(%bp)
    movw BDA_TICKS + 2, %ax
    movw %ax, F_CX(%bp)
    xorb %al, %al
    xchgb %al, BDA_MIDNIGHT
    movb %al, F_AX(%bp)
    ret

set_ticks:
    movw F_DX(%bp), %ax
    movw %ax, BDA_TICKS
    movw F_CX(%bp), %ax
    movw %ax, BDA_TICKS + 2
    movb $0, BDA_MIDNIGHT
    ret

/* What the clock's register \from says goes to \to of the caller's. */
.macro CMOS from, to:vararg
    movb $\from, %al
    call cmos
    movb %al, \to
.endm

get_time:
    CMOS 0x02, F_CX(%bp)            /* minutes */
    CMOS 0x04, F_CX + 1(%bp)        /* hours */
    CMOS 0x00, F_DX + 1(%bp)        /* seconds */
    movb $0, F_DX(%bp)              /* no daylight saving */
    ret

get_date:
    CMOS 0x09, F_CX(%bp)            /* year */
    CMOS 0x32, F_CX + 1(%bp)        /* century */
    CMOS 0x07, F_DX(%bp)            /* day */
    CMOS 0x08, F_DX + 1(%bp)        /* month */
    ret

.section .note.GNU-stack, "", @progbits
