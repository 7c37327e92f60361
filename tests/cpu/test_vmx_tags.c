/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_vmx_tags.c - whose translations the TLB keeps: over VM entries
 * and exits, and through INVVPID and INVEPT, each of which takes what its scope
 * says and nothing else. SDM 3C, "Caching Translation Information". */
#include "cpu/machine_priv.h"
#include "tests/cpu/test_vmx_fixture.h"

TestSuite(vmx_tags, .init = vmx_fixture, .timeout = 60);

/* ---- two guests take turns --------------------------------------------------
 */

enum {
    DATA = 0x50000,
    DATA_PAGES = 4,
    TURN_PAGES = DATA_PAGES + 1, /* and the code's own */
    TURNS = 10,                  /* of each guest */
};

static const uint32_t region[2] = {VMCS, OTHER_VMCS};
static uint64_t fills_by[2]; /* in the turns of each guest */
static bool launched[2];
static unsigned turns;
static void (*between_turns)(void);

/* mov eax, [DATA] and so on, one word of each page; vmcall */
static void put_turn(void)
{
    uint32_t at = cpu.eip;

    for (unsigned i = 0; i < DATA_PAGES; i++, at += 5) {
        CODE_AT(at, 0xA1);
        put32(at + 1, DATA + i * PAGE_BYTES);
    }
    CODE_AT(at, 0x0F, 0x01, 0xC1);
}

static void enter_guest(unsigned n)
{
    cr_assert_eq(vmx_load(machine, MA(region[n])), VMX_SUCCEED);
    vmwrite(VMCS_GUEST_EIP, cpu.eip);
    cr_assert_eq(launched[n] ? vmx_resume(machine) : vmx_launch(machine),
                 VMX_SUCCEED, "%s", vmx_complaint(machine));
    launched[n] = true;
}

static void next_turn(void)
{
    static uint64_t before;

    cr_assert_eq(vmread(VMCS_EXIT_REASON), VMX_VMCALL);
    fills_by[turns % 2] += machine_trace.count.tlb_fills - before;
    before = machine_trace.count.tlb_fills;
    if (++turns == 2 * TURNS) {
        machine_stop(machine);
        return;
    }
    if (between_turns)
        between_turns();
    enter_guest(turns % 2);
}

/* VPID 0: none. The guests have the same tables, and so know the same pages. */
static void take_turns(unsigned first_vpid, unsigned second_vpid)
{
    const unsigned vpid[2] = {first_vpid, second_vpid};

    put_turn();
    vmx_open();
    on_exit_do = next_turn;
    for (unsigned n = 2; n-- > 0;) {
        cr_assert_eq(vmx_load(machine, MA(region[n])), VMX_SUCCEED);
        write_controls();
        write_host();
        write_guest();
        vmwrite(VMCS_PROC2_CONTROLS, vpid[n] ? PROC2_VPID : 0);
        vmwrite(VMCS_VPID, vpid[n]);
    }
    enter_guest(0);
    cr_assert_eq(machine_run(machine), MACHINE_STOPPED);
    cr_assert_str_eq(machine_broken(machine), "");
    cr_assert_eq(turns, 2 * TURNS);
}

static void expect_fills(unsigned first, unsigned second)
{
    cr_expect_eq(fills_by[0], first, "%u", (unsigned)fills_by[0]);
    cr_expect_eq(fills_by[1], second, "%u", (unsigned)fills_by[1]);
}

Test(vmx_tags, with_two_vpids_each_guest_fills_once)
{
    take_turns(1, 2);
    expect_fills(TURN_PAGES, TURN_PAGES);
}

Test(vmx_tags, without_vpids_each_entry_begins_with_nothing)
{
    take_turns(0, 0);
    expect_fills(TURNS * TURN_PAGES, TURNS * TURN_PAGES);
}

Test(vmx_tags, a_guest_without_a_vpid_leaves_those_of_the_other)
{
    take_turns(1, 0);
    expect_fills(TURN_PAGES, TURNS * TURN_PAGES);
}

/* The processor cannot know better: that they agree is the VMM's business. */
Test(vmx_tags, one_vpid_for_both_is_one_context)
{
    take_turns(3, 3);
    expect_fills(TURN_PAGES, 0);
}

static void forget_the_second(void)
{
    cr_assert_eq(vmx_invvpid(machine, INVVPID_CONTEXT, 2, 0), VMX_SUCCEED);
}

Test(vmx_tags, invvpid_of_one_guest_leaves_the_other)
{
    between_turns = forget_the_second;
    take_turns(1, 2);
    expect_fills(TURN_PAGES, TURNS * TURN_PAGES);
}

static void forget_a_page(void)
{
    cr_assert_eq(vmx_invvpid(machine, INVVPID_ADDRESS, 1, DATA), VMX_SUCCEED);
}

Test(vmx_tags, invvpid_of_an_address_costs_one_fill)
{
    between_turns = forget_a_page;
    take_turns(1, 2);
    expect_fills(TURN_PAGES + TURNS - 1, TURN_PAGES);
}

/* What a guest without a VPID leaves behind is not the bare machine's. */
Test(vmx_tags, nothing_of_vpid_0_survives_the_last_exit)
{
    take_turns(0, 0);
    cr_expect_eq(tlb_occupied(&machine->tlb), 0);
}

/* ---- scopes -----------------------------------------------------------------
 */

/* Pages in the TLB: of each VPID, without nested tables and with either of two,
 * local and global, at two addresses. */
enum {
    VPIDS = 3,
    POINTERS = 3,
    ADDRESS = 0x400000,
    OTHER_ADDRESS = 0x401000,
    GLOBAL_OFFSET = 0x802000, /* global pages, so that all are there at once */
    WAYS = 16,                /* as many at one address, and more */
    FLAGS = EPTP_WRITE_BACK | 3 << EPTP_LEVELS_SHIFT,
};
static const uint64_t pointers[POINTERS] = {0, 0xE8000 | FLAGS,
                                            0xE9000 | FLAGS};

struct page {
    uint16_t vpid;
    uint64_t eptp;
    bool global;
    uint32_t linear;
};

static void belong_to(const struct page *p)
{
    machine->tlb.tag = p->vpid;
    machine->tlb.nested = p->eptp ? TLB_NESTED_BY(p->eptp) : 0;
}

static uint32_t linear_of(const struct page *p)
{
    return p->linear + (p->global ? GLOBAL_OFFSET : 0);
}

static void each_page(void (*visit)(const struct page *p))
{
    static const uint32_t at[] = {ADDRESS, OTHER_ADDRESS};

    for (unsigned i = 0; i < VPIDS * POINTERS * 4; i++) {
        struct page p = {.vpid = (uint16_t)(i / 4 % VPIDS),
                         .eptp = pointers[i / 4 / VPIDS],
                         .global = i & 1,
                         .linear = at[i >> 1 & 1]};

        visit(&p);
    }
}

static void fill_page(const struct page *p)
{
    const struct paging_walk w = {.address = 0x1000, .page_shift = PAGE_SHIFT};
    struct tlb_entry *e;

    belong_to(p);
    e = tlb_find(&machine->tlb, linear_of(p));
    cr_assert_eq(tlb_fill(&machine->tlb, linear_of(p), &w, p->global, &e),
                 TLB_FREE);
}

static bool (*goes)(const struct page *p);

static void expect_page(const struct page *p)
{
    belong_to(p);
    cr_expect_eq(tlb_find(&machine->tlb, linear_of(p)) == NULL, goes(p),
                 "VPID %u, EPTP %x, %s, %08x", p->vpid, (unsigned)p->eptp,
                 p->global ? "global" : "local", (unsigned)p->linear);
}

static void scope(bool (*expected)(const struct page *p))
{
    goes = expected;
    each_page(expect_page);
}

static void scope_open(void)
{
    vmx_open();
    tlb_destroy(&machine->tlb);
    cr_assert(tlb_create(&machine->tlb, TLB_ENTRIES, WAYS));
    each_page(fill_page);
}

static bool local_at_address(const struct page *p)
{
    return p->vpid == 1 && p->linear == ADDRESS && !p->global;
}

Test(vmx_tags, invvpid_0_takes_one_address_of_a_vpid)
{
    scope_open();
    vmx_invvpid(machine, INVVPID_ADDRESS, 1, ADDRESS + 0x123);
    scope(local_at_address);
}

static bool global_at_address(const struct page *p)
{
    return p->vpid == 1 && p->linear == ADDRESS && p->global;
}

Test(vmx_tags, invvpid_0_takes_a_global_page_too)
{
    scope_open();
    vmx_invvpid(machine, INVVPID_ADDRESS, 1, ADDRESS + GLOBAL_OFFSET);
    scope(global_at_address);
}

static bool of_vpid_1(const struct page *p)
{
    return p->vpid == 1;
}

Test(vmx_tags, invvpid_1_takes_a_vpid)
{
    scope_open();
    vmx_invvpid(machine, INVVPID_CONTEXT, 1, 0);
    scope(of_vpid_1);
}

static bool of_any_vpid(const struct page *p)
{
    return p->vpid != 0;
}

Test(vmx_tags, invvpid_2_takes_every_vpid_but_0)
{
    scope_open();
    vmx_invvpid(machine, INVVPID_ALL, 0, 0);
    scope(of_any_vpid);
}

static bool local_of_vpid_1(const struct page *p)
{
    return p->vpid == 1 && !p->global;
}

Test(vmx_tags, invvpid_3_retains_globals)
{
    scope_open();
    vmx_invvpid(machine, INVVPID_LOCAL, 1, 0);
    scope(local_of_vpid_1);
}

static bool of_the_first_tables(const struct page *p)
{
    return p->eptp == pointers[1];
}

Test(vmx_tags, invept_1_takes_what_is_derived_from_these_tables)
{
    scope_open();
    vmx_invept(machine, INVEPT_CONTEXT, pointers[1] | EPTP_ACCESSED_DIRTY);
    scope(of_the_first_tables);
}

static bool of_any_tables(const struct page *p)
{
    return p->eptp != 0;
}

Test(vmx_tags, invept_2_leaves_linear_mappings)
{
    scope_open();
    vmx_invept(machine, INVEPT_ALL, 0);
    scope(of_any_tables);
}

static bool none(const struct page *p)
{
    (void)p;
    return false;
}

Test(vmx_tags, a_refused_operand_takes_nothing)
{
    scope_open();
    vmx_invvpid(machine, INVVPID_CONTEXT, 0, 0);
    vmx_invvpid(machine, (enum vmx_invvpid)4, 1, 0);
    vmx_invept(machine, (enum vmx_invept)0, pointers[1]);
    vmx_invept(machine, INVEPT_CONTEXT, 1);
    scope(none);
}

/* Guest-physical mappings are no linear ones: INVVPID leaves them. */
static void kept_after(bool (*invalidate)(void), bool first, bool second)
{
    vmx_open();
    for (unsigned i = 0; i < 2; i++)
        machine->ept[i] = (struct ept_slot){.eptp = pointers[1 + i],
                                            .flushes = machine->ept_flushes};
    cr_assert(invalidate());
    cr_expect_eq(machine->ept[0].eptp == pointers[1] &&
                     machine->ept[0].flushes == machine->ept_flushes,
                 first);
    cr_expect_eq(machine->ept[1].eptp == pointers[2] &&
                     machine->ept[1].flushes == machine->ept_flushes,
                 second);
}

static bool invvpid_all(void)
{
    return vmx_invvpid(machine, INVVPID_ALL, 0, 0) == VMX_SUCCEED;
}

static bool invept_first(void)
{
    return vmx_invept(machine, INVEPT_CONTEXT, pointers[1]) == VMX_SUCCEED;
}

static bool invept_all(void)
{
    return vmx_invept(machine, INVEPT_ALL, 0) == VMX_SUCCEED;
}

Test(vmx_tags, guest_physical_mappings_go_by_invept_alone)
{
    kept_after(invvpid_all, true, true);
    kept_after(invept_first, false, true);
    kept_after(invept_all, false, false);
}
