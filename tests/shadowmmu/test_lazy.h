/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_lazy.h - a guest that flushes late.
 *
 * It changes the entries of two page tables, and a directory's entry that links
 * the one or the other, and flushes only sometimes. It may see a page by any
 * entries that were there since that page was last flushed, and by nothing
 * else. SDM 3A, "Recommended Invalidation", "Optional Invalidation".
 */
#ifndef TESTS_SHADOWMMU_TEST_LAZY_H
#define TESTS_SHADOWMMU_TEST_LAZY_H

#include "tests/shadowmmu/test_program.h"

enum { DIRECTORY = 0x1000, OTHER = 0x2000, TABLE = 0x3000, PAGES_USED = 16 };
enum { RWU = PTE_P | PTE_W | PTE_U };
enum { TABLE_LINEAR = 63 << 12 }; /* the guest writes its table here */

static inline struct world *lazy_space(const struct mmu_technique *t,
                                       unsigned without)
{
    struct world *w = world_create(t, 0, 1, without);

    world_poke(w, DIRECTORY, TABLE | RWU);
    world_poke(w, OTHER, TABLE | RWU);
    for (uint32_t i = 0; i < 63; i++)
        world_poke(w, TABLE + i * 4, (0x100 + i) << 12 | RWU);
    world_poke(w, TABLE + 63 * 4, TABLE | RWU);
    world_cr3(w, DIRECTORY);
    world_mode(w, CR0_PE | CR0_PG | CR0_WP, CR4_PSE);
    return w;
}

/* The same guest in either format: it reaches its directory and its tables at
 * the last pages that each of the tables maps. */
enum {
    SECOND_TABLE = 0x4000,
    POINTER_PAGE = 0x5000, /* PAE */
    WINDOWS = 3,
    FIRST_WINDOW = 64 - WINDOWS,
    HISTORY = 64,
};
static const uint32_t window_frame[WINDOWS] = {DIRECTORY, TABLE, SECOND_TABLE};

struct history {
    uint64_t entry[HISTORY];
    unsigned count;
};

struct lazy {
    struct world *w;
    bool pae;
    struct history pde[PAGES_USED];    /* the directory's, for each page */
    struct history pte[2][PAGES_USED]; /* by table */
};

static inline uint32_t lazy_at(const struct lazy *l, uint32_t table,
                               uint32_t index)
{
    return table + index * (l->pae ? 8 : 4);
}

static inline struct lazy lazy_create(const struct mmu_technique *t,
                                      unsigned without, bool pae)
{
    struct lazy l = {.w = world_create(t, 0, 1, without), .pae = pae};

    world_poke(l.w, POINTER_PAGE, DIRECTORY | PTE_P);
    world_poke(l.w, DIRECTORY, TABLE | RWU);
    for (uint32_t i = 0; i < FIRST_WINDOW; i++) {
        world_poke(l.w, lazy_at(&l, TABLE, i), (0x100 + i) << 12 | RWU);
        world_poke(l.w, lazy_at(&l, SECOND_TABLE, i), (0x140 + i) << 12 | RWU);
    }
    for (uint32_t i = 0; i < WINDOWS; i++) {
        uint32_t entry = window_frame[i] | RWU;

        world_poke(l.w, lazy_at(&l, TABLE, FIRST_WINDOW + i), entry);
        world_poke(l.w, lazy_at(&l, SECOND_TABLE, FIRST_WINDOW + i), entry);
    }
    l.w->vcpu.efer = pae ? EFER_NXE : 0;
    world_mode(l.w, CR0_PE | CR0_WP, pae ? CR4_PAE : CR4_PSE);
    world_cr3(l.w, pae ? POINTER_PAGE : DIRECTORY);
    world_mode(l.w, CR0_PE | CR0_PG | CR0_WP, l.w->vcpu.cr4);
    return l;
}

static inline void remember(struct history *h, uint64_t entry)
{
    if (h->count < HISTORY)
        h->entry[h->count++] = entry;
}

static inline bool lazy_room(const struct history *h)
{
    return h->count < HISTORY;
}

/* ---- what the guest does ---- */

/* A store to half an entry (or a whole one of 4 bytes), through a window. */
static inline void lazy_store(struct lazy *l, unsigned window, uint32_t index,
                              bool upper, uint32_t value)
{
    uint32_t linear = (FIRST_WINDOW + window) << PAGE_SHIFT;

    world_access(l->w, lazy_at(l, linear, index) + (upper ? 4 : 0), ACC_WRITE,
                 value);
}

static inline void lazy_change_page(struct lazy *l)
{
    struct world *w = l->w;
    unsigned second = world_random(w, 2);
    uint32_t page = world_random(w, PAGES_USED), value;
    uint32_t at = lazy_at(l, second ? SECOND_TABLE : TABLE, page);
    bool upper = l->pae && world_random(w, 3) == 0;

    if (!lazy_room(&l->pte[second][page]))
        return;
    remember(&l->pte[second][page], reference_entry(w, at));
    if (upper)
        value = program_upper(w);
    else
        value = (0x100 + world_random(w, 64)) << 12 |
                (world_random(w, 4) ? RWU : world_random(w, 8)) |
                (world_random(w, 3) ? 0 : PTE_G);
    lazy_store(l, 1 + second, page, upper, value);
}

/* The kernel's own way to its tables stays. */
static inline void lazy_change_directory(struct lazy *l)
{
    struct world *w = l->w;
    bool upper = l->pae && world_random(w, 3) == 0;
    uint64_t old = reference_entry(w, DIRECTORY);
    uint32_t value = (world_random(w, 2) ? TABLE : SECOND_TABLE) | PTE_P |
                     PTE_W | (world_random(w, 4) ? PTE_U : 0);

    for (unsigned page = 0; page < PAGES_USED; page++)
        if (!lazy_room(&l->pde[page]))
            return;
    for (unsigned page = 0; page < PAGES_USED; page++)
        remember(&l->pde[page], old);
    if (upper)
        value = world_random(w, 2) ? 0x80000000 : 0;
    lazy_store(l, 0, 0, upper, value);
}

static inline void lazy_forget(struct lazy *l, uint32_t page)
{
    l->pde[page].count = 0;
    l->pte[0][page].count = l->pte[1][page].count = 0;
}

static inline bool ever_global(const struct lazy *l, uint32_t page)
{
    uint64_t any = reference_entry(l->w, lazy_at(l, TABLE, page)) |
                   reference_entry(l->w, lazy_at(l, SECOND_TABLE, page));

    for (unsigned t = 0; t < 2; t++)
        for (unsigned i = 0; i < l->pte[t][page].count; i++)
            any |= l->pte[t][page].entry[i];
    return (any & PTE_G) != 0;
}

static inline void lazy_load_cr3(struct lazy *l)
{
    world_cr3(l->w, l->w->vcpu.cr3);
    for (uint32_t page = 0; page < PAGES_USED; page++)
        if (!ever_global(l, page))
            lazy_forget(l, page);
}

/* ---- what it may see ---- */

static inline bool shows(const struct lazy *l, uint64_t pde, uint64_t pte,
                         unsigned access, uint32_t gpa)
{
    return (pte & PTE_P) && !reference_malformed(l->w, pte) &&
           reference_allows(l->w, rights_both(pde, pte), access) &&
           (pte & PTE_FRAME) == (gpa & PTE_FRAME);
}

static inline bool shows_by(const struct lazy *l, uint64_t pde, uint32_t page,
                            unsigned access, uint32_t gpa)
{
    bool second = (pde & PTE_FRAME) == SECOND_TABLE;
    const struct history *h = &l->pte[second][page];
    uint32_t at = lazy_at(l, second ? SECOND_TABLE : TABLE, page);
    bool any = shows(l, pde, reference_entry(l->w, at), access, gpa);

    for (unsigned i = 0; i < h->count; i++)
        any |= shows(l, pde, h->entry[i], access, gpa);
    return any;
}

/* By any directory entry and any entry of its table. */
static inline bool once_so(const struct lazy *l, uint32_t page, unsigned access,
                           uint32_t gpa)
{
    const struct history *h = &l->pde[page];
    bool any = shows_by(l, reference_entry(l->w, DIRECTORY), page, access, gpa);

    for (unsigned i = 0; i < h->count; i++)
        any |= shows_by(l, h->entry[i], page, access, gpa);
    return any;
}

/* Which entries are marked is the processor's business. */
static inline void copy_marks(struct lazy *l, uint32_t page)
{
    const uint32_t at[] = {DIRECTORY, lazy_at(l, TABLE, page),
                           lazy_at(l, SECOND_TABLE, page)};

    for (unsigned i = 0; i < sizeof at / sizeof *at; i++)
        l->w->reference[at[i]] = (uint8_t)guest_read(l->w, at[i]);
}

/* Returns whether it saw something older. */
static inline bool lazy_look(struct lazy *l, uint64_t seed)
{
    static const unsigned accesses[] = {ACC_USER, ACC_USER | ACC_WRITE,
                                        ACC_USER | ACC_FETCH, 0};
    struct world *w = l->w;
    uint32_t page = world_random(w, PAGES_USED), ma = 0;
    unsigned access = accesses[world_random(w, 4)];
    bool stepping = false, same;
    struct outcome_of got, want;

    copy_marks(l, page);
    want = reference_access(w, page << PAGE_SHIFT, access, false);
    got = world_translate(w, page << PAGE_SHIFT, access, &ma, &stepping);
    copy_marks(l, page);
    same =
        got.what == want.what && got.gpa == want.gpa && got.error == want.error;
    cr_assert(same ||
                  (got.what == OUTCOME_OK && once_so(l, page, access, got.gpa)),
              "seed %u page %u: %08x, not %08x", (unsigned)seed, (unsigned)page,
              (unsigned)got.gpa, (unsigned)want.gpa);
    return !same;
}

/* Returns how often it saw what is not there any more. */
static inline unsigned lazy_guest(const struct mmu_technique *t, uint64_t seed,
                                  bool pae)
{
    struct lazy l = lazy_create(t, seed % 2 ? 0 : MMU_OPTIMIZATIONS, pae);
    unsigned older = 0;
    uint32_t page;

    l.w->random = seed * 77777 + 1;
    if (seed & 2)
        world_mode(l.w, l.w->vcpu.cr0, l.w->vcpu.cr4 | CR4_PGE);
    for (unsigned step = 0; step < 3000; step++) {
        switch (world_random(l.w, 16)) {
        case 0:
        case 1:
        case 2: lazy_change_page(&l); break;
        case 3: lazy_change_directory(&l); break;
        case 4:
        case 5:
            page = world_random(l.w, PAGES_USED);
            mmu_invlpg(l.w->mmu, page << PAGE_SHIFT);
            lazy_forget(&l, page);
            break;
        case 6:
            if (world_random(l.w, 4) == 0)
                lazy_load_cr3(&l);
            break;
        default: older += lazy_look(&l, seed); break;
        }
        assert_audit(l.w);
    }
    world_destroy(l.w);
    return older;
}

/* In both formats. A guest that never saw anything old would prove nothing. */
static inline void lazy_guests(const struct mmu_technique *t, uint64_t seeds)
{
    unsigned older[2] = {0, 0};

    for (uint64_t seed = 1; seed <= seeds; seed++)
        for (unsigned pae = 0; pae < 2; pae++)
            older[pae] += lazy_guest(t, seed, pae);
    cr_assert(older[0] > 0 && older[1] > 0, "%u, %u", older[0], older[1]);
}

#endif
