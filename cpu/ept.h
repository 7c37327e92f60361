/* SPDX-License-Identifier: MIT */
/* cpu/ept.h - nested paging: the second dimension of a guest's page walk.
 *
 * While a guest runs with EPT, every guest-physical address that its walk
 * comes to - of each table entry, and of the page at the end - is translated
 * by the tables below to a machine address. A walk of gL levels through nested
 * tables of nL levels reads (gL + 1)(nL + 1) - 1 entries.
 *
 * Silicon offers four levels (and five). This machine offers two and three as
 * well, for the arithmetic: fewer levels reach 1 GiB and 512 GiB of
 * guest-physical memory, and nothing is present beyond.
 *
 * Reference: SDM 3C, "The Extended Page Table Mechanism (EPT)": "EPT
 * Translation Mechanism", "EPT-Induced VM Exits", "Accessed and Dirty Flags
 * for EPT"; SDM 3C, "Exit Qualification for EPT Violations".
 */
#ifndef CPU_EPT_H
#define CPU_EPT_H

#include "cpu/memory.h"
#include "cpu/paging.h"

/* An entry. */
#define EPT_READ        0x001u
#define EPT_WRITE       0x002u
#define EPT_EXECUTE     0x004u
#define EPT_RIGHTS      (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_TYPE        0x038u /* of memory, in an entry that maps a page */
#define EPT_UNCACHEABLE 0x000u
#define EPT_WRITE_BACK  0x030u
#define EPT_PAGE        0x080u /* above level 1: maps a large page */
#define EPT_ACCESSED    0x100u
#define EPT_DIRTY       0x200u

enum {
    EPT_LEVELS_LEAST = 2,
    EPT_LEVELS_MOST = 4,
    EPT_INDEX_BITS = 9,
    EPT_ENTRIES = 1 << EPT_INDEX_BITS,
};

/* The EPT pointer (EPTP): memory type of the tables, levels - 1, flags, root.
 */
#define EPTP_TYPE           0x007u
#define EPTP_WRITE_BACK     0x006u
#define EPTP_LEVELS         0x038u
#define EPTP_LEVELS_SHIFT   3
#define EPTP_ACCESSED_DIRTY 0x040u

static inline unsigned ept_levels(uint64_t eptp)
{
    return (unsigned)((eptp & EPTP_LEVELS) >> EPTP_LEVELS_SHIFT) + 1;
}

/* May a VM entry load this pointer? */
bool ept_pointer_valid(uint64_t eptp);

/* What an access is, for the exit qualification: bits 2:0 of it. */
#define EPT_FOR_READ  0x001u
#define EPT_FOR_WRITE 0x002u
#define EPT_FOR_FETCH 0x004u

/* The other bits of an EPT violation's exit qualification. */
#define EPT_VIOLATION_RIGHTS_SHIFT 3
#define EPT_VIOLATION_LINEAR       0x080u /* the linear address is known */
#define EPT_VIOLATION_TRANSLATED   0x100u /* not of a guest table's entry */

/* A walk of the nested tables; entries are numbered by level. */
struct ept_walk {
    uint64_t entry[EPT_LEVELS_MOST + 1];
    ma_t at[EPT_LEVELS_MOST + 1];
    uint8_t level;      /* of the last entry read */
    uint8_t references; /* entries read */
    uint8_t page_shift; /* 12 or 21; present only */
    uint8_t rights;     /* of all entries read together */
    bool present;
    bool misconfigured;
    ma_t ma;
};

/* Walk for a guest-physical address; nothing is written. Tables outside memory
 * read as all ones, which is a misconfiguration. */
void ept_walk(const struct memory *memory, uint64_t eptp, gpa_t gpa,
              struct ept_walk *w);

/* Does a walk with a translation allow an access (EPT_FOR_...)? */
static inline bool ept_allows(const struct ept_walk *w, unsigned access)
{
    return w->present && (w->rights & access) == access;
}

/* Has every entry of a walk with a translation the accessed and dirty bits that
 * an access needs? Always, if the pointer does not enable them. */
bool ept_settled(uint64_t eptp, unsigned access, const struct ept_walk *w);

/* Set accessed and dirty as the processor does, if the pointer enables it. */
void ept_commit(const struct memory *memory, uint64_t eptp, unsigned access,
                struct ept_walk *w);

#endif
