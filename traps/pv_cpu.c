/* SPDX-License-Identifier: MIT */
/* traps/pv_cpu.c - what a paravirtual guest registers: segments, handlers,
 * stacks.
 *
 * The descriptor tables that the processor uses are the VMM's. The guest hands
 * in descriptors, which are checked once and copied: there is nothing to watch
 * and nothing to shadow. None may be of ring 0, none a gate or a task segment.
 *
 * Reference: SDM 3A, "Segment Descriptors".
 */
#include "traps/pv.h"

#define DESC_P         0x00008000u
#define DESC_S         0x00001000u
#define DESC_A         0x00000100u
#define DESC_DPL       0x00006000u
#define DESC_DPL_SHIFT 13

enum { GDT_ALL = TABLE_PAGES * PAGE_BYTES / 8 };

struct descriptor {
    uint32_t low, high;
};

/* ---- the table ------------------------------------------------------------
 */

static void put(struct monitor *mon, const struct shadow_table *t,
                unsigned index, struct descriptor d)
{
    const struct memory *memory = machine_memory(mon->machine);
    ma_t at =
        MA(t->frame[index / (PAGE_BYTES / 8)].v + index % (PAGE_BYTES / 8) * 8);

    /* Accessed already: the processor need not write here. */
    if (d.high & DESC_P)
        d.high |= DESC_A;
    memory_write32(memory, at, d.low);
    memory_write32(memory, MA(at.v + 4), d.high);
}

void pv_flat_segments(struct monitor *mon)
{
    static const struct {
        uint16_t selector;
        uint32_t high;
    } flat[] = {
        {PV_SEL_KERNEL_CODE, 0x00CFBA00},
        {PV_SEL_KERNEL_DATA, 0x00CFB200},
        {PV_SEL_USER_CODE, 0x00CFFA00},
        {PV_SEL_USER_DATA, 0x00CFF200},
    };

    for (unsigned i = 0; i < GDT_ALL; i++)
        put(mon, &mon->gdt, i, (struct descriptor){0, 0});
    for (unsigned i = 0; i < sizeof flat / sizeof *flat; i++)
        put(mon, &mon->gdt, flat[i].selector >> 3,
            (struct descriptor){0xFFFF, flat[i].high});
}

/* May the guest have this one? Not present is anything. */
static bool allowed(struct descriptor d)
{
    return !(d.high & DESC_P) || ((d.high & DESC_S) && (d.high & DESC_DPL));
}

bool pv_segment(const struct monitor *mon, uint16_t selector,
                struct segment *out)
{
    const struct memory *memory = machine_memory(mon->machine);
    const struct shadow_table *t = selector & SEL_TI ? &mon->ldt : &mon->gdt;
    unsigned index = selector >> 3;
    ma_t at;

    if (SEL_NULL(selector) ||
        ((selector & SEL_TI) && index * 8 + 7 > mon->v.ldtr.limit))
        return false;
    at =
        MA(t->frame[index / (PAGE_BYTES / 8)].v + index % (PAGE_BYTES / 8) * 8);
    *out = arch_segment(selector, memory_read32(memory, at),
                        memory_read32(memory, MA(at.v + 4)));
    return (out->attr & SEG_P) && (out->attr & SEG_S);
}

static bool ring1(const struct segment *s)
{
    return (s->selector & SEL_RPL) == 1 &&
           (s->attr & SEG_DPL) >> SEG_DPL_SHIFT == 1;
}

bool pv_kernel_code(const struct monitor *mon, uint16_t selector,
                    struct segment *out)
{
    return pv_segment(mon, selector, out) && ring1(out) &&
           (out->attr & SEG_CODE) && !(out->attr & SEG_CONFORM);
}

bool pv_kernel_stack(const struct monitor *mon, uint16_t selector,
                     struct segment *out)
{
    return pv_segment(mon, selector, out) && ring1(out) &&
           (out->attr & (SEG_CODE | SEG_WRITABLE)) == SEG_WRITABLE;
}

/* ---- hypercalls -------------------------------------------------------------
 */

/* All or nothing: checked first, then copied. The entries behind the last are
 * cleared. */
static int32_t set_table(struct monitor *mon, const struct shadow_table *t,
                         uint32_t linear, uint32_t count, uint32_t most)
{
    struct descriptor d;

    if (count > most)
        return PV_EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        if (!pv_read(mon, linear + 8 * i, &d, sizeof d))
            return PV_EFAULT;
        if (!allowed(d))
            return PV_EPERM;
    }
    for (uint32_t i = 0; i < most; i++) {
        d = (struct descriptor){0, 0};
        if (i < count && !pv_read(mon, linear + 8 * i, &d, sizeof d))
            return PV_EFAULT;
        put(mon, t, i, d);
    }
    return 0;
}

int32_t pv_set_gdt(struct monitor *mon, const uint32_t arg[5])
{
    return set_table(mon, &mon->gdt, arg[0], arg[1], PV_GDT_ENTRIES);
}

int32_t pv_set_ldt(struct monitor *mon, const uint32_t arg[5])
{
    int32_t result = set_table(mon, &mon->ldt, arg[0], arg[1], PV_LDT_ENTRIES);

    if (result == 0)
        mon->v.ldtr = arg[1] ? (struct segment){.limit = arg[1] * 8 - 1,
                                                .attr = SEG_P | SYS_LDT}
                             : (struct segment){.attr = 0};
    return result;
}

int32_t pv_update_descriptor(struct monitor *mon, const uint32_t arg[5])
{
    struct descriptor d = {arg[1], arg[2]};
    uint32_t index = arg[0] >> 3;
    bool local = (arg[0] & SEL_TI) != 0;

    if (arg[0] > 0xFFFF || (arg[0] & SEL_RPL))
        return PV_EINVAL;
    if (local ? index * 8 + 7 > mon->v.ldtr.limit || !mon->v.ldtr.attr
              : index >= PV_GDT_ENTRIES)
        return PV_EINVAL;
    if (!allowed(d))
        return PV_EPERM;
    put(mon, local ? &mon->ldt : &mon->gdt, index, d);
    return 0;
}

static int32_t set_trap(struct monitor *mon, const struct pv_trap *trap)
{
    struct segment cs;

    if (trap->vector == PV_VECTOR ||
        (trap->flags & ~(PV_TRAP_DPL | PV_TRAP_MASK)))
        return PV_EINVAL;
    if (trap->cs && !pv_kernel_code(mon, trap->cs, &cs))
        return PV_EPERM;
    pv_of(mon)->s.trap[trap->vector] = *trap;
    return 0;
}

/* In order; the entries before a bad one hold. */
int32_t pv_set_trap_table(struct monitor *mon, const uint32_t arg[5])
{
    int32_t result = pv_check_batch(arg[0], arg[1], sizeof(struct pv_trap));

    for (uint32_t i = 0; result == 0 && i < arg[1]; i++) {
        struct pv_trap trap;

        if (!pv_read(mon, arg[0] + i * (uint32_t)sizeof trap, &trap,
                     sizeof trap))
            return PV_EFAULT;
        result = set_trap(mon, &trap);
    }
    return result;
}

int32_t pv_set_callbacks(struct monitor *mon, const uint32_t arg[5])
{
    struct segment cs;

    if (arg[0] > 0xFFFF || !pv_kernel_code(mon, (uint16_t)arg[0], &cs))
        return PV_EPERM;
    pv_of(mon)->s.callback_cs = (uint16_t)arg[0];
    pv_of(mon)->s.callback_eip = arg[1];
    return 0;
}

int32_t pv_stack_switch(struct monitor *mon, const uint32_t arg[5])
{
    struct segment ss;

    if (arg[0] > 0xFFFF || !pv_kernel_stack(mon, (uint16_t)arg[0], &ss))
        return PV_EPERM;
    pv_of(mon)->s.ss = (uint16_t)arg[0];
    pv_of(mon)->s.esp = arg[1];
    return 0;
}

int32_t pv_fpu_taskswitch(struct monitor *mon, const uint32_t arg[5])
{
    if (arg[0] > 1)
        return PV_EINVAL;
    mon->v.cr0 = (mon->v.cr0 & ~CR0_TS) | (arg[0] ? CR0_TS : 0);
    return 0;
}

/* ---- the flag ---------------------------------------------------------------
 */

bool pv_open(const struct monitor *mon)
{
    const struct pv_shared_info *shared = pv_shared(mon);

    return mon->v.cpl == 3 || (shared && !shared->upcall_mask);
}

void pv_refresh_flag(struct monitor *mon)
{
    mon->v.eflags = (mon->v.eflags & ~EFL_IF) | (pv_open(mon) ? EFL_IF : 0u);
}
