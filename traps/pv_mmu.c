/* SPDX-License-Identifier: MIT */
/* traps/pv_mmu.c - page tables of a paravirtual guest: the hypercalls.
 *
 * The guest hands in lists, of entries to write and of operations. What an
 * entry may say depends on who walks the tables: the VMM (pv_physical.c) or the
 * processor (pv_direct.c). A refusal has a reason, which the guest gets as an
 * error and everybody else as an event.
 */
#include "traps/pv.h"

enum { REFUSED = -100 }; /* the error codes are this minus the reason */

_Static_assert(REFUSED - REFUSAL_ALIGNMENT == PV_EALIGN &&
                   REFUSED - REFUSAL_FRAME == PV_EFRAME &&
                   REFUSED - REFUSAL_FLAGS == PV_EFLAGS &&
                   REFUSED - REFUSAL_RESERVED == PV_ERESERVED &&
                   REFUSED - REFUSAL_TABLE == PV_ETABLE &&
                   REFUSED - REFUSAL_WRITABLE == PV_EWRITABLE &&
                   REFUSED - REFUSAL_LEVEL == PV_ELEVEL &&
                   REFUSED - REFUSAL_PINNED == PV_EPINNED &&
                   REFUSED - REFUSAL_NOT_PINNED == PV_EUNPINNED &&
                   REFUSED - REFUSAL_NO_TABLE == PV_ENOTABLE,
               "an error code for each reason");

static int32_t tell(struct monitor *mon, struct direct_answer a)
{
    if (a.why == REFUSAL_NONE)
        return 0;
    mon->trace->count.refusals[a.why]++;
    trace_refuse(mon->trace, pv_of(mon)->site, a.why, (uint32_t)a.entry.v,
                 a.value, (uint32_t)a.gpa.v);
    return REFUSED - (int32_t)a.why;
}

/* ---- entries ---------------------------------------------------------------
 */

static int32_t update(struct monitor *mon, struct pv_mmu_update u)
{
    uint32_t command = u.ptr & 3;

    if (command != PV_UPDATE_SET && command != PV_UPDATE_PRESERVE_AD)
        return PV_ENOSYS;
    mon->trace->count.mmu_updates++;
    return tell(mon,
                pv_of(mon)->tables->update(mon, u.ptr & ~3u, u.value,
                                           command == PV_UPDATE_PRESERVE_AD));
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

int32_t pv_update_va(struct monitor *mon, const uint32_t arg[5])
{
    const struct pv_tables *tables = pv_of(mon)->tables;
    struct direct_answer none = {.why = REFUSAL_NO_TABLE, .value = arg[0]};
    uint32_t entry;
    int32_t result;

    if (arg[2] > PV_FLUSH_ALL)
        return PV_EINVAL;
    if (!tables->entry(mon, arg[0], &entry))
        return tell(mon, none);
    mon->trace->count.mmu_updates++;
    result = tell(mon, tables->update(mon, entry, arg[1], false));
    if (result == 0 && arg[2] == PV_FLUSH_PAGE)
        mmu_invlpg(mon->mmu, arg[0]);
    if (result == 0 && arg[2] == PV_FLUSH_ALL)
        mmu_cr3_written(mon->mmu);
    return result;
}

/* ---- operations -------------------------------------------------------------
 */

static int32_t operate(struct monitor *mon, struct pv_mmu_op op)
{
    const struct pv_tables *tables = pv_of(mon)->tables;
    uint32_t value = op.value;

    switch (op.command) {
    case PV_MMU_NEW_BASE: return tell(mon, tables->new_base(mon, value));
    case PV_MMU_FLUSH:
        if (value)
            return PV_EINVAL;
        mmu_cr3_written(mon->mmu);
        return 0;
    case PV_MMU_INVLPG: mmu_invlpg(mon->mmu, value); return 0;
    case PV_MMU_NO_TABLE: return tell(mon, tables->no_table(mon, value));
    case PV_MMU_PIN_TABLE:
        return tell(mon, tables->pin(mon, value, FRAME_TABLE));
    case PV_MMU_PIN_DIRECTORY:
        return tell(mon, tables->pin(mon, value, FRAME_DIRECTORY));
    case PV_MMU_UNPIN: return tell(mon, tables->unpin(mon, value));
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
