/* SPDX-License-Identifier: MIT */
/* labs/fault_lab.h - hidden and true faults: questions and their judgement. */
#ifndef LABS_FAULT_LAB_H
#define LABS_FAULT_LAB_H

#include "labs/catalogue.h"
#include "labs/child.h"

#include "shadowmmu/mmu.h"

/* A page fault to decide, and the truth about it. */
struct fault_case {
    uint32_t address, real_error, cr3;
    bool write, user, write_protect, large_pages;
    const struct paging_walk *walk; /* by the monitor's own walk */
};

struct fault_counts {
    uint64_t hidden, reflected;
};

/* Put it to the student's code and judge. False: the outcome has the
 * difference (LAB_FAILED and a message about `where`, "case 12", lines and
 * fields), or the child came to an end. */
bool fault_ask(const struct lab_run *run, const struct fault_case *c,
               const char *where, child_read_fn *read, void *ctx,
               struct lab_outcome *outcome);

/* All agreed. */
void fault_passed(const struct lab_test *test, const struct fault_counts *count,
                  struct lab_outcome *outcome);

/* Tables made up for one access each (fault_tables.c). data: */
enum {
    TABLES_RIGHTS = 1, /* R/W and U/S vary at both levels */
    TABLES_WP = 2,     /* CR0.WP varies */
    TABLES_LARGE = 4,  /* CR4.PSE and PS vary */
    TABLES_WILD = 8,   /* tables where there is no memory */
};
struct fault_tables {
    unsigned vary;
    unsigned cases;
};
lab_test_fn fault_test_tables;

/* Every page fault of a guest's run (fault_guests.c). data: */
struct fault_guest {
    const char *kernel; /* "@lumen" */
    const char *append;
    enum cpu_technique cpu;
    const struct mmu_technique *mmu;
};
lab_test_fn fault_test_guest;

#endif
