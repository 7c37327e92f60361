/* SPDX-License-Identifier: MIT */
/* traps/pv_calls.c - which hypercall, and many in one.
 *
 * The price of a hypercall is the exit. A multicall carries a list of them,
 * the results go back into the list.
 */
#include "traps/pv.h"

_Static_assert((int)PV_HYPERCALLS == (int)HYPERCALLS,
               "trace/ names the hypercalls");

static int32_t features(struct monitor *mon, const uint32_t arg[5])
{
    switch (arg[0]) {
    case PV_QUERY_VERSION: return PV_VERSION;
    case PV_QUERY_FEATURES: return (int32_t)pv_of(mon)->tables->features;
    default: return PV_EINVAL;
    }
}

/* A guest that knows its machine frames loses one, */
static int32_t give(struct monitor *mon, const struct pc_balloon *balloon,
                    uint32_t page)
{
    gpa_t gpa = GPA((uint64_t)page << PAGE_SHIFT);
    ma_t frame = MA(0);
    bool had = pmap_readable(pmap_lookup(mon->config.pmap, gpa, &frame));

    if (!balloon->give(balloon->ctx, page))
        return PV_EINVAL;
    if (had && pv_of(mon)->tables->given)
        pv_of(mon)->tables->given(mon, frame);
    return 0;
}

/* and gets another. */
static int32_t take(struct monitor *mon, const struct pc_balloon *balloon,
                    uint32_t page)
{
    if (!balloon->take(balloon->ctx, page))
        return PV_EINVAL;
    return pv_of(mon)->tables->taken ? pv_of(mon)->tables->taken(mon, page) : 0;
}

static int32_t memory_op(struct monitor *mon, const uint32_t arg[5])
{
    const struct pc_balloon *balloon = pc_balloon(mon->config.pc);

    if (!balloon)
        return PV_ENOSYS;
    switch (arg[0]) {
    case PV_MEMORY_TARGET: return (int32_t)balloon->target(balloon->ctx);
    case PV_MEMORY_HELD: return (int32_t)balloon->held(balloon->ctx);
    case PV_MEMORY_GIVE: return give(mon, balloon, arg[1]);
    case PV_MEMORY_TAKE: return take(mon, balloon, arg[1]);
    default: return PV_ENOSYS;
    }
}

static pv_call_fn multicall;

static pv_call_fn *const calls[PV_HYPERCALLS] = {
    [PV_FEATURES] = features,
    [PV_SET_TRAP_TABLE] = pv_set_trap_table,
    [PV_SET_CALLBACKS] = pv_set_callbacks,
    [PV_STACK_SWITCH] = pv_stack_switch,
    [PV_SET_GDT] = pv_set_gdt,
    [PV_SET_LDT] = pv_set_ldt,
    [PV_UPDATE_DESCRIPTOR] = pv_update_descriptor,
    [PV_MMU_UPDATE] = pv_mmu_update,
    [PV_MMU_OP] = pv_mmu_op,
    [PV_FPU_TASKSWITCH] = pv_fpu_taskswitch,
    [PV_EVENT_OP] = pv_event_op,
    [PV_SET_TIMER] = pv_set_timer,
    [PV_CONSOLE_IO] = pv_console_io,
    [PV_SCHED_OP] = pv_sched_op,
    [PV_MULTICALL] = multicall,
    [PV_MEMORY_OP] = memory_op,
    [PV_UPDATE_VA] = pv_update_va,
};

static int32_t call(struct monitor *mon, uint32_t number, const uint32_t arg[5])
{
    bool batched = pv_of(mon)->batched;
    int32_t result = PV_ENOSYS;

    if (number < PV_HYPERCALLS) {
        mon->trace->count.hypercalls[number]++;
        result = calls[number](mon, arg);
    }
    trace_hypercall(mon->trace, pv_of(mon)->site, number, arg, result, batched);
    return result;
}

static int32_t multicall(struct monitor *mon, const uint32_t arg[5])
{
    struct pv *pv = pv_of(mon);
    int32_t result = pv_check_batch(arg[0], arg[1], sizeof(struct pv_call));
    uint32_t done = 0;

    if (pv->batched)
        return PV_EINVAL;
    if (result < 0)
        return result;
    pv->batched = true;
    while (result == 0 && done < arg[1]) {
        uint32_t at = arg[0] + done * (uint32_t)sizeof(struct pv_call);
        struct pv_call entry;

        result = PV_EFAULT;
        if (!pv_read(mon, at, &entry, sizeof entry))
            break;
        mon->trace->count.multicall_entries++;
        entry.result = call(mon, entry.number, entry.argument);
        if (!pv_write(mon, at + offsetof(struct pv_call, result), &entry.result,
                      sizeof entry.result))
            break;
        result = 0;
        done++;
    }
    pv->batched = false;
    return pv_batch_done(mon, arg[2], done, result);
}

void pv_hypercall(struct monitor *mon)
{
    uint32_t *gpr = mon->v.gpr;
    const uint32_t arg[5] = {gpr[GPR_EBX], gpr[GPR_ECX], gpr[GPR_EDX],
                             gpr[GPR_ESI], gpr[GPR_EDI]};

    gpr[GPR_EAX] = (uint32_t)call(mon, gpr[GPR_EAX], arg);
}
