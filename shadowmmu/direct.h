/* SPDX-License-Identifier: MIT */
/* shadowmmu/direct.h - direct paging: what a paravirtual guest asks for.
 *
 * The guest's own tables hold machine addresses, and the processor walks them:
 * there is no second table, no hidden fault, nothing to trace. What keeps the
 * guest inside its memory is that it cannot write its tables. Each machine
 * frame has a type, which says what it is used as, and a count of these uses:
 *
 *   directory  CR3 names it, or it is pinned as one
 *   table      a directory's entry names it, or it is pinned as one
 *   writable   an entry of a page table maps it with W
 *
 * The types exclude each other, and change only when there is no use. Before
 * its first use as a table every entry of a frame is checked, and from then on
 * it changes through direct_update() alone. So no frame is a page table and
 * writable at once, and what a table says has been checked.
 *
 * A frame that no entry names and that has no use can be given back
 * (mmu_balloon), as in Xen's decrease_reservation. Taken back, the page has
 * another machine frame, which the guest must be told.
 *
 * Addresses are machine addresses; frame addresses are multiples of 4 KiB.
 * For the mmu of this technique alone.
 *
 * Reference: Barham et al., "Xen and the Art of Virtualization" (SOSP 2003);
 * Xen's xen/arch/x86/mm.c calls the counts type_count and count_info.
 */
#ifndef SHADOWMMU_DIRECT_H
#define SHADOWMMU_DIRECT_H

#include "shadowmmu/mmu.h"

enum frame_type {
    FRAME_UNTYPED,
    FRAME_WRITABLE,
    FRAME_TABLE,
    FRAME_DIRECTORY,
    FRAME_TYPES,
};
const char *frame_type_name(enum frame_type type); /* "page table" */

/* What came of a request. Refused, nothing has changed, and the rest says where
 * it failed: which value in which entry (0: none, the value is the request's),
 * and the guest-physical address of the frame that the value names (0 where it
 * is not the guest's). */
struct direct_answer {
    enum table_refusal why; /* REFUSAL_NONE: done */
    ma_t entry;
    uint32_t value;
    gpa_t gpa;
};

/* Write an entry of a table; in a frame that is none, a word. keep_bits: the
 * accessed and dirty bits that are set there stay. */
struct direct_answer direct_update(struct mmu *m, ma_t entry, uint32_t value,
                                   bool keep_bits);

/* The entry for a linear address in the page table that is in use; false: no
 * page table covers it. */
bool direct_entry(struct mmu *m, uint32_t linear, ma_t *entry);

/* Pinned, a frame stays a table of this type though nothing refers to it: the
 * guest pays for its check once. */
struct direct_answer direct_pin(struct mmu *m, ma_t frame,
                                enum frame_type type);
struct direct_answer direct_unpin(struct mmu *m, ma_t frame);

/* Change to a directory. The caller sets CR3 and calls mmu_cr3_written(). */
struct direct_answer direct_new_base(struct mmu *m, ma_t directory);

/* The VMM writes this page on its own account: it stays writable for good, and
 * is never a table. False: it is one. */
bool direct_hold(struct mmu *m, gpa_t page);

#endif
