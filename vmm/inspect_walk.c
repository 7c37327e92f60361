/* SPDX-License-Identifier: MIT */
/* vmm/inspect_walk.c - what the hardware finds in the guest's own tables. */
#include "vmm/inspect_parts.h"

static bool read_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    *entry = 0;
    return vm_read_physical(ctx, GPA(at), entry, bytes);
}

void inspect_bare_walk(struct vm *vm, const struct cpu_state *s,
                       uint32_t linear, unsigned access, struct mmu_view *view)
{
    struct paging p;

    paging_from_registers(&p, s->cr0, s->cr3, s->cr4, s->efer, s->pdpte);
    view->format = p.format;
    paging_walk(&p, linear, access, read_entry, vm, &view->walk);
}
