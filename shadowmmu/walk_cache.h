/* SPDX-License-Identifier: MIT */
/* shadowmmu/walk_cache.h - the VMM's own memory of walks that it has done.
 *
 * To deliver one event to the guest, its IDT, GDT, TSS and stack are reached
 * through its tables some fifteen times. An entry here remembers such a walk
 * and where the guest's words are that it was read from, and is believed only
 * while those words say the same. So it is never older than the guest's tables
 * (stricter than a TLB), needs no flush, and changes nothing that can be seen.
 *
 * Forgotten altogether when the PMap changes, for the words and the page may
 * have moved in machine memory then.
 */
#ifndef SHADOWMMU_WALK_CACHE_H
#define SHADOWMMU_WALK_CACHE_H

#include "shadowmmu/mmu.h"

enum { WALK_CACHE_ENTRIES = 128 };

/* An entry of the guest's tables where it is in host memory (or a PDPTE
 * register in the virtual processor), and what it said. */
struct walk_word {
    const uint8_t *at;
    uint64_t value;
};

enum { WALK_WORDS = 3 };

struct walk_entry {
    uint64_t space;       /* CR3, and what of the other registers matters */
    uint32_t page_number; /* + 1; 0: none */
    struct walk_word word[WALK_WORDS]; /* the page's first */
    uint8_t *page;                     /* the page in host memory */
    uint32_t gfn;                      /* and in the guest's */
    uint8_t references; /* words of the guest's tables that a walk reads */
    uint8_t words, entry_bytes;
    uint8_t free; /* bit n: access n needs no right and sets no bit */
};

struct walk_cache {
    const uint64_t *generation; /* the PMap's */
    uint64_t seen;              /* when the entries were made */
    struct walk_entry entry[WALK_CACHE_ENTRIES];
};

void walk_cache_init(struct mmu *m);

/* The guest's address space, and how its tables are read. (The bits are
 * different ones in each register.) */
static inline uint64_t walk_cache_space(const struct cpu_state *v)
{
    uint32_t mode = (v->cr0 & (CR0_PG | CR0_WP)) |
                    (v->cr4 & (CR4_PSE | CR4_PAE)) |
                    ((uint32_t)v->efer & EFER_NXE);

    return (uint64_t)mode << 32 | v->cr3;
}

/* The walk for an access that the guest's tables allow, in whose entries no
 * bit remains to be set, and behind which there is memory (for a write: RAM).
 * NULL: do the walk. Who uses it counts its references. */
const struct walk_entry *walk_cache_find(struct mmu *m, uint32_t linear,
                                         unsigned access);

/* Remember an allowed walk after walk_commit(); ma is where it leads. */
void walk_cache_add(struct mmu *m, uint32_t linear, const struct paging_walk *w,
                    enum pmap_kind kind, ma_t ma);

#endif
