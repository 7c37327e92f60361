/* SPDX-License-Identifier: MIT */
/* cpu/emulate_system.c - flags, interrupts, MSRs, fast system calls.
 *
 * Privilege was checked by the table's rules before a handler runs.
 */
#include "cpu/emulate_run.h"

void emu_cli(struct emu_run *r)
{
    r->s.eflags &= ~EFL_IF;
}

/* Interrupts stay off for one more instruction, if they were off: STI; HLT
 * must not lose the interrupt that would wake it. */
void emu_sti(struct emu_run *r)
{
    r->shadow = !(r->s.eflags & EFL_IF);
    r->s.eflags |= EFL_IF;
}

void emu_hlt(struct emu_run *r)
{
    r->s.halted = true;
    r->halt = true;
}

/* NOP; INVD and WBINVD where caches are not modelled. */
void emu_nop(struct emu_run *r)
{
    (void)r;
}

_Noreturn void emu_undefined(struct emu_run *r)
{
    emu_raise_plain(r, VEC_UD);
}

/* VM and RF are never shown. */
void emu_pushf(struct emu_run *r)
{
    emu_push(r, r->in->operand_size, r->s.eflags & ~(EFL_VM | EFL_RF));
}

void emu_popf(struct emu_run *r)
{
    unsigned size = r->in->operand_size;
    uint32_t value = emu_pop(r, size);

    r->s.eflags = arch_popf(&r->s, value, size);
}

/* ---- Software interrupts: the event is the caller's to deliver ---------- */

static _Noreturn void interrupt(struct emu_run *r, unsigned vector,
                                enum arch_source source)
{
    r->event = (struct arch_event){.vector = (uint8_t)vector,
                                   .source = (uint8_t)source,
                                   .next_eip = r->next_eip};
    longjmp(r->escape, 1);
}

void emu_int(struct emu_run *r)
{
    interrupt(r, r->in->op[0].value & 0xFF, ARCH_SOFTWARE);
}

void emu_int1(struct emu_run *r)
{
    interrupt(r, VEC_DB, ARCH_ICEBP);
}

void emu_int3(struct emu_run *r)
{
    interrupt(r, VEC_BP, ARCH_INT3_INTO);
}

void emu_into(struct emu_run *r)
{
    if (r->s.eflags & EFL_OF)
        interrupt(r, VEC_OF, ARCH_INT3_INTO);
}

/* ---- What every processor shows ----------------------------------------- */

void emu_cpuid(struct emu_run *r)
{
    uint32_t out[4] = {0};
    uint32_t *gpr = r->s.gpr;

    if (r->ops->cpuid)
        r->ops->cpuid(r->ops->ctx, gpr[GPR_EAX], gpr[GPR_ECX], out);
    gpr[GPR_EAX] = out[0];
    gpr[GPR_EBX] = out[1];
    gpr[GPR_ECX] = out[2];
    gpr[GPR_EDX] = out[3];
}

static void set_edx_eax(struct emu_run *r, uint64_t value)
{
    r->s.gpr[GPR_EAX] = (uint32_t)value;
    r->s.gpr[GPR_EDX] = (uint32_t)(value >> 32);
}

static uint64_t clock_of(const struct emu_run *r)
{
    return r->ops->clock ? r->ops->clock(r->ops->ctx) : 0;
}

void emu_rdtsc(struct emu_run *r)
{
    if ((r->s.cr4 & CR4_TSD) && state_protected(&r->s) && r->s.cpl != 0)
        emu_raise(r, VEC_GP, 0);
    set_edx_eax(r, clock_of(r) + r->s.tsc_offset);
}

/* Two counters that never count, as on a machine with nothing to measure. */
void emu_rdpmc(struct emu_run *r)
{
    bool forbidden =
        !(r->s.cr4 & CR4_PCE) && state_protected(&r->s) && r->s.cpl != 0;

    if (forbidden || r->s.gpr[GPR_ECX] > 1)
        emu_raise(r, VEC_GP, 0);
    set_edx_eax(r, 0);
}

/* ---- Model-specific registers ------------------------------------------- */

void emu_rdmsr(struct emu_run *r)
{
    uint32_t index = r->s.gpr[GPR_ECX];
    uint64_t value = 0;

    switch (index) {
    case MSR_TSC: value = clock_of(r) + r->s.tsc_offset; break;
    case MSR_SYSENTER_CS: value = r->s.sysenter_cs; break;
    case MSR_SYSENTER_ESP: value = r->s.sysenter_esp; break;
    case MSR_SYSENTER_EIP: value = r->s.sysenter_eip; break;
    case MSR_MISC_ENABLE: value = r->s.misc_enable; break;
    case MSR_PAT: value = r->s.pat; break;
    case MSR_EFER: value = r->s.efer; break;
    default:
        if (!r->ops->rdmsr || !r->ops->rdmsr(r->ops->ctx, index, &value))
            emu_raise(r, VEC_GP, 0);
    }
    set_edx_eax(r, value);
}

/* Memory types 2, 3 and above 7 do not exist. SDM 3A, "IA32_PAT MSR". */
static bool valid_pat(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = value >> i * 8 & 0xFF;
        if (type == 2 || type == 3 || type > 7)
            return false;
    }
    return true;
}

void emu_wrmsr(struct emu_run *r)
{
    uint32_t index = r->s.gpr[GPR_ECX];
    uint32_t low = r->s.gpr[GPR_EAX];
    uint64_t value = (uint64_t)r->s.gpr[GPR_EDX] << 32 | low;

    switch (index) {
    case MSR_TSC: r->s.tsc_offset = value - clock_of(r); break;
    case MSR_SYSENTER_CS: r->s.sysenter_cs = low; break;
    case MSR_SYSENTER_ESP: r->s.sysenter_esp = low; break;
    case MSR_SYSENTER_EIP: r->s.sysenter_eip = low; break;
    case MSR_MISC_ENABLE: r->s.misc_enable = value; break;
    case MSR_PAT:
        if (!valid_pat(value))
            emu_raise(r, VEC_GP, 0);
        r->s.pat = value;
        break;
    case MSR_EFER:
        if (value & ~(uint64_t)ARCH_EFER_BITS)
            emu_raise(r, VEC_GP, 0);
        r->s.efer = value;
        break;
    default:
        if (!r->ops->wrmsr || !r->ops->wrmsr(r->ops->ctx, index, value))
            emu_raise(r, VEC_GP, 0);
    }
}

/* ---- SYSENTER and SYSEXIT: flat segments made from one selector --------- */

static struct segment flat(uint32_t selector, unsigned attr)
{
    return (struct segment){.limit = 0xFFFFFFFFu,
                            .selector = (uint16_t)selector,
                            .attr = (uint16_t)attr};
}

static uint32_t checked_sysenter_cs(struct emu_run *r)
{
    if (!state_protected(&r->s) || SEL_NULL(r->s.sysenter_cs & 0xFFFF))
        emu_raise(r, VEC_GP, 0);
    return r->s.sysenter_cs & 0xFFFC;
}

enum { FLAT_CODE0 = 0xC09B, FLAT_DATA0 = 0xC093 };

void emu_sysenter(struct emu_run *r)
{
    uint32_t cs = checked_sysenter_cs(r);

    r->s.eflags &= ~(EFL_VM | EFL_IF | EFL_RF);
    r->s.seg[SEG_CS] = flat(cs, FLAT_CODE0);
    r->s.seg[SEG_SS] = flat(cs + 8, FLAT_DATA0);
    r->s.gpr[GPR_ESP] = r->s.sysenter_esp;
    r->s.eip = r->s.sysenter_eip;
    r->s.cpl = 0;
    r->jumped = true;
}

void emu_sysexit(struct emu_run *r)
{
    uint32_t cs = checked_sysenter_cs(r);

    r->s.seg[SEG_CS] = flat((cs + 16) | 3, FLAT_CODE0 | SEG_DPL);
    r->s.seg[SEG_SS] = flat((cs + 24) | 3, FLAT_DATA0 | SEG_DPL);
    r->s.gpr[GPR_ESP] = r->s.gpr[GPR_ECX];
    r->s.eip = r->s.gpr[GPR_EDX];
    r->s.cpl = 3;
    r->jumped = true;
}
