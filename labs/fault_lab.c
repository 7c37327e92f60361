/* SPDX-License-Identifier: MIT */
/* labs/fault_lab.c - the lab on hidden and true faults: its tests. */
#include "labs/fault_lab.h"

static const struct lab_test tests[] = {
    {"tables-pages", "made-up tables: present or not, and where", 2,
     fault_test_tables, &(const struct fault_tables){0, 400}},
    {"tables-rights", "made-up tables: the rights of both levels", 2,
     fault_test_tables, &(const struct fault_tables){TABLES_RIGHTS, 400}},
    {"tables-wp", "made-up tables: CR0.WP and the kernel's writes", 1,
     fault_test_tables,
     &(const struct fault_tables){TABLES_RIGHTS | TABLES_WP, 400}},
    {"tables-large", "made-up tables: 4 MiB pages", 2, fault_test_tables,
     &(const struct fault_tables){TABLES_LARGE, 400}},
    {"tables-all", "made-up tables: all of it, and what guests do not do", 1,
     fault_test_tables,
     &(const struct fault_tables){
         TABLES_RIGHTS | TABLES_WP | TABLES_LARGE | TABLES_WILD, 2000}},
    {"guest-touch", "lumen: demand-zero pages", 1, fault_test_guest,
     &(const struct fault_guest){"@lumen", "quiet run=touch,40", CPU_BT_STATIC,
                                 &mmu_shadow}},
    {"guest-forks", "lumen: copy on write", 1, fault_test_guest,
     &(const struct fault_guest){"@lumen", "quiet run=forks,5", CPU_BT_STATIC,
                                 &mmu_tlb_emulation}},
    {"guest-null", "lumen: a program that must not", 1, fault_test_guest,
     &(const struct fault_guest){"@lumen-trap", "quiet run=fault,null",
                                 CPU_TRAP, &mmu_shadow}},
    {"guest-selftest", "lumen: its self-test, 4 MiB and global pages", 1,
     fault_test_guest,
     &(const struct fault_guest){"@lumen", "quiet test pse pge", CPU_BT_STATIC,
                                 &mmu_shadow}},
};

const struct lab lab_hidden_faults = {
    .name = "05-hidden-faults",
    .title = "hidden and true page faults",
    .file = "decide.c",
    .tests = tests,
    .test_count = sizeof tests / sizeof tests[0],
};
