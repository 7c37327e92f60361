/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_tlb.c - the TLB's model against a list of lists, and what the
 * machine may and may not see of it. SDM 3A, "Caching Translation
 * Information". */
#include <stdlib.h>

#include "cpu/machine_priv.h"
#include "tests/cpu/test_machine_fixture.h"

TestSuite(tlb, .timeout = 60);

/* ---- against a reference --------------------------------------------------
 */

enum { SETS = 4, WAYS = 2, PAGES = 4096, STEPS = 200000 };

/* A set is a list, the oldest first. */
struct known {
    uint32_t page;
    uint16_t tag;
    uint32_t nested;
    bool global, large;
    uint64_t address;
};
static struct known list[SETS][WAYS];
static unsigned length[SETS];
static uint64_t seed = 1;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

static void forget(unsigned set, unsigned i)
{
    length[set]--;
    memmove(&list[set][i], &list[set][i + 1],
            (length[set] - i) * sizeof list[set][i]);
}

static struct known *find(uint32_t page, uint16_t tag, uint32_t nested)
{
    unsigned set = page % SETS;

    for (unsigned i = 0; i < length[set]; i++)
        if (list[set][i].page == page && list[set][i].tag == tag &&
            list[set][i].nested == nested)
            return &list[set][i];
    return NULL;
}

static void remember(struct known k)
{
    unsigned set = k.page % SETS;
    struct known *old = find(k.page, k.tag, k.nested);

    if (old) {
        *old = k;
        return;
    }
    if (length[set] == WAYS)
        forget(set, 0);
    list[set][length[set]++] = k;
}

/* what: 0 an address, or one of the scopes + 1. */
static bool goes(const struct known *k, unsigned what, uint32_t which,
                 uint32_t page)
{
    bool same_page = k->large ? k->page >> 10 == page >> 10 : k->page == page;

    switch (what) {
    case 0: return k->tag == which && same_page;
    case 1 + TLB_LOCAL: return k->tag == which && !k->global;
    case 1 + TLB_CONTEXT: return k->tag == which;
    case 1 + TLB_TAGGED: return k->tag != 0;
    case 1 + TLB_NESTED: return k->nested == which;
    default: return k->nested != 0;
    }
}

static void forget_those(unsigned what, uint32_t which, uint32_t page)
{
    for (unsigned set = 0; set < SETS; set++)
        for (unsigned i = length[set]; i-- > 0;)
            if (goes(&list[set][i], what, which, page))
                forget(set, i);
}

static void invalidate(struct tlb *t, unsigned what, uint32_t which,
                       uint32_t page)
{
    uint32_t lost;

    if (what == 0)
        tlb_drop(t, (uint16_t)which, page << PAGE_SHIFT, &lost);
    else
        tlb_flush(t, (enum tlb_scope)(what - 1), which, NULL, 0);
    forget_those(what, which, page);
}

/* A page is in the same large page as some others. */
static uint32_t some_page(void)
{
    return rnd(8) << 10 | rnd(PAGES / 1024);
}

static void fill_both(struct tlb *t, uint32_t page)
{
    struct known k = {page,        t->tag,
                      t->nested,   rnd(4) == 0,
                      rnd(4) == 0, (uint64_t)rnd(1000) << PAGE_SHIFT};
    struct paging_walk w = {.address = k.address,
                            .page_shift = k.large ? 22 : PAGE_SHIFT};
    struct tlb_entry *e;

    e = tlb_find(t, page << PAGE_SHIFT);
    tlb_fill(t, page << PAGE_SHIFT, &w, k.global, &e);
    cr_assert_eq(e, tlb_find(t, page << PAGE_SHIFT));
    remember(k);
}

static void same(struct tlb *t, unsigned step)
{
    unsigned all = 0;

    for (unsigned set = 0; set < SETS; set++)
        all += length[set];
    cr_assert_eq(tlb_occupied(t), all, "step %u: %u of %u", step,
                 tlb_occupied(t), all);
}

Test(tlb, is_what_a_list_of_lists_is)
{
    struct tlb t;

    cr_assert(tlb_create(&t, SETS * WAYS * 2, WAYS * 2));
    tlb_destroy(&t);
    cr_assert(tlb_create(&t, SETS * WAYS, WAYS));
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t page = some_page();
        const struct tlb_entry *e;
        const struct known *k;

        t.tag = (uint16_t)rnd(3);
        t.nested = rnd(2);
        e = tlb_find(&t, page << PAGE_SHIFT | rnd(PAGE_BYTES));
        k = find(page, t.tag, t.nested);
        cr_assert_eq(e != NULL, k != NULL, "step %u, page %x", step, page);
        cr_assert(!e || e->address == k->address, "step %u", step);
        if (rnd(16))
            fill_both(&t, page);
        else
            invalidate(&t, rnd(64) ? rnd(2) : 2 + rnd(4), rnd(3), some_page());
        same(&t, step);
    }
    tlb_destroy(&t);
}

/* ---- on the machine -------------------------------------------------------
 */

enum { FIRST = 0x50000, SECOND = 0x60000, OLD = 0x0DD, NEW = 0x4E3 };

/* mov FIRST, %eax; the PTE of FIRST maps SECOND; ...; mov FIRST, %ebx; hlt */
static void remap(const void *between, size_t bytes)
{
    uint32_t at = CODE;
    const uint32_t pte = PAGE_TABLE + FIRST / 4096 * 4;

    machine_fixture();
    enable_paging();
    put32(FIRST, OLD);
    put32(SECOND, NEW);
    CODE_AT(at, 0xA1, 0, 0, 0x05, 0, 0xC7, 0x05);
    put32(at + 7, pte);
    put32(at + 11, SECOND | PTE_P | PTE_W | PTE_U);
    put_code(at + 15, between, bytes);
    at += 15 + (uint32_t)bytes;
    CODE_AT(at, 0x8B, 0x1D, 0, 0, 0x05, 0, OP_HLT);
}

static uint32_t seen_after(const void *between, size_t bytes, bool global)
{
    remap(between, bytes);
    if (global) {
        cpu.cr4 |= CR4_PGE;
        put32(PAGE_TABLE + FIRST / 4096 * 4,
              FIRST | PTE_P | PTE_W | PTE_U | PTE_G);
    }
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.gpr[GPR_EAX], OLD);
    return ran.gpr[GPR_EBX];
}

static const uint8_t invlpg[] = {0x0F, 0x01, 0x3D, 0, 0, 0x05, 0};
static const uint8_t invlpg_other[] = {0x0F, 0x01, 0x3D, 0, 0x10, 0x05, 0};
static const uint8_t load_cr3[] = {0x0F, 0x20, 0xD9, 0x0F, 0x22, 0xD9};
/* mov %cr4, %ecx; xor $PGE, %ecx; mov %ecx, %cr4 */
static const uint8_t change_pge[] = {0x0F, 0x20, 0xE1, 0x81, 0xF1, CR4_PGE,
                                     0,    0,    0,    0x0F, 0x22, 0xE1};

Test(tlb, an_entry_stays_until_it_is_invalidated)
{
    cr_expect_eq(seen_after("", 0, false), OLD);
}

Test(tlb, invlpg_of_another_page_leaves_it)
{
    cr_expect_eq(seen_after(invlpg_other, sizeof invlpg_other, false), OLD);
}

Test(tlb, invlpg_drops_it)
{
    cr_expect_eq(seen_after(invlpg, sizeof invlpg, false), NEW);
}

Test(tlb, invlpg_drops_a_global_one)
{
    cr_expect_eq(seen_after(invlpg, sizeof invlpg, true), NEW);
}

Test(tlb, mov_to_cr3_drops_it)
{
    cr_expect_eq(seen_after(load_cr3, sizeof load_cr3, false), NEW);
}

Test(tlb, mov_to_cr3_leaves_a_global_one)
{
    cr_expect_eq(seen_after(load_cr3, sizeof load_cr3, true), OLD);
}

Test(tlb, a_change_of_cr4_pge_drops_a_global_one)
{
    cr_expect_eq(seen_after(change_pge, sizeof change_pge, true), NEW);
}

/* The entry has no write right: the processor looks again, and there is no page
 * fault, nor the old frame. */
Test(tlb, rights_that_are_missing_are_looked_for)
{
    static const uint8_t write[] = {0xC6, 0x05, 1, 0, 0x05, 0, 0};

    remap(write, sizeof write);
    cpu.cr0 |= CR0_WP;
    put32(PAGE_TABLE + FIRST / 4096 * 4, FIRST | PTE_P);
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.gpr[GPR_EBX], NEW & 0xFF);
    cr_assert_eq(machine_read32(FIRST), OLD);
}

enum { LARGE = 0x800000 };

/* Two pieces of a page of 4 MiB (or the first one twice) are used, its entry is
 * cleared, and INVLPG names an address; then the first is used again. */
static void clear_large(uint32_t second, uint32_t invalidated)
{
    machine_fixture();
    enable_paging();
    cpu.cr4 |= CR4_PSE;
    put32(PAGE_DIRECTORY + LARGE / (4 << 20) * 4, PTE_PS | PTE_P | PTE_W);
    CODE_AT(CODE, 0xA1, 0, 0, 0x85, 0, 0xA1, 0, 0, 0, 0, 0x83, 0x25);
    put32(CODE + 6, second);
    put32(CODE + 12, PAGE_DIRECTORY + LARGE / (4 << 20) * 4);
    CODE_AT(CODE + 16, 0, 0x0F, 0x01, 0x3D);
    put32(CODE + 20, invalidated);
    CODE_AT(CODE + 24, 0xA1, 0, 0, 0x85, 0, OP_HLT);
    run_both();
}

Test(tlb, invlpg_drops_every_piece_of_a_large_page)
{
    clear_large(LARGE + SECOND, LARGE + 0x1000);
    cr_assert_eq(ran_vector, VEC_PF);
    cr_assert_eq(ran.cr2, LARGE + FIRST);
}

Test(tlb, invlpg_drops_the_one_piece_that_was_used)
{
    clear_large(LARGE + FIRST, LARGE + 0x1000);
    cr_assert_eq(ran_vector, VEC_PF);
    cr_assert_eq(ran.cr2, LARGE + FIRST);
}

Test(tlb, a_large_page_stays_too)
{
    clear_large(LARGE + SECOND, LARGE + (4 << 20));
    cr_assert_eq(ran_vector, NO_VECTOR);
}

/* ---- the same on every host -----------------------------------------------
 */

enum { TOUCHES = 20000, OFTEN = 777 };

static bool disturbed;

/* What the library's own buffer does as the host's time passes. */
static void empty_engine(void *ctx)
{
    (void)ctx;
    if (disturbed)
        uc_ctl_flush_tlb(machine->engine.uc);
    machine_set_deadline(machine, machine_now(machine) + OFTEN);
}

/* imul $1103515245, %eax, %eax; add $12345, %eax; mov %eax, %ebx;
 * and $0x3FFF000, %ebx; mov (%ebx), %edx; loop; hlt */
static uint64_t fills_of_random_touches(void)
{
    struct machine_config config = {
        .memory_bytes = MEMORY_BYTES,
        .client = {.attend = empty_engine, .acknowledge = on_acknowledge},
        .trace = &machine_trace,
        .tlb_entries = 64,
        .tlb_ways = 4,
    };
    uint64_t fills;
    char *error;

    machine = machine_create(&config, &error);
    cr_assert_not_null(machine, "%s", error);
    trace_init(&machine_trace, machine_clock(machine));
    memcpy(machine_memory(machine)->host, memory, MEMORY_BYTES);
    machine_set_state(machine, &cpu);
    machine_set_deadline(machine, OFTEN);
    cr_assert_eq(machine_run(machine), MACHINE_HALTED);
    cr_assert_str_eq(machine_broken(machine), "");
    fills = machine_trace.count.tlb_fills;
    machine_destroy(machine);
    return fills;
}

Test(tlb, fills_do_not_depend_on_the_librarys_own_buffer)
{
    uint64_t fills;

    machine_fixture();
    enable_paging();
    for (unsigned i = 1; i < 16; i++)
        put32(PAGE_DIRECTORY + 4 * i, PAGE_TABLE | PTE_P | PTE_W | PTE_U);
    for (unsigned i = MEMORY_BYTES / 4096; i < 1024; i++)
        put32(PAGE_TABLE + 4 * i, FIRST | PTE_P | PTE_W);
    cpu.gpr[GPR_ECX] = TOUCHES;
    CODE_AT(CODE, 0x69, 0xC0, 0x6D, 0x4E, 0xC6, 0x41, 0x05, 0x39, 0x30, 0, 0,
            0x89, 0xC3, 0x81, 0xE3, 0, 0xF0, 0xFF, 0x03, 0x8B, 0x13, 0xE2, 0xE9,
            OP_HLT);
    fills = fills_of_random_touches();
    cr_expect_gt(fills, TOUCHES / 2);
    disturbed = true;
    cr_expect_eq(fills_of_random_touches(), fills);
}

static void fill_page(struct tlb *t, uint32_t page, bool global)
{
    struct paging_walk w = {.page_shift = PAGE_SHIFT};
    struct tlb_entry *e = tlb_find(t, page << PAGE_SHIFT);

    tlb_fill(t, page << PAGE_SHIFT, &w, global, &e);
}

/* The engine has to lose them, too: those that it got since it was emptied. */
Test(tlb, flush_tells_what_the_engine_may_have)
{
    uint32_t lost[2] = {0, 0};
    struct tlb t;

    cr_assert(tlb_create(&t, TLB_ENTRIES_LEAST, 4));
    fill_page(&t, 1, false);
    t.epoch++;
    fill_page(&t, 2, false);
    fill_page(&t, 3, true);
    fill_page(&t, 4, false);
    cr_expect_eq(tlb_flush(&t, TLB_LOCAL, t.tag, lost, 2), 2);
    cr_expect((lost[0] | lost[1]) == (6 << PAGE_SHIFT) && lost[0] && lost[1]);
    cr_expect_eq(tlb_occupied(&t), 1, "the global one");
    fill_page(&t, 5, false);
    lost[0] = 0;
    cr_expect_eq(tlb_flush(&t, TLB_CONTEXT, t.tag, lost, 0), 2);
    cr_expect_eq(lost[0], 0, "no room");
    tlb_destroy(&t);
}
