/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_audit.c - a VMM with a bug, and the audit. */
#include "shadowmmu/technique.h"
#include "tests/shadowmmu/test_spaces.h"

/* The audit names the entry and the reason. */
static void expect_told(struct world *w, const char *table, const char *why)
{
    char line[200];

    cr_assert_eq(mmu_audit(w->mmu, line, sizeof line), 1, "%s", line);
    cr_assert_not_null(strstr(line, table), "%s", line);
    cr_assert_not_null(strstr(line, why), "%s", line);
}

Test(mmu_audit, it_finds_an_entry_that_the_guest_took_away)
{
    struct world *w = two_spaces();

    touch_set(w, 8, ACC_USER | ACC_WRITE);
    w->mmu->planted_bug = true;
    world_poke(w, TABLE_A + 3 * 4, 0);
    expect_told(w, "gpa 00003000) entry 003", "allows nothing");
    world_destroy(w);
}

Test(mmu_audit, it_finds_a_right_that_the_guest_took_away)
{
    struct world *w = two_spaces();

    touch_set(w, 8, ACC_USER | ACC_WRITE);
    w->mmu->planted_bug = true;
    world_poke(w, TABLE_A + 3 * 4, 0x103000 | PTE_P | PTE_U | PTE_A | PTE_D);
    expect_told(w, "gpa 00003000) entry 003", "a right that");
    world_destroy(w);
}

Test(mmu_audit, it_finds_a_directory_that_means_another_table)
{
    struct world *w = two_spaces();

    touch_set(w, 8, ACC_USER | ACC_WRITE);
    w->mmu->planted_bug = true;
    world_poke(w, DIR_A, TABLE_B | RWU | PTE_A);
    expect_told(w, "gpa 00001000) entry 000", "means another table");
    world_destroy(w);
}
