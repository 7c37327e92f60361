/* SPDX-License-Identifier: MIT */
/* traps/pv_mmu.c - page tables of a paravirtual guest.
 *
 * The guest hands in lists of entries to write. Each is checked (it lies in
 * memory, it maps memory, it does not map where the VMM is), written into the
 * guest's table, and the VMM's own table is brought into line at once: what
 * costs a trace fault each where the guest writes by itself.
 */
#include "traps/pv.h"

/* Is this entry the one of the current directory that covers the VMM? */
static bool covers_vmm(const struct monitor *mon, uint32_t ptr)
{
    return (ptr & PTE_FRAME) == (mon->v.cr3 & PTE_FRAME) &&
           (ptr & PAGE_MASK) / 4 == PV_HOLE >> LARGE_PAGE_SHIFT;
}

static int32_t update(struct monitor *mon, struct pv_mmu_update u)
{
    uint32_t command = u.ptr & 3, ptr = u.ptr & ~3u, old;

    if (command != PV_UPDATE_SET && command != PV_UPDATE_PRESERVE_AD)
        return PV_ENOSYS;
    if (!pmap_read(mon->config.pmap, GPA(ptr), &old, sizeof old))
        return PV_EINVAL;
    if ((u.value & PTE_P) && !pv_is_memory(mon, u.value & PTE_FRAME))
        return PV_EINVAL;
    if ((u.value & PTE_P) && covers_vmm(mon, ptr))
        return PV_EPERM;
    if (command == PV_UPDATE_PRESERVE_AD)
        u.value |= old & (PTE_A | PTE_D);
    mon->trace->count.mmu_updates++;
    return pv_write_gpa(mon, ptr, &u.value, sizeof u.value) ? 0 : PV_EINVAL;
}

int32_t pv_mmu_update(struct monitor *mon, const uint32_t arg[5])
{
    int32_t result =
        pv_check_batch(arg[0], arg[1], sizeof(struct pv_mmu_update));
    uint32_t done = 0;

    if (result < 0)
        return result;
    while (result == 0 && done < arg[1]) {
        struct pv_mmu_update u;

        if (!pv_read(mon, arg[0] + done * (uint32_t)sizeof u, &u, sizeof u))
            result = PV_EFAULT;
        else
            result = update(mon, u);
        if (result == 0)
            done++;
    }
    return pv_batch_done(mon, arg[2], done, result);
}

/* ---- operations -------------------------------------------------------------
 */

static int32_t new_base(struct monitor *mon, uint32_t gpa)
{
    uint32_t hole;

    if ((gpa & PAGE_MASK) || !pv_is_memory(mon, gpa))
        return PV_EINVAL;
    if (!pmap_read(mon->config.pmap,
                   GPA(gpa + (PV_HOLE >> LARGE_PAGE_SHIFT) * 4), &hole,
                   sizeof hole) ||
        (hole & PTE_P))
        return PV_EPERM;
    mon->v.cr3 = gpa;
    mmu_cr3_written(mon->mmu);
    return 0;
}

static int32_t operate(struct monitor *mon, struct pv_mmu_op op)
{
    switch (op.command) {
    case PV_MMU_NEW_BASE: return new_base(mon, op.value);
    case PV_MMU_FLUSH:
        if (op.value)
            return PV_EINVAL;
        mmu_cr3_written(mon->mmu);
        return 0;
    case PV_MMU_INVLPG: mmu_invlpg(mon->mmu, op.value); return 0;
    case PV_MMU_NO_TABLE:
        if ((op.value & PAGE_MASK) || !pv_is_memory(mon, op.value))
            return PV_EINVAL;
        mmu_forget_table(mon->mmu, GPA(op.value));
        return 0;
    default: return PV_ENOSYS;
    }
}

int32_t pv_mmu_op(struct monitor *mon, const uint32_t arg[5])
{
    int32_t result = pv_check_batch(arg[0], arg[1], sizeof(struct pv_mmu_op));
    uint32_t done = 0;

    if (result < 0)
        return result;
    while (result == 0 && done < arg[1]) {
        struct pv_mmu_op op;

        if (!pv_read(mon, arg[0] + done * (uint32_t)sizeof op, &op, sizeof op))
            result = PV_EFAULT;
        else
            result = operate(mon, op);
        if (result == 0)
            done++;
    }
    return pv_batch_done(mon, arg[2], done, result);
}
