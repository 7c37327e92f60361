/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_two_vms.c - two random guests on one machine, in turn.
 *
 * Each has its own tables and technique, and both have the machine's frames in
 * common: what one needs is taken from the other's, equal pages are one. Each
 * must see its own memory as if it were alone, and after every step no entry of
 * either's tables may lead to what its PMap does not give it.
 */
#include "tests/shadowmmu/test_program.h"

extern const struct mmu_technique mmu_tlb_emulation;

enum {
    ROUNDS = 800,
    TURN = 7, /* steps */
    TABLES = 20 * PAGE_BYTES,
    PAGES_READ = 2 * FRAMES_USED,
    RESERVE = 8, /* for tables: the least that makes progress, and more */
};

/* A device of the guest's reads one of more pages than the guest uses. */
static void device_reads(struct world *w, uint32_t page)
{
    ma_t ma;

    cr_assert(pmap_readable(
        pmap_hold(w->pmap, GPA((uint64_t)page << PAGE_SHIFT), false, &ma)));
}

static void settle(struct world *w)
{
    for (uint32_t page = 0; page < PAGES_READ; page++)
        device_reads(w, page);
}

/* So many frames are left: the test has the others. */
static ma_t taken[MACHINE_BYTES / PAGE_BYTES];
static unsigned taken_count;

static void leave_frames(struct world *w, uint64_t frames)
{
    for (taken_count = 0; frames_free(w->frames) > frames; taken_count++)
        cr_assert(frames_take(w->frames, &taken[taken_count]));
}

static void give_back(struct world *w)
{
    while (taken_count)
        frames_give(w->frames, taken[--taken_count]);
}

static void audit_both(const struct program *p)
{
    const char *wrong = commons_audit(p[0].w->commons);

    cr_assert_null(wrong, "%s", wrong);
    assert_audit(p[0].w);
    assert_audit(p[1].w);
}

static uint64_t evictions(const struct program *p)
{
    const struct counters *c = &p->w->trace.count;

    return c->pmap_swap_outs + c->pmap_zero_outs;
}

/* scarce: from when they run, a frame for the one is one of the other's. */
static void two_guests(const struct mmu_technique *a,
                       const struct mmu_technique *b, uint64_t seed,
                       bool scarce)
{
    struct program p[2];

    world_beside = NULL;
    p[0] = program_open(a, seed, TABLES, true, seed & 1);
    world_beside = p[0].w;
    p[1] = program_open(b, seed + 1000, TABLES, true, seed & 2);
    if (scarce) {
        settle(p[0].w);
        settle(p[1].w);
        leave_frames(p[0].w, RESERVE);
        commons_reserve(p[0].w->commons, RESERVE);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        program_round(&p[i / TURN & 1]);
        if (scarce)
            device_reads(p[i & 1].w, world_random(p[0].w, PAGES_READ));
        audit_both(p);
        if (i % 64 == 0) {
            assert_same_memory(p[0].w);
            assert_same_memory(p[1].w);
        }
    }
    if (scarce && !world_scarce.share) /* which saves a lot */
        cr_assert(evictions(&p[0]) && evictions(&p[1]));
    give_back(p[0].w);
    program_close(&p[1]);
    program_close(&p[0]);
}

TestSuite(two_vms);

Test(two_vms, each_sees_what_the_manual_says)
{
    world_scarce = (struct world_scarcity){0};
    for (uint64_t seed = 901; seed <= 904; seed++)
        two_guests(&mmu_shadow, &mmu_tlb_emulation, seed, false);
}

Test(two_vms, with_equal_pages_in_common)
{
    world_scarce = (struct world_scarcity){.share = true};
    for (uint64_t seed = 911; seed <= 914; seed++)
        two_guests(&mmu_shadow, &mmu_shadow, seed, false);
}

Test(two_vms, with_each_others_frames)
{
    world_scarce = (struct world_scarcity){.frames = 3 * FRAMES_USED};
    for (uint64_t seed = 921; seed <= 924; seed++)
        two_guests(&mmu_shadow, &mmu_tlb_emulation, seed, true);
}

Test(two_vms, with_everything_at_once)
{
    world_scarce = (struct world_scarcity){
        .frames = 3 * FRAMES_USED, .share = true, .balloon = true};
    for (uint64_t seed = 931; seed <= 934; seed++)
        two_guests(&mmu_tlb_emulation, &mmu_shadow, seed, true);
}
