/* SPDX-License-Identifier: MIT */
/* vmm/inspect_walk.c - what the hardware finds in the guest's own tables.
 *
 * Reference: SDM 3A, "32-Bit Paging", "Access Rights".
 */
#include "vmm/inspect_parts.h"

static bool read_entry(struct vm *vm, gpa_t at, uint32_t *entry)
{
    return vm_read_physical(vm, at, entry, sizeof *entry);
}

/* The combined rights of the levels against the access. */
static void judge(const struct cpu_state *s, unsigned access, uint32_t rights,
                  struct guest_walk *w)
{
    bool write_ok =
        (rights & PTE_W) || (!(access & ACC_USER) && !(s->cr0 & CR0_WP));
    w->writable = (rights & PTE_W) != 0;
    w->user = (rights & PTE_U) != 0;
    w->allowed = (!(access & ACC_USER) || w->user) &&
                 (!(access & ACC_WRITE) || write_ok);
    if (!w->allowed)
        w->error |= PF_PRESENT;
}

static void walk_table(struct vm *vm, const struct cpu_state *s,
                       uint32_t linear, unsigned access, struct guest_walk *w)
{
    w->pte_gpa = GPA((w->pde & PTE_FRAME) + (linear >> 12 & 0x3FF) * 4);
    w->pte_valid = read_entry(vm, w->pte_gpa, &w->pte);
    if (!w->pte_valid || !(w->pte & PTE_P))
        return;
    w->gpa = GPA((w->pte & PTE_FRAME) | (linear & PAGE_MASK));
    w->dirty = (w->pte & PTE_D) != 0;
    w->global = (w->pte & PTE_G) != 0;
    judge(s, access, w->pde & w->pte, w);
}

void inspect_bare_walk(struct vm *vm, const struct cpu_state *s,
                       uint32_t linear, unsigned access, struct guest_walk *w)
{
    *w = (struct guest_walk){.paging = (s->cr0 & CR0_PG) != 0};
    if (!w->paging) {
        w->gpa = GPA(linear);
        w->allowed = w->writable = w->user = true;
        return;
    }
    w->error =
        (access & ACC_WRITE ? PF_WRITE : 0) | (access & ACC_USER ? PF_USER : 0);
    w->pde_gpa = GPA((s->cr3 & PTE_FRAME) + (linear >> 22) * 4);
    w->pde_valid = read_entry(vm, w->pde_gpa, &w->pde);
    if (!w->pde_valid || !(w->pde & PTE_P))
        return;
    w->large = (w->pde & PTE_PS) && (s->cr4 & CR4_PSE);
    if (!w->large) {
        walk_table(vm, s, linear, access, w);
        return;
    }
    w->gpa =
        GPA((w->pde & PDE_LARGE_FRAME) | (linear & (LARGE_PAGE_BYTES - 1)));
    w->dirty = (w->pde & PTE_D) != 0;
    judge(s, access, w->pde, w);
}
