/* SPDX-License-Identifier: MIT */
/* shadowmmu/walk.c - the processor's walk of the guest's tables, in software.
 *
 * 32-bit paging with two levels and, with CR4.PSE, 4 MiB pages. The modelled
 * processor has no PSE-36: bits 21:13 of a 4 MiB entry are reserved. Nothing
 * is known of no-execute, SMEP and SMAP; a fetch is a read here, and the error
 * code never has PF_FETCH (SDM: only with those features).
 *
 * Choices where the SDM leaves room:
 * - accessed and dirty bits are set when the whole access is allowed, not on
 *   the way to a fault;
 * - a table where there is no memory (a device, a hole) reads as all ones and
 *   ignores writes, as an open bus does; a table in ROM ignores writes.
 *
 * Reference: SDM 3A, "32-Bit Paging", "Access Rights", "Accessed and Dirty
 * Flags", "Page-Fault Exceptions".
 */
#include "shadowmmu/technique.h"

/* 4 MiB entries: what a processor without PSE-36 keeps reserved. */
#define PDE_LARGE_RESERVED 0x003FE000u

uint32_t walk_read(struct mmu *m, gpa_t gpa)
{
    ma_t ma;
    enum pmap_kind kind = pmap_lookup(m->c.pmap, gpa, &ma);

    if (kind == PMAP_PAGED_OUT) {
        if (m->quiet)
            return 0;
        if (pmap_page_in(m->c.pmap, gpa))
            kind = pmap_lookup(m->c.pmap, gpa, &ma);
        else
            m->starved = true;
    }
    if (!m->quiet)
        m->c.trace->count.vmm_references++;
    if (kind != PMAP_RAM && kind != PMAP_ROM)
        return UINT32_MAX;
    return memory_read32(m->c.memory, ma);
}

static void walk_write(struct mmu *m, gpa_t gpa, uint32_t entry)
{
    ma_t ma;

    if (pmap_lookup(m->c.pmap, gpa, &ma) != PMAP_RAM)
        return;
    memory_write32(m->c.memory, ma, entry);
    mmu_wrote(m, ma, sizeof entry);
    unsync_marked(m, gpa, entry & (PTE_A | PTE_D));
    mmu_watched(m, gpa, sizeof entry);
}

/* Paging is off: every address is what it says, with every right. */
static void walk_flat(uint32_t linear, struct guest_walk *w)
{
    w->gpa = GPA(linear);
    w->allowed = true;
    w->writable = true;
    w->user = true;
    w->dirty = true;
}

bool walk_allows(const struct mmu *m, unsigned access,
                 const struct guest_walk *w)
{
    bool user = (access & ACC_USER) != 0;
    bool write = (access & ACC_WRITE) != 0;
    bool protect = user || (m->c.vcpu->cr0 & CR0_WP) != 0;

    if (user && !w->user)
        return false;
    return !write || w->writable || !protect;
}

void walk_tables(struct mmu *m, uint32_t linear, unsigned access,
                 struct guest_walk *w)
{
    const struct cpu_state *v = m->c.vcpu;
    uint32_t rights;

    memset(w, 0, sizeof *w);
    w->paging = mmu_paging(m);
    if (!w->paging) {
        walk_flat(linear, w);
        return;
    }
    w->error = ((access & ACC_WRITE) ? PF_WRITE : 0) |
               ((access & ACC_USER) ? PF_USER : 0);
    w->pde_gpa = GPA((v->cr3 & PTE_FRAME) + (linear >> 22) * 4);
    w->pde = walk_read(m, w->pde_gpa);
    w->pde_valid = true;
    if (!(w->pde & PTE_P))
        return;
    if ((w->pde & PTE_PS) && (v->cr4 & CR4_PSE)) {
        w->large = true;
        w->error |= PF_PRESENT;
        if (w->pde & PDE_LARGE_RESERVED) {
            w->error |= PF_RSVD;
            return;
        }
        w->gpa =
            GPA((w->pde & PDE_LARGE_FRAME) | (linear & (LARGE_PAGE_BYTES - 1)));
        rights = w->pde;
        w->dirty = (w->pde & PTE_D) != 0;
        w->global = (w->pde & PTE_G) != 0;
    } else {
        w->pte_gpa = GPA((w->pde & PTE_FRAME) + (linear >> 12 & 1023) * 4);
        w->pte = walk_read(m, w->pte_gpa);
        w->pte_valid = true;
        if (!(w->pte & PTE_P))
            return;
        w->error |= PF_PRESENT;
        w->gpa = GPA((w->pte & PTE_FRAME) | (linear & PAGE_MASK));
        rights = w->pde & w->pte;
        w->dirty = (w->pte & PTE_D) != 0;
        w->global = (w->pte & PTE_G) != 0;
    }
    w->writable = (rights & PTE_W) != 0;
    w->user = (rights & PTE_U) != 0;
    w->allowed = walk_allows(m, access, w);
}

/* With a recursive mapping both levels can be the same word. The second write
 * then has the bits of the first, for it sets accessed too. */
void walk_commit(struct mmu *m, unsigned access, struct guest_walk *w)
{
    uint32_t leaf = PTE_A | ((access & ACC_WRITE) ? PTE_D : 0);
    uint32_t want = w->large ? leaf : PTE_A;

    if (!w->paging || !w->allowed)
        return;
    if ((w->pde & want) != want) {
        w->pde |= want;
        walk_write(m, w->pde_gpa, w->pde);
    }
    if (w->pte_valid) {
        if ((w->pte & leaf) != leaf) {
            w->pte |= leaf;
            walk_write(m, w->pte_gpa, w->pte);
        }
    }
    if (access & ACC_WRITE)
        w->dirty = true;
}

void mmu_guest_walk(struct mmu *m, uint32_t linear, unsigned access,
                    bool set_bits, struct guest_walk *walk)
{
    bool quiet = m->quiet;

    if (!set_bits)
        m->quiet = true;
    walk_tables(m, linear, access, walk);
    m->quiet = quiet;
    if (set_bits)
        walk_commit(m, access, walk);
}
