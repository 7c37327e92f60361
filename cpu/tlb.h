/* SPDX-License-Identifier: MIT */
/* cpu/tlb.h - the translation lookaside buffer, as a model.
 *
 * So many entries in sets of so many ways. An entry is one page of 4 KiB; a
 * larger page is there in pieces, as they are used. It is tagged by the VPID of
 * the guest that it belongs to (0: the machine's own software, and guests
 * without a VPID), by the nested tables that it was derived from, and may be
 * global. Only who has the same two tags finds it. The oldest entry of a set is
 * replaced; a hit changes nothing.
 *
 * The library that executes instructions keeps a TLB of its own, the engine's,
 * whose size it changes as the host's time passes. It never holds a page that
 * is not here: what leaves the model is dropped from it. So what hits there
 * hits here, too, and how often the model misses is the same on every host.
 *
 * Reference: SDM 3A, "Translation Lookaside Buffers (TLBs)", "Invalidation of
 * TLBs and Paging-Structure Caches"; SDM 3C, "Caching Translation Information"
 * of VMX: its linear mappings are the entries without nested tables, its
 * combined mappings those with.
 */
#ifndef CPU_TLB_H
#define CPU_TLB_H

#include "cpu/paging.h"

enum {
    TLB_ENTRIES = 2048, /* by default */
    TLB_WAYS = 16,
    TLB_ENTRIES_LEAST = 16,
    TLB_ENTRIES_MOST = 65536,
    TLB_WAYS_MOST = 16,
    TLB_REGIONS = 1024, /* of 4 MiB, the largest page */
};

/* Nested tables are told apart by bits 51:12 of their pointer, which physical
 * addresses of 32 bits leave room to spare in. */
#define TLB_NESTED_BY(eptp) ((uint32_t)((eptp) >> PAGE_SHIFT) + 1)

struct tlb_entry {
    uint64_t address; /* of the page of 4 KiB */
    uint64_t order;   /* entries filled before it, and itself; 0: empty */
    uint32_t page;    /* linear */
    uint32_t epoch;   /* of the engine's TLB that got it last */
    uint32_t nested;
    uint16_t tag;
    uint8_t page_shift; /* of the page that it is a piece of */
    bool writable : 1, user : 1, executable : 1, dirty : 1, global : 1;
};

struct tlb {
    struct tlb_entry *entry; /* set by set */
    uint16_t *used;          /* of each set: ways that are not empty, as bits */
    unsigned entries, ways, sets;
    uint64_t filled;
    uint32_t epoch;  /* counts the times that the engine's TLB was emptied */
    uint32_t nested; /* of who runs: TLB_NESTED_BY(EPTP), or 0 without EPT */
    uint16_t tag;    /* and its VPID */
    uint16_t pieces[TLB_REGIONS]; /* entries that are pieces, by region */
};

/* May a TLB have this shape? Powers of two, within the limits above. */
bool tlb_shape_valid(unsigned entries, unsigned ways);

/* An empty one of a valid shape. False: no host memory. */
bool tlb_create(struct tlb *t, unsigned entries, unsigned ways);
void tlb_destroy(struct tlb *t);

/* The entry for a linear address under the present tag, or NULL. Valid until
 * the next call that changes the model. */
struct tlb_entry *tlb_find(struct tlb *t, uint32_t linear);

enum tlb_filled {
    TLB_FREE,     /* there was room */
    TLB_EVICTED,  /* the set's oldest entry had to go, */
    TLB_DROPPED,  /* ... which the engine's TLB may have */
    TLB_REPLACED, /* it was there with other rights or another address */
    TLB_SAME,     /* it was there; dirty now */
};

/* A walk's result for an address, under the present tag. global: CR4.PGE is
 * set, and the page is. *e: what tlb_find() says of the address; then its
 * entry. */
enum tlb_filled tlb_fill(struct tlb *t, uint32_t linear,
                         const struct paging_walk *w, bool global,
                         struct tlb_entry **e);

/* INVLPG: the page of an address, with all its pieces, global or not. Returns
 * how many of them the engine's TLB may have; *lost: the address of one. */
unsigned tlb_drop(struct tlb *t, uint16_t tag, uint32_t linear, uint32_t *lost);

enum tlb_scope {
    TLB_LOCAL,      /* what is not global of a tag: MOV CR3, INVVPID 3 */
    TLB_CONTEXT,    /* all of a tag: CR4.PGE changes, INVVPID 1 */
    TLB_TAGGED,     /* of all tags but 0: INVVPID 2 */
    TLB_NESTED,     /* derived from these nested tables: INVEPT 1 */
    TLB_ALL_NESTED, /* from any: INVEPT 2 */
};
/* which: the tag, or TLB_NESTED_BY(EPTP), or nothing, as the scope says.
 * Returns how many of those that go the engine's TLB may have; lost gets the
 * addresses of the first of them, as many as it has room for. */
unsigned tlb_flush(struct tlb *t, enum tlb_scope scope, uint32_t which,
                   uint32_t *lost, unsigned room);
/* Are the entries of who runs in the scope? */
bool tlb_covers(const struct tlb *t, enum tlb_scope scope, uint32_t which);

/* As it was when *saved and its entries were copied, but for the engine's TLB,
 * which is empty. */
void tlb_restore(struct tlb *t, const struct tlb *saved, const void *entries);

/* How many entries there are at present. */
unsigned tlb_occupied(const struct tlb *t);

#endif
