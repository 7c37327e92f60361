/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_pmap_model.c - the PMap against a flat memory.
 *
 * Whatever is paged out, shared, given to the balloon or restored: what a guest
 * reads is what was written there last.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shadowmmu/pmap.h"
#include "shadowmmu/swap.h"

enum {
    MACHINE_FRAMES = 512,
    GUEST_PAGES = 256,
    GUEST_MEMORY = GUEST_PAGES * PAGE_BYTES,
    LIMIT = PMAP_FRAMES_LEAST,
    SWAP_SLOTS = GUEST_PAGES,
};

struct model {
    struct memory memory;
    struct frames *frames;
    struct commons *commons;
    struct pmap *pmap;
    uint8_t *flat; /* GUEST_MEMORY */
    uint64_t random;
    unsigned failures;
};

static uint32_t draw(struct model *m, uint32_t n)
{
    m->random = m->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(m->random >> 33) % n;
}

static void failed(void *ctx)
{
    ((struct model *)ctx)->failures++;
}

static struct model *model_create(uint64_t seed, uint32_t slots)
{
    struct model *m = calloc(1, sizeof *m);
    char *error = NULL;
    struct swap *swap = swap_open(NULL, slots, &error);

    cr_assert_not_null(swap, "%s", error);
    m->random = seed;
    m->memory.bytes = MACHINE_FRAMES * PAGE_BYTES;
    m->memory.host = calloc(1, m->memory.bytes);
    m->flat = calloc(1, GUEST_MEMORY);
    m->frames = frames_create(&m->memory, MA(0), m->memory.bytes);
    m->commons = commons_create(&m->memory, m->frames);
    m->pmap = pmap_create(m->commons);
    pmap_set_failed(m->pmap, failed, m);
    cr_assert(commons_share(m->commons));
    commons_set_swap(m->commons, swap);
    pmap_overcommit(m->pmap, LIMIT);
    cr_assert(pmap_add(m->pmap, GPA(0), GUEST_MEMORY, PMAP_PAGED_OUT));
    return m;
}

static void model_destroy(struct model *m)
{
    pmap_destroy(m->pmap);
    commons_destroy(m->commons);
    cr_assert_eq(frames_free(m->frames), MACHINE_FRAMES, "frames were lost");
    frames_destroy(m->frames);
    free(m->memory.host);
    free(m->flat);
    free(m);
}

/* Few contents, so that many pages are equal. */
static void write_something(struct model *m)
{
    uint32_t page = draw(m, GUEST_PAGES), value = draw(m, 3);
    uint32_t at = page * PAGE_BYTES + draw(m, 2) * 2048;

    cr_assert(pmap_write(m->pmap, GPA(at), &value, sizeof value));
    memcpy(m->flat + at, &value, sizeof value);
}

/* As the processor would, by the machine address. */
static void hold_something(struct model *m)
{
    uint32_t at = draw(m, GUEST_PAGES) * PAGE_BYTES + 100;
    bool write = draw(m, 2) != 0;
    uint32_t value = draw(m, 2);
    ma_t ma = MA(0);
    enum pmap_kind kind = pmap_hold(m->pmap, GPA(at), write, &ma);

    cr_assert(write ? kind == PMAP_RAM : pmap_readable(kind));
    cr_assert_eq(memcmp(memory_at(&m->memory, ma), m->flat + at, 4), 0);
    if (!write)
        return;
    cr_assert(pmap_gives(m->pmap, MA(ma.v & ~(uint64_t)PAGE_MASK), true));
    memory_write32(&m->memory, ma, value);
    memcpy(m->flat + at, &value, sizeof value);
}

static void balloon_something(struct model *m)
{
    gpa_t page = GPA((uint64_t)draw(m, GUEST_PAGES) * PAGE_BYTES);
    uint64_t before = pmap_ballooned(m->pmap);

    if (draw(m, 2)) {
        if (pmap_balloon(m->pmap, page)) {
            cr_assert_eq(pmap_ballooned(m->pmap), before + 1);
            memset(m->flat + page.v, 0, PAGE_BYTES);
        }
    } else if (pmap_unballoon(m->pmap, page)) {
        cr_assert_eq(pmap_ballooned(m->pmap), before - 1);
    }
}

static void check(const struct model *m)
{
    static uint8_t all[GUEST_MEMORY];
    const char *wrong = pmap_audit(m->pmap);

    cr_assert_null(wrong, "%s", wrong);
    cr_assert_leq(pmap_resident(m->pmap), LIMIT);
    cr_assert(pmap_read(m->pmap, GPA(0), all, GUEST_MEMORY));
    cr_assert_eq(memcmp(all, m->flat, GUEST_MEMORY), 0);
}

static void step(struct model *m)
{
    switch (draw(m, 8)) {
    case 0: commons_scan(m->commons, 64); break;
    case 1: balloon_something(m); break;
    case 2:
    case 3: write_something(m); break;
    default: hold_something(m); break;
    }
}

TestSuite(pmap_model);

Test(pmap_model, reads_what_was_written_last)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct model *m = model_create(seed, SWAP_SLOTS);

        for (unsigned i = 0; i < 1500; i++) {
            step(m);
            if (i % 8 == 0)
                check(m);
        }
        check(m);
        cr_assert_eq(m->failures, 0);
        model_destroy(m);
    }
}

/* ---- snapshots -------------------------------------------------------------
 */

struct snapshot {
    void *pmap, *frames, *commons, *memory, *flat;
    size_t pmap_bytes, frames_bytes, commons_bytes;
    uint64_t random;
};

static void *copy_of(const void *data, size_t bytes)
{
    void *copy = malloc(bytes);

    memcpy(copy, data, bytes);
    return copy;
}

static struct snapshot save(const struct model *m)
{
    struct snapshot s = {.pmap_bytes = pmap_save(m->pmap, NULL, 0),
                         .frames_bytes = frames_save(m->frames, NULL, 0),
                         .commons_bytes = commons_save(m->commons, NULL, 0),
                         .random = m->random};

    s.pmap = malloc(s.pmap_bytes);
    s.frames = malloc(s.frames_bytes);
    s.commons = malloc(s.commons_bytes);
    cr_assert_eq(commons_save(m->commons, s.commons, s.commons_bytes),
                 s.commons_bytes);
    cr_assert_eq(pmap_save(m->pmap, s.pmap, s.pmap_bytes), s.pmap_bytes);
    frames_save(m->frames, s.frames, s.frames_bytes);
    s.memory = copy_of(m->memory.host, m->memory.bytes);
    s.flat = copy_of(m->flat, GUEST_MEMORY);
    return s;
}

static void restore(struct model *m, const struct snapshot *s)
{
    memcpy(m->memory.host, s->memory, m->memory.bytes);
    memcpy(m->flat, s->flat, GUEST_MEMORY);
    cr_assert(frames_restore(m->frames, s->frames, s->frames_bytes));
    cr_assert(commons_restore(m->commons, s->commons, s->commons_bytes));
    cr_assert(pmap_restore(m->pmap, s->pmap, s->pmap_bytes));
    m->random = s->random;
}

static void forget(struct snapshot *s)
{
    free(s->pmap);
    free(s->frames);
    free(s->commons);
    free(s->memory);
    free(s->flat);
}

/* The same future, down to which frame goes when: the saved states say so. */
Test(pmap_model, continues_from_a_snapshot)
{
    struct model *m = model_create(77, SWAP_SLOTS);
    struct snapshot before, first, second;

    for (unsigned i = 0; i < 1000; i++)
        step(m);
    before = save(m);
    for (unsigned i = 0; i < 500; i++)
        step(m);
    first = save(m);
    restore(m, &before);
    check(m);
    for (unsigned i = 0; i < 500; i++)
        step(m);
    second = save(m);
    cr_assert_eq(first.pmap_bytes, second.pmap_bytes);
    cr_assert_eq(memcmp(first.pmap, second.pmap, first.pmap_bytes), 0);
    cr_assert_eq(memcmp(first.frames, second.frames, first.frames_bytes), 0);
    cr_assert_eq(first.commons_bytes, second.commons_bytes);
    cr_assert_eq(memcmp(first.commons, second.commons, first.commons_bytes), 0);
    cr_assert_not(pmap_restore(m->pmap, before.pmap, before.pmap_bytes - 1));
    cr_assert_not(
        commons_restore(m->commons, before.commons, before.commons_bytes - 1));
    forget(&before);
    forget(&first);
    forget(&second);
    model_destroy(m);
}

/* ---- the end of what there is ---------------------------------------------
 */

static bool fill(struct model *m, uint32_t pages)
{
    for (uint32_t page = 0; page < pages; page++) {
        uint32_t value = page + 1;

        if (!pmap_write(m->pmap, GPA((uint64_t)page * PAGE_BYTES), &value, 4))
            return false;
    }
    return true;
}

Test(pmap_model, a_full_swap_is_told_once_and_breaks_nothing)
{
    struct model *m = model_create(1, 16);

    cr_assert(fill(m, LIMIT + 16));
    cr_assert_not(fill(m, GUEST_PAGES));
    cr_assert_not(fill(m, GUEST_PAGES));
    cr_assert_eq(m->failures, 1);
    cr_assert_str_eq(pmap_trouble(m->pmap),
                     "the host's swap is full: 64 KiB are in use");
    cr_assert_null(pmap_audit(m->pmap));
    model_destroy(m);
}

Test(pmap_model, pages_of_zeros_need_no_swap)
{
    struct model *m = model_create(1, 1);
    ma_t ma;

    for (uint32_t page = 0; page < GUEST_PAGES; page++)
        cr_assert_eq(
            pmap_hold(m->pmap, GPA((uint64_t)page * PAGE_BYTES), true, &ma),
            PMAP_RAM);
    check(m);
    model_destroy(m);
}

/* The host's disk is full: as far as the process may write. */
Test(pmap_model, an_error_of_the_swap_file_is_told)
{
    struct model *m = model_create(1, SWAP_SLOTS);
    struct rlimit small = {8 * PAGE_BYTES, 8 * PAGE_BYTES};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    cr_assert_not(fill(m, GUEST_PAGES));
    cr_assert_not_null(
        strstr(pmap_trouble(m->pmap), "swap file cannot be written"));
    model_destroy(m);
}

Test(pmap_model, a_pinned_page_stays)
{
    struct model *m = model_create(1, SWAP_SLOTS);
    ma_t before = MA(0), after = MA(0);

    cr_assert(pmap_pin(m->pmap, GPA(0)));
    pmap_lookup(m->pmap, GPA(0), &before);
    cr_assert(fill(m, GUEST_PAGES));
    cr_assert_not(pmap_balloon(m->pmap, GPA(0)));
    cr_assert_eq(pmap_lookup(m->pmap, GPA(0), &after), PMAP_RAM);
    cr_assert_eq(before.v, after.v);
    model_destroy(m);
}

/* ---- the file --------------------------------------------------------------
 */

Test(swap, refuses_a_file_that_is_something_else)
{
    char path[] = "/tmp/umbra-test-XXXXXX", found[8] = "";
    int fd = mkstemp(path);
    char *error = NULL;

    cr_assert_eq(write(fd, "a disk!", 7), 7);
    cr_assert_null(swap_open(path, 4, &error));
    cr_assert_not_null(strstr(error, "no swap file of Umbra's"), "%s", error);
    cr_assert_eq(pread(fd, found, 7, 0), 7);
    cr_assert_str_eq(found, "a disk!");
    free(error);
    close(fd);
    unlink(path);
}

Test(swap, is_for_one_guest_at_a_time_and_can_be_used_again)
{
    char path[] = "/tmp/umbra-test-XXXXXX";
    char *error = NULL;
    struct swap *s;

    close(mkstemp(path));
    s = swap_open(path, 4, &error);
    cr_assert_not_null(s, "%s", error);
    cr_assert_null(swap_open(path, 4, &error));
    cr_assert_not_null(strstr(error, "another guest uses it"), "%s", error);
    free(error);
    swap_close(s);
    s = swap_open(path, 4, &error);
    cr_assert_not_null(s, "%s", error);
    swap_close(s);
    unlink(path);
}
