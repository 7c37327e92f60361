/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_paging.c - walks of each format of page tables. */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu/paging.h"

/* A little memory that holds tables; what is outside is refused. */
static uint8_t memory[0x8000];

static bool read_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    (void)ctx;
    *entry = 0;
    if (at + bytes > sizeof memory)
        return false;
    memcpy(entry, memory + at, bytes);
    return true;
}

static void write_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t entry)
{
    (void)ctx;
    memcpy(memory + at, &entry, bytes);
}

static struct paging paging;
static struct paging_walk w;

/* Tables for one linear address: the root at 1000h, the next 2000h, ... */
static void build(const struct paging_format *f, uint64_t linear)
{
    memset(memory, 0, sizeof memory);
    paging = (struct paging){.format = f, .root = 0x1000, .wp = true};
    paging.large = f != &paging_32bit;
    for (unsigned level = f->levels, n = 1; level; level--, n++) {
        uint64_t at = n * 0x1000 +
                      paging_index(f, level, linear) * (uint64_t)f->entry_bytes;

        write_entry(NULL, at, f->entry_bytes,
                    (n + 1) * 0x1000 | PTE_P | PTE_W | PTE_U);
    }
    if (f != &paging_pae)
        return;
    read_entry(NULL, 0x1000 + paging_index(f, LEVEL_PDPT, linear) * 8, 8,
               &paging.pdpte[paging_index(f, LEVEL_PDPT, linear)]);
    paging.pdpte[paging_index(f, LEVEL_PDPT, linear)] &= ~(uint64_t)6;
}

static void walk(uint64_t linear, unsigned access)
{
    paging_walk(&paging, linear, access, read_entry, NULL, &w);
}

static void expect_page(const struct paging_format *f, uint64_t linear,
                        uint64_t address, unsigned references)
{
    build(f, linear);
    walk(linear, ACC_USER);
    cr_assert(w.allowed);
    cr_assert_eq(w.address, address);
    cr_assert_eq(w.references, references);
}

Test(paging, finds_the_page_by_2_entries)
{
    expect_page(&paging_32bit, 0xC0401234, 0x3234, 2);
}

Test(paging, finds_the_page_by_a_register_and_2_entries)
{
    expect_page(&paging_pae, 0xC0601234, 0x4234, 2);
}

Test(paging, finds_the_page_by_4_entries)
{
    expect_page(&paging_4level, 0x7F80C0601234, 0x5234, 4);
}

Test(paging, untranslated_without_a_format)
{
    paging = (struct paging){.format = NULL};
    walk(0x12345678, ACC_WRITE | ACC_USER);
    cr_assert(w.allowed);
    cr_assert_eq(w.address, 0x12345678);
}

Test(paging, rights_of_all_levels_count)
{
    uint64_t linear = 0xC0601234;

    build(&paging_pae, linear);
    memory[0x2000 + paging_index(&paging_pae, LEVEL_PD, linear) * 8] &=
        (uint8_t)~PTE_W;
    walk(linear, ACC_WRITE);
    cr_assert(w.translated && !w.allowed);
    cr_assert_eq(w.error, PF_PRESENT | PF_WRITE);
}

Test(paging, supervisor_writes_anywhere_without_wp)
{
    build(&paging_32bit, 0);
    memory[0x2000] &= (uint8_t)~PTE_W;
    paging.wp = false;
    walk(0, ACC_WRITE);
    cr_assert(w.allowed && !w.writable);
}

Test(paging, fetch_needs_execute_right)
{
    build(&paging_pae, 0);
    paging.nx = true;
    memory[0x3007] |= 0x80;
    walk(0, ACC_FETCH | ACC_USER);
    cr_assert(!w.allowed);
    cr_assert_eq(w.error, PF_PRESENT | PF_USER | PF_FETCH);
}

Test(paging, execute_bit_is_reserved_without_nxe)
{
    build(&paging_pae, 0);
    memory[0x3007] |= 0x80;
    walk(0, 0);
    cr_assert_eq(w.error, PF_PRESENT | PF_RSVD);
}

Test(paging, address_bits_above_the_processors_are_reserved)
{
    build(&paging_4level, 0);
    memory[0x4004] |= 1;
    walk(0, 0);
    cr_assert_eq(w.error, PF_PRESENT | PF_RSVD);
}

Test(paging, large_page_of_8_byte_entries_is_2_mib)
{
    build(&paging_pae, 0x00234567);
    write_entry(NULL, 0x2008, 8, 0x00A00000 | PTE_P | PTE_PS);
    walk(0x00234567, 0);
    cr_assert(w.allowed);
    cr_assert_eq(w.page_shift, 21);
    cr_assert_eq(w.address, 0x00A34567);
}

Test(paging, large_page_of_4_byte_entries_is_4_mib)
{
    build(&paging_32bit, 0x00634567);
    paging.large = true;
    write_entry(NULL, 0x1004, 4, 0x00C00000 | PTE_P | PTE_PS);
    walk(0x00634567, 0);
    cr_assert_eq(w.page_shift, 22);
    cr_assert_eq(w.address, 0x00E34567);
}

Test(paging, large_page_with_a_crooked_address_is_reserved)
{
    build(&paging_pae, 0);
    write_entry(NULL, 0x2000, 8, 0x00A02000 | PTE_P | PTE_PS);
    walk(0, 0);
    cr_assert_eq(w.error, PF_PRESENT | PF_RSVD);
}

Test(paging, absent_entry_ends_the_walk)
{
    build(&paging_4level, 0);
    memory[0x3000] = 0;
    walk(0, ACC_WRITE);
    cr_assert(!w.translated);
    cr_assert_eq(w.level, LEVEL_PD);
    cr_assert_eq(w.error, PF_WRITE);
}

Test(paging, refused_entry_stops_the_walk)
{
    build(&paging_32bit, 0);
    paging.root = sizeof memory;
    walk(0, 0);
    cr_assert(w.stopped && !w.allowed);
}

Test(paging, commit_sets_accessed_above_and_dirty_in_the_page_entry)
{
    build(&paging_32bit, 0);
    walk(0, ACC_WRITE);
    paging_commit(&paging, ACC_WRITE, write_entry, NULL, &w);
    cr_assert_eq(memory[0x1000] & (PTE_A | PTE_D), PTE_A);
    cr_assert_eq(memory[0x2000] & (PTE_A | PTE_D), PTE_A | PTE_D);
}

Test(paging, commit_leaves_pdpte_registers_alone)
{
    build(&paging_pae, 0);
    walk(0, 0);
    paging_commit(&paging, 0, write_entry, NULL, &w);
    cr_assert_eq(paging.pdpte[0] & PTE_A, 0);
    cr_assert_eq(memory[0x1000] & PTE_A, 0);
}

Test(paging, pdpte_with_reserved_bits_is_refused)
{
    cr_assert(paging_pdpte_valid(0x1000 | PTE_P));
    cr_assert(!paging_pdpte_valid(0x1000 | PTE_P | PTE_W));
    cr_assert(paging_pdpte_valid(PTE_W));
}
