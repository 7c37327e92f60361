/* SPDX-License-Identifier: MIT */
/* shadowmmu/walk_cache.c - walks remembered. See shadowmmu/walk_cache.h. */
#include "shadowmmu/technique.h"

/* Accesses that are told apart: write and user. A fetch is a read. */
enum { KINDS = 4 };

/* With paging off there are no words; these two never change. */
static const uint8_t no_word[sizeof(uint32_t)];

void walk_cache_init(struct mmu *m)
{
    m->walks.generation = pmap_generation(m->c.pmap);
}

static uint64_t tag_of(const struct mmu *m, uint32_t linear)
{
    const struct cpu_state *v = m->c.vcpu;
    uint64_t mode = 1u | ((v->cr0 & CR0_PG) ? 2u : 0) |
                    ((v->cr0 & CR0_WP) ? 4u : 0) |
                    ((v->cr4 & CR4_PSE) ? 8u : 0);

    return mode << 40 | (uint64_t)(v->cr3 >> PAGE_SHIFT) << 20 |
           linear >> PAGE_SHIFT;
}

static struct walk_entry *slot_of(struct mmu *m, uint32_t linear)
{
    uint32_t page = linear >> PAGE_SHIFT;

    return &m->walks.entry[(page ^ page >> 7) % WALK_CACHE_ENTRIES];
}

static bool word_is(const uint8_t *at, uint32_t value)
{
    uint32_t now;

    memcpy(&now, at, sizeof now);
    return now == value;
}

const struct walk_entry *walk_cache_find(struct mmu *m, uint32_t linear,
                                         unsigned access)
{
    const struct walk_entry *e = slot_of(m, linear);

    if (m->walks.seen != *m->walks.generation || e->tag != tag_of(m, linear) ||
        !(e->free >> (access % KINDS) & 1) || !word_is(e->pde, e->pde_value) ||
        !word_is(e->pte, e->pte_value))
        return NULL;
    return e;
}

/* Where a word of the guest's tables is in host memory; NULL: not in memory. */
static const uint8_t *word_at(const struct mmu *m, gpa_t gpa)
{
    ma_t ma;
    enum pmap_kind kind = pmap_lookup(m->c.pmap, gpa, &ma);

    if (kind != PMAP_RAM && kind != PMAP_ROM)
        return NULL;
    return memory_at(m->c.memory, ma);
}

static uint8_t free_accesses(const struct mmu *m, const struct guest_walk *w,
                             enum pmap_kind kind)
{
    uint32_t leaf = w->large ? w->pde : w->pte;
    bool accessed = !w->paging || (w->pde & leaf & PTE_A);
    uint8_t free = 0;

    for (unsigned access = 0; access < KINDS && accessed; access++) {
        bool write = (access & ACC_WRITE) != 0;

        if (walk_allows(m, access, w) &&
            (!write || (w->dirty && kind == PMAP_RAM)))
            free |= (uint8_t)(1u << access);
    }
    return free;
}

void walk_cache_add(struct mmu *m, uint32_t linear, const struct guest_walk *w,
                    enum pmap_kind kind, ma_t ma)
{
    struct walk_cache *c = &m->walks;
    struct walk_entry e = {
        .tag = tag_of(m, linear),
        .pde = no_word,
        .pte = no_word,
        .page = memory_at(m->c.memory, MA(ma.v & ~(uint64_t)PAGE_MASK)),
        .gfn = (uint32_t)(w->gpa.v >> PAGE_SHIFT),
        .free = free_accesses(m, w, kind)};

    if (m->c.without & MMU_WALK_CACHE)
        return;
    if (w->pde_valid) {
        e.pde = word_at(m, w->pde_gpa);
        e.pde_value = w->pde;
        e.references++;
    }
    if (w->pte_valid) {
        e.pte = word_at(m, w->pte_gpa);
        e.pte_value = w->pte;
        e.references++;
    }
    if (!e.pde || !e.pte)
        return;
    if (c->seen != *c->generation) {
        memset(c->entry, 0, sizeof c->entry);
        c->seen = *c->generation;
    }
    *slot_of(m, linear) = e;
}
