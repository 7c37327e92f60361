/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_program.h - random guests.
 *
 * Four directories and eight page tables in low memory, among them recursive
 * mappings, pages used as both, 4 MiB pages, tables shared by directories,
 * tables in ROM's and devices' place. The guest reaches its tables through a
 * kernel mapping of its memory, and through whatever else happens to map them.
 *
 * With CR4.PAE the same pages are directories and tables of 512 entries, under
 * four page-directory-pointer tables in one more page.
 */
#ifndef TESTS_SHADOWMMU_TEST_PROGRAM_H
#define TESTS_SHADOWMMU_TEST_PROGRAM_H

#include "tests/shadowmmu/test_world.h"

enum {
    DIRECTORIES = 4, /* frames 1 to 4 */
    FIRST_TABLE = 5, /* to 12 */
    KERNEL_TABLE = 13,
    POINTERS = 14, /* 32 bytes for each address space */
    LAST_TABLE = POINTERS,
    FRAMES_USED = 40,
    KERNEL_INDEX = 768,
    KERNEL_BASE = (int)0xC0000000,
};

static const unsigned program_indexes[] = {0, 1, 2, 100, 767, 1022, 1023};
enum { INDEXES = sizeof program_indexes / sizeof program_indexes[0] };
enum { PAGES = 6 }; /* used of each table */

struct program {
    struct world *w;
    bool flush; /* the guest flushes after every change of a table */
    bool modes; /* it changes its paging mode too */
    bool pae;   /* and between the formats */
};

static inline bool program_pae(const struct world *w)
{
    return (w->vcpu.cr4 & CR4_PAE) != 0;
}

/* Of one of the address spaces. */
static inline uint32_t program_cr3(const struct world *w, uint32_t space)
{
    return program_pae(w) ? POINTERS << 12 | space * 32 : (1 + space) << 12;
}

static inline uint32_t program_linear(struct world *w)
{
    uint32_t index = program_indexes[world_random(w, INDEXES)];

    if (program_pae(w))
        return index << 22 | world_random(w, 2) << 21 |
               world_random(w, PAGES) << 12 | world_random(w, 8) * 4;
    /* Through a recursive entry the pages are the tables themselves. */
    if (world_random(w, 8) == 0)
        return index << 22 | program_indexes[world_random(w, INDEXES)] << 12 |
               world_random(w, PAGES) * 4;
    return index << 22 | world_random(w, PAGES) << 12 | world_random(w, 8) * 4;
}

static inline uint32_t program_flags(struct world *w)
{
    uint32_t flags = world_random(w, 512) & ~(uint32_t)PTE_PS;

    return world_random(w, 8) ? flags | PTE_P : flags;
}

static inline uint32_t program_frame(struct world *w)
{
    switch (world_random(w, 12)) {
    case 0: return (ROM_AT >> 12) + world_random(w, 2);
    case 1: return (OUT_AT >> 12) + world_random(w, 16);
    case 2: return (GUEST_BYTES >> 12) + world_random(w, 2);
    default: return world_random(w, FRAMES_USED);
    }
}

static inline uint32_t program_pde(struct world *w)
{
    uint32_t flags = program_flags(w);

    if (world_piece && world_random(w, 2)) {
        flags |= world_random(w, 8) ? PTE_PS | PTE_P : 0; /* or a table there */
        return PIECE_AT | (world_random(w, 2) ? 1 << 21 : 0) | flags;
    }
    switch (world_random(w, 12)) {
    case 0: return (1 + world_random(w, DIRECTORIES)) << 12 | flags;
    case 1: return flags | PTE_PS;
    case 2: return flags | PTE_PS | world_random(w, 3) << 13;
    case 3: return program_frame(w) << 12 | flags;
    default: return (FIRST_TABLE + world_random(w, 8)) << 12 | flags | PTE_W;
    }
}

/* The upper half of an entry: NX, or a bit that is reserved. */
static inline uint32_t program_upper(struct world *w)
{
    switch (world_random(w, 8)) {
    case 0: return 1u << world_random(w, 31);
    case 1:
    case 2: return 0x80000000;
    default: return 0;
    }
}

/* The same for PAE: one half of an entry. */
static inline uint32_t program_pae_write(struct world *w, uint32_t *value)
{
    uint32_t upper = world_random(w, 3) == 0 ? 4 : 0, index;

    if (world_random(w, 12) == 0) {
        *value = (1 + world_random(w, DIRECTORIES)) << 12 | world_random(w, 2);
        return POINTERS << 12 | world_random(w, DIRECTORIES * PDPTES) * 8;
    }
    if (world_random(w, 3) == 0) {
        index = program_indexes[world_random(w, INDEXES)];
        *value = upper ? program_upper(w) : program_pde(w);
        return (1 + world_random(w, DIRECTORIES)) << 12 |
               ((index << 1 | world_random(w, 2)) & 511) * 8 | upper;
    }
    *value =
        upper ? program_upper(w) : program_frame(w) << 12 | program_flags(w);
    return (FIRST_TABLE + world_random(w, 8)) << 12 |
           world_random(w, PAGES) * 8 | upper;
}

/* Where the next table write goes, and what is written. */
static inline uint32_t program_table_write(struct world *w, uint32_t *value)
{
    if (program_pae(w))
        return program_pae_write(w, value);
    if (world_random(w, 3) == 0) {
        *value = program_pde(w);
        return (1 + world_random(w, DIRECTORIES)) << 12 |
               program_indexes[world_random(w, INDEXES)] * 4;
    }
    *value = program_frame(w) << 12 | program_flags(w);
    return (FIRST_TABLE + world_random(w, 8)) << 12 |
           world_random(w, PAGES) * 4;
}

/* Let an entry be this one, but for its marks. True: it was not. */
static inline bool program_mend(struct world *w, uint32_t at, uint32_t entry)
{
    if ((reference_entry(w, at) & ~(uint64_t)(PTE_A | PTE_D)) == entry)
        return false;
    world_poke(w, at, entry);
    if (program_pae(w))
        world_poke(w, at + 4, 0);
    return true;
}

/* What a load of CR3 would refuse, and the kernel's entry. */
static inline bool program_mend_pointers(struct world *w)
{
    bool changed = false;

    for (uint32_t i = 0; i < DIRECTORIES * PDPTES; i++) {
        uint32_t at = POINTERS << 12 | i * 8;
        uint64_t pdpte = reference_entry(w, at);
        uint32_t frame = (uint32_t)pdpte >> 12;
        bool kernel = i % PDPTES == 3;

        if (kernel && (!(pdpte & PTE_P) || !frame || frame > DIRECTORIES))
            changed |= program_mend(w, at, (1 + i / PDPTES) << 12 | PTE_P);
        else if (!paging_pdpte_valid(pdpte))
            changed |= program_mend(w, at, kernel ? frame << 12 | PTE_P : 0);
    }
    return changed;
}

/* The guest cannot do without its kernel mapping. */
static inline bool program_repair(struct world *w)
{
    uint32_t bits = PTE_P | PTE_W;
    bool changed = false;

    for (uint32_t d = 1; d <= DIRECTORIES; d++)
        changed |=
            program_mend(w, d << 12 | (program_pae(w) ? 0 : KERNEL_INDEX * 4),
                         KERNEL_TABLE << 12 | bits);
    for (uint32_t i = 0; i < 64; i++)
        changed |=
            program_mend(w, KERNEL_TABLE << 12 | i * (program_pae(w) ? 8 : 4),
                         i << 12 | bits);
    if (program_pae(w))
        changed |= program_mend_pointers(w);
    return changed;
}

static inline void program_flush(struct program *p)
{
    uint32_t cr0 = p->w->vcpu.cr0, cr4 = p->w->vcpu.cr4;

    if (!p->flush)
        return;
    program_repair(p->w); /* what is loaded must be valid */
    if (cr4 & CR4_PGE) {  /* global pages too */
        world_mode(p->w, cr0, cr4 & ~(uint32_t)CR4_PGE);
        world_mode(p->w, cr0, cr4);
    } else {
        world_cr3(p->w, p->w->vcpu.cr3);
    }
}

static inline void program_touch(struct program *p)
{
    struct world *w = p->w;
    struct outcome_of done;
    unsigned access = world_random(w, 8);
    uint32_t linear = program_linear(w), pde_at;

    if ((access & ACC_WRITE) && (access & ACC_FETCH))
        access &= ~(unsigned)ACC_FETCH;
    if (!(w->vcpu.cr0 & CR0_PG) && world_random(w, 2))
        linear &= 0xFFFFF;
    done = world_access(w, linear, access, world_random(w, 1u << 31));
    if (done.what == OUTCOME_OK && (access & ACC_WRITE))
        program_flush(p); /* any page may be a table */
    if ((w->vcpu.cr0 & CR0_PG) && reference_pde_at(w, linear, &pde_at))
        assert_same_word(w, pde_at);
}

/* The VMM reads where the guest could, and what it remembers of its walks must
 * not show. */
static inline void program_read(struct program *p)
{
    struct world *w = p->w;
    uint32_t linear = program_linear(w) & ~3u, value = 0;
    unsigned access = world_random(w, 2) ? ACC_USER : 0;
    struct outcome_of want = reference_access(w, linear, access, false);
    struct fault f;
    bool device;
    bool done = mmu_read(w->mmu, linear, 4, access != 0, &value, &f, &device);

    cr_assert_eq(done, want.what == OUTCOME_OK);
    cr_assert_eq(device, want.what == OUTCOME_DEVICE);
    if (want.what == OUTCOME_FAULT)
        cr_assert(f.error == want.error && f.cr2 == linear);
    if (want.what == OUTCOME_FAULT)
        return;
    reference_access(w, linear, access, true); /* may be that very word */
    if (device) {
        gpa_t gpa = mmu_device(w->mmu, linear, access);

        cr_assert_eq(gpa.v, want.gpa);
        return;
    }
    cr_assert_eq(value, reference_read(w, want.gpa));
}

/* The kernel changes a page table, by a store or by the VMM's hand. */
static inline void program_change(struct program *p)
{
    struct world *w = p->w;
    uint32_t value, linear;
    uint32_t gpa = program_table_write(w, &value);
    struct fault f;
    bool device;

    linear = (w->vcpu.cr0 & CR0_PG) ? gpa + (uint32_t)KERNEL_BASE : gpa;
    switch (world_random(w, 6)) {
    case 0:
        world_poke(w, gpa, value);
        if (world_random(w, 2)) /* as a hypercall does */
            mmu_entry_updated(w->mmu, GPA(gpa));
        break;
    case 1: {
        struct outcome_of want = reference_access(w, linear, ACC_WRITE, true);

        cr_assert_eq(want.what, OUTCOME_OK);
        reference_write(w, want.gpa, value);
        cr_assert(mmu_write(w->mmu, linear, 4, false, value, &f, &device));
        break;
    }
    default: world_access(w, linear, ACC_WRITE, value); break;
    }
    program_flush(p);
}

/* Half of a store. A fault ends the step that another half's fault began, if
 * the run loop is of that kind. */
static inline void program_part(struct world *w, uint32_t linear, uint32_t *ma,
                                bool *step, bool ends)
{
    uint32_t error;

    if (*step && ends && !fake_walk(w, linear, ACC_WRITE, ma, &error)) {
        mmu_stepped(w->mmu);
        *step = false;
    }
    world_translate(w, linear, ACC_WRITE, ma, step);
}

/* One store over a page boundary: both pages may be traced. */
static inline void program_crossing(struct program *p)
{
    struct world *w = p->w;
    uint32_t boundary =
        (uint32_t)KERNEL_BASE + ((1 + world_random(w, LAST_TABLE)) << 12);
    uint32_t a = boundary - 4, b = boundary, ma_a = 0, ma_b = 0;
    uint32_t value = program_frame(w) << 12 | program_flags(w);
    bool step = false, ends = world_random(w, 2) != 0;

    if (!(w->vcpu.cr0 & CR0_PG))
        return;
    w->eip += 4;
    for (unsigned tries = 0;; tries++) {
        uint64_t faults = w->faults;

        cr_assert(tries < 32, "no progress over a page boundary");
        program_part(w, a, &ma_a, &step, ends);
        program_part(w, b, &ma_b, &step, ends);
        if (w->faults == faults)
            break;
    }
    reference_access(w, a, ACC_WRITE, true);
    reference_access(w, b, ACC_WRITE, true);
    memory_write32(&w->memory, MA(ma_a), value);
    memory_write32(&w->memory, MA(ma_b), value);
    reference_write(w, a - (uint32_t)KERNEL_BASE, value);
    reference_write(w, b - (uint32_t)KERNEL_BASE, value);
    if (step)
        mmu_stepped(w->mmu);
    program_repair(w);
    program_flush(p);
}

/* Paging off, the other format, paging on. */
static inline void program_format(struct program *p)
{
    struct world *w = p->w;
    uint32_t cr0 = w->vcpu.cr0, cr4 = w->vcpu.cr4 ^ CR4_PAE;

    if (world_random(w, 2)) {
        world_efer(w, w->vcpu.efer ^ EFER_NXE);
        return;
    }
    world_mode(w, cr0 & ~(uint32_t)CR0_PG, w->vcpu.cr4);
    world_mode(w, w->vcpu.cr0, cr4);
    program_repair(w);
    world_cr3(w, program_cr3(w, 0));
    world_mode(w, cr0, cr4);
}

static inline void program_mode(struct program *p)
{
    struct world *w = p->w;
    uint32_t cr0 = w->vcpu.cr0, cr4 = w->vcpu.cr4;

    if (p->pae && world_random(w, 8) == 0) {
        program_format(p);
        return;
    }
    if (program_pae(w))
        program_repair(w); /* a change may load the pointers */
    switch (world_random(w, p->modes ? 5 : 3)) {
    case 0: cr0 ^= CR0_WP; break;
    case 1: mmu_watch(w->mmu, GPA(program_frame(w) << 12)); return;
    case 2: mmu_drop_gpa(w->mmu, GPA(program_frame(w) << 12)); return;
    case 3: cr4 ^= world_random(w, 2) ? CR4_PSE : CR4_PGE; break;
    default: cr0 ^= CR0_PG; break;
    }
    world_mode(w, cr0, cr4);
}

static inline void program_switch(struct program *p)
{
    if (program_repair(p->w))
        program_flush(p);
    world_cr3(p->w, program_cr3(p->w, world_random(p->w, DIRECTORIES)));
    if (p->w->vcpu.cr4 & CR4_PGE)
        program_flush(p); /* global pages are others elsewhere */
}

/* Save, and restore into the same place. */
static inline void program_snapshot(struct program *p)
{
    struct world *w = p->w;
    size_t bytes = mmu_save(w->mmu, NULL, 0);
    uint8_t *saved = malloc(bytes);
    uint8_t *again = malloc(bytes);

    cr_assert_eq(mmu_save(w->mmu, saved, bytes), bytes);
    cr_assert(mmu_restore(w->mmu, saved, bytes));
    cr_assert_eq(mmu_save(w->mmu, again, bytes), bytes);
    cr_assert_not(mmu_restore(w->mmu, saved, bytes - 1));
    free(saved);
    free(again);
}

static inline void program_step(struct program *p)
{
    struct world *w = p->w;
    unsigned what = world_random(w, 100);

    if (what < 50)
        program_touch(p);
    else if (what < 55)
        program_read(p);
    else if (what < 80)
        program_change(p);
    else if (what < 88)
        program_switch(p);
    else if (what < 92)
        mmu_invlpg(w->mmu, program_linear(w));
    else if (what < 95)
        program_crossing(p);
    else if (what < 99)
        program_mode(p);
    else
        program_snapshot(p);
}

static inline void program_start(struct world *w, bool pae)
{
    uint32_t cr4 = CR4_PSE | (pae ? CR4_PAE : 0);

    w->vcpu.efer = pae ? EFER_NXE : 0;
    world_mode(w, w->vcpu.cr0, cr4);
    program_repair(w);
    world_cr3(w, program_cr3(w, 0));
    world_mode(w, CR0_PE | CR0_PG | CR0_WP, cr4);
}

/* Its balloon takes any page: tables, and what the VMM watches. */
static inline void program_balloon(struct program *p)
{
    struct world *w = p->w;
    uint32_t gpa = program_frame(w) << 12;

    if (world_random(w, 16))
        return;
    if (mmu_balloon(w->mmu, GPA(gpa)))
        memset(w->reference + gpa, 0, PAGE_BYTES);
    if (world_random(w, 2))
        pmap_unballoon(w->pmap, GPA(program_frame(w) << 12));
    program_flush(p);
}

/* A random guest at its start. Every other seed runs with all optimizations,
 * the others with one of them or none. Who does not flush must not see tables
 * out of sync. */
static inline struct program program_open(const struct mmu_technique *t,
                                          uint64_t seed, uint64_t limit,
                                          bool flush, bool pae)
{
    unsigned without = seed % 2 ? 0 : ~(1u << seed / 2 % 13);
    struct world *w =
        world_create(t, limit, seed, flush ? without : without | MMU_UNSYNC);
    struct program p = {.w = w, .flush = flush, .modes = true, .pae = pae};

    program_start(w, pae);
    if (pae) /* so that the directories have its entries too */
        world_place_overlay(w, 100u << 22);
    return p;
}

/* One step, and what the VMM does meanwhile. */
static inline void program_round(struct program *p)
{
    struct world *w = p->w;

    program_step(p);
    commons_scan(w->commons, world_scarce.share ? 32 : 0);
    if (world_scarce.balloon)
        program_balloon(p);
    if (program_repair(w))
        program_flush(p);
    assert_audit(w);
}

static inline void program_close(struct program *p)
{
    struct world *w = p->w;
    uint64_t sum = 0;

    assert_same_memory(w);
    for (unsigned i = 0; i < FC_COUNT; i++)
        sum += w->trace.count.page_faults[i];
    cr_assert_eq(sum, w->faults);
    world_destroy(w);
}

/* A guest whose translations must be exact at every access. */
static inline void program_run(const struct mmu_technique *t, uint64_t seed,
                               unsigned steps, uint64_t limit, bool flush,
                               bool pae)
{
    struct program p = program_open(t, seed, limit, flush, pae);

    for (unsigned i = 0; i < steps; i++) {
        program_round(&p);
        if (i % 64 == 0)
            assert_same_memory(p.w);
    }
    program_close(&p);
}

#endif
