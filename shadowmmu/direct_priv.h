/* SPDX-License-Identifier: MIT */
/* shadowmmu/direct_priv.h - inside direct paging (shadowmmu/direct*.c). */
#ifndef SHADOWMMU_DIRECT_PRIV_H
#define SHADOWMMU_DIRECT_PRIV_H

#include "shadowmmu/direct.h"
#include "shadowmmu/technique.h"

/* What an entry may have: the guest's own bits 11:9, and no more of caching,
 * large and global pages. A large page would be frames in a row, and a global
 * one outlive the flush that makes a change of type safe. */
#define ENTRY_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | 0xE00u)

struct frame_info {
    uint32_t references; /* entries that map it or link it */
    uint32_t uses;       /* of its type */
    uint32_t stamp;      /* the flush count when the last use ended */
    uint32_t unmapped;   /* and when the last reference did */
    uint8_t type;        /* enum frame_type; without uses: what it was */
    bool pinned;         /* one of the uses */
    bool held;           /* another: direct_hold() */
};

struct direct {
    uint64_t frames;          /* in the machine */
    struct frame_info *frame; /* by machine frame number */
    uint32_t flushes;         /* of the whole TLB, wraps */
    uint32_t tables;          /* frames in use as one */
    ma_t base;                /* the directory that CR3 names; 0: none yet */
};

static inline struct direct *direct_of(const struct mmu *m)
{
    return m->own;
}

static inline bool type_is_table(unsigned type)
{
    return type == FRAME_TABLE || type == FRAME_DIRECTORY;
}

static inline uint32_t frame_of(ma_t ma)
{
    return (uint32_t)(ma.v >> PAGE_SHIFT);
}

static inline ma_t entry_at(uint32_t frame, unsigned index)
{
    return MA(((uint64_t)frame << PAGE_SHIFT) + index * 4);
}

/* Is it this guest's memory? */
static inline bool frame_is_guests(const struct mmu *m, uint32_t frame)
{
    ma_t ma = MA((uint64_t)frame << PAGE_SHIFT);
    gpa_t gpa;

    return pmap_inverse(m->c.pmap, ma, &gpa) &&
           pmap_lookup(m->c.pmap, gpa, &ma) == PMAP_RAM;
}

/* The entry of a directory where the VMM's own space is, and its value. */
static inline unsigned hole_index(const struct mmu *m)
{
    return m->overlay.linear >> LARGE_PAGE_SHIFT;
}

static inline bool is_hole(const struct mmu *m, unsigned type, unsigned index)
{
    return type == FRAME_DIRECTORY && m->overlay.placed &&
           index == hole_index(m);
}

static inline uint32_t hole_entry(const struct mmu *m)
{
    return (uint32_t)m->overlay.table[0].v | PTE_P | PTE_W | PTE_A;
}

/* What an entry's target is used as, by the type of its table and its value:
 * FRAME_UNTYPED for a read-only mapping. */
static inline enum frame_type use_of(unsigned table, uint32_t entry)
{
    if (table == FRAME_DIRECTORY)
        return FRAME_TABLE;
    return entry & PTE_W ? FRAME_WRITABLE : FRAME_UNTYPED;
}

/* direct_types.c: begin and end a use of a frame; the references of an entry.
 * Refused, *answer is changed only where the reason is an entry of a table that
 * had to be checked. */
enum table_refusal type_use(struct mmu *m, uint32_t frame, enum frame_type type,
                            struct direct_answer *answer);
void type_unuse(struct mmu *m, uint32_t frame);
enum table_refusal entry_take(struct mmu *m, unsigned table, unsigned index,
                              uint32_t entry, struct direct_answer *answer);
void entry_drop(struct mmu *m, unsigned table, unsigned index, uint32_t entry);
/* Store a word of the guest's memory. */
void entry_store(struct mmu *m, ma_t at, uint32_t value);
void direct_flush(struct mmu *m);
void direct_set_root(struct mmu *m); /* direct.c */

/* direct_audit.c */
unsigned direct_audit(struct mmu *m, char *line, size_t bytes);

/* direct_save.c */
size_t direct_save(const struct mmu *m, void *buffer, size_t bytes);
bool direct_restore(struct mmu *m, const void *buffer, size_t bytes);

#endif
