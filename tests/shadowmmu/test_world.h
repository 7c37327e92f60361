/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_world.h - a guest without a processor.
 *
 * Two machines do the same accesses. One is virtualized: a pretended processor
 * walks the VMM's tables, remembers some translations in a TLB that only the
 * VMM's flushes empty, and faults into the VMM. The other is the reference: it
 * walks the guest's own tables at every access, as the manual says. Results,
 * error codes and memory must be the same.
 */
#ifndef TESTS_SHADOWMMU_TEST_WORLD_H
#define TESTS_SHADOWMMU_TEST_WORLD_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "shadowmmu/mmu.h"
#include "shadowmmu/swap.h"

enum {
    MACHINE_BYTES = 16 << 20,
    RESERVED_BYTES = 64 << 10, /* below the frames: tables must not be here */
    RAM_BYTES = 2 << 20,
    ROM_AT = RAM_BYTES,
    ROM_BYTES = 64 << 10,
    OUT_AT = ROM_AT + ROM_BYTES, /* promised, not backed */
    OUT_BYTES = 64 << 10,
    GUEST_BYTES = OUT_AT + OUT_BYTES, /* above: nothing */
    TLB_ENTRIES = 64,
};

/* What an access came to. */
enum outcome { OUTCOME_OK, OUTCOME_FAULT, OUTCOME_DEVICE };
struct outcome_of {
    enum outcome what;
    uint32_t error;
    uint32_t gpa;
};

struct fake_tlb_entry {
    bool valid;
    uint32_t page, ma, rights;
};

/* For worlds made from now on: machine frames that the guest may have (0: as
 * many as it has), and whether equal pages share one. */
struct world_scarcity {
    uint64_t frames;
    bool share;
};
static struct world_scarcity world_scarce;

struct world {
    struct memory memory;
    struct frames *frames;
    struct pmap *pmap;
    struct cpu_state vcpu;
    struct trace trace;
    struct mmu *mmu;
    uint8_t *reference; /* the guest's memory, GUEST_BYTES */
    ma_t root;
    struct fake_tlb_entry tlb[TLB_ENTRIES];
    uint64_t random;
    uint32_t eip;
    unsigned overlay_calls, watched_calls;
    gpa_t watched_gpa; /* of the last call */
    uint32_t watched_bytes;
    enum fault_class last;
    uint64_t faults;
};

static inline uint32_t world_random(struct world *w, uint32_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 32) % n;
}

/* ---- the pretended processor -------------------------------------------- */

static inline void fake_flush_all(void *ctx)
{
    struct world *w = ctx;

    memset(w->tlb, 0, sizeof w->tlb);
    w->trace.count.tlb_flushes++;
}

static inline void fake_set_root(void *ctx, ma_t root)
{
    struct world *w = ctx;

    w->root = root;
    fake_flush_all(w);
}

/* Pages at the same place of different tables do not push each other out. */
static inline struct fake_tlb_entry *fake_tlb_at(struct world *w,
                                                 uint32_t linear)
{
    return &w->tlb[((linear >> 12) + (linear >> 22) * 7) % TLB_ENTRIES];
}

static inline void fake_flush_page(void *ctx, uint32_t linear)
{
    struct world *w = ctx;
    struct fake_tlb_entry *e = fake_tlb_at(w, linear);

    if (e->page == linear >> 12)
        e->valid = false;
    w->trace.count.tlb_page_flushes++;
}

static inline bool rights_allow(uint32_t rights, unsigned access)
{
    return (!(access & ACC_USER) || (rights & PTE_U)) &&
           (!(access & ACC_WRITE) || (rights & PTE_W));
}

static inline uint32_t fake_error(unsigned access, bool present)
{
    return (present ? PF_PRESENT : 0) | ((access & ACC_WRITE) ? PF_WRITE : 0) |
           ((access & ACC_USER) ? PF_USER : 0);
}

/* Real CR0.WP is 1, and there are no large pages. */
static inline bool fake_walk(struct world *w, uint32_t linear, unsigned access,
                             uint32_t *ma, uint32_t *error)
{
    struct fake_tlb_entry *e = fake_tlb_at(w, linear);
    ma_t at = MA(w->root.v + (linear >> 22) * 4);
    uint32_t pde, pte;

    if (e->valid && e->page == linear >> 12 &&
        rights_allow(e->rights, access)) {
        *ma = e->ma | (linear & PAGE_MASK);
        return true;
    }
    e->valid = false;
    *error = fake_error(access, false);
    cr_assert(at.v >= RESERVED_BYTES && memory_has(&w->memory, at, 4));
    pde = memory_read32(&w->memory, at);
    if (!(pde & PTE_P))
        return false;
    at = MA((pde & PTE_FRAME) + (linear >> 12 & 1023) * 4);
    cr_assert(at.v >= RESERVED_BYTES && memory_has(&w->memory, at, 4));
    pte = memory_read32(&w->memory, at);
    if (!(pte & PTE_P))
        return false;
    *error = fake_error(access, true);
    if (!rights_allow(pde & pte, access))
        return false;
    if (!(pte & PTE_A))
        memory_write32(&w->memory, at, pte | PTE_A);
    *ma = (pte & PTE_FRAME) | (linear & PAGE_MASK);
    if (world_random(w, 4)) {
        *e = (struct fake_tlb_entry){true, linear >> 12, pte & PTE_FRAME,
                                     pde & pte};
    }
    return true;
}

/* Fault until the access goes through or ends otherwise. */
static inline struct outcome_of world_translate(struct world *w,
                                                uint32_t linear,
                                                unsigned access, uint32_t *ma,
                                                bool *step)
{
    struct mmu_result r;
    uint32_t error;

    for (unsigned tries = 0; tries < 32; tries++) {
        if (fake_walk(w, linear, access, ma, &error)) {
            gpa_t gpa = GPA(0);

            cr_assert(pmap_inverse(w->pmap, MA(*ma), &gpa));
            return (struct outcome_of){OUTCOME_OK, 0, (uint32_t)gpa.v};
        }
        mmu_fault(w->mmu, linear, error, w->eip, &r);
        w->last = r.cls;
        w->faults++;
        switch (r.action) {
        case MMU_RESUME: break;
        case MMU_WRITE:
            cr_assert(mmu_open(w->mmu));
            *step = true;
            break;
        case MMU_INJECT:
            cr_assert_eq(r.fault.vector, VEC_PF);
            cr_assert_eq(r.fault.cr2, linear);
            return (struct outcome_of){OUTCOME_FAULT, r.fault.error, 0};
        case MMU_EMULATE:
            return (struct outcome_of){OUTCOME_DEVICE, 0,
                                       (uint32_t)r.walk.address};
        case MMU_NO_MEMORY: cr_assert_fail("no memory");
        }
    }
    cr_assert_fail("no progress at %08x access %u", linear, access);
    return (struct outcome_of){OUTCOME_FAULT, 0, 0};
}

/* ---- the reference --------------------------------------------------------
 */

static inline bool reference_ram(uint32_t gpa)
{
    return gpa < RAM_BYTES || (gpa >= OUT_AT && gpa < GUEST_BYTES);
}

static inline uint32_t reference_read(const struct world *w, uint32_t gpa)
{
    uint32_t value = UINT32_MAX;

    if (gpa < GUEST_BYTES)
        memcpy(&value, w->reference + gpa, 4);
    return value;
}

static inline void reference_write(struct world *w, uint32_t gpa,
                                   uint32_t value)
{
    if (reference_ram(gpa))
        memcpy(w->reference + gpa, &value, 4);
}

static inline struct outcome_of reference_memory(uint32_t gpa, unsigned access)
{
    bool ok = (access & ACC_WRITE) ? reference_ram(gpa) : gpa < GUEST_BYTES;

    return (struct outcome_of){ok ? OUTCOME_OK : OUTCOME_DEVICE, 0, gpa};
}

static inline bool reference_allows(const struct world *w, uint32_t rights,
                                    unsigned access)
{
    bool user = (access & ACC_USER) != 0;

    if (user && !(rights & PTE_U))
        return false;
    return !(access & ACC_WRITE) || (rights & PTE_W) ||
           (!user && !(w->vcpu.cr0 & CR0_WP));
}

static inline struct outcome_of
reference_access(struct world *w, uint32_t linear, unsigned access, bool commit)
{
    uint32_t leaf = PTE_A | ((access & ACC_WRITE) ? PTE_D : 0);
    uint32_t error = fake_error(access, false);
    uint32_t pde_at = (w->vcpu.cr3 & PTE_FRAME) + (linear >> 22) * 4;
    uint32_t pde, pte, pte_at;

    if (!(w->vcpu.cr0 & CR0_PG))
        return reference_memory(linear, access);
    pde = reference_read(w, pde_at);
    if (!(pde & PTE_P))
        return (struct outcome_of){OUTCOME_FAULT, error, 0};
    if ((pde & PTE_PS) && (w->vcpu.cr4 & CR4_PSE)) {
        if (pde & 0x3FE000)
            return (struct outcome_of){OUTCOME_FAULT,
                                       error | PF_PRESENT | PF_RSVD, 0};
        if (!reference_allows(w, pde, access))
            return (struct outcome_of){OUTCOME_FAULT, error | PF_PRESENT, 0};
        if (commit && (pde & leaf) != leaf)
            reference_write(w, pde_at, pde | leaf);
        return reference_memory((pde & PDE_LARGE_FRAME) | (linear & 0x3FFFFF),
                                access);
    }
    pte_at = (pde & PTE_FRAME) + (linear >> 12 & 1023) * 4;
    pte = reference_read(w, pte_at);
    if (!(pte & PTE_P))
        return (struct outcome_of){OUTCOME_FAULT, error, 0};
    if (!reference_allows(w, pde & pte, access))
        return (struct outcome_of){OUTCOME_FAULT, error | PF_PRESENT, 0};
    if (commit && !(pde & PTE_A))
        reference_write(w, pde_at, pde | PTE_A);
    if (commit && (reference_read(w, pte_at) & leaf) != leaf)
        reference_write(w, pte_at, reference_read(w, pte_at) | leaf);
    return reference_memory((pte & PTE_FRAME) | (linear & PAGE_MASK), access);
}

/* ---- both ------------------------------------------------------------------
 */

static inline uint32_t guest_read(struct world *w, uint32_t gpa)
{
    uint32_t value = 0;

    cr_assert(pmap_read(w->pmap, GPA(gpa), &value, 4));
    return value;
}

/* Like a device's DMA. The VMM is told. */
static inline void world_poke(struct world *w, uint32_t gpa, uint32_t value)
{
    reference_write(w, gpa, value);
    pmap_write(w->pmap, GPA(gpa), &value, 4);
    mmu_gpa_written(w->mmu, GPA(gpa), 4);
}

static inline void assert_same(const struct world *w, struct outcome_of got,
                               struct outcome_of want, uint32_t linear,
                               unsigned access)
{
    cr_assert(got.what == want.what && got.error == want.error &&
                  got.gpa == want.gpa,
              "%08x access %u cr0 %08x: outcome %d error %x gpa %08x, "
              "reference %d %x %08x",
              linear, access, w->vcpu.cr0, got.what, got.error, got.gpa,
              want.what, want.error, want.gpa);
}

static inline void assert_same_word(struct world *w, uint32_t gpa)
{
    if (gpa < GUEST_BYTES)
        cr_assert_eq(guest_read(w, gpa), reference_read(w, gpa),
                     "gpa %08x: %08x, reference %08x", gpa, guest_read(w, gpa),
                     reference_read(w, gpa));
}

static inline void assert_same_memory(struct world *w)
{
    static uint8_t page[PAGE_BYTES];

    for (uint32_t gpa = 0; gpa < GUEST_BYTES; gpa += PAGE_BYTES) {
        ma_t ma;

        if (pmap_lookup(w->pmap, GPA(gpa), &ma) == PMAP_PAGED_OUT)
            continue;
        cr_assert(pmap_read(w->pmap, GPA(gpa), page, PAGE_BYTES));
        cr_assert(memcmp(page, w->reference + gpa, PAGE_BYTES) == 0,
                  "gpa page %08x differs", gpa);
    }
}

static inline void assert_audit(struct world *w)
{
    char line[200];

    cr_assert_eq(mmu_audit(w->mmu, line, sizeof line), 0, "%s", line);
}

/* A shared machine frame stands for several guest frames: for the right one
 * too? */
static inline void world_name_shared(const struct world *w,
                                     struct outcome_of *got,
                                     struct outcome_of want, uint32_t ma)
{
    ma_t frame = MA(0);

    if (got->what == OUTCOME_OK && want.what == OUTCOME_OK &&
        pmap_lookup(w->pmap, GPA(want.gpa), &frame) == PMAP_SHARED &&
        frame.v == ma)
        got->gpa = want.gpa;
}

/* One instruction's access of an aligned word, on both machines. */
static inline struct outcome_of world_access(struct world *w, uint32_t linear,
                                             unsigned access, uint32_t value)
{
    bool step = false;
    uint32_t ma = 0;
    struct outcome_of got, want;

    w->eip += 4;
    got = world_translate(w, linear, access, &ma, &step);
    want = reference_access(w, linear, access, true);
    world_name_shared(w, &got, want, ma);
    assert_same(w, got, want, linear, access);
    if (got.what == OUTCOME_OK && (access & ACC_WRITE)) {
        memory_write32(&w->memory, MA(ma), value);
        reference_write(w, want.gpa, value);
    } else if (got.what == OUTCOME_OK) {
        cr_assert_eq(memory_read32(&w->memory, MA(ma)),
                     reference_read(w, want.gpa));
    }
    if (step)
        mmu_stepped(w->mmu);
    return got;
}

static inline void world_cr3(struct world *w, uint32_t cr3)
{
    w->vcpu.cr3 = cr3;
    mmu_cr3_written(w->mmu);
}

static inline void world_mode(struct world *w, uint32_t cr0, uint32_t cr4)
{
    uint32_t old0 = w->vcpu.cr0, old4 = w->vcpu.cr4;

    w->vcpu.cr0 = cr0;
    w->vcpu.cr4 = cr4;
    mmu_mode_changed(w->mmu, old0, old4);
}

static inline void world_overlay(void *ctx)
{
    struct world *w = ctx;
    unsigned index = mmu_free_pde(w->mmu);

    w->overlay_calls++;
    cr_assert_neq(index, (unsigned)MMU_PDE_NONE);
    mmu_set_overlay(w->mmu, index, 0x1003);
}

static inline void world_watched(void *ctx, gpa_t gpa, uint32_t bytes)
{
    struct world *w = ctx;

    w->watched_calls++;
    w->watched_gpa = gpa;
    w->watched_bytes = bytes;
}

static inline void world_overcommit(struct world *w)
{
    char *error = NULL;
    struct swap *swap;

    if (world_scarce.share)
        cr_assert(pmap_scan_start(w->pmap));
    if (!world_scarce.frames)
        return;
    swap = swap_open(NULL, GUEST_BYTES / PAGE_BYTES, &error);
    cr_assert_not_null(swap, "%s", error ? error : "");
    pmap_overcommit(w->pmap, world_scarce.frames, swap);
}

/* without: the optimizations switched off. */
static inline struct world *world_create(const struct mmu_technique *t,
                                         uint64_t limit, uint64_t seed,
                                         unsigned without)
{
    struct world *w = calloc(1, sizeof *w);
    struct mmu_config c = {0};

    w->random = seed * 0x9E3779B97F4A7C15u + 1;
    w->memory.host = calloc(1, MACHINE_BYTES);
    w->memory.bytes = MACHINE_BYTES;
    w->reference = calloc(1, GUEST_BYTES);
    w->frames = frames_create(&w->memory, MA(RESERVED_BYTES),
                              MACHINE_BYTES - RESERVED_BYTES);
    w->pmap = pmap_create(&w->memory, w->frames);
    world_overcommit(w);
    cr_assert(pmap_add(w->pmap, GPA(0), RAM_BYTES,
                       world_scarce.frames ? PMAP_PAGED_OUT : PMAP_RAM));
    cr_assert(pmap_add(w->pmap, GPA(ROM_AT), ROM_BYTES, PMAP_ROM));
    cr_assert(pmap_add(w->pmap, GPA(OUT_AT), OUT_BYTES, PMAP_PAGED_OUT));
    trace_init(&w->trace, NULL);
    w->vcpu.cr0 = CR0_PE | CR0_WP;
    c.memory = &w->memory;
    c.frames = w->frames;
    c.pmap = w->pmap;
    c.vcpu = &w->vcpu;
    c.hardware.set_root = fake_set_root;
    c.hardware.flush_all = fake_flush_all;
    c.hardware.flush_page = fake_flush_page;
    c.hardware.ctx = w;
    c.trace = &w->trace;
    c.table_limit_bytes = limit;
    c.without = without;
    c.watched = world_watched;
    c.overlay_wanted = world_overlay;
    c.ctx = w;
    w->mmu = t->create(&c);
    cr_assert_not_null(w->mmu);
    return w;
}

static inline void world_destroy(struct world *w)
{
    uint64_t all = (MACHINE_BYTES - RESERVED_BYTES) / PAGE_BYTES;

    mmu_destroy(w->mmu);
    pmap_destroy(w->pmap);
    cr_assert_eq(frames_free(w->frames), all, "frames were lost");
    frames_destroy(w->frames);
    free(w->memory.host);
    free(w->reference);
    free(w);
}

#endif
