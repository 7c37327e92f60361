/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_pmap.c - frames and the PMap. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "shadowmmu/pmap.h"

enum { BYTES = 1 << 20, FRAMES = BYTES / PAGE_BYTES };

static struct memory memory;

static void setup(void)
{
    memory.host = malloc(BYTES);
    memory.bytes = BYTES;
    memset(memory.host, 0xAA, BYTES);
}

static void teardown(void)
{
    free(memory.host);
}

TestSuite(frames, .init = setup, .fini = teardown);
TestSuite(pmap, .init = setup, .fini = teardown);

Test(frames, every_frame_comes_once_zeroed_and_scattered)
{
    struct frames *f = frames_create(&memory, MA(0), BYTES);
    bool seen[FRAMES] = {false};
    ma_t last = MA(0), frame;
    unsigned neighbours = 0;

    for (unsigned i = 0; i < FRAMES; i++) {
        cr_assert(frames_take(f, &frame));
        cr_assert_not(seen[frame.v / PAGE_BYTES]);
        seen[frame.v / PAGE_BYTES] = true;
        cr_assert_eq(memory.host[frame.v + 17], 0);
        neighbours += i && frame.v == last.v + PAGE_BYTES;
        last = frame;
    }
    cr_assert_eq(neighbours, 0);
    cr_assert_not(frames_take(f, &frame));
    frames_give(f, last);
    cr_assert_eq(frames_free(f), 1);
    frames_destroy(f);
}

Test(frames, runs_are_whole_aligned_and_leave_nothing_out)
{
    enum { RUN = 16 };
    /* One run at the start and one at the end are cut. */
    struct frames *f =
        frames_create(&memory, MA(PAGE_BYTES), BYTES - 3 * PAGE_BYTES);
    bool seen[FRAMES] = {false};
    ma_t frame, first = MA(0);

    frames_in_runs(f, RUN);
    for (unsigned i = 0; i < FRAMES - 3; i++) {
        cr_assert(frames_take(f, &frame));
        cr_assert_not(seen[frame.v / PAGE_BYTES]);
        seen[frame.v / PAGE_BYTES] = true;
        if (i % RUN == 0)
            first = frame;
        if (i / RUN >= FRAMES / RUN - 2)
            continue; /* what is left over */
        cr_expect_eq(first.v % (RUN * PAGE_BYTES), 0);
        cr_expect_eq(frame.v, first.v + i % RUN * PAGE_BYTES);
    }
    cr_expect_not(frames_take(f, &frame));
    frames_destroy(f);
}

Test(frames, any_number_of_frames_works)
{
    for (uint64_t n = 0; n < 100; n++) {
        struct frames *f = frames_create(&memory, MA(PAGE_BYTES), n << 12);
        ma_t frame;
        uint64_t taken = 0;

        while (frames_take(f, &frame)) {
            cr_assert(frame.v >= PAGE_BYTES && frame.v <= n << 12);
            taken++;
        }
        cr_assert_eq(taken, n);
        frames_destroy(f);
    }
}

Test(frames, restored_the_order_goes_on_as_before)
{
    struct frames *f = frames_create(&memory, MA(0), BYTES);
    size_t bytes = frames_save(f, NULL, 0);
    void *saved = malloc(bytes);
    ma_t a, b;

    frames_take(f, &a);
    frames_save(f, saved, bytes);
    frames_take(f, &a);
    cr_assert(frames_restore(f, saved, bytes));
    frames_take(f, &b);
    cr_assert_eq(a.v, b.v);
    cr_assert_not(frames_restore(f, saved, bytes - 1));
    free(saved);
    frames_destroy(f);
}

Test(pmap, memory_is_scattered_and_the_inverse_finds_it)
{
    struct frames *f = frames_create(&memory, MA(0), BYTES);
    struct commons *c = commons_create(&memory, f);
    struct pmap *p = pmap_create(c);
    ma_t ma;
    gpa_t gpa;

    cr_assert(pmap_add(p, GPA(0x10000), 16 * PAGE_BYTES, PMAP_RAM));
    cr_assert_eq(pmap_lookup(p, GPA(0xFFFF), &ma), PMAP_NONE);
    for (uint64_t at = 0x10000; at < 0x20000; at += PAGE_BYTES) {
        cr_assert_eq(pmap_lookup(p, GPA(at + 5), &ma), PMAP_RAM);
        cr_assert(pmap_inverse(p, ma, &gpa));
        cr_assert_eq(gpa.v, at + 5);
    }
    cr_assert_eq(pmap_ram_bytes(p), 16 * PAGE_BYTES);
    cr_assert_eq(pmap_lookup(p, GPA(1ull << 32), &ma), PMAP_NONE);
    pmap_destroy(p);
    commons_destroy(c);
    cr_assert_eq(frames_free(f), FRAMES);
    frames_destroy(f);
}

Test(pmap, copies_cross_frames_and_page_in)
{
    struct frames *f = frames_create(&memory, MA(0), BYTES);
    struct commons *c = commons_create(&memory, f);
    struct pmap *p = pmap_create(c);
    char text[PAGE_BYTES * 2], back[PAGE_BYTES * 2];
    ma_t ma;

    memset(text, 'x', sizeof text);
    pmap_add(p, GPA(0), PAGE_BYTES, PMAP_RAM);
    pmap_add(p, GPA(PAGE_BYTES), PAGE_BYTES, PMAP_PAGED_OUT);
    pmap_add(p, GPA(2 * PAGE_BYTES), PAGE_BYTES, PMAP_ROM);
    cr_assert(pmap_write(p, GPA(100), text, sizeof text));
    cr_assert_eq(pmap_lookup(p, GPA(PAGE_BYTES), &ma), PMAP_RAM);
    cr_assert(pmap_read(p, GPA(100), back, sizeof back));
    cr_assert_arr_eq(text, back, sizeof text);
    cr_assert_not(pmap_read(p, GPA(2 * PAGE_BYTES), back, sizeof back));
    pmap_destroy(p);
    commons_destroy(c);
    frames_destroy(f);
}

Test(pmap, restored_it_is_the_same)
{
    struct frames *f = frames_create(&memory, MA(0), BYTES);
    struct commons *c = commons_create(&memory, f);
    struct pmap *p = pmap_create(c);
    size_t bytes;
    void *saved;
    ma_t a, b;

    pmap_add(p, GPA(0), 8 * PAGE_BYTES, PMAP_RAM);
    pmap_add(p, GPA(0xFFFF0000), PAGE_BYTES, PMAP_ROM);
    pmap_add(p, GPA(0x100000), PAGE_BYTES, PMAP_PAGED_OUT);
    bytes = pmap_save(p, NULL, 0);
    saved = malloc(bytes);
    cr_assert_eq(pmap_save(p, saved, bytes), bytes);
    pmap_lookup(p, GPA(0x3000), &a);
    cr_assert(pmap_restore(p, saved, bytes));
    cr_assert_eq(pmap_lookup(p, GPA(0x3000), &b), PMAP_RAM);
    cr_assert_eq(a.v, b.v);
    cr_assert_eq(pmap_lookup(p, GPA(0xFFFF0123), &b), PMAP_ROM);
    cr_assert_eq(pmap_ram_bytes(p), 9 * PAGE_BYTES);
    cr_assert_not(pmap_restore(p, saved, bytes - 1));
    free(saved);
    pmap_destroy(p);
    commons_destroy(c);
    frames_destroy(f);
}

Test(pmap, says_when_the_machine_is_full)
{
    struct frames *f = frames_create(&memory, MA(0), 4 * PAGE_BYTES);
    struct commons *c = commons_create(&memory, f);
    struct pmap *p = pmap_create(c);
    ma_t ma;

    cr_assert_not(pmap_add(p, GPA(0), 5 * PAGE_BYTES, PMAP_RAM));
    pmap_add(p, GPA(0x10000), PAGE_BYTES, PMAP_PAGED_OUT);
    cr_assert_eq(pmap_hold(p, GPA(0x10000), false, &ma), PMAP_PAGED_OUT);
    pmap_destroy(p);
    commons_destroy(c);
    frames_destroy(f);
}
