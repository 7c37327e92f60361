/* SPDX-License-Identifier: MIT */
#include "cli/compare_pages.h"

#include "cpu/paging.h"

#include <string.h>

#define FRAME_BITS UINT64_C(0x000FFFFFFFFFF000)

static uint64_t entry_at(const uint8_t *table, unsigned index, unsigned bytes)
{
    uint64_t entry = 0;

    memcpy(&entry, table + index * bytes, bytes);
    return entry;
}

/* The pages below one table. */
static uint64_t count_pages(struct vm *vm, const struct paging *p,
                            unsigned level, uint64_t table)
{
    const struct paging_format *f = p->format;
    unsigned bits = level == f->levels ? f->top_bits : f->index_bits;
    bool marked = level != LEVEL_PDPT || f != &paging_pae;
    size_t bytes = (size_t)f->entry_bytes << bits;
    uint8_t words[PAGE_BYTES];
    uint64_t pages = 0;

    if (!vm_read_physical(vm, GPA(table), words, bytes))
        return 0;
    for (unsigned i = 0; i < 1u << bits; i++) {
        uint64_t entry = entry_at(words, i, f->entry_bytes);

        if (!(entry & PTE_P) || (marked && !(entry & PTE_A)))
            continue;
        if (paging_maps_page(p, level, entry))
            pages += UINT64_C(1) << (paging_shift(f, level) - PAGE_SHIFT);
        else
            pages += count_pages(vm, p, level - 1, entry & FRAME_BITS);
    }
    return pages;
}

uint64_t compare_accessed_pages(struct vm *vm)
{
    struct cpu_state s;
    struct paging p;

    vm_guest_state(vm, &s);
    paging_from_registers(&p, s.cr0, s.cr3, s.cr4, s.efer,
                          s.cr4 & CR4_PAE ? s.pdpte : NULL);
    if (!p.format)
        return 0;
    return count_pages(vm, &p, p.format->levels,
                       p.format == &paging_pae ? paging_pdpt(s.cr3) : p.root);
}
