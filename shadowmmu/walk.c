/* SPDX-License-Identifier: MIT */
/* shadowmmu/walk.c - the processor's walk of the guest's tables, in software.
 *
 * The walk itself is cpu/paging.h's; here is how it reaches the guest's
 * memory. A table where there is no memory (a device, a hole) reads as all
 * ones and ignores writes, as an open bus does; a table in ROM ignores writes.
 */
#include "shadowmmu/technique.h"

uint64_t walk_read(struct mmu *m, gpa_t gpa, unsigned bytes)
{
    uint64_t entry = bytes == sizeof entry ? UINT64_MAX : UINT32_MAX;
    enum pmap_kind kind;
    ma_t ma;

    if (m->quiet) {
        pmap_read(m->c.pmap, gpa, &entry, bytes);
        return entry;
    }
    m->c.trace->count.vmm_references++;
    kind = pmap_hold(m->c.pmap, gpa, false, &ma);
    m->starved |= kind == PMAP_PAGED_OUT;
    if (!pmap_readable(kind))
        return entry;
    if (bytes != sizeof entry)
        return memory_read32(m->c.memory, ma);
    return memory_read64(m->c.memory, ma);
}

static bool read_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    *entry = walk_read(ctx, GPA(at), bytes);
    return true;
}

/* The marks of an entry are in its first word. */
static void write_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t entry)
{
    struct mmu *m = ctx;
    uint32_t word = (uint32_t)entry;
    ma_t ma;

    (void)bytes;
    if (pmap_hold(m->c.pmap, GPA(at), true, &ma) != PMAP_RAM)
        return;
    memory_write32(m->c.memory, ma, word);
    mmu_wrote(m, ma, sizeof word);
    unsync_marked(m, GPA(at), word & (PTE_A | PTE_D));
    mmu_watched(m, GPA(at), sizeof word);
}

void mmu_translation(const struct mmu *m, struct paging *p)
{
    const struct cpu_state *v = m->c.vcpu;

    paging_from_registers(p, v->cr0, v->cr3, v->cr4, v->efer, v->pdpte);
}

void mmu_see(struct mmu *m)
{
    const struct cpu_state *v = m->c.vcpu;

    paging_from_registers(&m->seen, v->cr0 | CR0_PG, v->cr3, v->cr4, v->efer,
                          v->pdpte);
}

bool walk_allows(const struct mmu *m, unsigned access,
                 const struct paging_walk *w)
{
    struct paging p;

    mmu_translation(m, &p);
    return paging_allows(&p, access, w);
}

void walk_tables(struct mmu *m, uint32_t linear, unsigned access,
                 struct paging_walk *w)
{
    struct paging p;

    if (m->ops->walk) {
        m->ops->walk(m, linear, access, w);
        return;
    }
    mmu_translation(m, &p);
    paging_walk(&p, linear, access, read_entry, m, w);
}

void walk_flat(gpa_t gpa, struct paging_walk *w)
{
    static const struct paging none;

    paging_walk(&none, gpa.v, 0, NULL, NULL, w);
}

void walk_commit(struct mmu *m, unsigned access, struct paging_walk *w)
{
    struct paging p;

    mmu_translation(m, &p);
    paging_commit(&p, access, write_entry, m, w);
}

void mmu_guest_walk(struct mmu *m, uint32_t linear, unsigned access,
                    bool set_bits, struct paging_walk *walk)
{
    bool quiet = m->quiet;

    if (!set_bits)
        m->quiet = true;
    walk_tables(m, linear, access, walk);
    m->quiet = quiet;
    if (set_bits)
        walk_commit(m, access, walk);
}
