/* SPDX-License-Identifier: MIT */
/* cpu/paging.c - the formats of page tables. */
#include "cpu/paging.h"

#include <string.h>

const struct paging_format paging_32bit = {
    .name = "32-bit",
    .levels = 2,
    .entry_bytes = 4,
    .index_bits = 10,
    .top_bits = 10,
};

const struct paging_format paging_pae = {
    .name = "PAE",
    .levels = 3,
    .entry_bytes = 8,
    .index_bits = 9,
    .top_bits = 2,
};

const struct paging_format paging_4level = {
    .name = "4-level",
    .levels = 4,
    .entry_bytes = 8,
    .index_bits = 9,
    .top_bits = 9,
};

/* Entries of 8 bytes: what lies above the physical address; bits 62:52 are the
 * software's in 4-level paging. */
#define ABOVE_ADDRESS_PAE    0x7FFFFFFF00000000u
#define ABOVE_ADDRESS_4LEVEL 0x000FFFFF00000000u

/* In an entry that maps a large page, the bits between PAT and the frame. */
#define LARGE_32BIT 0x003FE000u
#define LARGE_8BYTE 0x001FE000u

#define PDPTE_RESERVED (0x1E6u | PTE_NX | ABOVE_ADDRESS_PAE)

void paging_from_registers(struct paging *p, uint64_t cr0, uint64_t cr3,
                           uint64_t cr4, uint64_t efer, const uint64_t *pdpte)
{
    memset(p, 0, sizeof *p);
    if (!(cr0 & CR0_PG))
        return;
    p->wp = (cr0 & CR0_WP) != 0;
    if (cr4 & CR4_PAE) {
        p->format = &paging_pae;
        p->root = paging_pdpt(cr3);
        memcpy(p->pdpte, pdpte, sizeof p->pdpte);
        p->large = true;
        p->nx = (efer & EFER_NXE) != 0;
        return;
    }
    p->format = &paging_32bit;
    p->root = cr3 & PTE_FRAME;
    p->large = (cr4 & CR4_PSE) != 0;
}

uint64_t paging_reserved(const struct paging *p, unsigned level, bool page)
{
    bool large = page && level == LEVEL_PD;
    uint64_t bits;

    if (p->format == &paging_32bit)
        return large ? LARGE_32BIT : 0;
    if (p->format == &paging_pae && level == LEVEL_PDPT)
        return PDPTE_RESERVED;
    bits = p->format == &paging_pae ? ABOVE_ADDRESS_PAE : ABOVE_ADDRESS_4LEVEL;
    if (level >= LEVEL_PDPT)
        bits |= PTE_PS;
    if (large)
        bits |= LARGE_8BYTE;
    return p->nx ? bits : bits | PTE_NX;
}

bool paging_pdpte_valid(uint64_t pdpte)
{
    return !(pdpte & PTE_P) || !(pdpte & PDPTE_RESERVED);
}
