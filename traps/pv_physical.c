/* SPDX-License-Identifier: MIT */
/* traps/pv_physical.c - page tables that hold guest-physical addresses.
 *
 * The VMM makes the machine's of them (--mmu tlb, shadow). An entry that is
 * handed in is checked (it lies in memory, it maps memory, it does not map
 * where the VMM is), written into the guest's table, and the VMM's own table is
 * brought into line at once, and filled if the entry says that the page is
 * used: what costs a trace fault and a hidden one each where the guest writes
 * by itself. What the guest does without asking cannot hurt, so frames need no
 * types, and a pin no more than a look at the address.
 */
#include "traps/pv.h"

static const unsigned hole_index = PV_HOLE >> LARGE_PAGE_SHIFT;

static void enter(struct monitor *mon)
{
    (void)mon;
}

static struct direct_answer answer(enum table_refusal why, uint32_t entry,
                                   uint32_t value)
{
    return (struct direct_answer){why, MA(entry), value,
                                  GPA(value & PTE_FRAME)};
}

/* Is this entry the one of the current directory that covers the VMM? */
static bool covers_vmm(const struct monitor *mon, uint32_t entry)
{
    return (entry & PTE_FRAME) == (mon->v.cr3 & PTE_FRAME) &&
           (entry & PAGE_MASK) / 4 == hole_index;
}

static struct direct_answer update(struct monitor *mon, uint32_t entry,
                                   uint32_t value, bool keep_bits)
{
    uint32_t old, word = value;

    if (!pmap_read(mon->config.pmap, GPA(entry), &old, sizeof old))
        return answer(REFUSAL_FRAME, 0, entry & PTE_FRAME);
    if ((value & PTE_P) && !pv_is_memory(mon, value & PTE_FRAME))
        return answer(REFUSAL_FRAME, entry, value);
    if ((value & PTE_P) && covers_vmm(mon, entry))
        return answer(REFUSAL_RESERVED, entry, value);
    if (keep_bits)
        word |= old & (PTE_A | PTE_D);
    if (!pv_write_gpa(mon, entry, &word, sizeof word))
        return answer(REFUSAL_FRAME, 0, entry & PTE_FRAME);
    mmu_entry_updated(mon->mmu, GPA(entry));
    return answer(REFUSAL_NONE, entry, value);
}

static bool find_entry(struct monitor *mon, uint32_t linear, uint32_t *entry)
{
    struct paging_walk walk;

    mmu_guest_walk(mon->mmu, linear, 0, false, &walk);
    *entry = (uint32_t)walk.at[LEVEL_PT];
    return walk.level == LEVEL_PT && linear < PV_HOLE;
}

static struct direct_answer check_page(const struct monitor *mon, uint32_t page)
{
    if (page & PAGE_MASK)
        return answer(REFUSAL_ALIGNMENT, 0, page);
    if (!pv_is_memory(mon, page))
        return answer(REFUSAL_FRAME, 0, page);
    return answer(REFUSAL_NONE, 0, page);
}

static struct direct_answer new_base(struct monitor *mon, uint32_t directory)
{
    struct direct_answer a = check_page(mon, directory);
    uint32_t at = directory + hole_index * 4, hole = 0;

    if (a.why != REFUSAL_NONE)
        return a;
    if (!pmap_read(mon->config.pmap, GPA(at), &hole, sizeof hole) ||
        (hole & PTE_P))
        return answer(REFUSAL_RESERVED, at, hole);
    mon->v.cr3 = directory;
    mmu_cr3_written(mon->mmu);
    return a;
}

static struct direct_answer pin(struct monitor *mon, uint32_t page,
                                enum frame_type type)
{
    (void)type;
    return check_page(mon, page);
}

static struct direct_answer unpin(struct monitor *mon, uint32_t page)
{
    return check_page(mon, page);
}

static struct direct_answer no_table(struct monitor *mon, uint32_t page)
{
    struct direct_answer a = check_page(mon, page);

    if (a.why == REFUSAL_NONE)
        mmu_forget_table(mon->mmu, GPA(page));
    return a;
}

const struct pv_tables pv_physical_tables = {
    .features = PV_HAS_LARGE_PAGES,
    .enter = enter,
    .update = update,
    .entry = find_entry,
    .new_base = new_base,
    .pin = pin,
    .unpin = unpin,
    .no_table = no_table,
};
