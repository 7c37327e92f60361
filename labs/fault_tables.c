/* SPDX-License-Identifier: MIT */
/* labs/fault_tables.c - page tables made up at random, one access at a time.
 *
 * No processor and no guest: memory full of noise in which two entries mean
 * something. The truth is what the monitor's own walk says of it.
 */
#include "labs/fault_lab.h"

#include <stdlib.h>

enum {
    MACHINE_BYTES = 8 << 20,
    GUEST_BYTES = 4 << 20,
    GUEST_FRAMES = GUEST_BYTES / PAGE_BYTES,
    TABLE_BYTES = 256 << 10,
};

/* What a processor without PSE-36 keeps reserved in a 4 MiB entry. */
#define LARGE_RESERVED 0x003FE000u

struct world {
    struct memory memory;
    struct frames *frames;
    struct commons *commons;
    struct pmap *pmap;
    struct cpu_state vcpu;
    struct trace trace;
    struct mmu *mmu;
    uint64_t random;
};

/* splitmix64 */
static uint32_t next(struct world *w)
{
    uint64_t z = w->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

/* True once in n times. */
static bool one_in(struct world *w, uint32_t n)
{
    return next(w) % n == 0;
}

/* ---- A VMM without hardware ---------------------------------------------- */

static void no_root(void *ctx, const struct mmu_root *root)
{
    (void)ctx;
    (void)root;
}

static void no_flush(void *ctx)
{
    (void)ctx;
}

static void no_page(void *ctx, uint32_t linear)
{
    (void)ctx;
    (void)linear;
}

static void close_world(struct world *w)
{
    mmu_destroy(w->mmu);
    if (w->pmap)
        pmap_destroy(w->pmap);
    commons_destroy(w->commons);
    if (w->frames)
        frames_destroy(w->frames);
    free(w->memory.host);
}

static bool open_world(struct world *w, uint64_t seed)
{
    struct mmu_config config = {
        .memory = &w->memory,
        .vcpu = &w->vcpu,
        .hardware = {.set_root = no_root,
                     .flush_all = no_flush,
                     .flush_page = no_page},
        .trace = &w->trace,
        .table_limit_bytes = TABLE_BYTES,
    };

    *w = (struct world){.random = seed};
    trace_init(&w->trace, NULL);
    w->memory = (struct memory){calloc(1, MACHINE_BYTES), MACHINE_BYTES};
    if (!w->memory.host)
        return false;
    w->frames =
        frames_create(&w->memory, MA(PAGE_BYTES), MACHINE_BYTES - PAGE_BYTES);
    w->commons = w->frames ? commons_create(&w->memory, w->frames) : NULL;
    w->pmap = w->commons ? pmap_create(w->commons) : NULL;
    if (!w->pmap || !pmap_add(w->pmap, GPA(0), GUEST_BYTES, PMAP_RAM))
        return false;
    config.frames = w->frames;
    config.pmap = w->pmap;
    w->vcpu.cr0 = CR0_PE | CR0_WP;
    w->mmu = mmu_shadow.create(&config);
    for (uint32_t gpa = 0; w->mmu && gpa < GUEST_BYTES; gpa += 4) {
        uint32_t noise = next(w);
        pmap_write(w->pmap, GPA(gpa), &noise, sizeof noise);
    }
    return w->mmu != NULL;
}

static uint32_t read_world(void *ctx, uint32_t gpa)
{
    const struct world *w = ctx;
    uint32_t value;
    return pmap_read(w->pmap, GPA(gpa), &value, sizeof value) ? value
                                                              : UINT32_MAX;
}

/* ---- Cases --------------------------------------------------------------- */

/* Bits of no importance are noise: accessed, dirty, caching, the OS's own. */
static uint32_t make_entry(struct world *w, unsigned vary)
{
    uint32_t entry = next(w) & ~(uint32_t)(PTE_P | PTE_PS | PTE_W | PTE_U);

    if (!one_in(w, 8))
        entry |= PTE_P;
    if (!(vary & TABLES_RIGHTS) || !one_in(w, 3))
        entry |= PTE_W;
    if (!(vary & TABLES_RIGHTS) || !one_in(w, 3))
        entry |= PTE_U;
    return entry;
}

static uint32_t with_frame(uint32_t entry, uint32_t frame)
{
    return (entry & ~PTE_FRAME) | frame << PAGE_SHIFT;
}

static void make_tables(struct world *w, unsigned vary,
                        const struct fault_case *c)
{
    uint32_t directory = 1 + next(w) % (GUEST_FRAMES - 1);
    uint32_t table = 1 + next(w) % (GUEST_FRAMES - 1);
    uint32_t pde = make_entry(w, vary), pte = make_entry(w, vary);

    if (table == directory)
        table = directory % (GUEST_FRAMES - 1) + 1;
    if (!one_in(w, 3)) /* a leaf in memory; else anywhere */
        pte = with_frame(pte, next(w) % GUEST_FRAMES);
    if (vary & TABLES_WILD && one_in(w, 16))
        table = GUEST_FRAMES + next(w) % GUEST_FRAMES;
    if (vary & TABLES_LARGE && one_in(w, 2))
        pde |= PTE_PS;
    if (!(pde & PTE_PS) || !c->large_pages)
        pde = with_frame(pde, table);
    else if (!one_in(w, 4))
        pde &= ~LARGE_RESERVED;
    w->vcpu.cr3 = directory << PAGE_SHIFT | (next(w) & (PTE_PWT | PTE_PCD));
    pmap_write(w->pmap, GPA((directory << PAGE_SHIFT) + (c->address >> 22) * 4),
               &pde, sizeof pde);
    pmap_write(w->pmap,
               GPA((table << PAGE_SHIFT) + (c->address >> 12 & 1023) * 4), &pte,
               sizeof pte);
}

static void make_case(struct world *w, unsigned vary, struct fault_case *c,
                      struct paging_walk *walk)
{
    c->address = next(w);
    c->write = one_in(w, 2);
    c->user = one_in(w, 2);
    c->real_error = (c->write ? PF_WRITE : 0) | (c->user ? PF_USER : 0) |
                    (one_in(w, 2) ? PF_PRESENT : 0);
    c->write_protect = !(vary & TABLES_WP) || one_in(w, 2);
    c->large_pages = vary & TABLES_LARGE && !one_in(w, 4);
    make_tables(w, vary, c);
    c->cr3 = w->vcpu.cr3;
    c->walk = walk;
    w->vcpu.cr0 = CR0_PE | CR0_PG | (c->write_protect ? CR0_WP : 0);
    w->vcpu.cr4 = c->large_pages ? CR4_PSE : 0;
    mmu_guest_walk(w->mmu, c->address,
                   (c->write ? ACC_WRITE : 0) | (c->user ? ACC_USER : 0), false,
                   walk);
}

static void run_cases(const struct lab_run *run, const struct lab_test *test,
                      struct world *w, struct lab_outcome *outcome)
{
    const struct fault_tables *plan = test->data;
    struct fault_counts count = {0};
    struct fault_case c;
    struct paging_walk walk;
    char where[24];

    for (unsigned i = 1; i <= plan->cases; i++) {
        make_case(w, plan->vary, &c, &walk);
        snprintf(where, sizeof where, "case %u", i);
        if (!fault_ask(run, &c, where, read_world, w, outcome)) {
            lab_field(outcome, "case", true, "%u", i);
            return;
        }
        count.hidden += walk.allowed;
        count.reflected += !walk.allowed;
    }
    fault_passed(test, &count, outcome);
}

void fault_test_tables(const struct lab_run *run, const struct lab_test *test,
                       struct lab_outcome *outcome)
{
    const struct fault_tables *plan = test->data;
    struct world w;

    if (open_world(&w, run->seed * 16 + plan->vary)) {
        run_cases(run, test, &w, outcome);
    } else {
        outcome->status = LAB_ERROR;
        lab_say(outcome, "out of memory");
    }
    close_world(&w);
}
