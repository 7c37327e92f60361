/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_direct.c - direct paging: types, counts, refusals. */
#include "tests/shadowmmu/test_direct_world.h"

enum { STEPS = 2500, SEEDS = 12 };

/* ---- random requests, against the model ------------------------------------
 */

static uint32_t random_entry(struct world *w)
{
    static const uint32_t flags[] = {PTE_P,
                                     PTE_P | PTE_W,
                                     PTE_P | PTE_W | PTE_U,
                                     PTE_P | PTE_U | PTE_A,
                                     PTE_P | PTE_W | PTE_PS,
                                     PTE_P | PTE_G,
                                     PTE_W};
    uint32_t frame = (uint32_t)page_ma(w, world_random(w, PAGES)).v;

    if (world_random(w, 5) == 0)
        return 0;
    if (world_random(w, 24) == 0)
        frame = foreign_ma(w, world_random(w, FOREIGN_PAGES));
    if (world_random(w, 24) == 0)
        frame =
            world_random(w, 2) ? hole_entry(w->mmu) & PTE_FRAME : 0x00FFF000;
    return frame | flags[world_random(w, world_random(w, 4) ? 4 : 7)];
}

static bool is_table(const struct roles *r, unsigned page)
{
    return r->table[page] || r->directory[page];
}

static enum table_refusal random_update(struct world *w, bool *allowed)
{
    unsigned page = world_random(w, PAGES), word = world_random(w, WORDS + 1);
    struct roles before = model_roles(w, &no_extra);
    uint32_t entry = random_entry(w);
    struct extra x = {.base = -1, .pin = -1, .page = (int)page, .entry = entry};

    if (word == WORDS && world_random(w, 4))
        word = 0;
    *allowed = !is_table(&before, page) || !model_roles(w, &x).broken;
    if (word == WORDS && before.directory[page])
        *allowed = false;
    if (*allowed)
        w->model.word[page][word] = entry;
    model_settle(w, &before);
    return update(w, page, word, entry);
}

static enum table_refusal random_pin(struct world *w, bool *allowed)
{
    struct roles before = model_roles(w, &no_extra);
    unsigned page = world_random(w, PAGES);
    struct extra x = no_extra;

    x.pin = (int)page;
    x.pin_type = world_random(w, 2) ? FRAME_TABLE : FRAME_DIRECTORY;
    *allowed =
        w->model.pinned[page] == FRAME_UNTYPED && !model_roles(w, &x).broken;
    if (*allowed)
        w->model.pinned[page] = x.pin_type;
    model_settle(w, &before);
    return direct_pin(w->mmu, page_ma(w, page), x.pin_type).why;
}

static enum table_refusal random_unpin(struct world *w, bool *allowed)
{
    struct roles before = model_roles(w, &no_extra);
    unsigned page = world_random(w, PAGES);

    *allowed = w->model.pinned[page] != FRAME_UNTYPED;
    w->model.pinned[page] = FRAME_UNTYPED;
    model_settle(w, &before);
    return direct_unpin(w->mmu, page_ma(w, page)).why;
}

static enum table_refusal random_base(struct world *w, bool *allowed)
{
    struct roles before = model_roles(w, &no_extra);
    struct extra x = no_extra;
    unsigned page = world_random(w, PAGES);

    x.base = (int)page;
    *allowed = !model_roles(w, &x).broken;
    if (*allowed)
        w->model.base = page;
    model_settle(w, &before);
    return new_base(w, (uint32_t)page_ma(w, page).v);
}

static void assert_words(struct world *w)
{
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned word = 0; word <= WORDS; word++)
            cr_assert_eq(memory_read32(&w->memory, word_ma(w, page, word)),
                         w->model.word[page][word], "page %u word %u", page,
                         word);
}

/* Nothing that the processor may remember lets the guest write a table. */
static void assert_tlb(struct world *w)
{
    struct roles r = model_roles(w, &no_extra);

    for (unsigned i = 0; i < TLB_SIZE; i++) {
        const struct tlb_entry *e = &w->tlb[i];

        cr_assert(!e->valid || !e->writable ||
                      !is_table(&r, (unsigned)page_of(w, e->ma)),
                  "linear page %05x is a writable page table", e->page);
    }
}

/* Does anything in use name it? */
static bool is_named(const struct world *w, const struct roles *r, int page)
{
    bool named = is_table(r, (unsigned)page) || r->writable[page];

    for (unsigned of = 0; of < PAGES; of++)
        for (unsigned i = 0; is_table(r, of) && i <= WORDS; i++)
            named |= (w->model.word[of][i] & PTE_P) &&
                     page_of(w, w->model.word[of][i]) == page;
    return named;
}

/* A frame goes to the balloon, to somebody else, and the page comes back with
 * another. Nobody else's frame may be in the TLB meanwhile. */
static bool random_give(struct world *w)
{
    struct roles r = model_roles(w, &no_extra);
    unsigned page = world_random(w, PAGES);
    gpa_t gpa = GPA(page * PAGE_BYTES);
    ma_t frame = page_ma(w, page), other, now;
    bool given = mmu_balloon(w->mmu, gpa);

    cr_assert_eq(given, !is_named(w, &r, (int)page), "page %u", page);
    if (!given)
        return false;
    cr_assert(frames_take(w->frames, &other));
    cr_assert_eq(other.v, frame.v);
    for (unsigned i = 0; i < TLB_SIZE; i++)
        cr_assert(!w->tlb[i].valid || w->tlb[i].ma != frame.v);
    cr_assert_eq(update(w, w->model.base, 0, (uint32_t)frame.v | PTE_P),
                 REFUSAL_FRAME);
    assert_audit(w);
    cr_assert(pmap_unballoon(w->pmap, gpa));
    cr_assert_eq(pmap_hold(w->pmap, gpa, true, &now), PMAP_RAM);
    cr_assert_neq(now.v, frame.v);
    frames_give(w->frames, other);
    memset(w->model.word[page], 0, sizeof w->model.word[page]);
    return true;
}

static void random_step(struct world *w, uint64_t refusals[REFUSALS])
{
    enum table_refusal why;
    bool allowed;

    for (unsigned i = world_random(w, 4); i > 0; i--)
        fake_touch(w, world_random(w, WORDS) << LARGE_PAGE_SHIFT |
                          world_random(w, WORDS) << PAGE_SHIFT);
    switch (world_random(w, 10)) {
    case 0: why = random_base(w, &allowed); break;
    case 1: why = random_pin(w, &allowed); break;
    case 2: why = random_unpin(w, &allowed); break;
    default: why = random_update(w, &allowed); break;
    }
    cr_assert_eq(why == REFUSAL_NONE, allowed, "%s: %s",
                 allowed ? "refused" : "allowed", refusal_reason(why));
    refusals[why]++;
}

Test(mmu_direct, random_requests_are_refused_where_a_rule_would_break)
{
    uint64_t refusals[REFUSALS] = {0};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_create(seed);

        for (unsigned step = 0; step < STEPS; step++) {
            random_step(w, refusals);
            assert_audit(w);
            assert_words(w);
            assert_tlb(w);
        }
        world_destroy(w);
    }
    for (unsigned why = REFUSAL_NONE; why < REFUSALS; why++)
        cr_expect(refusals[why] > 0 || why == REFUSAL_ALIGNMENT ||
                      why == REFUSAL_NO_TABLE,
                  "never: %s", refusal_name((enum table_refusal)why));
}

Test(mmu_direct, a_frame_that_nothing_names_can_be_given_back)
{
    unsigned given = 0, refused = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_create(seed);
        uint64_t refusals[REFUSALS] = {0};

        for (unsigned step = 0; step < STEPS / 2; step++) {
            random_step(w, refusals);
            if (step % 4 == 0 && random_give(w))
                given++;
            else if (step % 4 == 0)
                refused++;
            assert_audit(w);
            assert_words(w);
            assert_tlb(w);
        }
        world_destroy(w);
    }
    cr_expect(given > 0 && refused > 0, "%u given, %u refused", given, refused);
}

/* ---- one reason each --------------------------------------------------------
 */

enum { DIRECTORY = 0, TABLE = 1, FREE = 2, OTHER = 3 };

static uint32_t entry_for(const struct world *w, unsigned page, uint32_t flags)
{
    return (uint32_t)page_ma(w, page).v | PTE_P | flags;
}

Test(mmu_direct, a_page_table_is_never_writable)
{
    struct world *w = world_create(1);

    cr_expect_eq(update(w, TABLE, 0, entry_for(w, TABLE, 0)), REFUSAL_NONE);
    cr_expect_eq(update(w, TABLE, 1, entry_for(w, TABLE, PTE_W)),
                 REFUSAL_TABLE);
    cr_expect_eq(update(w, TABLE, 1, entry_for(w, DIRECTORY, PTE_W)),
                 REFUSAL_TABLE);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_direct, what_is_writable_does_not_become_a_page_table)
{
    struct world *w = world_create(1);

    cr_expect_eq(update(w, TABLE, 0, entry_for(w, FREE, PTE_W)), REFUSAL_NONE);
    cr_expect_eq(update(w, DIRECTORY, 1, entry_for(w, FREE, PTE_W)),
                 REFUSAL_WRITABLE);
    cr_expect_eq(direct_pin(w->mmu, page_ma(w, FREE), FRAME_TABLE).why,
                 REFUSAL_WRITABLE);
    cr_expect_eq(update(w, TABLE, 0, entry_for(w, FREE, 0)), REFUSAL_NONE);
    cr_expect_eq(update(w, DIRECTORY, 1, entry_for(w, FREE, PTE_W)),
                 REFUSAL_NONE);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_direct, levels_do_not_mix)
{
    struct world *w = world_create(1);

    cr_expect_eq(update(w, DIRECTORY, 1, entry_for(w, DIRECTORY, 0)),
                 REFUSAL_LEVEL);
    cr_expect_eq(new_base(w, (uint32_t)page_ma(w, TABLE).v), REFUSAL_LEVEL);
    cr_expect_eq(direct_pin(w->mmu, page_ma(w, TABLE), FRAME_DIRECTORY).why,
                 REFUSAL_LEVEL);
    world_destroy(w);
}

Test(mmu_direct, frames_of_others_are_refused_wherever_they_are_named)
{
    struct world *w = world_create(1);
    uint32_t foreign = foreign_ma(w, 0);

    cr_expect_eq(update(w, TABLE, 0, foreign | PTE_P), REFUSAL_FRAME);
    cr_expect_eq(update(w, DIRECTORY, 1, foreign | PTE_P), REFUSAL_FRAME);
    cr_expect_eq(direct_update(w->mmu, MA(foreign), 0, false).why,
                 REFUSAL_FRAME);
    cr_expect_eq(direct_pin(w->mmu, MA(foreign), FRAME_TABLE).why,
                 REFUSAL_FRAME);
    cr_expect_eq(direct_unpin(w->mmu, MA(foreign)).why, REFUSAL_FRAME);
    cr_expect_eq(new_base(w, foreign), REFUSAL_FRAME);
    cr_expect_eq(new_base(w, 0xFFFFF000), REFUSAL_FRAME);
    world_destroy(w);
}

Test(mmu_direct, the_vmms_own_entry_stays)
{
    struct world *w = world_create(1);

    cr_expect_eq(update(w, DIRECTORY, WORDS, 0), REFUSAL_RESERVED);
    cr_expect_eq(update(w, FREE, WORDS, entry_for(w, OTHER, 0)), REFUSAL_NONE);
    cr_expect_eq(direct_pin(w->mmu, page_ma(w, FREE), FRAME_DIRECTORY).why,
                 REFUSAL_RESERVED);
    world_destroy(w);
}

Test(mmu_direct, flags_pins_and_alignment_are_checked)
{
    struct world *w = world_create(1);
    ma_t table = page_ma(w, FREE);

    cr_expect_eq(update(w, TABLE, 0, entry_for(w, FREE, PTE_PCD)),
                 REFUSAL_FLAGS);
    cr_expect_eq(update(w, DIRECTORY, 1, entry_for(w, FREE, PTE_PS)),
                 REFUSAL_FLAGS);
    cr_expect_eq(direct_unpin(w->mmu, table).why, REFUSAL_NOT_PINNED);
    cr_expect_eq(direct_pin(w->mmu, table, FRAME_TABLE).why, REFUSAL_NONE);
    cr_expect_eq(direct_pin(w->mmu, table, FRAME_TABLE).why, REFUSAL_PINNED);
    cr_expect_eq(direct_pin(w->mmu, MA(table.v + 4), FRAME_TABLE).why,
                 REFUSAL_ALIGNMENT);
    world_destroy(w);
}

/* The answer names the entry that is to blame, however deep. */
Test(mmu_direct, a_refused_directory_names_the_bad_entry)
{
    struct world *w = world_create(1);
    struct direct_answer a;

    update(w, OTHER, 3, foreign_ma(w, 1) | PTE_P);
    update(w, FREE, 5, entry_for(w, OTHER, 0));
    a = direct_pin(w->mmu, page_ma(w, FREE), FRAME_DIRECTORY);
    cr_expect_eq(a.why, REFUSAL_FRAME);
    cr_expect_eq(a.entry.v, word_ma(w, OTHER, 3).v);
    cr_expect_eq(a.value, foreign_ma(w, 1) | PTE_P);
    assert_audit(w);
    world_destroy(w);
}

/* ---- the rest ---------------------------------------------------------------
 */

/* Xen's tlbflush_timestamp: only where the TLB can remember the old use. */
Test(mmu_direct, a_change_of_type_flushes_only_where_it_must)
{
    struct world *w = world_create(1);
    uint64_t flushes;

    update(w, TABLE, 0, entry_for(w, FREE, PTE_W));
    update(w, TABLE, 0, 0);
    flushes = w->trace.count.tlb_flushes;
    direct_pin(w->mmu, page_ma(w, FREE), FRAME_TABLE);
    cr_expect_eq(w->trace.count.tlb_flushes, flushes + 1);
    direct_unpin(w->mmu, page_ma(w, FREE));
    update(w, TABLE, 0, entry_for(w, OTHER, PTE_W));
    update(w, TABLE, 0, 0);
    mmu_cr3_written(w->mmu);
    flushes = w->trace.count.tlb_flushes;
    direct_pin(w->mmu, page_ma(w, OTHER), FRAME_TABLE);
    cr_expect_eq(w->trace.count.tlb_flushes, flushes);
    world_destroy(w);
}

/* A read of a page that is there, and a write to a read-only one. */
Test(mmu_direct, every_fault_is_true_or_spurious)
{
    struct world *w = world_create(1);
    struct mmu_result r;

    update(w, TABLE, 0, entry_for(w, FREE, 0));
    mmu_fault(w->mmu, 0x10, PF_WRITE, 0, &r);
    cr_expect(r.cls == FC_TRUE && r.action == MMU_INJECT);
    cr_expect_eq(r.fault.error, PF_PRESENT | PF_WRITE);
    mmu_fault(w->mmu, 0x1000, 0, 0, &r);
    cr_expect(r.cls == FC_TRUE && r.fault.error == 0);
    mmu_fault(w->mmu, 0x10, 0, 0, &r);
    cr_expect(r.cls == FC_SPURIOUS && r.action == MMU_RESUME);
    mmu_fault(w->mmu, 0xFFC00000, PF_PRESENT | PF_WRITE, 0, &r);
    cr_expect(r.cls == FC_TRUE && r.fault.error == PF_WRITE,
              "the VMM's space is not there for the guest");
    world_destroy(w);
}

Test(mmu_direct, what_the_vmm_writes_is_never_a_table)
{
    struct world *w = world_create(1);

    cr_expect(direct_hold(w->mmu, GPA(FREE * PAGE_BYTES)));
    cr_expect_not(direct_hold(w->mmu, GPA(TABLE * PAGE_BYTES)));
    cr_expect_eq(direct_pin(w->mmu, page_ma(w, FREE), FRAME_TABLE).why,
                 REFUSAL_WRITABLE);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_direct, a_snapshot_brings_types_and_counts_back)
{
    struct world *w = world_create(1);
    size_t bytes = mmu_save(w->mmu, NULL, 0);
    void *saved = malloc(bytes);
    uint8_t *memory = malloc(w->memory.bytes);

    update(w, TABLE, 0, entry_for(w, FREE, PTE_W));
    cr_assert_eq(mmu_save(w->mmu, saved, bytes), bytes);
    memcpy(memory, w->memory.host, w->memory.bytes);
    update(w, TABLE, 0, 0);
    direct_pin(w->mmu, page_ma(w, FREE), FRAME_DIRECTORY);
    cr_assert_not(mmu_restore(w->mmu, saved, bytes - 1));
    memcpy(w->memory.host, memory, w->memory.bytes);
    cr_assert(mmu_restore(w->mmu, saved, bytes));
    assert_audit(w);
    cr_expect_eq(direct_pin(w->mmu, page_ma(w, FREE), FRAME_TABLE).why,
                 REFUSAL_WRITABLE);
    free(saved);
    free(memory);
    world_destroy(w);
}

/* ---- the audit finds what was planted
 * ----------------------------------------
 */

static void finds(struct world *w, const char *what)
{
    char line[200];

    cr_expect(mmu_audit(w->mmu, line, sizeof line) > 0, "missed: %s", what);
    cr_expect(strstr(line, what), "%s", line);
    world_destroy(w);
}

static void plant(struct world *w, unsigned page, unsigned word, uint32_t entry)
{
    memory_write32(&w->memory, word_ma(w, page, word), entry);
}

Test(mmu_direct, the_audit_finds_a_writable_page_table)
{
    struct world *w = world_create(1);

    update(w, TABLE, 0, entry_for(w, TABLE, 0));
    plant(w, TABLE, 0, entry_for(w, TABLE, PTE_W));
    finds(w, "a page table is writable");
}

Test(mmu_direct, the_audit_finds_a_frame_of_another)
{
    struct world *w = world_create(1);

    plant(w, TABLE, 0, foreign_ma(w, 0) | PTE_P);
    finds(w, "a frame that the PMap does not have");
}

Test(mmu_direct, the_audit_finds_a_lost_count)
{
    struct world *w = world_create(1);

    update(w, TABLE, 0, entry_for(w, FREE, PTE_W));
    direct_of(w->mmu)->frame[frame_of(page_ma(w, FREE))].uses++;
    finds(w, "uses miscounted");
}

Test(mmu_direct, the_audit_finds_an_entry_that_was_not_counted)
{
    struct world *w = world_create(1);

    plant(w, TABLE, 0, entry_for(w, FREE, 0));
    finds(w, "references miscounted");
}

Test(mmu_direct, the_audit_finds_the_vmms_entry_gone)
{
    struct world *w = world_create(1);

    plant(w, DIRECTORY, WORDS, 0);
    finds(w, "the VMM's own space is not there");
}
