/* SPDX-License-Identifier: MIT */
/* guests/bios/disk.S - INT 13h by programmed I/O.
 *
 * 80h to 83h are the IDE disks. 00h is the diskette, if there is one (the last
 * IDE drive), and the first disk once more otherwise, with the geometry of a
 * diskette: for what boots from one.
 *
 * Reference: IBM, "Personal Computer AT Technical Reference", diskette and
 * fixed disk BIOS; Phoenix, "Enhanced Disk Drive Specification"; ANSI
 * X3.221, "AT Attachment Interface for Disk Drives".
 */
#include "bios.h"

    .set PRIMARY, 0x1F0
    .set SECONDARY, 0x170
    .set IDE_COUNT, 2
    .set IDE_DRIVE, 6
    .set IDE_COMMAND, 7             /* and status */
    .set IDE_CONTROL, 0x206
    .set DRIVE_LBA, 0xE0
    .set DRIVE_SLAVE, 0x10
    .set CONTROL_QUIET, 0x02        /* no interrupts */
    .set STATUS_BUSY, 0x80
    .set STATUS_FAULT, 0x20
    .set STATUS_DATA, 0x08
    .set STATUS_ERROR, 0x01
    .set COMMAND_READ, 0x20
    .set COMMAND_WRITE, 0x30
    .set COMMAND_IDENTIFY, 0xEC
    .set SECTOR_WORDS, 256
    .set IDENTIFY_SECTORS, 60       /* the word */

    .set HEADS, 16
    .set SECTORS, 63
    .set DISKETTE, 3                /* the drive */
    .set FLOPPY_HEADS, 2
    .set FLOPPY_SECTORS, 18
    .set FLOPPY_CYLINDERS, 80
    .set CYLINDERS_MOST, 1024

    .set TABLES, 0x3D               /* in the extended BIOS data area */
    .set TABLE_BYTES, 16

    .set BAD_COMMAND, 0x01
    .set NOT_FOUND, 0x04
    .set CONTROLLER_FAILED, 0x20

.code16
.text
.globl disk
disk:
    ENTER
    movb F_DX(%bp), %dl
    testb %dl, %dl
    jnz 1f
    cmpb $0, BDA_DISKETTE
    je 2f
    movb $DISKETTE, %dl
    jmp 3f
1:  subb $0x80, %dl                 /* the disk's number, from here on */
    jb bad_command
2:  cmpb BDA_DISKS, %dl
    jae bad_command
3:  DISPATCH disk_functions, bad_command
disk_functions:
    FUNCTION 0x00, done             /* reset */
    FUNCTION 0x01, last_status
    FUNCTION 0x02, read
    FUNCTION 0x03, write
    FUNCTION 0x04, done             /* verify */
    FUNCTION 0x08, parameters
    FUNCTION 0x0C, done             /* seek */
    FUNCTION 0x0D, done
    FUNCTION 0x10, done             /* ready? */
    FUNCTION 0x11, done
    FUNCTION 0x15, disk_type
    FUNCTION 0x41, extensions
    FUNCTION 0x42, extended_read
    FUNCTION 0x43, extended_write
    FUNCTION 0x48, extended_parameters
    FUNCTION 0, 0

bad_command:
    movb $BAD_COMMAND, %ah
    call status
    jmp leave

done:
    xorb %ah, %ah
/* AH is the caller's result. */
status:
    movb %ah, BDA_DISK_STATUS
    movb %ah, F_AX + 1(%bp)
    testb %ah, %ah
    jz 1f
    orb $FLAG_CARRY, F_FLAGS(%bp)
1:  ret

last_status:
    movb BDA_DISK_STATUS, %ah
    jmp status

/* ---- Parameter tables ------------------------------------------------------ */

/* The geometry of the first two disks, where interrupts 41h and 46h point. */
.globl describe_disks
describe_disks:
    pushaw
    pushw %ds
    pushw %es
    pushw $BDA
    popw %ds
    movw BDA_EXTENDED, %ax
    movw %ax, %es
    xorw %dx, %dx                   /* DL: the disk */
    movw $TABLES, %di
1:  cmpb BDA_DISKS, %dl
    jae 2f
    call describe
2:  incw %dx
    addw $TABLE_BYTES, %di
    cmpb $2, %dl
    jb 1b
    xorw %ax, %ax
    movw %ax, %ds
    movw $TABLES, 0x41 * 4
    movw %es, 0x41 * 4 + 2
    movw $TABLES + TABLE_BYTES, 0x46 * 4
    movw %es, 0x46 * 4 + 2
    popw %es
    popw %ds
    popaw
    ret

/* Disk DL at ES:DI, which is zero. */
describe:
    pushl %edx
    call disk_size
    xorl %edx, %edx
    movl $HEADS * SECTORS, %ebx
    divl %ebx
    cmpl $CYLINDERS_MOST, %eax
    jbe 1f
    movl $CYLINDERS_MOST, %eax
1:  movw %ax, %es:(%di)
    movb $HEADS, %es:2(%di)
    movw $0xFFFF, %es:5(%di)        /* no precompensation */
    movb $0xC8, %es:8(%di)          /* no retries; more than 8 heads */
    movw %ax, %es:12(%di)           /* landing zone */
    movb $SECTORS, %es:14(%di)
    popl %edx
    ret

/* ---- Cylinder, head, sector ---------------------------------------------- */

/* The geometry: sectors of a track in SI, heads in DI. */
geometry:
    movw $SECTORS, %si
    movw $HEADS, %di
    testb $0x80, F_DX(%bp)
    jnz 1f
    movw $FLOPPY_SECTORS, %si
    movw $FLOPPY_HEADS, %di
1:  ret

read:
    movb $COMMAND_READ, %ch
    jmp 1f
write:
    movb $COMMAND_WRITE, %ch
1:  pushw %cx
    pushw %dx
    call geometry
    movw F_CX(%bp), %cx
    movzbw %ch, %ax                 /* the cylinder */
    movb %cl, %bl
    shrb $6, %bl
    movb %bl, %ah
    mulw %di
    shll $16, %edx
    movw %ax, %dx
    movzbl F_DX + 1(%bp), %eax      /* the head */
    addl %edx, %eax
    movzwl %si, %esi
    mull %esi
    andl $0x3F, %ecx                /* the sector, from 1 */
    addl %ecx, %eax
    decl %eax
    popw %dx
    popw %cx
    movzbw F_AX(%bp), %bx
    movw F_BX(%bp), %di
    jmp transfer

parameters:
    call geometry
    call disk_size
    xorl %edx, %edx
    movzwl %si, %ebx
    divl %ebx
    xorl %edx, %edx
    movzwl %di, %ebx
    divl %ebx                       /* cylinders */
    testb $0x80, F_DX(%bp)
    jnz 1f
    movl $FLOPPY_CYLINDERS, %eax
    movb $4, F_BX(%bp)              /* a diskette of 1.44 MB */
1:  cmpl $CYLINDERS_MOST, %eax
    jbe 2f
    movl $CYLINDERS_MOST, %eax
2:  testl %eax, %eax
    jz 3f
    decl %eax
3:  shlb $6, %ah
    movw %si, %bx
    orb %ah, %bl
    movb %al, %bh
    movw %bx, F_CX(%bp)
    movw %di, %bx
    decb %bl
    movb %bl, F_DX + 1(%bp)
    movb BDA_DISKS, %al
    testb $0x80, F_DX(%bp)
    jnz 4f
    movb $1, %al
4:  movb %al, F_DX(%bp)
    movb $0, F_AX(%bp)
    jmp done

disk_type:
    testb $0x80, F_DX(%bp)
    jz 1f
    call disk_size
    movw %ax, F_DX(%bp)
    shrl $16, %eax
    movw %ax, F_CX(%bp)
    call done
    movb $3, F_AX + 1(%bp)          /* a hard disk */
    ret
1:  call done
    movb $1, F_AX + 1(%bp)          /* a diskette that is never changed */
    ret

/* ---- Extensions: by number ----------------------------------------------- */

extensions:
    testb $0x80, F_DX(%bp)
    jz 1f
    cmpw $0x55AA, F_BX(%bp)
    jne 1f
    movw $0xAA55, F_BX(%bp)
    movw $1, F_CX(%bp)              /* packets */
    call done
    movb $0x21, F_AX + 1(%bp)       /* version 1.1 */
    ret
1:  movb $BAD_COMMAND, %ah
    jmp status

extended_read:
    movb $COMMAND_READ, %ch
    jmp 1f
extended_write:
    movb $COMMAND_WRITE, %ch
1:  movw F_DS(%bp), %es
    movw F_SI(%bp), %si
    movw %es:2(%si), %bx            /* how many */
    movw %es:4(%si), %di            /* where to */
    movl %es:8(%si), %eax
    movw %es:6(%si), %es
    jmp transfer_to

extended_parameters:
    call disk_size
    movw F_DS(%bp), %es
    movw F_SI(%bp), %di
    movw $26, %es:(%di)
    movw $0, %es:2(%di)
    movl $HEADS, %es:8(%di)
    movl $SECTORS, %es:12(%di)
    movl %eax, %es:16(%di)
    movl $0, %es:20(%di)
    movw $512, %es:24(%di)
    xorl %edx, %edx
    movl $HEADS * SECTORS, %ebx
    divl %ebx
    movl %eax, %es:4(%di)
    jmp done

/* ---- The drive ------------------------------------------------------------ */

/* Move BX sectors, the first of which is EAX, from or to the caller's ES:DI; CH
 * is the command, DL the disk. */
transfer:
    movw F_ES(%bp), %es
transfer_to:
    testw %bx, %bx
    jz done
    call move_sector
    jnc 2f
    testb $0x80, F_DX(%bp)
    jnz 1f
    cmpb $COMMAND_READ, %ch
    jne 1f
    call blank_sector               /* a diskette is longer than its image */
2:  incl %eax
    addw $512, %di
    decw %bx
    jmp transfer_to
1:  movb $NOT_FOUND, %ah
    jmp status

blank_sector:
    pushaw
    xorw %ax, %ax
    movw $SECTOR_WORDS, %cx
    rep stosw
    popaw
    ret

/* One sector. Carry: it failed. */
move_sector:
    pushal
    call start
    jc 2f
    movw $SECTOR_WORDS, %cx
    cmpb $COMMAND_WRITE, %bh
    je 1f
    rep insw %dx, %es:(%di)
    clc
    jmp 2f
1:  movw %di, %si
    rep outsw %es:(%si), %dx
    call ready
2:  popal
    ret

/* Give the command CH for the sector EAX of disk DL and wait for its data. DX:
 * the data port. BH: the command. */
start:
    movb %ch, %bh
    movb %dl, %bl
    movw $PRIMARY, %dx
    testb $2, %bl
    jz 1f
    movw $SECONDARY, %dx
1:  pushl %eax
    addw $IDE_CONTROL, %dx
    movb $CONTROL_QUIET, %al
    outb %al, %dx
    subw $IDE_CONTROL - IDE_DRIVE, %dx
    popl %eax
    pushl %eax
    shrl $24, %eax
    andb $0x0F, %al                 /* the number has 28 bits */
    orb $DRIVE_LBA, %al
    testb $1, %bl
    jz 2f
    orb $DRIVE_SLAVE, %al
2:  outb %al, %dx
    subw $IDE_DRIVE - IDE_COUNT, %dx
    movb $1, %al
    outb %al, %dx
    popl %eax
    movb $3, %cl                    /* the number's lower bytes */
3:  incw %dx
    outb %al, %dx
    shrl $8, %eax
    decb %cl
    jnz 3b
    addw $IDE_COMMAND - 5, %dx
    movb %bh, %al
    outb %al, %dx
    subw $IDE_COMMAND, %dx
    call ready
    jc 4f
    testb $STATUS_DATA, %al
    jnz 4f                          /* carry is clear */
    stc
4:  ret

/* Wait until the drive at DX is not busy; AL: its status. Carry: an error. It
 * may interrupt again. */
ready:
    pushw %dx
    addw $IDE_COMMAND, %dx
1:  inb %dx, %al
    testb $STATUS_BUSY, %al
    jnz 1b
    addw $IDE_CONTROL - IDE_COMMAND, %dx
    pushw %ax
    xorb %al, %al
    outb %al, %dx
    popw %ax
    popw %dx
    testb $STATUS_ERROR | STATUS_FAULT, %al
    jz 2f
    stc
2:  ret

/* Disk DL's sectors to EAX; 0: it does not say. */
disk_size:
    pushw %bx
    pushw %cx
    pushw %dx
    movb $COMMAND_IDENTIFY, %ch
    call start
    movl $0, %eax
    jc 3f
    movw $IDENTIFY_SECTORS, %cx
1:  inw %dx, %ax
    loop 1b
    inw %dx, %ax
    movw %ax, %bx
    inw %dx, %ax
    shll $16, %eax
    movw %bx, %ax
    pushl %eax
    movw $SECTOR_WORDS - IDENTIFY_SECTORS - 2, %cx
2:  inw %dx, %ax
    loop 2b
    popl %eax
3:  popw %dx
    popw %cx
    popw %bx
    ret

.section .note.GNU-stack, "", @progbits
