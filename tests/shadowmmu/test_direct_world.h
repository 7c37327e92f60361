/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_direct_world.h - a guest under direct paging, and a
 * model of what it may do.
 *
 * The model counts nothing. It has the words of the guest's frames, CR3 and the
 * pins, finds out anew at each question which frames are page tables and which
 * are writable, and allows a request if no rule is broken while the new
 * reference and the old one are both there.
 */
#ifndef TESTS_SHADOWMMU_TEST_DIRECT_WORLD_H
#define TESTS_SHADOWMMU_TEST_DIRECT_WORLD_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "shadowmmu/direct_priv.h"

enum {
    MACHINE_PAGES = 256,
    PAGES = 24,        /* the guest's */
    FOREIGN_PAGES = 4, /* another guest's */
    WORDS = 6,         /* of a page that are ever used, and the last one */
    HOLE = TABLE_ENTRIES - 1,
    TLB_SIZE = 32,
};

struct tlb_entry {
    bool valid;
    uint32_t page, ma;
    bool writable;
};

struct model {
    uint32_t word[PAGES][WORDS + 1]; /* the last is HOLE */
    enum frame_type pinned[PAGES];   /* FRAME_UNTYPED: not */
    unsigned base;
    bool held[PAGES];
};

/* A reference that is there beside those of the model. */
struct extra {
    int base, pin; /* page; -1: none */
    enum frame_type pin_type;
    int page; /* an entry of it */
    unsigned index;
    uint32_t entry;
};
static const struct extra no_extra = {.base = -1, .pin = -1, .page = -1};

struct world {
    struct memory memory;
    struct frames *frames;
    struct commons *commons;
    struct pmap *pmap, *foreign;
    struct cpu_state vcpu;
    struct trace trace;
    struct mmu *mmu;
    ma_t root;
    struct tlb_entry tlb[TLB_SIZE];
    uint64_t random;
    struct model model;
};

/* ---- addresses ------------------------------------------------------------
 */

static inline ma_t page_ma(const struct world *w, unsigned page)
{
    ma_t ma = MA(0);

    cr_assert_eq(pmap_lookup(w->pmap, GPA(page * PAGE_BYTES), &ma), PMAP_RAM);
    return ma;
}

static inline uint32_t foreign_ma(const struct world *w, unsigned page)
{
    ma_t ma = MA(0);

    pmap_lookup(w->foreign, GPA(page * PAGE_BYTES), &ma);
    return (uint32_t)ma.v;
}

/* The guest's page behind an entry; -1: none of its. */
static inline int page_of(const struct world *w, uint32_t entry)
{
    gpa_t gpa;

    if (!pmap_inverse(w->pmap, MA(entry & PTE_FRAME), &gpa))
        return -1;
    return (int)(gpa.v / PAGE_BYTES);
}

/* The entry of a page, by the model's index. */
static inline ma_t word_ma(const struct world *w, unsigned page, unsigned word)
{
    unsigned index = word == WORDS ? HOLE : word;

    return MA(page_ma(w, page).v + index * 4);
}

static inline uint32_t world_random(struct world *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 32) % n;
}

/* ---- the model -------------------------------------------------------------
 */

/* What each page is, with the extra reference. */
struct roles {
    bool table[PAGES], directory[PAGES], writable[PAGES];
    bool broken; /* a rule is */
};

typedef void entry_fn(const struct world *w, struct roles *r, uint32_t entry);

/* Each present entry of a page, the extra one included; of a directory not the
 * last, which is the VMM's. */
static inline void each_entry(const struct world *w, const struct extra *x,
                              unsigned page, struct roles *r, entry_fn *visit)
{
    unsigned words = r->directory[page] ? WORDS : WORDS + 1;

    for (unsigned i = 0; i < words; i++)
        if (w->model.word[page][i] & PTE_P)
            visit(w, r, w->model.word[page][i]);
    if (x->page == (int)page && (x->entry & PTE_P))
        visit(w, r, x->entry);
}

static inline void visit_link(const struct world *w, struct roles *r,
                              uint32_t entry)
{
    int page = page_of(w, entry);

    if (page < 0 || (entry & 0x198))
        r->broken = true;
    else
        r->table[page] = true;
}

static inline void visit_mapping(const struct world *w, struct roles *r,
                                 uint32_t entry)
{
    int page = page_of(w, entry);

    if (page < 0 || (entry & 0x198))
        r->broken = true;
    else if (entry & PTE_W)
        r->writable[page] = true;
}

static inline struct roles model_roles(const struct world *w,
                                       const struct extra *x)
{
    const struct model *m = &w->model;
    struct roles r = {.broken = false};

    r.directory[m->base] = true;
    if (x->base >= 0)
        r.directory[x->base] = true;
    for (unsigned page = 0; page < PAGES; page++) {
        r.writable[page] = m->held[page];
        r.table[page] = m->pinned[page] == FRAME_TABLE;
        r.directory[page] |= m->pinned[page] == FRAME_DIRECTORY;
        if (x->pin == (int)page && x->pin_type == FRAME_TABLE)
            r.table[page] = true;
        if (x->pin == (int)page && x->pin_type == FRAME_DIRECTORY)
            r.directory[page] = true;
    }
    for (unsigned page = 0; page < PAGES; page++) {
        uint32_t hole = m->word[page][WORDS];

        if (!r.directory[page])
            continue;
        r.broken |= (hole & PTE_P) &&
                    (hole & PTE_FRAME) != (hole_entry(w->mmu) & PTE_FRAME);
        each_entry(w, x, page, &r, visit_link);
    }
    for (unsigned page = 0; page < PAGES; page++)
        if (r.table[page])
            each_entry(w, x, page, &r, visit_mapping);
    for (unsigned page = 0; page < PAGES; page++)
        r.broken |= r.table[page] + r.directory[page] + r.writable[page] > 1;
    return r;
}

/* A directory has the VMM's entry while it is one. */
static inline void model_settle(struct world *w, const struct roles *before)
{
    struct roles now = model_roles(w, &no_extra);

    cr_assert(!now.broken, "the model broke its own rules");
    for (unsigned page = 0; page < PAGES; page++)
        if (now.directory[page])
            w->model.word[page][WORDS] = hole_entry(w->mmu);
        else if (before->directory[page])
            w->model.word[page][WORDS] = 0;
}

/* ---- the pretended processor ----------------------------------------------
 */

static inline void fake_flush_all(void *ctx)
{
    struct world *w = ctx;

    memset(w->tlb, 0, sizeof w->tlb);
    w->trace.count.tlb_flushes++;
}

static inline void fake_set_root(void *ctx, const struct mmu_root *root)
{
    ((struct world *)ctx)->root = root->ma;
}

static inline void fake_flush_page(void *ctx, uint32_t linear)
{
    struct world *w = ctx;

    w->tlb[(linear >> PAGE_SHIFT) % TLB_SIZE].valid = false;
}

/* Walk the tables and remember what they say, as a speculating processor. */
static inline void fake_touch(struct world *w, uint32_t linear)
{
    struct tlb_entry *e = &w->tlb[(linear >> PAGE_SHIFT) % TLB_SIZE];
    uint32_t pde, pte;

    pde = memory_read32(&w->memory, MA(w->root.v + (linear >> 22) * 4));
    if (!(pde & PTE_P) || linear >> 22 == HOLE)
        return;
    pte = memory_read32(&w->memory,
                        MA((pde & PTE_FRAME) + (linear >> 12 & 1023) * 4));
    if (pte & PTE_P)
        *e = (struct tlb_entry){true, linear >> PAGE_SHIFT, pte & PTE_FRAME,
                                (pde & pte & PTE_W) != 0};
}

/* ---- life ------------------------------------------------------------------
 */

/* Page 0 is the first directory; it links page 1, which maps all pages for
 * reading, and the others but 0 and 1 for writing. */
static inline void first_tables(struct world *w)
{
    uint32_t linear;

    memory_write32(&w->memory, page_ma(w, 0),
                   (uint32_t)page_ma(w, 1).v | PTE_P | PTE_W);
    w->model.word[0][0] = (uint32_t)page_ma(w, 1).v | PTE_P | PTE_W;
    w->vcpu.cr3 = (uint32_t)page_ma(w, 0).v;
    w->vcpu.cr0 = CR0_PE | CR0_PG | CR0_WP;
    w->vcpu.cr4 = CR4_PSE;
    mmu_mode_changed(w->mmu, CR0_PE, 0);
    cr_assert(mmu_overlay_create(w->mmu));
    cr_assert(mmu_find_overlay(w->mmu, &linear));
    cr_assert_eq(linear, 0xFFC00000);
    mmu_set_overlay(w->mmu, linear);
    w->model.pinned[0] = FRAME_DIRECTORY;
    w->model.word[0][WORDS] = hole_entry(w->mmu);
}

static inline struct world *world_create(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    struct mmu_config c = {0};

    w->random = seed * 0x9E3779B97F4A7C15u + 1;
    w->memory.host = calloc(MACHINE_PAGES, PAGE_BYTES);
    w->memory.bytes = (uint64_t)MACHINE_PAGES * PAGE_BYTES;
    w->frames = frames_create(&w->memory, MA(2 * PAGE_BYTES),
                              w->memory.bytes - 2 * PAGE_BYTES);
    w->commons = commons_create(&w->memory, w->frames);
    w->pmap = pmap_create(w->commons);
    w->foreign = pmap_create(w->commons);
    cr_assert(pmap_add(w->pmap, GPA(0), PAGES * PAGE_BYTES, PMAP_RAM));
    cr_assert(
        pmap_add(w->foreign, GPA(0), FOREIGN_PAGES * PAGE_BYTES, PMAP_RAM));
    trace_init(&w->trace, NULL);
    c.memory = &w->memory;
    c.frames = w->frames;
    c.pmap = w->pmap;
    c.vcpu = &w->vcpu;
    c.hardware.set_root = fake_set_root;
    c.hardware.flush_all = fake_flush_all;
    c.hardware.flush_page = fake_flush_page;
    c.hardware.ctx = w;
    c.trace = &w->trace;
    w->mmu = mmu_direct.create(&c);
    cr_assert_not_null(w->mmu);
    first_tables(w);
    return w;
}

static inline void world_destroy(struct world *w)
{
    mmu_destroy(w->mmu);
    pmap_destroy(w->pmap);
    pmap_destroy(w->foreign);
    commons_destroy(w->commons);
    frames_destroy(w->frames);
    free(w->memory.host);
    free(w);
}

static inline void assert_audit(struct world *w)
{
    char line[200];

    cr_assert_eq(mmu_audit(w->mmu, line, sizeof line), 0, "%s", line);
}

/* ---- requests --------------------------------------------------------------
 */

static inline enum table_refusal update(struct world *w, unsigned page,
                                        unsigned word, uint32_t value)
{
    return direct_update(w->mmu, word_ma(w, page, word), value, false).why;
}

static inline enum table_refusal new_base(struct world *w, uint32_t directory)
{
    struct direct_answer a = direct_new_base(w->mmu, MA(directory));

    if (a.why == REFUSAL_NONE) {
        w->vcpu.cr3 = directory;
        mmu_cr3_written(w->mmu);
    }
    return a.why;
}

#endif
