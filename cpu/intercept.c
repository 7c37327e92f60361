/* SPDX-License-Identifier: MIT */
/* cpu/intercept.c - instructions that the engine gets wrong, done by us.
 *
 * The engine lets every program use every port, lets RDTSC read the host's
 * time, keeps reserved control-register bits, and dies of breakpoints in DR7.
 * Each such instruction is replaced by a trap in the fetched copy of its page
 * (cpu/code.c) and executed here as the manual describes it, faults included.
 */
#include "cpu/emulate.h"
#include "cpu/machine_priv.h"
#include "cpu/msr.h"

bool machine_loses_flags(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_SETCC:
    case INSN_CMPXCHG8B:
    case INSN_RCL:
    case INSN_RCR: return insn->memory;
    case INSN_NEG: return insn->lock;
    default: return insn->id == INSN_LOOPCC;
    }
}

bool intercept_wanted(const struct machine *m, const struct insn *insn,
                      bool strict)
{
    switch (insn->id) {
    case INSN_RDTSC: /* host time */
    case INSN_RDPMC: /* the CR4.PCE test is inverted */
    case INSN_RDMSR:
    case INSN_WRMSR:     /* any number is accepted */
    case INSN_MOV_TO_CR: /* any value is accepted */
    case INSN_MOV_TO_DR:
    case INSN_MOV_FROM_DR: /* enabled breakpoints hang the engine */
    case INSN_INVLPG:      /* of the TLB's model, too */
    case INSN_LMSW:
    case INSN_SMSW: /* 16 bits of 32 */
    case INSN_LTR:  /* accepts a null selector */
    case INSN_SYSENTER:
    case INSN_SYSEXIT:
    case INSN_SYSCALL:
    case INSN_SYSRET:
    case INSN_IN: /* never fault; and a device must see the exact time */
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS:
    case INSN_JMP_FAR: /* task switches; inner stacks */
    case INSN_CALL_FAR:
    case INSN_RET_FAR: /* #NP for #SS; sets no accessed bits */ return true;
    case INSN_RET: /* takes 32 KiB and more of parameters for less than none */
        return insn->release > INT16_MAX;
    case INSN_IRET: /* enters virtual-8086 mode from CPL 3 */
        return strict || vmx_is_site(&m->vmx, insn);
    default:
        if (vmx_is_site(&m->vmx, insn) || machine_loses_flags(insn))
            return true;
        return strict && (m->watch >> insn->cls & 1) != 0 && live_cpl(m) < 3;
    }
}

/* ---- what the processor is connected to -------------------------------- */

static uint32_t port_in(void *ctx, uint16_t port, unsigned size)
{
    struct machine *m = ctx;

    return m->client.port_read(m->client.ctx, port, size);
}

static void port_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct machine *m = ctx;

    m->client.port_write(m->client.ctx, port, size, value);
}

static bool rdmsr(void *ctx, uint32_t index, uint64_t *value)
{
    struct machine *m = ctx;

    if (index != MSR_APICBASE || !m->client.apicbase)
        return msr_read_fixed(index, value);
    *value = m->client.apicbase(m->client.ctx);
    return true;
}

static bool wrmsr(void *ctx, uint32_t index, uint64_t value)
{
    struct machine *m = ctx;

    if (index != MSR_APICBASE || !m->client.set_apicbase)
        return msr_write_fixed(index);
    return m->client.set_apicbase(m->client.ctx, value);
}

static void cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)ctx;
    machine_cpuid(leaf, subleaf, out);
}

static uint64_t tsc(void *ctx)
{
    return machine_read_clock(ctx);
}

static void cr_written(void *ctx, unsigned n, uint32_t old, uint32_t value)
{
    struct machine *m = ctx;

    (void)old;
    (void)value;
    if (n != 3)
        return;
    m->flush_after = true; /* also when the value is the same */
    m->trace->count.cr3_writes++;
    m->trace->count.tlb_flushes++;
}

static void invlpg(void *ctx, uint32_t linear)
{
    machine_flush_page(ctx, linear);
}

static void halt(void *ctx)
{
    struct machine *m = ctx;

    m->halted = true;
    m->mid_block = false;
}

/* In non-root operation control registers may look different. */
static bool shows_cr(const struct machine *m, const struct insn *insn)
{
    return m->vmx.non_root &&
           (insn->id == INSN_MOV_FROM_CR || insn->id == INSN_MOV_TO_CR ||
            insn->id == INSN_SMSW || insn->id == INSN_LMSW ||
            insn->id == INSN_CLTS);
}

/* It was counted. One that faults has not retired; INT n has. */
static void take_back(struct machine *m, const struct arch_event *event)
{
    if (event->source == ARCH_EXCEPTION)
        clock_add(&m->clock, -(int)code_weight(m, live_linear(m)));
}

bool intercept_execute(struct machine *m, const struct insn *insn)
{
    static const struct emu_ops connections = {
        .port_in = port_in,
        .port_out = port_out,
        .rdmsr = rdmsr,
        .wrmsr = wrmsr,
        .cpuid = cpuid,
        .clock = tsc,
        .cr_written = cr_written,
        .invlpg = invlpg,
        .halt = halt,
    };
    struct emu_ops ops = connections;
    struct mem_ops mem = machine_mem_ops(m);
    struct cpu_state s, real;
    struct emu e = {.state = &s, .mem = &mem, .ops = &ops};

    ops.ctx = m;
    if ((m->watch >> insn->cls & 1) && live_cpl(m) > 0 && live_cpl(m) < 3)
        m->client.watched(m->client.owner, insn);
    machine_get_state(m, &s);
    if (m->vmx.non_root && vmx_intercept(m, insn, &s))
        return true;
    real = s;
    mem.task_switch_exits = m->vmx.non_root;
    if (shows_cr(m, insn))
        vmx_show_cr(m, &s);
    m->flush_after = false;
    switch (emulate(&e, insn)) {
    case EMU_DONE:
        if (shows_cr(m, insn))
            vmx_merge_cr(m, &s, &real);
        machine_set_state(m, &s);
        if (m->flush_after && s.cr3 == real.cr3)
            drops_flush(m, TLB_LOCAL, m->tlb.tag);
        if (e.single_step)
            run_single_step(m);
        return true;
    case EMU_FAULT:
        if (shows_cr(m, insn))
            vmx_merge_cr(m, &s, &real);
        take_back(m, &e.event);
        machine_set_state(m, &s);
        run_emulated_event(m, &e.event);
        return false;
    case EMU_UNHANDLED: break;
    }
    machine_break(m, "an intercepted instruction cannot be emulated");
    return false;
}
