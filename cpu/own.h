/* SPDX-License-Identifier: MIT */
/* cpu/own.h - the monitor's own memory in its guest's linear space.
 *
 * A monitor whose guest's kernel runs at ring 1 shares a linear space with it:
 * paging tells rings 0 to 2 from ring 3 only. Silicon has segment limits for
 * that ("segment truncation"), which this engine does not check. So there is
 * nothing in the monitor's space (machine_set_own_space()) for whoever asks:
 * the engine's TLB never has a page of it, and every access comes to the
 * TLB-fill hook and is refused. The exceptions are these:
 *
 * - Code of the monitor's is fetched. An entry for a fetch is of no use to a
 *   read or write.
 * - Descriptor tables are read by the processor itself. The engine knows their
 *   bases by 64 bits: it is told of an alias of the space above the 4 GiB that
 *   instructions can name (LINEAR_OWN).
 * - Instructions that the monitor's code has to reach its data, and no others,
 *   have a TLB of their own. In the engine's code for such an instruction the
 *   way to an entry of the TLB is overwritten (x86-64 hosts only):
 *
 *        as the engine wrote it         as it is then
 *        mov  %address, %rdi            movabs $entry, %rdi
 *        shr  $6, %rdi                  nop
 *        and  mask(%rbp), %rdi
 *        add  table(%rbp), %rdi
 *        lea  3(%address), %rsi         lea  3(%address), %rsi
 *        and  $-4096, %rsi              and  $-4096, %rsi
 *        cmp  (%rdi), %rsi              cmp  (%rdi), %rsi
 *        mov  %address, %rsi            mov  %address, %rsi
 *        jne  miss                      jne  miss
 *        add  32(%rdi), %rsi            add  32(%rdi), %rsi
 *        (the access, to (%rsi))        (the access)
 *
 *   An address that is not constant finds its entry by its page, without the
 *   comparison: it is the monitor's own, and in the space.
 *
 * Where the instruction is in the engine's code is told by what the engine
 * keeps with each block to find the EIP of a fault. Nothing is overwritten but
 * code that is byte for byte the left column. An instruction for which that
 * does not hold is refused like all others, which tells its exact EIP, and done
 * by hand. Where the engine's code cannot be known at all, the space is open.
 */
#ifndef CPU_OWN_H
#define CPU_OWN_H

#include <stdbool.h>
#include <stdint.h>

enum {
    OWN_PAGES = 1024, /* the space: 4 MiB, at a multiple of that */
    OWN_SEEN = 4096,
    OWN_TRIES = 64, /* without one success: the engine is not known */
};

/* An entry of the TLB as the engine's code reads it. */
struct own_entry {
    uint64_t read, write; /* the page's address where that is allowed */
    uint64_t unused[2];
    uint64_t addend; /* from a linear address to the host's */
    uint64_t unused_too[3];
};

struct own {
    uint32_t linear; /* of the space */
    bool placed;
    bool open;     /* not hidden */
    bool by_hand;  /* an own instruction is being done by hand */
    bool by_table; /* the processor reads or marks a descriptor */
    unsigned patched, failed;
    uintptr_t code, code_end; /* the engine's code, if it can be written */
    /* Blocks that were looked at, by where they call the block hook. */
    struct own_seen {
        const uint8_t *back;
        uint64_t address; /* another block may come to lie there */
    } seen[OWN_SEEN];
    struct own_entry entry[OWN_PAGES];
};

#endif
