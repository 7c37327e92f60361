/* SPDX-License-Identifier: MIT */
/* shadowmmu/unsync.h - guest page tables that are out of sync.
 *
 * A guest that writes a page table mostly writes many of its entries, and must
 * say so by a flush before it may rely on them. So the first traced write opens
 * the page: it stays writable, its shadow gets old like a TLB, and is brought
 * into line when the guest flushes. What the shadow was made from is kept for
 * the comparison. A page that the guest leaves alone is traced again.
 *
 * Rules (those of Xen's shadow/oos.c): leaf tables alone go out of sync; CR3
 * writes and changes of mode bring all into line, INVLPG and page faults one
 * entry; what is filled from such a table is brought into line first. So is a
 * table that a directory shows anew: no TLB has anything from there, and the
 * guest need not flush (it can be a page of a dead address space that is used
 * again).
 *
 * Invariant: each entry is right by the word of `before` that it stands for.
 */
#ifndef SHADOWMMU_UNSYNC_H
#define SHADOWMMU_UNSYNC_H

#include "shadowmmu/tables.h"

enum { UNSYNC_PAGES = 8, PAGE_WORDS = PAGE_BYTES / 4 };

struct unsync_page {
    uint32_t gfn;
    uint32_t calm; /* flushes in a row that found nothing changed */
    uint32_t before[PAGE_WORDS];
};

struct unsync {
    uint32_t count;
    uint32_t next; /* the one that makes room for another */
    struct unsync_page page[UNSYNC_PAGES];
};

struct mmu;

/* The page of this guest frame, or NULL: it is in sync. */
static inline struct unsync_page *unsync_find(struct unsync *u, uint32_t gfn)
{
    for (unsigned i = 0; i < u->count; i++)
        if (u->page[i].gfn == gfn)
            return &u->page[i];
    return NULL;
}

/* Let a traced page go out of sync. False: it must not. */
bool unsync_begin(struct mmu *m, uint32_t gfn);
/* Bring it into line and trace it again (nothing, if it is in sync). */
void unsync_end(struct mmu *m, uint32_t gfn);
/* Bring one entry of it into line (nothing, if it is in sync). */
void unsync_entry(struct mmu *m, uint32_t gfn, unsigned index);
/* Bring all of it into line; it stays out of sync (nothing, if it is in sync).
 */
void unsync_table(struct mmu *m, uint32_t gfn);
/* The guest flushed its TLB: bring all into line. */
void unsync_all(struct mmu *m);
/* Words first to last have been brought into line. */
void unsync_seen(struct mmu *m, uint32_t gfn, unsigned first, unsigned last);
/* The VMM set these bits in a word. */
void unsync_marked(struct mmu *m, gpa_t gpa, uint32_t bits);
/* No table is derived from it any more. */
void unsync_forget(struct mmu *m, uint32_t gfn);

#endif
