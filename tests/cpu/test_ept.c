/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_ept.c - nested tables, and walks in two dimensions. */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu/ept.h"

enum { FRAMES = 64, ROOT = 0x1000, FIRST = 0x2000 };

static uint8_t bytes[FRAMES * PAGE_BYTES];
static struct memory memory = {bytes, sizeof bytes};
static uint64_t next = FIRST; /* frame for the next nested table */
static uint64_t eptp;
static struct ept_walk w;

static void use_levels(unsigned levels)
{
    memset(bytes, 0, sizeof bytes);
    next = FIRST;
    eptp = ROOT | EPTP_WRITE_BACK | (levels - 1) << EPTP_LEVELS_SHIFT;
}

static uint64_t *word(uint64_t at)
{
    return (uint64_t *)(void *)(bytes + at);
}

/* The word of a level for an address; tables above it are made. */
static uint64_t *entry_at(uint64_t gpa, unsigned down_to)
{
    uint64_t table = ROOT;

    for (unsigned level = ept_levels(eptp);; level--) {
        unsigned index = gpa >> (12 + 9 * (level - 1)) & 511;
        uint64_t *entry = word(table + index * 8);

        if (level == down_to)
            return entry;
        if (!*entry) {
            *entry = next | EPT_RIGHTS;
            next += PAGE_BYTES;
        }
        table = *entry & PAGING_ADDRESS;
    }
}

static void map(uint64_t gpa, uint64_t ma)
{
    *entry_at(gpa, LEVEL_PT) = ma | EPT_RIGHTS | EPT_WRITE_BACK;
}

static void walk(uint64_t gpa)
{
    ept_walk(&memory, eptp, GPA(gpa), &w);
}

Test(ept, translates_by_as_many_references_as_levels)
{
    for (unsigned levels = 2; levels <= 4; levels++) {
        use_levels(levels);
        map(0x12345000, 0x20000);
        walk(0x12345678);
        cr_expect(w.present, "%u levels", levels);
        cr_expect_eq(w.ma.v, 0x20678);
        cr_expect_eq(w.references, levels);
    }
}

Test(ept, nothing_is_present_beyond_the_reach_of_two_levels)
{
    use_levels(2);
    map(0, 0x20000);
    walk(1ull << 30);
    cr_assert(!w.present && !w.misconfigured);
    cr_assert_eq(w.references, 0);
}

Test(ept, rights_of_all_levels_count)
{
    use_levels(4);
    map(0x5000, 0x20000);
    *entry_at(0x5000, LEVEL_PD) &= ~(uint64_t)EPT_WRITE;
    walk(0x5000);
    cr_assert(ept_allows(&w, EPT_FOR_READ | EPT_FOR_FETCH));
    cr_assert(!ept_allows(&w, EPT_FOR_WRITE));
}

Test(ept, large_page_saves_a_reference)
{
    use_levels(4);
    *entry_at(0x200000, LEVEL_PD) =
        0x400000 | EPT_PAGE | EPT_RIGHTS | EPT_WRITE_BACK;
    walk(0x234567);
    cr_assert(w.present);
    cr_assert_eq(w.references, 3);
    cr_assert_eq(w.ma.v, 0x434567);
}

static void expect_misconfigured(uint64_t entry, unsigned level)
{
    use_levels(4);
    map(0, 0x20000);
    *entry_at(0, level) = entry;
    walk(0);
    cr_expect(w.misconfigured && !w.present, "%llx at level %u",
              (unsigned long long)entry, level);
}

Test(ept, wrong_entries_are_misconfigured)
{
    expect_misconfigured(0x20000 | EPT_WRITE | EPT_WRITE_BACK, 1);
    expect_misconfigured(0x20000 | EPT_EXECUTE | EPT_WRITE_BACK, 1);
    expect_misconfigured(0x20000 | EPT_RIGHTS | 2 << 3, 1);
    expect_misconfigured(0x20000 | EPT_RIGHTS | 1ull << 40, 1);
    expect_misconfigured(0x21000 | EPT_PAGE | EPT_RIGHTS | EPT_WRITE_BACK, 2);
    expect_misconfigured(0x3000 | EPT_RIGHTS | EPT_WRITE_BACK, 3);
    expect_misconfigured(0x3000 | EPT_RIGHTS | EPT_PAGE, 4);
}

Test(ept, bits_that_software_may_use_are_no_misconfiguration)
{
    use_levels(4);
    map(0, 0x20000);
    *entry_at(0, LEVEL_PT) |= 0xC00u | 1ull << 60;
    walk(0);
    cr_assert(w.present);
}

Test(ept, accessed_and_dirty_only_when_enabled)
{
    use_levels(4);
    map(0, 0x20000);
    walk(0);
    ept_commit(&memory, eptp, EPT_FOR_WRITE, &w);
    cr_assert_eq(*entry_at(0, LEVEL_PT) & (EPT_ACCESSED | EPT_DIRTY), 0);
    eptp |= EPTP_ACCESSED_DIRTY;
    ept_commit(&memory, eptp, EPT_FOR_WRITE, &w);
    cr_assert_eq(*entry_at(0, LEVEL_PT) & (EPT_ACCESSED | EPT_DIRTY),
                 EPT_ACCESSED | EPT_DIRTY);
    cr_assert_eq(*entry_at(0, LEVEL_PD) & (EPT_ACCESSED | EPT_DIRTY),
                 EPT_ACCESSED);
}

Test(ept, pointer_with_an_unknown_type_or_length_is_invalid)
{
    cr_expect(ept_pointer_valid(0x1000 | EPTP_WRITE_BACK | 3 << 3));
    cr_expect(!ept_pointer_valid(0x1000 | 1 | 3 << 3));
    cr_expect(!ept_pointer_valid(0x1000 | EPTP_WRITE_BACK | 0 << 3));
    cr_expect(!ept_pointer_valid(0x1000 | EPTP_WRITE_BACK | 4 << 3));
    cr_expect(!ept_pointer_valid(0x1000 | EPTP_WRITE_BACK | 3 << 3 | 0x80));
}

/* ---- two dimensions -------------------------------------------------------
 */

static unsigned nested_references;

/* The guest's table entries are at guest-physical addresses. */
static bool read_nested(void *ctx, uint64_t at, unsigned size, uint64_t *entry)
{
    struct ept_walk inner;

    (void)ctx;
    ept_walk(&memory, eptp, GPA(at), &inner);
    nested_references += inner.references;
    if (!ept_allows(&inner, EPT_FOR_READ))
        return false;
    *entry = 0;
    memcpy(entry, memory_at(&memory, inner.ma), size);
    return true;
}

/* Guest tables in guest-physical frames 10h, 11h, ...; page 1Fh. Their machine
 * frames are others. */
static unsigned references_of_a_walk(const struct paging_format *f,
                                     bool pdptes_in_memory,
                                     unsigned nested_levels)
{
    struct paging p = {.format = f,
                       .root = 0x10000,
                       .large = true,
                       .pdptes_in_memory = pdptes_in_memory};
    struct paging_walk guest;
    unsigned n = 0;

    use_levels(nested_levels);
    for (uint64_t i = 0; i < f->levels; i++, n++)
        map(0x10000 + i * 0x1000, 0x20000 + i * 0x1000);
    map(0x1F000, 0x2F000);
    for (uint64_t i = 0; i < f->levels; i++)
        *word(0x20000 + i * 0x1000) =
            (i + 1u == f->levels ? 0x1F000 : 0x11000 + i * 0x1000) | PTE_P;
    if (f == &paging_pae)
        p.pdpte[0] = 0x11000 | PTE_P;
    nested_references = 0;
    paging_walk(&p, 0x123, 0, read_nested, NULL, &guest);
    cr_assert(guest.allowed);
    ept_walk(&memory, eptp, GPA(guest.address), &w);
    cr_assert_eq(w.ma.v, 0x2F123);
    return guest.references + nested_references + w.references;
}

/* (gL + 1)(nL + 1) - 1, where gL counts the levels that are read. */
Test(ept, two_dimensional_walks_cost_what_the_formula_says)
{
    static const struct paging_format *const formats[] = {
        &paging_32bit, &paging_pae, &paging_4level};

    for (unsigned i = 0; i < 3; i++)
        for (unsigned nested = 2; nested <= 4; nested++)
            cr_expect_eq(references_of_a_walk(formats[i], true, nested),
                         (formats[i]->levels + 1u) * (nested + 1) - 1,
                         "%s guest, %u nested levels", formats[i]->name,
                         nested);
}

Test(ept, pdpte_registers_save_a_row_of_the_walk)
{
    cr_assert_eq(references_of_a_walk(&paging_pae, true, 4), 19);
    cr_assert_eq(references_of_a_walk(&paging_pae, false, 4), 14);
}
