/* SPDX-License-Identifier: MIT */
/* system.S - ports, registers, modes: anything, with anything. */
#include "hostile.h"

/* Every port but those that end a guest (debug exit, resets, power off, and
 * the debug exit's neighbours for wide accesses), with random values. */
PROGRAM every_port, 3, END_EXIT, NOT_LOGGED
    xorl %edx, %edx
1:  cmpl $0x64, %edx
    je 5f
    cmpl $0x60, %edx                /* the i8042's output port, by 64h */
    je 5f
    movl %edx, %eax
    addl $3, %eax
    subl $0xF4, %eax
    cmpl $7, %eax
    jb 5f
    movl %edx, %eax
    addl $3, %eax
    subl $0x92, %eax
    cmpl $4, %eax
    jb 5f
    movl %edx, %eax
    addl $3, %eax
    subl $0xCF9, %eax
    cmpl $4, %eax
    jb 5f
    movl %edx, %eax
    andl $0xFF00, %eax
    cmpl $0xB000, %eax              /* power management */
    je 5f
    cmpl $0x0600, %eax
    je 5f
    call random
    jmp *2f(, %ebx, 4)
2:  .long 3f, 4f, 6f
3:  outb %al, %dx
    inb %dx, %al
    jmp 5f
4:  outw %ax, %dx
    inw %dx, %ax
    jmp 5f
6:  outl %eax, %dx
    inl %dx, %eax
5:  incl %edx
    cmpl $0x10000, %edx
    jb 1b
    LEAVE

/* Ports that end a guest may; nothing else may happen. */
PROGRAM ports_at_random, 8, END_AS_BARE, NOT_LOGGED
    incl %ebx
    movl %ebx, seed
    movl $3000, %ecx
1:  call random
    movl %eax, %edx
    andl $0x3FF, %edx
    cmpl $0xF4, %edx
    je 1b
    call random
    outb %al, %dx
    loop 1b
    LEAVE

/* Wide strings of ports. */
PROGRAM port_strings, 6, END_EXIT, NOT_LOGGED | PAGED
    movl $MEMORY_END - 18, %edi
    movl %edi, %esi
    movl $0x3F8, %edx
    movl $40, %ecx
    RESUME 8f
    jmp *1f(, %ebx, 4)
1:  .long 2f, 3f, 4f, 5f, 6f, 7f
2:  rep insb
3:  rep insw
4:  rep insl
5:  rep outsb
6:  rep outsw
7:  movl $0xFFFF, %edx
    rep outsl
8:  NOTE %ecx
    LEAVE

/* Every model-specific register that may be there, with random values; what
 * was written is read again. The clock's is left out. The log is a sum. */
PROGRAM every_msr, 2, END_EXIT, 0
    RESUME 3f
    xorl %ecx, %ecx
    movl $0x400, %esi
1:  cmpl $0x10, %ecx
    je 4f
    testl %ebx, %ebx
    jz 2f
    call random
    movl %eax, %edx
    call random
    wrmsr
2:  rdmsr
    xorl %eax, hash
    roll $1, hash
    xorl %edx, hash
    jmp 4f
3:  movl $0, logged
    movl last_vector, %eax
    addl %eax, hash
    roll $1, hash
4:  incl %ecx
    decl %esi
    jnz 1b
    testl %ecx, %ecx
    js 5f
    movl $0xC0000080, %ecx
    movl $0x100, %esi
    jmp 1b
5:  NOTE hash
    LEAVE

/* Control registers: each bit alone, those of paging and protection aside. */
PROGRAM control_bits, 3, END_EXIT, NOT_TRAP | NOT_STATIC
    movl $1, %ecx
1:  RESUME 9f
    jmp *2f(, %ebx, 4)
2:  .long 3f, 4f, 5f
3:  movl %cr0, %eax
    movl %eax, %esi
    testl $0x80000001, %ecx
    jnz 8f
    xorl %ecx, %eax
    movl %eax, %cr0
    movl %cr0, %eax
    NOTE %eax
    smsw %ax
    movzwl %ax, %eax
    NOTE %eax
    movl %esi, %cr0
    jmp 8f
4:  testl $0x20, %ecx               /* PAE is another matter */
    jnz 8f
    movl %cr4, %esi
    movl %esi, %eax
    xorl %ecx, %eax
    movl %eax, %cr4
    movl %cr4, %eax
    NOTE %eax
    movl %esi, %cr4
    jmp 8f
5:  movl %ecx, %cr2
    movl %cr2, %eax
    NOTE %eax
    movl %ecx, %cr3
    movl %cr3, %eax
    NOTE %eax
    jmp 8f
9:  movl $0xBAD, %eax
    NOTE %eax
8:  shll $1, %ecx
    jnc 1b
    LEAVE

/* Paging and protection in wrong combinations. */
PROGRAM wrong_modes, 6, END_AS_BARE, NOT_TRAP | NOT_STATIC | MAY_REFUSE
    RESUME 9f
    movl %cr0, %eax
    jmp *1f(, %ebx, 4)
1:  .long 2f, 3f, 4f, 5f, 6f, 7f
2:  andl $~1, %eax                  /* PG without PE */
    orl $0x80000000, %eax
    movl %eax, %cr0
3:  orl $0x20000000, %eax           /* NW without CD */
    movl %eax, %cr0
    jmp 9f
4:  movl $0x20, %eax                /* PAE */
    movl %eax, %cr4
    jmp 9f
5:  movl $0xFFFFFFFF, %eax
    movl %eax, %cr4
    jmp 9f
6:  andl $~1, %eax                  /* real mode, in a 32-bit segment */
    movl %eax, %cr0
    movl %cr0, %eax
    NOTE %eax
    orl $1, %eax
    movl %eax, %cr0
    jmp 9f
7:  movl $0xC0000080, %ecx          /* long mode, which is not here */
    movl $0x00000100, %eax
    xorl %edx, %edx
    wrmsr
    rdmsr
    NOTE %eax
9:  LEAVE

/* Debug registers with anything. */
PROGRAM debug_registers, 4, END_EXIT, 0
    incl %ebx
    movl %ebx, seed
    RESUME 2f
    movl $200, %ecx
1:  call random
    movl %eax, %dr0
    call random
    movl %eax, %dr1
    call random
    movl %eax, %dr2
    call random
    movl %eax, %dr3
    movl %dr3, %eax
    NOTE %eax
    call random
    movl %eax, %dr6
    movl %dr6, %eax
    NOTE %eax
    call random
    andl $0xFFFFDFFF, %eax          /* GD aside */
    movl %eax, %dr7
    movl %dr7, %eax
    movl $0x400, %edx
    movl %edx, %dr7
    NOTE %eax
2:  loop 1b
    LEAVE

/* Frames for IRET with anything in them, but for EIP, TF and VM. */
PROGRAM wild_returns, 4, END_EXIT, NOT_TRAP
    incl %ebx
    movl %ebx, seed
    movw $0x40CD, SCRATCH           /* INT DONE */
    movl $300, left
    RESUME 1f
1:  decl left
    js 3f
    movl $2, %eax                   /* and NT */
    pushl %eax
    popfl
    movl $TOP_STACK, %esp
    call random
    andl $0xFFFB, %eax
    pushl %eax                      /* SS */
    pushl $ARENA + 0x1000
    call random
    andl $0x00241EFF, %eax          /* no TF, VM, NT */
    andl $~0x0100, %eax
    pushl %eax
    call random
    testl $0x10000, %eax
    jz 2f
    andl $0x5B, %eax
2:  andl $0xFFFB, %eax
    pushl %eax                      /* CS */
    pushl $SCRATCH
    iret
3:  LEAVE
    .data
left: .long 0
hash: .long 0
    .text

/* VM86 with anything in the segments, and random bytes for code. */
PROGRAM wild_vm86, 24, END_AS_BARE, PAGED | NOT_TRAP | NOT_STATIC
    incl %ebx
    movl %ebx, seed
    movl $SCRATCH, %edi
    movl $0x4000, %ecx
1:  call random
    stosl
    loop 1b
    movl $8, left
    RESUME 2f
2:  decl left
    js 3f
    movl $TOP_STACK, %esp
    movl $6, %ecx
4:  call random
    andl $0x0FFF, %eax              /* the random bytes, below 1 MiB */
    addl $0x1000, %eax
    pushl %eax                      /* GS FS DS ES SS, then ESP */
    loop 4b
    call random
    andl $0x00003002, %eax
    orl $0x00020002, %eax
    pushl %eax
    pushl $SCRATCH >> 4
    call random
    andl $0xFFFF, %eax
    pushl %eax
    iret
3:  LEAVE

/* Ring 3 tries what only the kernel may. */
PROGRAM programs_try, 24, END_EXIT, PAGED
    pushl $USER_DS
    pushl $ARENA + 0x1000
    pushl $2
    pushl $USER_CS
    imull $16, %ebx
    addl $1f, %ebx
    pushl %ebx
    xorl %eax, %eax
    iret
    .macro TRY instruction:vararg
    .balign 16
    \instruction
    int $DONE
    .endm
    .balign 16
1:  TRY cli
    TRY sti
    TRY hlt
    TRY inb $0x80, %al
    TRY outl %eax, %dx
    TRY insb
    TRY lgdt gdtr
    TRY lidt idtr
    TRY lldt %ax
    TRY ltr %ax
    TRY lmsw %ax
    TRY clts
    TRY invd
    TRY wbinvd
    TRY invlpg 0
    TRY movl %cr0, %eax
    TRY movl %eax, %cr3
    TRY movl %eax, %dr7
    TRY rdmsr
    TRY wrmsr
    TRY sysexit
    TRY int $0x0E                   /* a gate for the kernel alone */
    TRY iret
    TRY .byte 0x0F, 0x01, 0xC1      /* VMCALL */

/* A single step through everything that looks at the flags. */
PROGRAM single_steps, 1, END_EXIT, NOT_TRAP
    RESUME 2f
    pushl $0x102
    popfl
    nop
1:  pushfl
    popl %eax
    pushl $0x102
    popfl
    cli
    movl $KERNEL_DS, %eax
    movw %ax, %ss
    nop
    movl %cr0, %eax
    LEAVE
2:  incl left
    cmpl $1, left
    ja 3f
    pushl $0x102                    /* go on, with TF */
    pushl $KERNEL_CS
    pushl last_eip
    iret
3:  LEAVE

PROGRAM loops_with_interrupts_off, 1, END_NEVER, 0
    cli
1:  jmp 1b

PROGRAM long_strings, 1, END_NEVER, PAGED
1:  movl $ARENA, %esi
    movl $ARENA + 0x100000, %edi
    movl $0x100000, %ecx
    rep movsb
    jmp 1b

PROGRAM halts_with_interrupts_off, 1, END_DEAD, 0
    cli
    hlt

PROGRAM interrupts_itself_for_ever, 1, END_NEVER, 0
    RESUME 1f
1:  int $DONE

    .section .note.GNU-stack, "", @progbits
