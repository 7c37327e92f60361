/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_commons.c - several VMs on one machine.
 *
 * Each VM's memory is a flat array. Whatever they write, share, give away and
 * take from each other, each reads what it wrote there last; no machine frame
 * can be written by one and reached by another; and where that is broken on
 * purpose, the audit says so.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "shadowmmu/pmap_priv.h"

enum {
    VMS = 3,
    GUEST_PAGES = 160,
    GUEST_MEMORY = GUEST_PAGES * PAGE_BYTES,
    LIMIT = PMAP_FRAMES_LEAST + 16,
    MACHINE_FRAMES = VMS * LIMIT - 60, /* not enough for all at once */
    SWAP_SLOTS = VMS * GUEST_PAGES,
    SCAN = 64,
    STEPS = 2000,
};

struct vm {
    struct pmap *pmap; /* NULL: it is not there at present */
    uint8_t flat[GUEST_MEMORY];
};

struct host {
    struct memory memory;
    struct frames *frames;
    struct commons *commons;
    struct vm vm[VMS];
    uint64_t random;
    unsigned failures;
};

static uint32_t draw(struct host *h, uint32_t n)
{
    h->random = h->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(h->random >> 33) % n;
}

static void failed(void *ctx)
{
    ((struct host *)ctx)->failures++;
}

static struct host *host_create(uint64_t seed, uint64_t machine_frames,
                                uint32_t slots)
{
    struct host *h = calloc(1, sizeof *h);
    char *error = NULL;
    struct swap *swap = swap_open(NULL, slots, &error);

    cr_assert_not_null(swap, "%s", error);
    h->random = seed;
    h->memory.bytes = machine_frames * PAGE_BYTES;
    h->memory.host = calloc(1, h->memory.bytes);
    h->frames = frames_create(&h->memory, MA(0), h->memory.bytes);
    h->commons = commons_create(&h->memory, h->frames);
    cr_assert(commons_share(h->commons));
    commons_set_swap(h->commons, swap);
    return h;
}

static struct pmap *vm_start(struct host *h, struct vm *vm)
{
    vm->pmap = pmap_create(h->commons);
    cr_assert_not_null(vm->pmap);
    memset(vm->flat, 0, GUEST_MEMORY);
    pmap_set_failed(vm->pmap, failed, h);
    pmap_overcommit(vm->pmap, LIMIT);
    cr_assert(pmap_add(vm->pmap, GPA(0), GUEST_MEMORY, PMAP_PAGED_OUT));
    return vm->pmap;
}

static void vm_end(struct vm *vm)
{
    pmap_destroy(vm->pmap);
    vm->pmap = NULL;
}

static struct host *host_with_vms(uint64_t seed)
{
    struct host *h = host_create(seed, MACHINE_FRAMES, SWAP_SLOTS);

    for (unsigned i = 0; i < VMS; i++)
        vm_start(h, &h->vm[i]);
    return h;
}

static void host_destroy(struct host *h)
{
    uint64_t all = h->memory.bytes / PAGE_BYTES;

    for (unsigned i = 0; i < VMS; i++)
        vm_end(&h->vm[i]);
    cr_assert_eq(frames_free(h->frames), all, "frames were lost");
    cr_assert_eq(swap_used(h->commons->swap), 0, "slots were lost");
    commons_destroy(h->commons);
    frames_destroy(h->frames);
    free(h->memory.host);
    free(h);
}

static gpa_t page_at(uint32_t page)
{
    return GPA((uint64_t)page * PAGE_BYTES);
}

/* ---- what a VM does
 * ----------------------------------------------------------
 */

/* Few contents, so that many pages are equal, in all VMs. */
static void write_something(struct host *h, struct vm *vm)
{
    uint32_t at = draw(h, GUEST_PAGES) * PAGE_BYTES + draw(h, 2) * 2048;
    uint32_t value = draw(h, 3);

    cr_assert(pmap_write(vm->pmap, GPA(at), &value, sizeof value));
    memcpy(vm->flat + at, &value, sizeof value);
}

/* As the processor would, by the machine address. */
static void hold_something(struct host *h, struct vm *vm)
{
    uint32_t at = draw(h, GUEST_PAGES) * PAGE_BYTES + 100;
    bool write = draw(h, 2) != 0;
    uint32_t value = draw(h, 2);
    ma_t ma = MA(0);
    enum pmap_kind kind = pmap_hold(vm->pmap, GPA(at), write, &ma);

    cr_assert(write ? kind == PMAP_RAM : pmap_readable(kind));
    cr_assert_eq(memcmp(memory_at(&h->memory, ma), vm->flat + at, 4), 0);
    if (!write)
        return;
    memory_write32(&h->memory, ma, value);
    memcpy(vm->flat + at, &value, sizeof value);
}

static void balloon_something(struct host *h, struct vm *vm)
{
    gpa_t page = page_at(draw(h, GUEST_PAGES));

    if (draw(h, 2) == 0)
        pmap_unballoon(vm->pmap, page);
    else if (pmap_balloon(vm->pmap, page))
        memset(vm->flat + page.v, 0, PAGE_BYTES);
}

static void step(struct host *h)
{
    struct vm *vm = &h->vm[draw(h, VMS)];
    unsigned what = draw(h, 200);

    if (!vm->pmap)
        vm_start(h, vm);
    else if (what == 0)
        vm_end(vm);
    else if (what < 40)
        commons_scan(h->commons, SCAN);
    else if (what < 60)
        balloon_something(h, vm);
    else if (what < 110)
        write_something(h, vm);
    else
        hold_something(h, vm);
}

/* ---- what must hold
 * ----------------------------------------------------------
 */

static void expect_contents(const struct vm *vm)
{
    static uint8_t all[GUEST_MEMORY];

    if (!vm->pmap)
        return;
    cr_assert_leq(pmap_resident(vm->pmap), LIMIT);
    cr_assert(pmap_read(vm->pmap, GPA(0), all, GUEST_MEMORY));
    cr_assert_eq(memcmp(all, vm->flat, GUEST_MEMORY), 0);
}

static unsigned reaching(const struct host *h, ma_t frame, bool write)
{
    unsigned vms = 0;

    for (unsigned i = 0; i < VMS; i++)
        vms += h->vm[i].pmap && pmap_gives(h->vm[i].pmap, frame, write);
    return vms;
}

/* Returns how many frames several VMs share. */
static unsigned check(const struct host *h)
{
    const char *wrong = commons_audit(h->commons);
    unsigned common = 0;

    cr_assert_null(wrong, "%s", wrong);
    for (uint64_t at = 0; at < h->memory.bytes; at += PAGE_BYTES) {
        unsigned readers = reaching(h, MA(at), false);

        cr_assert(readers <= 1 || !reaching(h, MA(at), true));
        common += readers > 1;
    }
    for (unsigned i = 0; i < VMS; i++)
        expect_contents(&h->vm[i]);
    return common;
}

TestSuite(commons);

Test(commons, each_vm_reads_what_it_wrote_last)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct host *h = host_with_vms(seed);
        unsigned common = 0;

        for (unsigned i = 0; i < STEPS; i++) {
            step(h);
            if (i % 16 == 0)
                common += check(h);
        }
        common += check(h);
        cr_assert_gt(common, 0, "no frame was ever shared by two VMs");
        cr_assert_eq(h->failures, 0);
        host_destroy(h);
    }
}

/* ---- sharing ----------------------------------------------------------------
 */

static void write_page(struct vm *vm, uint32_t page, uint32_t value)
{
    cr_assert(pmap_write(vm->pmap, page_at(page), &value, sizeof value));
    memcpy(vm->flat + page * PAGE_BYTES, &value, sizeof value);
}

static ma_t frame_of(const struct vm *vm, uint32_t page)
{
    ma_t ma = MA(0);

    cr_assert(pmap_readable(pmap_lookup(vm->pmap, page_at(page), &ma)));
    return ma;
}

/* The first page of the first two VMs is one frame. */
static struct host *two_that_share(void)
{
    struct host *h = host_with_vms(1);

    for (unsigned i = 0; i < 2; i++)
        write_page(&h->vm[i], 0, 77);
    commons_scan(h->commons, 2 * VMS * GUEST_PAGES);
    cr_assert_eq(frame_of(&h->vm[0], 0).v, frame_of(&h->vm[1], 0).v);
    return h;
}

Test(commons, a_frame_of_two_vms_is_neithers)
{
    struct host *h = two_that_share();
    ma_t frame = frame_of(&h->vm[0], 0);

    cr_expect_eq(frames_owner(h->frames, frame), FRAME_COMMON);
    cr_expect_eq(frames_references(h->frames, frame), 2);
    cr_expect_eq(reaching(h, frame, false), 2);
    cr_expect_eq(reaching(h, frame, true), 0);
    host_destroy(h);
}

Test(commons, who_writes_gets_a_copy_and_the_last_one_the_frame)
{
    struct host *h = two_that_share();
    ma_t frame = frame_of(&h->vm[0], 0);

    write_page(&h->vm[0], 0, 78);
    cr_expect_neq(frame_of(&h->vm[0], 0).v, frame.v);
    cr_expect_eq(frame_of(&h->vm[1], 0).v, frame.v);
    cr_expect(pmap_gives(h->vm[1].pmap, frame, true));
    check(h);
    host_destroy(h);
}

Test(commons, a_vm_that_ends_leaves_its_frames_to_the_others)
{
    struct host *h = two_that_share();
    ma_t frame = frame_of(&h->vm[1], 0);

    vm_end(&h->vm[0]);
    cr_expect(pmap_gives(h->vm[1].pmap, frame, true));
    check(h);
    host_destroy(h);
}

static unsigned protections;

static void on_protect(void *ctx, gpa_t page)
{
    (void)ctx;
    protections += page.v == 0;
}

/* Its tables must not let it write what another one reads now. */
Test(commons, the_vm_that_was_first_is_told_that_it_may_only_read)
{
    const struct pmap_client client = {.protect = on_protect};
    struct host *h = host_with_vms(1);

    pmap_set_client(h->vm[0].pmap, &client);
    for (unsigned i = 0; i < 2; i++)
        write_page(&h->vm[i], 0, 77);
    commons_scan(h->commons, 2 * VMS * GUEST_PAGES);
    cr_expect_eq(protections, 1);
    host_destroy(h);
}

/* ---- one VM's need ----------------------------------------------------------
 */

static void fill(struct vm *vm, uint32_t pages)
{
    for (uint32_t page = 0; page < pages; page++)
        write_page(vm, page, page + 1);
}

Test(commons, a_vm_that_works_gets_the_memory_of_one_that_does_not)
{
    struct host *h = host_with_vms(1);
    uint64_t idle;

    for (unsigned i = 0; i < 2; i++)
        fill(&h->vm[i], GUEST_PAGES);
    idle = pmap_resident(h->vm[0].pmap) + pmap_resident(h->vm[1].pmap);
    cr_assert_eq(idle, 2 * LIMIT);
    fill(&h->vm[2], GUEST_PAGES);
    cr_expect_eq(pmap_resident(h->vm[2].pmap), LIMIT);
    idle = pmap_resident(h->vm[0].pmap) + pmap_resident(h->vm[1].pmap);
    cr_expect_eq(idle, MACHINE_FRAMES - LIMIT);
    check(h);
    host_destroy(h);
}

/* One that was promised all its memory keeps it. */
Test(commons, a_vm_without_overcommit_loses_nothing)
{
    struct host *h = host_create(1, 2 * PMAP_FRAMES_LEAST + 40, SWAP_SLOTS);
    struct pmap *whole = h->vm[0].pmap = pmap_create(h->commons);

    cr_assert(pmap_add(whole, GPA(0), GUEST_MEMORY / 2, PMAP_RAM));
    vm_start(h, &h->vm[1]);
    fill(&h->vm[1], GUEST_PAGES);
    cr_expect_eq(pmap_resident(whole), GUEST_PAGES / 2);
    cr_expect_null(commons_audit(h->commons));
    expect_contents(&h->vm[1]);
    host_destroy(h);
}

Test(commons, who_finds_no_frame_is_told_and_nobody_else_suffers)
{
    struct host *h = host_create(1, PMAP_FRAMES_LEAST + 40, SWAP_SLOTS);

    h->vm[0].pmap = pmap_create(h->commons);
    cr_assert(pmap_add(h->vm[0].pmap, GPA(0), 80 * PAGE_BYTES, PMAP_RAM));
    vm_start(h, &h->vm[1]);
    for (uint32_t page = 0; page < GUEST_PAGES && !h->failures; page++)
        pmap_write(h->vm[1].pmap, page_at(page), &page, sizeof page);
    cr_expect_eq(h->failures, 1);
    cr_expect_str_eq(pmap_trouble(h->vm[1].pmap),
                     "the machine is out of frames");
    cr_expect_str_eq(pmap_trouble(h->vm[0].pmap), "");
    cr_expect_null(commons_audit(h->commons));
    host_destroy(h);
}

Test(commons, the_full_swap_is_everybodys_and_told_to_who_needs_it)
{
    struct host *h = host_create(1, MACHINE_FRAMES, 8);

    vm_start(h, &h->vm[0]);
    vm_start(h, &h->vm[1]);
    fill(&h->vm[0], LIMIT + 8);
    for (uint32_t page = 0; page < GUEST_PAGES && !h->failures; page++)
        pmap_write(h->vm[1].pmap, page_at(page), &h->random, 8);
    cr_expect_eq(h->failures, 1);
    cr_expect_str_eq(pmap_trouble(h->vm[1].pmap),
                     "the host's swap is full: 32 KiB are in use");
    expect_contents(&h->vm[0]);
    host_destroy(h);
}

/* ---- snapshots
 * ----------------------------------------------------------------
 */

struct saved_part {
    void *bytes;
    size_t size;
};

#define SAVE(part, save, object)                                               \
    do {                                                                       \
        (part).size = save(object, NULL, 0);                                   \
        (part).bytes = malloc((part).size);                                    \
        cr_assert_eq(save(object, (part).bytes, (part).size), (part).size);    \
    } while (0)

struct snapshot {
    struct saved_part frames, commons, vm[VMS];
    struct host host; /* with what is not behind pointers */
    uint8_t *memory;
};

/* All VMs are there. */
static void save(const struct host *h, struct snapshot *s)
{
    SAVE(s->frames, frames_save, h->frames);
    SAVE(s->commons, commons_save, h->commons);
    for (unsigned i = 0; i < VMS; i++)
        SAVE(s->vm[i], pmap_save, h->vm[i].pmap);
    s->host = *h;
    s->memory = malloc(h->memory.bytes);
    memcpy(s->memory, h->memory.host, h->memory.bytes);
}

static void restore(struct host *h, const struct snapshot *s)
{
    *h = s->host;
    memcpy(h->memory.host, s->memory, h->memory.bytes);
    cr_assert(frames_restore(h->frames, s->frames.bytes, s->frames.size));
    cr_assert(commons_restore(h->commons, s->commons.bytes, s->commons.size));
    for (unsigned i = 0; i < VMS; i++)
        cr_assert(pmap_restore(h->vm[i].pmap, s->vm[i].bytes, s->vm[i].size));
}

static void expect_same(const struct saved_part *a, const struct saved_part *b)
{
    cr_expect(a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0);
}

static void forget(struct snapshot *s)
{
    free(s->frames.bytes);
    free(s->commons.bytes);
    for (unsigned i = 0; i < VMS; i++)
        free(s->vm[i].bytes);
    free(s->memory);
    free(s);
}

static void steps_of_all(struct host *h, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct vm *vm = &h->vm[draw(h, VMS)];

        if (draw(h, 4) == 0)
            commons_scan(h->commons, SCAN);
        write_something(h, vm);
        hold_something(h, vm);
    }
}

Test(commons, all_go_on_from_a_snapshot_as_before)
{
    struct host *h = host_with_vms(9);
    struct snapshot *before = calloc(1, sizeof *before);
    struct snapshot *first = calloc(1, sizeof *first);
    struct snapshot *second = calloc(1, sizeof *second);

    steps_of_all(h, 800);
    save(h, before);
    steps_of_all(h, 400);
    save(h, first);
    restore(h, before);
    check(h);
    steps_of_all(h, 400);
    save(h, second);
    expect_same(&first->frames, &second->frames);
    expect_same(&first->commons, &second->commons);
    for (unsigned i = 0; i < VMS; i++)
        expect_same(&first->vm[i], &second->vm[i]);
    forget(before);
    forget(first);
    forget(second);
    host_destroy(h);
}

/* ---- overlaps, planted
 * --------------------------------------------------------
 */

static void expect_found(const struct host *h, const char *what)
{
    const char *wrong = commons_audit(h->commons);

    cr_assert_not_null(wrong);
    cr_expect_not_null(strstr(wrong, what), "%s", wrong);
    cr_expect(pmap_audit(h->vm[0].pmap) || pmap_audit(h->vm[1].pmap),
              "no VM's own audit finds it");
}

/* After some random life; the plant is not taken out again. */
static struct host *lively(void)
{
    struct host *h = host_with_vms(5);

    steps_of_all(h, 300);
    for (unsigned i = 0; i < 2; i++)
        write_page(&h->vm[i], 0, 1000 + i);
    return h;
}

/* Two maps name the frame, and the allocator knows of one of them. */
Test(commons_audit, finds_a_frame_in_two_maps)
{
    struct host *h = lively();
    struct pmap *a = h->vm[0].pmap, *b = h->vm[1].pmap;
    uint64_t mfn = frame_of(&h->vm[0], 0).v >> PAGE_SHIFT;

    pmap_detach(b, 0);
    b->entry[0] = a->entry[0];
    b->inverse[mfn] = 1;
    b->n.resident++;
    expect_found(h, "in the maps of two VMs, and not shared");
}

/* The reference was counted, and the right to write was not withdrawn. */
Test(commons_audit, finds_a_shared_frame_that_one_may_write)
{
    struct host *h = lively();
    ma_t frame = frame_of(&h->vm[0], 0);

    pmap_detach(h->vm[1].pmap, 0);
    frames_share(h->frames, frame);
    pmap_attach(h->vm[1].pmap, 0, frame, PMAP_SHARED);
    expect_found(h, "references and its sharing disagree");
}

Test(commons_audit, finds_a_frame_that_went_to_another_vm)
{
    struct host *h = lively();

    frames_set_owner(h->frames, frame_of(&h->vm[0], 0), h->vm[1].pmap->owner);
    expect_found(h, "not this VM's");
}

Test(commons_audit, finds_a_frame_of_the_vmms_in_a_map)
{
    struct host *h = lively();

    frames_set_owner(h->frames, frame_of(&h->vm[1], 0), FRAME_VMM);
    expect_found(h, "not this VM's");
}

Test(commons_audit, finds_a_reference_that_nobody_has)
{
    struct host *h = two_that_share();

    frames_share(h->frames, frame_of(&h->vm[0], 0));
    expect_found(h, "has lost a guest frame");
}

Test(commons_audit, finds_a_frame_that_is_behind_nothing)
{
    struct host *h = lively();
    ma_t frame = frame_of(&h->vm[0], 0);

    h->vm[0].pmap->entry[0] = PMAP_NONE;
    h->vm[0].pmap->inverse[frame.v >> PAGE_SHIFT] = 0;
    expect_found(h, "behind no guest frame");
}
