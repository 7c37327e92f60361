/* SPDX-License-Identifier: MIT */
/* guests/space/space.S - a kernel that leaves no linear address unused.
 *
 * It reads its directory through itself as soon as that is mapped, at the top,
 * where a VMM would be; then it maps all 4 GiB to themselves by large pages,
 * reads a device's register there, and looks for the end of memory by writing.
 * Then the same by page tables; and below the devices it takes a page away in
 * each 4 MiB, brings memory there, and uses that. "crowded" as the last word of
 * its command line: then the first 4 MiB of memory are everywhere, and no place
 * is left for a VMM. A letter on COM1 for what is right; the end is a write of 0
 * to the debug-exit port, of 1 where something is wrong.
 *
 * Reference: SDM 3A, "Paging", "Hierarchical Paging Structures".
 */
.set MULTIBOOT_MAGIC, 0x1BADB002
.set COM1, 0x3F8
.set DEBUG_EXIT, 0xF4
.set CR0_PG_WP, 0x80010000
.set CR4_PSE, 0x10
.set ENTRY, 0x03                    /* present, writable */
.set LARGE_ENTRY, 0x83
.set ACCESSED_DIRTY, 0x60
.set LAST, 1023
.set DIRECTORY_ITSELF, 0xFFFFF000
.set LAST_PLACE, 0xFFC00000
.set APIC_VERSION, 0xFEE00030
.set MIB, 0x100000
.set PATTERN, 0x55AA1234
.set PAGE, 0x1000
.set LARGE_PAGE, 0x400000
.set TABLES, 0x1000000              /* 4 MiB */
.set SPARE, 0x1400000               /* a page */
.set FIRST_VACANT, 0x8000000
.set DEVICES, 0xFEC00000
.set COMMAND_LINE, 16            /* in the boot information */

.section .multiboot, "a"
    .balign 4
multiboot:
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

.text
.globl space_start
space_start:
    movl $stack, %esp
    movl COMMAND_LINE(%ebx), %esi
1:  lodsb
    testb %al, %al
    jne 1b
    movb -2(%esi), %al
    movb %al, last_letter
    movl %cr4, %eax
    orl $CR4_PSE, %eax
    movl %eax, %cr4
    movl $LARGE_ENTRY, directory
    movl $directory, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $CR0_PG_WP, %eax
    movl %eax, %cr0

    /* What was not present may be used at once. */
    movl $directory + ENTRY, %eax
    movl %eax, directory + LAST * 4
    movl DIRECTORY_ITSELF + LAST * 4, %ebx
    andl $~ACCESSED_DIRTY, %ebx
    cmpl %eax, %ebx
    jne failed
    movb $'1', %al
    call put

    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $22, %eax
    orl $LARGE_ENTRY, %eax
    movl %eax, directory(, %ecx, 4)
    incl %ecx
    cmpl $LAST, %ecx
    jbe 1b
    movl %cr3, %eax
    movl %eax, %cr3
    movb $'2', %al
    call put
    movl APIC_VERSION, %eax
    cmpb $0x14, %al
    jne failed
    movb $'3', %al
    call put

    movl $MIB, %edi
2:  movl (%edi), %eax
    movl $PATTERN, (%edi)
    cmpl $PATTERN, (%edi)
    movl %eax, (%edi)
    jne 3f
    addl $MIB, %edi
    jmp 2b
3:  movl %edi, %eax
    shrl $20, %eax                  /* 64 MiB: an @ */
    call put

    call map_by_tables
    movb $'5', %al
    call put
    movl $FIRST_VACANT, %esi
4:  call use_vacant
    addl $LARGE_PAGE, %esi
    cmpl $DEVICES, %esi
    jb 4b
    movb $'6', %al
    call put
    cmpb $'d', last_letter
    jne 5f
    call crowd
    cmpl $MULTIBOOT_MAGIC, multiboot + LAST_PLACE
    jne failed
    movb $'7', %al
    call put
5:  xorl %eax, %eax
    jmp end
failed:
    movb $1, %al
end:
    movw $DEBUG_EXIT, %dx
    outb %al, %dx
    hlt

/* All 4 GiB to themselves by 1024 page tables. */
map_by_tables:
    movl $TABLES, %edi
    movl $ENTRY, %eax
1:  stosl
    addl $PAGE, %eax
    cmpl $ENTRY, %eax
    jne 1b
    movl $TABLES + ENTRY, %eax
    xorl %ecx, %ecx
2:  movl %eax, directory(, %ecx, 4)
    addl $PAGE, %eax
    incl %ecx
    cmpl $LAST, %ecx
    jbe 2b
    movl %cr3, %eax
    movl %eax, %cr3
    ret

/* The first 4 MiB at all places. */
crowd:
    movl $LARGE_ENTRY, %eax
    movl $directory, %edi
    movl $LAST + 1, %ecx
    rep stosl
    movl %cr3, %eax
    movl %eax, %cr3
    ret

/* The page at ESI: away; and without a word to the processor, for it was not
 * there, memory. */
use_vacant:
    movl %esi, %ebx
    shrl $12 - 2, %ebx
    addl $TABLES, %ebx              /* its entry */
    movl $0, (%ebx)
    invlpg (%esi)
    movl %esi, SPARE
    movl $SPARE + ENTRY, (%ebx)
    cmpl %esi, (%esi)
    jne failed
    movl $PATTERN, (%esi)
    cmpl $PATTERN, SPARE
    jne failed
    movl %esi, %eax
    orl $ENTRY, %eax
    movl %eax, (%ebx)
    invlpg (%esi)
    ret

put:
    movw $COM1, %dx
    outb %al, %dx
    ret

.bss
    .balign 4096
directory:
    .skip 4096
    .skip 4096
stack:
last_letter:
    .skip 1

.section .note.GNU-stack, "", @progbits
