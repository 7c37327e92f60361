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
    PIECE_AT = 8 << 20, /* but for this, where asked for: in one piece */
    PIECE_BYTES = 4 << 20,
    REFERENCE_BYTES = PIECE_AT + PIECE_BYTES,
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
    uint32_t page, ma;
    uint64_t rights;
};

/* For worlds made from now on: machine frames that the guest may have (0: as
 * many as it has), and whether equal pages share one. */
struct world_scarcity {
    uint64_t frames;
    bool share;
    bool balloon; /* and whether it gives pages back, whatever is there */
};
static struct world_scarcity world_scarce;

/* And whether they have memory that is one piece in the machine, too. */
static bool world_piece;

struct world;
/* Whose machine they are on, as one more VM. NULL: on one of their own. */
static struct world *world_beside;

struct world {
    struct world *host; /* whose machine it is */
    struct memory memory;
    struct frames *frames;
    struct commons *commons;
    struct pmap *pmap;
    struct cpu_state vcpu;
    struct trace trace;
    struct mmu *mmu;
    uint8_t *reference;   /* the guest's memory, GUEST_BYTES */
    struct mmu_root root; /* as loaded: PDPTEs are registers */
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

static inline void fake_set_root(void *ctx, const struct mmu_root *root)
{
    struct world *w = ctx;

    w->root = *root;
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

/* Rights of two levels together: a bit of PTE_NX takes, the others give. */
static inline uint64_t rights_both(uint64_t a, uint64_t b)
{
    return (a & b & (PTE_W | PTE_U)) | ((a | b) & PTE_NX);
}

static inline bool rights_allow(uint64_t rights, unsigned access)
{
    return (!(access & ACC_USER) || (rights & PTE_U)) &&
           (!(access & ACC_FETCH) || !(rights & PTE_NX)) &&
           (!(access & ACC_WRITE) || (rights & PTE_W));
}

static inline uint32_t fake_error(unsigned access, bool present, bool nx)
{
    return (present ? PF_PRESENT : 0) | ((access & ACC_WRITE) ? PF_WRITE : 0) |
           ((access & ACC_USER) ? PF_USER : 0) |
           ((access & ACC_FETCH) && nx ? PF_FETCH : 0);
}

static inline uint64_t fake_entry(struct world *w, ma_t at)
{
    unsigned bytes = w->root.pae ? 8 : 4;
    uint64_t entry;

    cr_assert(at.v >= RESERVED_BYTES && memory_has(&w->memory, at, bytes));
    entry = w->root.pae ? memory_read64(&w->memory, at)
                        : memory_read32(&w->memory, at);
    cr_assert(!(entry & PTE_P) || !(entry >> 32) ||
                  (w->root.nx && entry >> 32 == 1u << 31),
              "reserved bits in %016llx", (unsigned long long)entry);
    return entry;
}

/* The processor sets the accessed bit. */
static inline void fake_mark(struct world *w, ma_t at, uint64_t entry)
{
    if (!(entry & PTE_A))
        memory_write32(&w->memory, at, (uint32_t)entry | PTE_A);
}

static inline ma_t fake_pte_at(const struct world *w, uint32_t linear,
                               uint64_t pde)
{
    unsigned page = linear >> PAGE_SHIFT;

    return MA((pde & PTE_FRAME) +
              (w->root.pae ? page % 512 * 8 : page % 1024 * 4));
}

/* Where the directory's entry for an address is; false: no directory. */
static inline bool fake_pde_at(const struct world *w, uint32_t linear, ma_t *at)
{
    uint64_t pdpte = w->root.pdpte[linear >> 30];

    *at = MA(w->root.ma.v + (linear >> 22) * 4);
    if (!w->root.pae)
        return true;
    cr_assert(!(pdpte & 0x1E6));
    *at = MA((pdpte & PTE_FRAME) + (linear >> 21 & 511) * 8);
    return (pdpte & PTE_P) != 0;
}

/* The piece of a large page that an address is in, as an entry of its own. */
static inline uint64_t fake_piece(const struct world *w, uint32_t linear,
                                  uint64_t pde)
{
    uint32_t inside = w->root.pae ? 0x1FFFFF : 0x3FFFFF;

    cr_assert_not(pde & inside & ~0x1FFFu, "reserved bits in %016llx",
                  (unsigned long long)pde);
    return pde | (linear & inside & PTE_FRAME);
}

/* The tables' entries for an address; false: one is not present. */
static inline bool fake_entries(struct world *w, uint32_t linear, uint64_t *pde,
                                uint64_t *pte)
{
    ma_t pde_at;

    if (!fake_pde_at(w, linear, &pde_at))
        return false;
    *pde = fake_entry(w, pde_at);
    if (!(*pde & PTE_P))
        return false;
    fake_mark(w, pde_at, *pde);
    *pte = (*pde & PTE_PS) ? fake_piece(w, linear, *pde)
                           : fake_entry(w, fake_pte_at(w, linear, *pde));
    return (*pte & PTE_P) != 0;
}

/* Real CR0.WP is 1. */
static inline bool fake_walk(struct world *w, uint32_t linear, unsigned access,
                             uint32_t *ma, uint32_t *error)
{
    struct fake_tlb_entry *e = fake_tlb_at(w, linear);
    uint64_t pde, pte, rights;

    if (e->valid && e->page == linear >> 12 &&
        rights_allow(e->rights, access)) {
        *ma = e->ma | (linear & PAGE_MASK);
        return true;
    }
    e->valid = false;
    *error = fake_error(access, false, w->root.nx);
    if (!fake_entries(w, linear, &pde, &pte))
        return false;
    *error = fake_error(access, true, w->root.nx);
    rights = rights_both(pde, pte);
    if (!rights_allow(rights, access))
        return false;
    *ma = (uint32_t)(pte & PTE_FRAME) | (linear & PAGE_MASK);
    if (!(pde & PTE_PS))
        fake_mark(w, fake_pte_at(w, linear, pde), pte);
    if (world_random(w, 4))
        *e = (struct fake_tlb_entry){true, linear >> 12,
                                     (uint32_t)(pte & PTE_FRAME), rights};
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

static inline bool reference_piece(uint32_t gpa)
{
    return world_piece && gpa - PIECE_AT < PIECE_BYTES;
}

static inline bool reference_ram(uint32_t gpa)
{
    return gpa < RAM_BYTES || (gpa >= OUT_AT && gpa < GUEST_BYTES) ||
           reference_piece(gpa);
}

static inline bool reference_any(uint32_t gpa)
{
    return gpa < GUEST_BYTES || reference_piece(gpa);
}

static inline uint32_t reference_read(const struct world *w, uint32_t gpa)
{
    uint32_t value = UINT32_MAX;

    if (reference_any(gpa))
        memcpy(&value, w->reference + gpa, 4);
    return value;
}

/* An entry of the guest's tables. */
static inline uint64_t reference_entry(const struct world *w, uint32_t gpa)
{
    uint64_t entry = reference_read(w, gpa);

    if (w->vcpu.cr4 & CR4_PAE)
        entry |= (uint64_t)reference_read(w, gpa + 4) << 32;
    return entry;
}

static inline void reference_write(struct world *w, uint32_t gpa,
                                   uint32_t value)
{
    if (reference_ram(gpa))
        memcpy(w->reference + gpa, &value, 4);
}

static inline struct outcome_of reference_memory(uint32_t gpa, unsigned access)
{
    bool ok = (access & ACC_WRITE) ? reference_ram(gpa) : reference_any(gpa);

    return (struct outcome_of){ok ? OUTCOME_OK : OUTCOME_DEVICE, 0, gpa};
}

static inline bool reference_allows(const struct world *w, uint64_t rights,
                                    unsigned access)
{
    bool user = (access & ACC_USER) != 0;

    if (user && !(rights & PTE_U))
        return false;
    if ((access & ACC_FETCH) && (rights & PTE_NX))
        return false;
    return !(access & ACC_WRITE) || (rights & PTE_W) ||
           (!user && !(w->vcpu.cr0 & CR0_WP));
}

static inline bool reference_nx(const struct world *w)
{
    return (w->vcpu.cr4 & CR4_PAE) && (w->vcpu.efer & EFER_NXE);
}

/* Bits 62:32 are above the physical address, 63 is NX. */
static inline bool reference_malformed(const struct world *w, uint64_t entry)
{
    return (entry & 0x7FFFFFFF00000000) ||
           ((entry & PTE_NX) && !reference_nx(w));
}

/* Where the directory entry is; false: no directory. */
static inline bool reference_pde_at(const struct world *w, uint32_t linear,
                                    uint32_t *at)
{
    uint64_t pdpte = w->vcpu.pdpte[linear >> 30];

    *at = (w->vcpu.cr3 & PTE_FRAME) + (linear >> 22) * 4;
    if (!(w->vcpu.cr4 & CR4_PAE))
        return true;
    *at = (uint32_t)(pdpte & PTE_FRAME) + (linear >> 21 & 511) * 8;
    return (pdpte & PTE_P) != 0;
}

static inline bool reference_large(const struct world *w, uint64_t pde)
{
    return (pde & PTE_PS) && (w->vcpu.cr4 & (CR4_PSE | CR4_PAE));
}

static inline struct outcome_of reference_fault(uint32_t error)
{
    return (struct outcome_of){OUTCOME_FAULT, error, 0};
}

static inline struct outcome_of
reference_access(struct world *w, uint32_t linear, unsigned access, bool commit)
{
    bool pae = (w->vcpu.cr4 & CR4_PAE) != 0;
    uint32_t inside = pae ? 0x1FFFFF : 0x3FFFFF;
    uint32_t leaf = PTE_A | ((access & ACC_WRITE) ? PTE_D : 0);
    uint32_t error = fake_error(access, false, reference_nx(w));
    uint32_t pde_at, pte_at;
    uint64_t pde, pte;

    if (!(w->vcpu.cr0 & CR0_PG))
        return reference_memory(linear, access);
    if (!reference_pde_at(w, linear, &pde_at))
        return reference_fault(error);
    pde = reference_entry(w, pde_at);
    if (!(pde & PTE_P))
        return reference_fault(error);
    if (reference_malformed(w, pde))
        return reference_fault(error | PF_PRESENT | PF_RSVD);
    if (reference_large(w, pde)) {
        if (pde & inside & ~0x1FFFu)
            return reference_fault(error | PF_PRESENT | PF_RSVD);
        if (!reference_allows(w, pde, access))
            return reference_fault(error | PF_PRESENT);
        if (commit && (pde & leaf) != leaf)
            reference_write(w, pde_at, (uint32_t)pde | leaf);
        return reference_memory(((uint32_t)pde & ~inside) | (linear & inside),
                                access);
    }
    pte_at = (uint32_t)(pde & PTE_FRAME) +
             (pae ? (linear >> 12 & 511) * 8 : (linear >> 12 & 1023) * 4);
    pte = reference_entry(w, pte_at);
    if (!(pte & PTE_P))
        return reference_fault(error);
    if (reference_malformed(w, pte))
        return reference_fault(error | PF_PRESENT | PF_RSVD);
    if (!reference_allows(w, rights_both(pde, pte), access))
        return reference_fault(error | PF_PRESENT);
    if (commit && !(pde & PTE_A))
        reference_write(w, pde_at, (uint32_t)pde | PTE_A);
    if (commit && (reference_read(w, pte_at) & leaf) != leaf)
        reference_write(w, pte_at, reference_read(w, pte_at) | leaf);
    return reference_memory((uint32_t)(pte & PTE_FRAME) | (linear & PAGE_MASK),
                            access);
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
    if (reference_any(gpa))
        cr_assert_eq(guest_read(w, gpa), reference_read(w, gpa),
                     "gpa %08x: %08x, reference %08x", gpa, guest_read(w, gpa),
                     reference_read(w, gpa));
}

static inline void assert_same_memory(struct world *w)
{
    static uint8_t page[PAGE_BYTES];

    for (uint32_t gpa = 0; gpa < REFERENCE_BYTES; gpa += PAGE_BYTES) {
        ma_t ma;

        if (!reference_any(gpa) ||
            pmap_lookup(w->pmap, GPA(gpa), &ma) == PMAP_PAGED_OUT)
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

/* What a MOV to CR3 loads, from valid entries. */
static inline void world_load_pdptes(struct world *w)
{
    uint32_t at = w->vcpu.cr3 & ~31u;

    if (!(w->vcpu.cr4 & CR4_PAE) || !(w->vcpu.cr0 & CR0_PG))
        return;
    for (unsigned i = 0; i < PDPTES; i++) {
        w->vcpu.pdpte[i] = reference_entry(w, at + 8 * i);
        cr_assert(paging_pdpte_valid(w->vcpu.pdpte[i]));
    }
}

static inline void world_cr3(struct world *w, uint32_t cr3)
{
    w->vcpu.cr3 = cr3;
    world_load_pdptes(w);
    mmu_cr3_written(w->mmu);
}

static inline void world_mode(struct world *w, uint32_t cr0, uint32_t cr4)
{
    uint32_t old0 = w->vcpu.cr0, old4 = w->vcpu.cr4;

    w->vcpu.cr0 = cr0;
    w->vcpu.cr4 = cr4;
    if (((cr0 ^ old0) & CR0_PG) || cr4 != old4)
        world_load_pdptes(w);
    mmu_mode_changed(w->mmu, old0, old4);
}

static inline void world_efer(struct world *w, uint64_t efer)
{
    w->vcpu.efer = efer;
    mmu_mode_changed(w->mmu, w->vcpu.cr0, w->vcpu.cr4);
}

static inline void world_overlay(void *ctx)
{
    struct world *w = ctx;
    uint32_t linear;

    w->overlay_calls++;
    cr_assert(mmu_find_overlay(w->mmu, &linear));
    mmu_set_overlay(w->mmu, linear);
}

/* The VMM takes a piece of linear space. */
static inline void world_place_overlay(struct world *w, uint32_t linear)
{
    cr_assert(mmu_overlay_create(w->mmu));
    mmu_set_overlay(w->mmu, linear);
}

static inline void world_watched(void *ctx, gpa_t gpa, uint32_t bytes)
{
    struct world *w = ctx;

    w->watched_calls++;
    w->watched_gpa = gpa;
    w->watched_bytes = bytes;
}

/* What all VMs on it have. */
static inline void world_overcommit(struct world *w)
{
    char *error = NULL;
    struct swap *swap;

    if (world_scarce.share)
        cr_assert(commons_share(w->commons));
    if (!world_scarce.frames)
        return;
    swap = swap_open(NULL, 2 * GUEST_BYTES / PAGE_BYTES, &error);
    cr_assert_not_null(swap, "%s", error ? error : "");
    commons_set_swap(w->commons, swap);
}

static inline void world_machine(struct world *w)
{
    w->host = w;
    w->memory.host = calloc(1, MACHINE_BYTES);
    w->memory.bytes = MACHINE_BYTES;
    w->frames = frames_create(&w->memory, MA(RESERVED_BYTES),
                              MACHINE_BYTES - RESERVED_BYTES);
    if (world_piece)
        frames_in_runs(w->frames, PIECE_BYTES / PAGE_BYTES);
    w->commons = commons_create(&w->memory, w->frames);
    world_overcommit(w);
}

static inline void world_join(struct world *w)
{
    w->host = world_beside;
    w->memory = world_beside->memory;
    w->frames = world_beside->frames;
    w->commons = world_beside->commons;
}

/* without: the optimizations switched off. */
static inline struct world *world_create(const struct mmu_technique *t,
                                         uint64_t limit, uint64_t seed,
                                         unsigned without)
{
    struct world *w = calloc(1, sizeof *w);
    struct mmu_config c = {0};

    w->random = seed * 0x9E3779B97F4A7C15u + 1;
    w->reference = calloc(1, REFERENCE_BYTES);
    if (world_beside)
        world_join(w);
    else
        world_machine(w);
    w->pmap = pmap_create(w->commons);
    if (world_scarce.frames)
        pmap_overcommit(w->pmap, world_scarce.frames);
    if (world_piece)
        cr_assert(pmap_add(w->pmap, GPA(PIECE_AT), PIECE_BYTES, PMAP_RAM));
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

static inline void world_destroy_machine(struct world *w)
{
    uint64_t all = (MACHINE_BYTES - RESERVED_BYTES) / PAGE_BYTES;

    cr_assert_eq(frames_free(w->frames), all, "frames were lost");
    commons_destroy(w->commons);
    frames_destroy(w->frames);
    free(w->memory.host);
}

/* A machine's own world is the last one. */
static inline void world_destroy(struct world *w)
{
    mmu_destroy(w->mmu);
    pmap_destroy(w->pmap);
    if (w->host == w)
        world_destroy_machine(w);
    free(w->reference);
    free(w);
}

#endif
