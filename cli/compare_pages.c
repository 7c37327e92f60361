/* SPDX-License-Identifier: MIT */
/* Reference: SDM 3A, "Paging": 32-bit and PAE. */
#include "cli/compare_pages.h"

#include <string.h>

/* A format of page tables: its levels from the top, what an entry is. */
struct format {
    unsigned levels;
    unsigned entry_bytes;
    unsigned entries[3]; /* of a table of each level */
    unsigned large;      /* level whose entries may be large pages */
    uint64_t large_pages;
};

static const struct format plain = {2, 4, {1024, 1024, 0}, 0, 1024};
static const struct format pae = {3, 8, {4, 512, 512}, 1, 512};

#define FRAME_BITS UINT64_C(0x000FFFFFFFFFF000)

static uint64_t entry_at(const uint8_t *table, unsigned index, unsigned bytes)
{
    uint64_t entry = 0;

    memcpy(&entry, table + index * bytes, bytes);
    return entry;
}

static uint64_t count_pages(struct vm *vm, const struct format *f,
                            unsigned level, uint64_t gpa)
{
    size_t bytes = (size_t)f->entries[level] * f->entry_bytes;
    bool pointers = f->levels == 3 && level == 0; /* no A bit, no PS bit */
    uint8_t table[PAGE_BYTES];
    uint64_t pages = 0;

    if (!vm_read_physical(vm, GPA(gpa), table, bytes))
        return 0;
    for (unsigned i = 0; i < f->entries[level]; i++) {
        uint64_t entry = entry_at(table, i, f->entry_bytes);

        if (!(entry & PTE_P) || !(pointers || (entry & PTE_A)))
            continue;
        if (level + 1 == f->levels)
            pages++;
        else if (level == f->large && (entry & PTE_PS))
            pages += f->large_pages;
        else
            pages += count_pages(vm, f, level + 1, entry & FRAME_BITS);
    }
    return pages;
}

uint64_t compare_accessed_pages(struct vm *vm)
{
    struct cpu_state s;

    vm_guest_state(vm, &s);
    if (!(s.cr0 & CR0_PG))
        return 0;
    if (s.cr4 & CR4_PAE)
        return count_pages(vm, &pae, 0, s.cr3 & 0xFFFFFFE0u);
    return count_pages(vm, &plain, 0, s.cr3 & PTE_FRAME);
}
