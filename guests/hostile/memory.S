/* SPDX-License-Identifier: MIT */
/* memory.S - the whole linear space, where a monitor must be somewhere. */
#include "hostile.h"

/* Read and write an address in each 4 MiB: what is not mapped faults, also
 * where a monitor is. */
PROGRAM touches_everything, 3, END_EXIT, PAGED
    movl 1f(, %ebx, 4), %esi
2:  RESUME 3f
    movl (%esi), %eax
3:  RESUME 4f
    movl %esi, (%esi)
4:  addl $0x400000, %esi
    jnc 2b
    LEAVE
1:  .long 0x00BFF000, 0x00B01FF0, 0x00800000

/* The same without paging, below the devices at the top: where no memory is,
 * reads are ones. */
PROGRAM touches_all_that_is_physical, 3, END_EXIT, 0
    movl 1f(, %ebx, 4), %esi
2:  addl $0x400000, %esi
    cmpl $0xFE000000, %esi
    jae 3f
    movl %esi, (%esi)
    movl (%esi), %eax
    NOTE %eax
    movq (%esi), %mm0
    movd %mm0, %eax
    NOTE %eax
    shldl $4, %eax, (%esi)
    jmp 2b
3:  emms
    LEAVE
1:  .long 0x00BFF000, 0x00B01FF0, 0x00800000

/* Read and write every page of 4 GiB, and go to some. What is mapped keeps its
 * contents; each fault's error code and address come into a sum in ECX, and EDX
 * counts them. */
PROGRAM sweeps_every_page, 1, END_EXIT, PAGED
    HANDLER 14 5f
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
1:  movl $2f, %edi
    movl 8(%esi), %eax
2:  movl $3f, %edi
    movl %eax, 8(%esi)
3:  testl $0x7000, %esi
    jnz 4f
    cmpl $MEMORY_END, %esi
    jb 4f
    movl $4f, %edi
    jmp *%esi
4:  addl $0x1000, %esi
    jnc 1b
    NOTE %ecx
    NOTE %edx
    LEAVE
5:  popl %eax                       /* the error code */
    imull $1664525, %ecx
    xorl %eax, %ecx
    movl %cr2, %eax
    xorl %eax, %ecx
    incl %edx
    movl %edi, (%esp)
    iret

/* Go to an address in each 4 MiB, one step at a time. */
PROGRAM steps_into_everything, 3, END_EXIT, PAGED
    HANDLER 14 4f
    movl 5f(, %ebx, 4), %esi
1:  pushl $0x102                    /* TF */
    pushl $KERNEL_CS
    pushl %esi
    movl $2f, %edi
    iret
2:  addl $0x400000, %esi
    jnc 1b
    LEAVE
4:  NOTE 0(%esp)
    movl %cr2, %eax
    NOTE %eax
    addl $4, %esp
    movl %edi, (%esp)
    andl $~0x100, 8(%esp)
    iret
5:  .long 0x01000000, 0x010C0000, 0x013FFFFE

/* Map each 4 MiB in turn, use it, and leave it mapped or not. */
PROGRAM maps_everything_in_turn, 2, END_EXIT, PAGED
    movl $ARENA + 7, SPARE + 4
    movl $4, %ecx
1:  movl $SPARE + 7, DIRECTORY(, %ecx, 4)
    movl %ecx, %edi
    shll $22, %edi
    addl $0x1000, %edi
    movl %ecx, (%edi)
    movl ARENA, %eax
    cmpl %ecx, %eax
    jne 3f
    movl $0x90C3C390, (%edi)
    call *%edi
    testl %ebx, %ebx
    jz 2f
    movl $0, DIRECTORY(, %ecx, 4)
    invlpg (%edi)
2:  incl %ecx
    cmpl $1020, %ecx
    jb 1b
3:  NOTE %ecx
    LEAVE

/* All of it at once. Then there is no room for a monitor. */
PROGRAM maps_everything, 2, END_EXIT, PAGED | MAY_REFUSE
    movl $ARENA + 7, SPARE + 4
    movl $4, %ecx
    testl %ebx, %ebx
    jnz 2f
1:  movl $SPARE + 7, DIRECTORY(, %ecx, 4)
    incl %ecx
    cmpl $1024, %ecx
    jb 1b
    jmp 3f
2:  movl $ARENA + 0x87, DIRECTORY(, %ecx, 4)
    incl %ecx
    cmpl $1024, %ecx
    jb 2b
    movl %cr4, %eax
    orl $0x10, %eax                 /* PSE */
    movl %eax, %cr4
3:  movl $4, %ecx
4:  movl %ecx, %edi
    shll $22, %edi
    addl $0x1000, %edi
    movl %ecx, (%edi)
    addl (%edi), %edx
    incl %ecx
    cmpl $1024, %ecx
    jb 4b
    LEAVE

/* The space fills up with all paging off, and on, and off. */
PROGRAM paging_on_and_off, 1, END_EXIT, PAGED
    movl $200, %ecx
    xorl %ebx, %ebx
1:  movl %cr0, %eax
    xorl $0x80000000, %eax
    movl %eax, %cr0
    addl ARENA, %ebx
    incl ARENA
    loop 1b
    NOTE %ebx
    LEAVE

/* Segments that go round the top of the space. */
PROGRAM segments_around_the_top, 1, END_EXIT, PAGED
    movl $0x0000FFFF, gdt + WILD_GATE
    movl $0xFFCF9300, gdt + WILD_GATE + 4   /* base FF000000h */
    movl $WILD_GATE, %eax
    movw %ax, %fs
    movl $0x12345678, ARENA
    movl %fs:ARENA + 0x01000000, %eax
    NOTE %eax
    RESUME 1f
    movl %fs:0x00FFFFF0, %eax
1:  RESUME 2f
    movl %fs:0x00000000, %eax
2:  LEAVE

/* Write to everything that is not the program, in strides, from the top
 * down: whatever else is there should bear it. */
PROGRAM writes_all_memory, 1, END_EXIT, 0
    movl $ARENA, %edi
    movl $(MEMORY_END - ARENA) >> 2, %ecx
    movl $0xDEADBEEF, %eax
    rep stosl
    movl $0x1000, %edi
    movl $(0xA0000 - 0x1000) >> 2, %ecx
    rep stosl
    NOTE %edi
    movl $MEMORY_END, %esi          /* nothing answers here */
    movl %eax, (%esi)
    movl (%esi), %eax
    NOTE %eax
    LEAVE

/* A fault in the middle of a string instruction leaves its registers where it
 * got to. */
PROGRAM faults_in_strings, 8, END_EXIT, PAGED
    movl $MEMORY_END - 10, %edi
    movl $MEMORY_END - 23, %esi
    cmpl $4, %ebx
    jb 1f
    movl $SCRATCH, %edi
1:  movl $20, %ecx
    RESUME 3f
    andl $3, %ebx
    jmp *2f(, %ebx, 4)
2:  .long 4f, 5f, 6f, 7f
4:  rep movsb
    LEAVE
5:  rep movsw
    LEAVE
6:  movl $100, %ecx
    repe cmpsl
    LEAVE
7:  rep lodsl
    LEAVE
3:  NOTE %ecx
    NOTE %esi
    NOTE %edi
    LEAVE

    .section .note.GNU-stack, "", @progbits
