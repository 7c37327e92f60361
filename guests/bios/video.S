/* SPDX-License-Identifier: MIT */
/* guests/bios/video.S - INT 10h on a text screen, INT 14h.
 *
 * What is written like on a terminal (functions 0Eh, 13h) goes to COM1, too, so
 * that the first words of a guest are on its console.
 *
 * Reference: IBM, "Personal Computer AT Technical Reference", video and RS-232
 * BIOS.
 */
#include "bios.h"

    .set SCREEN, 0xB800
    .set COLUMNS, 80
    .set ROWS, 25
    .set CELLS, COLUMNS * ROWS
    .set ATTRIBUTE, 0x07
    .set CRTC, 0x3D4
    .set CRTC_CURSOR_SHAPE, 0x0A
    .set CRTC_CURSOR, 0x0E

    .set TIMED_OUT, 0x80

.code16
.text
.globl video
video:
    ENTER
    pushw $SCREEN
    popw %es
    DISPATCH video_functions, leave
video_functions:
    FUNCTION 0x00, set_mode
    FUNCTION 0x01, set_cursor_shape
    FUNCTION 0x02, set_cursor
    FUNCTION 0x03, get_cursor
    FUNCTION 0x06, scroll_up
    FUNCTION 0x07, scroll_down
    FUNCTION 0x08, read_cell
    FUNCTION 0x09, write_cells
    FUNCTION 0x0A, write_characters
    FUNCTION 0x0E, teletype
    FUNCTION 0x0F, get_mode
    FUNCTION 0x12, get_memory
    FUNCTION 0x13, write_string
    FUNCTION 0x1A, get_adapter
    FUNCTION 0, 0

/* There are text modes only. */
set_mode:
    movw $ATTRIBUTE << 8 | ' ', %ax
    xorw %di, %di
    movw $CELLS, %cx
    rep stosw
    xorw %dx, %dx
    jmp move_cursor

get_mode:
    movb BDA_VIDEO_MODE, %al
    movb BDA_COLUMNS, %ah
    movw %ax, F_AX(%bp)
    movb $0, F_BX + 1(%bp)
    ret

/* What an EGA tells: color, 256 KiB; its switches. A CGA leaves BL as it is,
 * which is how Linux 0.11 tells them apart. */
get_memory:
    cmpb $0x10, F_BX(%bp)
    jne 1f
    movw $0x0003, F_BX(%bp)
    movw $0x0009, F_CX(%bp)
1:  ret

get_adapter:
    cmpb $0, F_AX(%bp)
    jne 1f
    movb $0x1A, F_AX(%bp)           /* the function is there */
    movw $0x0008, F_BX(%bp)         /* a VGA with a color screen, alone */
1:  ret

/* ---- The cursor ----------------------------------------------------------- */

set_cursor_shape:
    movw F_CX(%bp), %bx
    movw %bx, BDA_CURSOR_SHAPE
    movb $CRTC_CURSOR_SHAPE, %al
    jmp write_crtc

set_cursor:
    movw F_DX(%bp), %dx
/* To row DH, column DL. */
move_cursor:
    movw %dx, BDA_CURSOR
    call cell_at
    movw %di, %bx
    shrw %bx
    movb $CRTC_CURSOR, %al
/* BX to the register pair AL. */
write_crtc:
    movw $CRTC, %dx
    movb %bh, %ah
    outw %ax, %dx
    incb %al
    movb %bl, %ah
    outw %ax, %dx
    ret

get_cursor:
    movw BDA_CURSOR, %ax
    movw %ax, F_DX(%bp)
    movw BDA_CURSOR_SHAPE, %ax
    movw %ax, F_CX(%bp)
    ret

/* Where row DH, column DL is: DI. */
cell_at:
    pushw %ax
    movb $COLUMNS, %al
    mulb %dh
    movw %ax, %di
    movzbw %dl, %ax
    addw %ax, %di
    shlw %di
    popw %ax
    ret

/* ---- Cells ----------------------------------------------------------------- */

read_cell:
    movw BDA_CURSOR, %dx
    call cell_at
    movw %es:(%di), %ax
    movw %ax, F_AX(%bp)
    ret

write_cells:
    movw BDA_CURSOR, %dx
    call cell_at
    movb F_AX(%bp), %al
    movb F_BX(%bp), %ah
    movw F_CX(%bp), %cx
    rep stosw
    ret

write_characters:
    movw BDA_CURSOR, %dx
    call cell_at
    movb F_AX(%bp), %al
    movw F_CX(%bp), %cx
    jcxz 2f
1:  stosb
    incw %di
    loop 1b
2:  ret

/* The window CX to DX by AL lines, 0: all; the new ones have attribute BH. */
scroll_up:
    call window_lines
1:  cmpb %dh, %ch
    ja 2f
    movb %ch, %ah                   /* the line that comes here */
    addb %al, %ah
    call move_line
    incb %ch
    jmp 1b
2:  ret

scroll_down:
    call window_lines
    negb %al
    movb %ch, %bl                   /* the first line */
1:  movb %dh, %ah
    addb %al, %ah
    pushw %cx
    movb %dh, %ch
    call move_line
    popw %cx
    decb %dh
    cmpb %bl, %dh
    jge 1b
    ret

/* AL: how many lines to go, of a window of rows CH to DH. */
window_lines:
    movw F_CX(%bp), %cx
    movw F_DX(%bp), %dx
    movb F_AX(%bp), %al
    movb F_BX + 1(%bp), %bh
    cmpb $ROWS - 1, %dh
    jbe 1f
    movb $ROWS - 1, %dh
1:  cmpb $COLUMNS - 1, %dl
    jbe 2f
    movb $COLUMNS - 1, %dl
2:  testb %al, %al
    jnz 3f
    movb $ROWS, %al
3:  ret

/* Line AH to line CH, columns CL to DL; blank if it is outside the window, that
 * is, above its first line (scrolling down, F_CX) or below its last. */
move_line:
    pushaw
    movb %ah, %bl
    pushw %dx
    movw %cx, %dx
    call cell_at                    /* to DI */
    movw %di, %si
    movb %bl, %dh
    call cell_at
    xchgw %si, %di                  /* from SI */
    popw %dx
    subb %cl, %dl
    movzbw %dl, %cx
    incw %cx
    cmpb F_CX + 1(%bp), %bl
    jl 1f
    cmpb F_DX + 1(%bp), %bl
    jg 1f
    pushw %ds
    pushw %es
    popw %ds
    rep movsw
    popw %ds
    jmp 2f
1:  movb $' ', %al
    movb %bh, %ah
    rep stosw
2:  popaw
    ret

/* ---- Like a terminal -------------------------------------------------------- */

teletype:
    movb F_AX(%bp), %al
/* Show AL and go on. */
put:
    pushaw
    call send
    movw BDA_CURSOR, %dx
    cmpb $'\r', %al
    je put_return
    cmpb $'\n', %al
    je put_line
    cmpb $'\b', %al
    je put_back
    cmpb $7, %al                    /* the bell */
    je put_done
    call cell_at
    stosb
    incb %dl
    cmpb $COLUMNS, %dl
    jb put_moved
    xorb %dl, %dl
put_line:
    incb %dh
    cmpb $ROWS, %dh
    jb put_moved
    decb %dh
    call scroll_screen
    jmp put_moved
put_return:
    xorb %dl, %dl
    jmp put_moved
put_back:
    testb %dl, %dl
    jz put_done
    decb %dl
put_moved:
    call move_cursor
put_done:
    popaw
    ret

scroll_screen:
    pushaw
    pushw %ds
    pushw %es
    popw %ds
    xorw %di, %di
    movw $COLUMNS * 2, %si
    movw $COLUMNS * (ROWS - 1), %cx
    rep movsw
    movw $ATTRIBUTE << 8 | ' ', %ax
    movw $COLUMNS, %cx
    rep stosw
    popw %ds
    popaw
    ret

/* The caller's ES:BP, CX characters from row DH, column DL. AL bit 0: the
 * cursor goes along; bit 1: an attribute behind each. */
write_string:
    movw BDA_CURSOR, %bx
    pushw %bx
    movw F_DX(%bp), %dx
    call move_cursor
    movw F_BP(%bp), %si
    movw F_CX(%bp), %cx
    jcxz 3f
1:  pushw %es
    movw F_ES(%bp), %es
    lodsb %es:(%si), %al
    popw %es
    call put
    testb $2, F_AX(%bp)
    jz 2f
    incw %si
2:  loop 1b
3:  popw %dx
    testb $1, F_AX(%bp)
    jz move_cursor
    ret

/* ---- COM1 ------------------------------------------------------------------ */

send:
    pushw %ax
    pushw %dx
    movb %al, %ah
    movw $COM1 + UART_LINE, %dx
1:  inb %dx, %al
    testb $LINE_EMPTY, %al
    jz 1b
    movb %ah, %al
    movw $COM1, %dx
    outb %al, %dx
    popw %dx
    popw %ax
    ret

/* INT 14h; the line's speed is of no matter. */
.globl serial
serial:
    ENTER
    DISPATCH serial_functions, leave
serial_functions:
    FUNCTION 0x00, serial_status
    FUNCTION 0x01, serial_send
    FUNCTION 0x02, serial_receive
    FUNCTION 0x03, serial_status
    FUNCTION 0, 0

serial_send:
    movb F_AX(%bp), %al
    call send

serial_status:
    movw $COM1 + UART_LINE, %dx
    inb %dx, %al
    movb %al, F_AX + 1(%bp)
    ret

serial_receive:
    call serial_status
    testb $LINE_RECEIVED, %al
    jz 1f
    movw $COM1, %dx
    inb %dx, %al
    movb %al, F_AX(%bp)
    movb $0, F_AX + 1(%bp)
    ret
1:  orb $TIMED_OUT, F_AX + 1(%bp)
    ret

.section .note.GNU-stack, "", @progbits
