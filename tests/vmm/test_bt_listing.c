/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_bt_listing.c - translations as they are shown.
 *
 * The example is that of Adams & Agesen, "A Comparison of Software and Hardware
 * Techniques for x86 Virtualization", ASPLOS 2006, "Binary Translation".
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/guest.h"
#include "traps/bt.h"
#include "vmm/listing.h"
#include "vmm/symbols.h"

#define CYCLES UINT64_C(100000000)

static struct listing unit;

static void as_in_the_paper(struct vm_config *config)
{
    config->bt_unit = 12;
    config->bt_without = 1u << BT_AHEAD;
}

static uint32_t address_of(const char *guest, const char *name)
{
    struct symbols *s = symbols_load(guest_embedded(guest));
    uint32_t address = 0;

    cr_assert_not_null(s);
    cr_assert(symbols_address(s, name, &address), "%s", name);
    symbols_free(s);
    return address;
}

static void ask(struct guest *g, const char *number, int answer)
{
    guest_open(g, &ways[WAY_BT_SHADOW], guest_embedded("isprime"), number,
               16 * MIB, as_in_the_paper);
    cr_assert_eq(guest_run(g, CYCLES), VM_DEBUG_EXIT);
    cr_assert_eq(vm_exit_status(g->vm), answer << 1 | 1, "%s", g->console);
}

/* The row of the nth instruction of the guest in the unit. */
static const struct listing_row *row_of(unsigned n)
{
    for (size_t i = 0; i < unit.rows; i++)
        if (unit.row[i].first && n-- == 0)
            return &unit.row[i];
    cr_assert_fail("no such row");
    return NULL;
}

Test(bt_listing, is_prime_begins_as_in_the_paper)
{
    static const char *const text[] = {"mov", "mov", "cmp", "jnl"};
    uint32_t start = address_of("isprime", "isPrime");
    struct guest g;

    ask(&g, "49", 0);
    cr_assert(listing_at(g.vm, start, &unit));
    cr_expect_eq(unit.guest, start);
    cr_expect_eq(unit.instructions, 12);
    for (unsigned i = 0; i < 4; i++) {
        const struct listing_row *r = row_of(i);

        cr_expect_eq(strncmp(r->guest_text, text[i], 3), 0, "%s",
                     r->guest_text);
        cr_expect_str_eq(r->kind, i < 3 ? "ident" : "control");
        if (i < 3)
            cr_expect(r->cache_length == r->guest_length &&
                      memcmp(r->cache_bytes, r->guest_bytes, r->guest_length) ==
                          0);
    }
    guest_close(&g);
}

Test(bt_listing, only_what_was_executed_is_translated)
{
    uint32_t start = address_of("isprime", "isPrime");
    uint32_t prime = address_of("isprime", "prime");
    uint32_t not_prime = address_of("isprime", "notPrime");
    struct guest g;

    ask(&g, "49", 0);
    cr_expect(!listing_has(g.vm, prime));
    cr_expect(listing_has(g.vm, not_prime));
    cr_assert(listing_at(g.vm, start, &unit));
    cr_expect(row_of(3)->open, "jge prime: %s", row_of(3)->note);
    cr_expect_not_null(strstr(row_of(3)->note, "not translated so far"));
    cr_expect_not_null(strstr(row_of(3)->note, "prime"));
    cr_expect(!row_of(8)->open, "jz notPrime: %s", row_of(8)->note);
    guest_close(&g);

    ask(&g, "47", 1);
    cr_expect(listing_has(g.vm, prime));
    cr_expect(!listing_has(g.vm, not_prime));
    guest_close(&g);
}

Test(bt_listing, what_was_not_reached_can_be_made)
{
    uint32_t prime = address_of("isprime", "prime");
    struct guest g;

    ask(&g, "49", 0);
    cr_assert(listing_make(g.vm, prime));
    cr_assert(listing_at(g.vm, prime, &unit));
    cr_expect_eq(unit.guest, prime);
    cr_expect_str_eq(row_of(1)->kind, "indirect");
    cr_expect(!listing_make(g.vm, 0x90000000), "not mapped");
    guest_close(&g);
}

/* Every emitted byte belongs to one row, in order, and each instruction of the
 * guest is told once. */
Test(bt_listing, rows_cover_their_unit)
{
    struct guest g;
    unsigned units = 0;
    uint32_t from = 0;

    guest_open(&g, &ways[WAY_BT_SHADOW], guest_embedded("lumen"), "test",
               64 * MIB, NULL);
    guest_run(&g, CYCLES);
    for (; listing_next(g.vm, from, UINT32_MAX, &unit); from = unit.guest + 1) {
        uint32_t cache = unit.cache, guest = unit.guest;

        units++;
        for (size_t i = 0; i < unit.rows; i++) {
            const struct listing_row *r = &unit.row[i];

            cr_assert_eq(r->cache, cache, "unit %08x", unit.guest);
            cache += r->cache_length;
            if (!r->first)
                continue;
            cr_assert_eq(r->guest, guest, "unit %08x", unit.guest);
            guest += r->guest_length;
        }
        cr_assert_eq(cache, unit.cache + unit.cache_bytes, "unit %08x",
                     unit.guest);
        cr_assert_eq(guest, unit.guest + unit.guest_bytes, "unit %08x",
                     unit.guest);
    }
    cr_expect(units > 300, "%u", units);
    guest_close(&g);
}

Test(bt_listing, other_techniques_have_none)
{
    struct guest g;

    guest_open(&g, &ways[WAY_TRAP_SHADOW], guest_embedded("isprime"), "49",
               16 * MIB, NULL);
    guest_run(&g, CYCLES);
    cr_expect(!listing_has(g.vm, address_of("isprime", "isPrime")));
    guest_close(&g);
}
