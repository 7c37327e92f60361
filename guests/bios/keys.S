/* SPDX-License-Identifier: MIT */
/* guests/bios/keys.S - IRQ 1 and INT 16h (a US keyboard), INT 15h.
 *
 * Reference: IBM, "Personal Computer AT Technical Reference", keyboard BIOS and
 * system services.
 */
#include "bios.h"

    .set KEYBOARD_DATA, 0x60
    .set SYSTEM_CONTROL, 0x92
    .set CONTROL_A20, 0x02
    .set MASTER_PIC, 0x20
    .set END_OF_INTERRUPT, 0x20
    .set RELEASED, 0x80
    .set DELETE, 0x7F

    .set KEY_CONTROL, 0x1D
    .set KEY_LEFT_SHIFT, 0x2A
    .set KEY_RIGHT_SHIFT, 0x36
    .set KEY_ALT, 0x38
    .set KEY_CAPS_LOCK, 0x3A
    .set SHIFT_EITHER, 0x03
    .set SHIFT_CONTROL, 0x04
    .set SHIFT_CAPS_LOCK, 0x40

.code16
.text
.globl keyboard
keyboard:
    ENTER
    inb $KEYBOARD_DATA, %al
    call key
    movb $END_OF_INTERRUPT, %al
    outb %al, $MASTER_PIC
    jmp leave

/* Scan code AL. */
key:
    movw $shifts, %si
1:  movb %cs:(%si), %bl
    testb %bl, %bl
    jz 3f
    movb %al, %ah
    andb $~RELEASED, %ah
    cmpb %bl, %ah
    je 2f
    addw $2, %si
    jmp 1b
2:  movb %cs:1(%si), %bl
    orb %bl, BDA_SHIFT
    testb $RELEASED, %al
    jz 4f
    notb %bl
    andb %bl, BDA_SHIFT
    ret
3:  cmpb $KEY_CAPS_LOCK, %al
    jne 5f
    xorb $SHIFT_CAPS_LOCK, BDA_SHIFT
4:  ret
5:  testb $RELEASED, %al
    jnz 4b
    call character
/* Key AH, character AL into the buffer, if there is room. */
keep:
    movw BDA_KEY_TAIL, %di
    movw %di, %bx
    call next_key
    cmpw BDA_KEY_HEAD, %bx
    je 4b
    movw %ax, (%di)
    movw %bx, BDA_KEY_TAIL
    ret

shifts:
    .byte KEY_RIGHT_SHIFT, 0x01
    .byte KEY_LEFT_SHIFT, 0x02
    .byte KEY_CONTROL, SHIFT_CONTROL
    .byte KEY_ALT, 0x08
    .byte 0

/* Scan code AL to key AH, character AL (0: none). */
character:
    movb %al, %ah
    movzbw %al, %si
    xorb %al, %al
    cmpw $plain_end - plain, %si
    jae 3f
    movb %cs:plain(%si), %al
    testb $SHIFT_CONTROL, BDA_SHIFT
    jz 1f
    andb $0x1F, %al
    ret
1:  movb %al, %bl
    orb $0x20, %bl
    subb $'a', %bl
    cmpb $'z' - 'a', %bl
    movb BDA_SHIFT, %bl
    ja 2f
    testb $SHIFT_CAPS_LOCK, %bl
    jz 2f
    testb $SHIFT_EITHER, %bl        /* then the shift key undoes it */
    movb $0, %bl
    jnz 2f
    movb $SHIFT_EITHER, %bl
2:  testb $SHIFT_EITHER, %bl
    jz 3f
    movb %cs:shifted(%si), %al
3:  ret

plain:
    .byte 0, 27
    .ascii "1234567890-=\b\tqwertyuiop[]\r"
    .byte 0
    .ascii "asdfghjkl;'`"
    .byte 0
    .ascii "\\zxcvbnm,./"
    .byte 0
    .ascii "*"
    .byte 0
    .ascii " "
plain_end:
shifted:
    .byte 0, 27
    .ascii "!@#$%^&*()_+\b\tQWERTYUIOP{}\r"
    .byte 0
    .ascii "ASDFGHJKL:\"~"
    .byte 0
    .ascii "|ZXCVBNM<>?"
    .byte 0
    .ascii "*"
    .byte 0
    .ascii " "

/* A byte that waits at COM1, to which the screen is copied (video.S), is a key,
 * too. */
listen:
    movw $COM1 + UART_LINE, %dx
    inb %dx, %al
    testb $LINE_RECEIVED, %al
    jz 2f
    movw $COM1, %dx
    inb %dx, %al
    cmpb $'\n', %al
    jne 1f
    movb $'\r', %al
1:  cmpb $DELETE, %al
    jne key_of
    movb $'\b', %al
/* The key of character AL; 0: none. */
key_of:
    xorb %ah, %ah
    xorw %si, %si
1:  cmpb %cs:plain(%si), %al
    je 3f
    cmpb %cs:shifted(%si), %al
    je 3f
    incw %si
    cmpw $plain_end - plain, %si
    jb 1b
    jmp keep
3:  movw %si, %bx
    movb %bl, %ah
    jmp keep
2:  ret

/* The place in the buffer behind BX. */
next_key:
    addw $2, %bx
    cmpw BDA_KEY_END, %bx
    jb 1f
    movw BDA_KEY_FIRST, %bx
1:  ret

/* INT 16h */
.globl keys
keys:
    ENTER
    DISPATCH key_functions, leave
key_functions:
    FUNCTION 0x00, wait_key
    FUNCTION 0x01, look_key
    FUNCTION 0x02, get_shift
    FUNCTION 0x10, wait_key
    FUNCTION 0x11, look_key
    FUNCTION 0x12, get_shift
    FUNCTION 0, 0

wait_key:
    cli
    call listen
    movw BDA_KEY_HEAD, %bx
    cmpw BDA_KEY_TAIL, %bx
    jne 1f
    sti
    hlt
    jmp wait_key
1:  movw (%bx), %ax
    movw %ax, F_AX(%bp)
    call next_key
    movw %bx, BDA_KEY_HEAD
    ret

look_key:
    call listen
    orb $FLAG_ZERO, F_FLAGS(%bp)
    movw BDA_KEY_HEAD, %bx
    cmpw BDA_KEY_TAIL, %bx
    je 1f
    andb $~FLAG_ZERO, F_FLAGS(%bp)
    movw (%bx), %ax
    movw %ax, F_AX(%bp)
1:  ret

get_shift:
    movb BDA_SHIFT, %al
    movb %al, F_AX(%bp)
    ret

/* ---- INT 15h --------------------------------------------------------------- */

    .set SYSTEM_PORT, 0x61
    .set REFRESH, 0x10
    .set REFRESH_MICROSECONDS, 15
    .set CMOS_EXTENDED, 0x30        /* KiB from 1 MiB */
    .set CMOS_HIGH, 0x34            /* 64 KiB from 16 MiB */
    .set BASE_END, 0x9FC00
    .set VIDEO, 0xA0000
    .set ROM, 0xF0000
    .set HIGH_BEGIN, 0x100000
    .set SIXTEEN_MIB, 0x1000000
    .set BELOW_16_MIB_KIB, 15 * 1024
    .set SMAP, 0x534D4150
    .set MAP_ENTRY_BYTES, 20
    .set UNSUPPORTED, 0x86

.globl system
system:
    ENTER
    DISPATCH system_functions, unsupported
system_functions:
    FUNCTION 0x24, a20
    FUNCTION 0x86, wait
    FUNCTION 0x87, block_move
    FUNCTION 0x88, extended_memory
    FUNCTION 0xE8, memory_map
    FUNCTION 0, 0

unsupported:
    movb $UNSUPPORTED, F_AX + 1(%bp)
    jmp leave_carry

refuse:
    movb $UNSUPPORTED, F_AX + 1(%bp)
    orb $FLAG_CARRY, F_FLAGS(%bp)
    ret

a20:
    movb F_AX(%bp), %bl
    movb $0, F_AX + 1(%bp)
    inb $SYSTEM_CONTROL, %al
    cmpb $1, %bl
    ja 1f
    andb $~(CONTROL_A20 | 1), %al   /* bit 0 would reset the machine */
    shlb %bl
    orb %bl, %al
    outb %al, $SYSTEM_CONTROL
    ret
1:  cmpb $2, %bl
    jne 2f
    shrb %al
    andb $1, %al
    movb %al, F_AX(%bp)
    ret
2:  cmpb $3, %bl
    jne refuse
    movw $2, F_BX(%bp)              /* by port 92h */
    ret

/* CX:DX microseconds. The refresh of memory changes a bit every 15. */
wait:
    movw F_CX(%bp), %ax
    shll $16, %eax
    movw F_DX(%bp), %ax
    xorl %edx, %edx
    movl $REFRESH_MICROSECONDS, %ecx
    divl %ecx
    movl %eax, %ecx
    incl %ecx
    inb $SYSTEM_PORT, %al
    movb %al, %ah
1:  inb $SYSTEM_PORT, %al
    xorb %ah, %al
    testb $REFRESH, %al
    jz 1b
    xorb $REFRESH, %ah
    decl %ecx
    jnz 1b
    movb $0, F_AX + 1(%bp)
    ret

extended_memory:
    movb $CMOS_EXTENDED, %al
    call cmos_word
    movw %ax, F_AX(%bp)
    ret

memory_map:
    cmpb $0x01, F_AX(%bp)
    je two_sizes
    cmpb $0x20, F_AX(%bp)
    jne refuse
    cmpl $SMAP, F_DX(%bp)
    jne refuse
    movl F_BX(%bp), %ebx
    cmpl $4, %ebx
    jae refuse
    movw F_ES(%bp), %es
    movw F_DI(%bp), %di
    movw %bx, %si
    shlw $4, %si
    movl %cs:map(%si), %eax
    stosl
    movl %cs:map + 4(%si), %ecx
    xorl %eax, %eax
    stosl
    testl %ecx, %ecx
    jnz 1f
    call memory_end
    subl $HIGH_BEGIN, %eax
    movl %eax, %ecx
1:  movl %ecx, %eax
    stosl
    xorl %eax, %eax
    stosl
    movl %cs:map + 8(%si), %eax
    stosl
    incl %ebx
    andl $3, %ebx                   /* 0: it was the last */
    movl %ebx, F_BX(%bp)
    movl $SMAP, F_AX(%bp)
    movl $MAP_ENTRY_BYTES, F_CX(%bp)
    ret

/* Begin, bytes (0: to the end of memory), type: 1 memory, 2 reserved. */
map:
    .long 0, BASE_END, 1, 0
    .long BASE_END, VIDEO - BASE_END, 2, 0
    .long ROM, HIGH_BEGIN - ROM, 2, 0
    .long HIGH_BEGIN, 0, 1, 0

/* Where memory ends: EAX. */
memory_end:
    movb $CMOS_HIGH, %al
    call cmos_word
    movzwl %ax, %eax
    shll $16, %eax
    jz 1f
    addl $SIXTEEN_MIB, %eax
    ret
1:  movb $CMOS_EXTENDED, %al
    call cmos_word
    movzwl %ax, %eax
    shll $10, %eax
    addl $HIGH_BEGIN, %eax
    ret

/* KiB from 1 MiB to 16 MiB, 64 KiB from there. */
two_sizes:
    movb $CMOS_EXTENDED, %al
    call cmos_word
    cmpw $BELOW_16_MIB_KIB, %ax
    jbe 1f
    movw $BELOW_16_MIB_KIB, %ax
1:  movw %ax, F_AX(%bp)
    movw %ax, F_CX(%bp)
    movb $CMOS_HIGH, %al
    call cmos_word
    movw %ax, F_BX(%bp)
    movw %ax, F_DX(%bp)
    ret

.section .note.GNU-stack, "", @progbits
