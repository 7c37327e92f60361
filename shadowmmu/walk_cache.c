/* SPDX-License-Identifier: MIT */
/* shadowmmu/walk_cache.c - walks remembered. See shadowmmu/walk_cache.h. */
#include "shadowmmu/technique.h"

/* Accesses that are told apart: write, user, fetch. */
enum { KINDS = 8 };

void walk_cache_init(struct mmu *m)
{
    m->walks.generation = pmap_generation(m->c.pmap);
}

static struct walk_entry *slot_of(struct mmu *m, uint32_t linear)
{
    uint32_t page = linear >> PAGE_SHIFT;

    return &m->walks.entry[(page ^ page >> 7) % WALK_CACHE_ENTRIES];
}

static bool word_holds(const struct walk_entry *e, unsigned i)
{
    uint32_t low;

    memcpy(&low, e->word[i].at, sizeof low);
    if (e->entry_bytes == sizeof low)
        return low == (uint32_t)e->word[i].value;
    return memcmp(e->word[i].at, &e->word[i].value, sizeof(uint64_t)) == 0;
}

const struct walk_entry *walk_cache_find(struct mmu *m, uint32_t linear,
                                         unsigned access)
{
    const struct walk_entry *e = slot_of(m, linear);

    if (e->page_number != (linear >> PAGE_SHIFT) + 1 ||
        m->walks.seen != *m->walks.generation ||
        e->space != walk_cache_space(m->c.vcpu) ||
        !(e->free >> (access % KINDS) & 1))
        return NULL;
    for (unsigned i = 0; i < e->words; i++)
        if (!word_holds(e, i))
            return NULL;
    return e;
}

/* Where an entry of the guest's tables is in host memory; NULL: not in
 * memory. */
static const uint8_t *word_at(const struct mmu *m, gpa_t gpa)
{
    ma_t ma;
    enum pmap_kind kind = pmap_lookup(m->c.pmap, gpa, &ma);

    if (!pmap_readable(kind))
        return NULL;
    return memory_at(m->c.memory, ma);
}

/* The words that an allowed walk has read. False: one is not in memory. */
static bool take_words(const struct mmu *m, const struct paging *p,
                       uint32_t linear, const struct paging_walk *w,
                       struct walk_entry *e)
{
    e->entry_bytes = p->format->entry_bytes;
    for (unsigned level = w->level; level <= p->format->levels; level++) {
        struct walk_word *word = &e->word[e->words++];

        if (p->format == &paging_pae && level == LEVEL_PDPT)
            word->at = (const uint8_t *)&m->c.vcpu
                           ->pdpte[paging_index(p->format, level, linear)];
        else
            word->at = word_at(m, GPA(w->at[level]));
        word->value = w->entry[level];
        if (!word->at)
            return false;
    }
    return true;
}

/* Entries of PDPTE registers have no such bit. */
static bool all_accessed(const struct paging_walk *w)
{
    for (unsigned level = w->level; level <= LEVEL_PD && w->level; level++)
        if (!(w->entry[level] & PTE_A))
            return false;
    return true;
}

static uint8_t free_accesses(const struct paging *p,
                             const struct paging_walk *w, enum pmap_kind kind)
{
    uint8_t free = 0;

    for (unsigned access = 0; access < KINDS; access++) {
        bool write = (access & ACC_WRITE) != 0;

        if (paging_allows(p, access, w) &&
            (!write || (w->dirty && kind == PMAP_RAM)))
            free |= (uint8_t)(1u << access);
    }
    return free;
}

void walk_cache_add(struct mmu *m, uint32_t linear, const struct paging_walk *w,
                    enum pmap_kind kind, ma_t ma)
{
    struct walk_cache *c = &m->walks;
    struct walk_entry e = {
        .space = walk_cache_space(m->c.vcpu),
        .page_number = (linear >> PAGE_SHIFT) + 1,
        .page = memory_at(m->c.memory, MA(ma.v & ~(uint64_t)PAGE_MASK)),
        .gfn = walk_gfn(w),
        .references = w->references};
    struct paging p;

    mmu_translation(m, &p);
    if ((m->c.without & MMU_WALK_CACHE) || !all_accessed(w) ||
        (p.format && !take_words(m, &p, linear, w, &e)))
        return;
    e.free = free_accesses(&p, w, kind);
    if (c->seen != *c->generation) {
        memset(c->entry, 0, sizeof c->entry);
        c->seen = *c->generation;
    }
    *slot_of(m, linear) = e;
}
