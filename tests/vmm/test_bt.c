/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_bt.c - a translated kernel cannot tell, however it is
 * translated; and each optimization is worth what it should be.
 *
 * guests/bttest prints what it sees: exactly what it sees on the bare machine.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/guest.h"
#include "traps/bt.h"

#define CYCLES UINT64_C(1000000000)

static void unit_1(struct vm_config *c)
{
    c->bt_unit = 1;
}

static void unit_64(struct vm_config *c)
{
    c->bt_unit = BT_UNIT_MAX;
}

static void small_cache(struct vm_config *c)
{
    c->bt_cache_bytes = BT_CACHE_MIN;
}

static void no_chain(struct vm_config *c)
{
    c->bt_without = 1u << BT_CHAIN;
}

static void no_inline(struct vm_config *c)
{
    c->bt_without = 1u << BT_INLINE;
}

static void no_lookup(struct vm_config *c)
{
    c->bt_without = 1u << BT_LOOKUP;
}

/* A page table that is written again and again stays traced. */
static void in_sync(struct vm_config *c)
{
    c->mmu_without = MMU_UNSYNC | MMU_UNSHADOW;
}

static void no_adapt(struct vm_config *c)
{
    in_sync(c);
    c->bt_without = 1u << BT_ADAPT;
}

static void no_ahead(struct vm_config *c)
{
    c->bt_without = 1u << BT_AHEAD;
}

static void nothing(struct vm_config *c)
{
    c->bt_without = (1u << BT_OPTIONS) - 1;
}

static const struct variant {
    const char *name;
    void (*change)(struct vm_config *c);
} variants[] = {
    {"usual", NULL},          {"units of 1", unit_1},
    {"units of 64", unit_64}, {"smallest cache", small_cache},
    {"no chain", no_chain},   {"no inline", no_inline},
    {"no lookup", no_lookup}, {"no adapt", no_adapt},
    {"no ahead", no_ahead},   {"all off", nothing},
};

static struct blob kernel(void)
{
    static struct blob blob;

    if (!blob.data)
        blob = guest_built("bttest");
    return blob;
}

/* Run a part to its end; g stays open. */
static void run(struct guest *g, const struct way *way, const char *part,
                void (*change)(struct vm_config *c))
{
    guest_open(g, way, kernel(), part, 16 * MIB, change);
    cr_assert_eq(guest_run(g, CYCLES), VM_DEBUG_EXIT, "%s, %s: %s", part,
                 way->name, vm_report(g->vm));
    cr_assert_eq(vm_exit_status(g->vm), 1, "%s, %s: %s", part, way->name,
                 g->console);
}

static void same_as_bare(const char *part)
{
    struct guest bare, g;

    run(&bare, &ways[WAY_BARE], part, NULL);
    for (unsigned w = WAY_BT_TLB; w <= WAY_BT_SHADOW; w++)
        for (unsigned v = 0; v < sizeof variants / sizeof *variants; v++) {
            run(&g, &ways[w], part, variants[v].change);
            cr_expect_str_eq(g.console, bare.console, "%s, %s", ways[w].name,
                             variants[v].name);
            guest_close(&g);
        }
    guest_close(&bare);
}

/* ---- the guest cannot tell
 * ------------------------------------------------------- */

Test(bt, faults_in_a_unit_are_precise)
{
    same_as_bare("faults 1");
}

Test(bt, a_return_goes_where_the_stack_says)
{
    same_as_bare("callers 50");
}

Test(bt, the_guest_reads_its_own_bytes)
{
    same_as_bare("read 20");
}

Test(bt, the_next_instruction_may_change)
{
    same_as_bare("next 40");
}

Test(bt, an_instruction_ahead_may_change)
{
    same_as_bare("later 40");
}

Test(bt, another_function_may_change)
{
    same_as_bare("other 40");
}

Test(bt, an_executed_instruction_may_change)
{
    same_as_bare("back 40");
}

Test(bt, data_may_lie_beside_code)
{
    same_as_bare("beside 200");
}

Test(bt, copied_code_is_executed)
{
    same_as_bare("copy 30");
}

Test(bt, nothing_shows_the_monitor)
{
    same_as_bare("show 1");
}

Test(bt, popf_of_every_combination)
{
    same_as_bare("popf 1");
}

Test(bt, iret_of_every_combination)
{
    same_as_bare("iret 3");
}

/* (It prints how long a tick took only if that was too long.) */
Test(bt, a_tick_gets_into_a_chained_loop)
{
    same_as_bare("tick 5");
}

Test(bt, an_interrupt_comes_right_behind_the_shadow_of_sti)
{
    same_as_bare("shadow 3");
}

Test(bt, the_vmm_makes_room_in_the_linear_space)
{
    same_as_bare("space 3");
}

Test(bt, descriptors_among_busy_data_are_what_they_say)
{
    same_as_bare("busy 400");
}

Test(bt, a_device_answers_the_same_instruction_each_time)
{
    same_as_bare("device 100");
}

/* ---- what each optimization is worth
 * ----------------------------------------------- */

/* Counters of a part, less those of the same with no iterations. */
static void count(const char *part, unsigned n,
                  void (*change)(struct vm_config *c), struct counters *c)
{
    char text[40];
    struct guest g;
    struct counters none;

    snprintf(text, sizeof text, "%s 1", part);
    run(&g, &ways[WAY_BT_SHADOW], text, change);
    none = vm_trace(g.vm)->count;
    guest_close(&g);
    snprintf(text, sizeof text, "%s %u", part, n + 1);
    run(&g, &ways[WAY_BT_SHADOW], text, change);
    *c = vm_trace(g.vm)->count;
    guest_close(&g);
    for (unsigned i = 0; i < EXIT_COUNT; i++)
        c->exits[i] -= none.exits[i];
    c->mmu_pte_write -= none.mmu_pte_write;
    c->bt_units -= none.bt_units;
}

static void expect_near(uint64_t found, uint64_t want, const char *what)
{
    cr_expect(found >= want && found <= want + 40, "%s: %llu for %llu", what,
              (unsigned long long)found, (unsigned long long)want);
}

Test(bt_optimizations, chain_spares_an_exit_for_each_jump)
{
    struct counters with, without;

    count("jumps", 1000, NULL, &with);
    count("jumps", 1000, no_chain, &without);
    expect_near(with.exits[EXIT_TRANSLATE], 0, "with");
    expect_near(without.exits[EXIT_TRANSLATE], 2000, "without");
}

Test(bt_optimizations, inline_spares_callouts)
{
    struct counters with, without;

    count("flags", 1000, NULL, &with);
    count("flags", 1000, no_inline, &without);
    expect_near(with.exits[EXIT_CALLOUT], 0, "with");
    expect_near(without.exits[EXIT_CALLOUT], 3000, "pushf, cli, popf");
    count("tables", 1000, NULL, &with);
    count("tables", 1000, no_inline, &without);
    expect_near(with.exits[EXIT_CALLOUT], 0, "with");
    expect_near(without.exits[EXIT_CALLOUT], 2000, "CR0 and CS");
}

Test(bt_optimizations, lookup_spares_an_exit_for_each_return)
{
    struct counters with, without;

    count("returns", 1000, NULL, &with);
    count("returns", 1000, no_lookup, &without);
    expect_near(with.exits[EXIT_TRANSLATE] + with.exits[EXIT_CALLOUT], 0,
                "with");
    expect_near(without.exits[EXIT_CALLOUT], 1000, "without");
}

Test(bt_optimizations, adapt_turns_traces_into_callouts)
{
    struct counters with, without;

    count("stores", 1000, in_sync, &with);
    count("stores", 1000, no_adapt, &without);
    cr_expect(with.exits[EXIT_PAGE_FAULT] < 40, "%llu",
              (unsigned long long)with.exits[EXIT_PAGE_FAULT]);
    cr_expect(with.exits[EXIT_CALLOUT] > 960);
    expect_near(without.exits[EXIT_PAGE_FAULT], 1000, "without");
    expect_near(without.exits[EXIT_CALLOUT], 0, "without");
}

Test(bt_optimizations, adapt_turns_device_faults_into_callouts)
{
    struct counters with, without;

    count("device", 1000, NULL, &with);
    count("device", 1000, no_adapt, &without);
    cr_expect(with.exits[EXIT_PAGE_FAULT] < 40, "%llu",
              (unsigned long long)with.exits[EXIT_PAGE_FAULT]);
    expect_near(without.exits[EXIT_PAGE_FAULT], 3000, "without");
}

/* Of 20,000 writes beside descriptors few are watched: it does not pay. */
Test(bt_optimizations, busy_descriptors_go_unwatched)
{
    struct counters c;

    count("busy", 400, NULL, &c);
    cr_expect(
        c.exits[EXIT_PAGE_FAULT] + c.exits[EXIT_CALLOUT] < 4000, "%llu",
        (unsigned long long)(c.exits[EXIT_PAGE_FAULT] + c.exits[EXIT_CALLOUT]));
}

Test(bt_optimizations, ahead_spares_links)
{
    struct guest g;
    uint64_t with, without;

    run(&g, &ways[WAY_BT_SHADOW], "show 1", NULL);
    with = vm_trace(g.vm)->count.bt_links;
    guest_close(&g);
    run(&g, &ways[WAY_BT_SHADOW], "show 1", no_ahead);
    without = vm_trace(g.vm)->count.bt_links;
    guest_close(&g);
    cr_expect(with * 2 < without, "%llu, %llu", (unsigned long long)with,
              (unsigned long long)without);
}

/* ---- limits
 * ---------------------------------------------------------------------- */

static void small_cache_units_1(struct vm_config *c)
{
    small_cache(c);
    unit_1(c);
}

Test(bt, a_full_cache_is_emptied_and_the_kernel_goes_on)
{
    struct guest g, roomy;

    guest_open(&roomy, &ways[WAY_BT_SHADOW], guest_embedded("lumen"), "test",
               64 * MIB, NULL);
    guest_run(&roomy, CYCLES);
    guest_open(&g, &ways[WAY_BT_SHADOW], guest_embedded("lumen"), "test",
               64 * MIB, small_cache_units_1);
    cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
    cr_expect_eq(vm_exit_status(g.vm), 1);
    cr_expect_str_eq(g.console, roomy.console);
    cr_expect(vm_trace(g.vm)->count.bt_flushes >
                  vm_trace(roomy.vm)->count.bt_flushes + 1,
              "%llu flushes",
              (unsigned long long)vm_trace(g.vm)->count.bt_flushes);
    guest_close(&g);
    guest_close(&roomy);
}

Test(bt, a_unit_has_no_more_instructions_than_asked_for)
{
    struct guest g;
    const struct counters *c;

    run(&g, &ways[WAY_BT_SHADOW], "faults 1", unit_1);
    c = &vm_trace(g.vm)->count;
    /* (In the shadow of STI nothing ends.) */
    cr_expect(c->bt_guest_insns >= c->bt_units &&
                  c->bt_guest_insns <= c->bt_units + 4,
              "%llu units, %llu instructions", (unsigned long long)c->bt_units,
              (unsigned long long)c->bt_guest_insns);
    guest_close(&g);
}
