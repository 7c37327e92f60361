/* SPDX-License-Identifier: MIT */
/* ignores-wp.c - wrong: the kernel may not write what is read-only, though it
 * has CR0.WP off. */
#include "decide.h"

static struct decision reflect(const struct fault_info *fault, uint32_t why)
{
    uint32_t access =
        (fault->write ? PF_WRITE : 0) | (fault->user ? PF_USER : 0);
    return (struct decision){.verdict = REFLECT, .error = access | why};
}

/* There is a translation; do its rights allow the access? */
static struct decision check(const struct fault_info *fault, uint32_t page,
                             uint32_t rights)
{
    bool writable = (rights & PTE_W) != 0, user = (rights & PTE_U) != 0;
    if (fault->user && !user)
        return reflect(fault, PF_PRESENT);
    if (fault->write && !writable)
        return reflect(fault, PF_PRESENT);
    return (struct decision){
        .verdict = FILL, .page = page, .writable = writable, .user = user};
}

struct decision decide_fault(const struct fault_info *fault)
{
    uint32_t pde =
        guest_read((fault->cr3 & PTE_FRAME) + (fault->address >> 22) * 4);
    if (!(pde & PTE_P))
        return reflect(fault, 0);
    if ((pde & PTE_PS) && fault->large_pages) {
        if (pde & PDE_LARGE_RESERVED)
            return reflect(fault, PF_PRESENT | PF_RSVD);
        /* Of the large page, the 4 KiB that were touched. */
        uint32_t inside = fault->address & ~PDE_LARGE_FRAME & PTE_FRAME;
        return check(fault, (pde & PDE_LARGE_FRAME) | inside, pde);
    }
    uint32_t pte =
        guest_read((pde & PTE_FRAME) + (fault->address >> 12 & 1023) * 4);
    if (!(pte & PTE_P))
        return reflect(fault, 0);
    return check(fault, pte & PTE_FRAME, pde & pte);
}
