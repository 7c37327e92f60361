/* SPDX-License-Identifier: MIT */
/* tests/traps/test_scan.c - finding sensitive instructions. */
#include <criterion/criterion.h>

#include "traps/scan.h"

static struct scan_result found;

static void scan_at(const uint8_t *bytes, uint32_t n, uint32_t entry)
{
    struct scan_range range = {0x1000, n, bytes};
    struct scan_input input = {
        .ranges = &range, .range_count = 1, .entry = entry, .code32 = true};
    cr_assert(scan_image(&input, &found));
}
#define SCAN(...)                                                              \
    scan_at((const uint8_t[]){__VA_ARGS__},                                    \
            sizeof((const uint8_t[]){__VA_ARGS__}), 0x1000)

static void clean(void)
{
    scan_free(&found);
}
TestSuite(scan, .fini = clean);

Test(scan, finds_a_site_in_straight_code)
{
    SCAN(0x90, 0x9C, 0xC3); /* nop; pushf; ret */
    cr_assert_eq(found.count, 1);
    cr_assert_eq(found.sites[0].address, 0x1001);
    cr_assert_eq(found.sites[0].cls, CLASS_FLAG);
    cr_assert(found.sites[0].reached);
}

Test(scan, follows_a_jump_over_data)
{
    /* jmp +2; two bytes of data; cli; ret */
    SCAN(0xEB, 0x02, 0x0F, 0x01, 0xFA, 0xC3);
    cr_assert_eq(found.total[CLASS_PRIVILEGED], 1);
    cr_assert_eq(found.bytes_unreached, 2);
}

Test(scan, follows_a_call_and_what_comes_after_it)
{
    /* call f; popf; ret; f: cli; ret */
    SCAN(0xE8, 0x02, 0x00, 0x00, 0x00, 0x9D, 0xC3, 0xFA, 0xC3);
    cr_assert_eq(found.total[CLASS_FLAG], 1);
    cr_assert_eq(found.total[CLASS_PRIVILEGED], 1);
    cr_assert_eq(found.bytes_reached, 9);
}

Test(scan, follows_both_ways_of_a_branch)
{
    SCAN(0x74, 0x02, 0xFA, 0xC3, 0xFB, 0xC3);
    cr_assert_eq(found.total[CLASS_PRIVILEGED], 2);
}

Test(scan, unreached_sites_are_flagged)
{
    SCAN(0xC3, 0xFA); /* ret; cli */
    cr_assert(!found.sites[0].reached);
    cr_assert_eq(found.maybe[CLASS_PRIVILEGED], 1);
    cr_assert_eq(found.total[CLASS_PRIVILEGED], 0);
}

Test(scan, symbol_starts_are_code)
{
    static const uint8_t bytes[] = {0xC3, 0xFA, 0xC3};
    uint32_t start = 0x1001;
    struct scan_range range = {0x1000, sizeof bytes, bytes};
    struct scan_input input = {.ranges = &range,
                               .range_count = 1,
                               .entry = 0x1000,
                               .starts = &start,
                               .start_count = 1,
                               .code32 = true};
    cr_assert(scan_image(&input, &found));
    cr_assert(found.sites[0].reached);
}

Test(scan, overlapping_decodes_are_told)
{
    /* jz +1 into the immediate of: mov al, 0xFA (cli); ret */
    SCAN(0x74, 0x01, 0xB0, 0xFA, 0xC3);
    cr_assert_eq(found.count, 1);
    cr_assert(found.sites[0].overlap);
    cr_assert_eq(found.overlapping, 2);
}

Test(scan, ordinary_site_does_not_overlap)
{
    SCAN(0x9C, 0xC3);
    cr_assert(!found.sites[0].overlap);
}

Test(scan, endless_loop_ends)
{
    SCAN(0xEB, 0xFE);
    cr_assert_eq(found.instructions, 1);
}

Test(scan, target_outside_the_image_is_ignored)
{
    SCAN(0xE9, 0x00, 0x00, 0x00, 0x70);
    cr_assert_eq(found.instructions, 1);
}

Test(scan, undefined_bytes_end_a_path)
{
    SCAN(0xFF, 0xFF, 0xFA);
    cr_assert_eq(found.instructions, 0);
    cr_assert_eq(found.bytes_undefined, 2);
}

Test(scan, site_carries_its_bytes)
{
    SCAN(0x0F, 0x22, 0xD8, 0xC3); /* mov cr3, eax */
    cr_assert_eq(found.sites[0].length, 3);
    cr_assert_arr_eq(found.sites[0].bytes, "\x0F\x22\xD8", 3);
}

Test(scan, two_ranges_call_each_other)
{
    static const uint8_t one[] = {0xE9, 0xFB, 0x0F, 0x00, 0x00};
    static const uint8_t two[] = {0xFA, 0xC3};
    struct scan_range ranges[] = {{0x1000, 5, one}, {0x2000, 2, two}};
    struct scan_input input = {
        .ranges = ranges, .range_count = 2, .entry = 0x1000, .code32 = true};
    cr_assert(scan_image(&input, &found));
    cr_assert_eq(found.sites[0].address, 0x2000);
    cr_assert(found.sites[0].reached);
}
