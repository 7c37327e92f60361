/* SPDX-License-Identifier: MIT */
/* cpu/event.c - what an exception, an INT n or an intercept leads to.
 *
 * The engine reports raw vectors and goes through no table. Each is sorted out
 * here and handed on: to the running software's own IDT on the bare machine, or
 * to the monitor's exit handler.
 *
 * Reference: SDM 3A, "Interrupt and Exception Handling".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

#include "trace/emit.h"

const char *event_source_name(const struct arch_event *event)
{
    static const char *const names[] = {
        [ARCH_EXCEPTION] = "exception",
        [ARCH_SOFTWARE] = "software",
        [ARCH_ICEBP] = "icebp",
        [ARCH_EXTERNAL] = "interrupt",
        [ARCH_NMI] = "nmi",
        [ARCH_INT3_INTO] = "software",
    };

    return names[event->source];
}

void machine_delivered(struct machine *m, const struct arch_event *event,
                       const struct cpu_state *s)
{
    machine_event_taken(m);
    m->trace->count.interrupts[event->vector]++;
    trace_event_delivered(
        m->trace, EV_DELIVER,
        (struct event_site){(uint32_t)*m->engine.live.eip, live_cpl(m)},
        event_source_name(event), event->vector, event->has_error, event->error,
        event->cr2, s->seg[SEG_CS].selector, s->eip);
}

bool machine_deliver_plain(struct machine *m, const struct arch_event *event)
{
    struct mem_ops mem = machine_mem_ops(m);
    struct cpu_state s;

    machine_get_frame(m, &s);
    machine_get_system(m, &s);
    if (!arch_deliver_plain(&s, &mem, event))
        return false;
    machine_delivered(m, event, &s);
    machine_set_frame(m, &s);
    return true;
}

void machine_deliver(struct machine *m, const struct arch_event *event)
{
    struct mem_ops mem = machine_mem_ops(m);
    struct cpu_state s;

    if (machine_deliver_plain(m, event))
        return;
    machine_get_state(m, &s);
    if (arch_deliver(&s, &mem, event, &m->chain) == ARCH_TRIPLE_FAULT) {
        machine_set_state(m, &s); /* perhaps a new task's */
        m->triple = true;
        machine_stop(m);
        return;
    }
    machine_delivered(m, event, &s);
    machine_set_state(m, &s);
}

/* A fault: to the monitor, or through the IDT. The clock stands at the
 * faulting instruction (it did not retire). */
void machine_fault(struct machine *m, const struct fault *f)
{
    m->mid_block = false;
    if (m->vmx.non_root) {
        vmx_fault(m, f);
    } else if (m->client.exit) {
        struct machine_exit e = {
            .kind = f->vector == VEC_PF ? MX_PAGE_FAULT : MX_EXCEPTION,
            .vector = f->vector,
            .has_error = f->has_error,
            .error = f->error,
            .linear = f->cr2,
        };
        m->client.exit(m->client.owner, &e);
    } else {
        struct arch_event event = {.vector = f->vector,
                                   .source = ARCH_EXCEPTION,
                                   .has_error = f->has_error,
                                   .error = f->error,
                                   .cr2 = f->cr2};
        machine_deliver(m, &event);
    }
    machine_look(m);
}

static void software_interrupt(struct machine *m, uint8_t vector, uint32_t eip,
                               uint32_t next, uint8_t source)
{
    struct arch_event event = {
        .vector = vector, .source = source, .next_eip = next};

    *m->engine.live.eip = eip;
    m->mid_block = false;
    if (m->vmx.non_root) {
        vmx_software(m, &event);
    } else if (m->client.exit) {
        struct machine_exit e = {.kind = MX_SOFTWARE,
                                 .source = source,
                                 .vector = vector,
                                 .next_eip = next};
        m->client.exit(m->client.owner, &e);
    } else {
        machine_deliver(m, &event);
    }
    machine_look(m);
}

static bool vector_has_error(uint32_t vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) ||
           vector == VEC_AC;
}

static bool is_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
    case 0x64:
    case 0x65: /* segments */
    case 0x66:
    case 0x67: /* sizes */
    case 0xF2:
    case PREFIX_REP: return true;
    default: return false;
    }
}

/* Prefixes, or the end of another instruction? The running block ends with
 * this one: where does the last of its instructions begin that ends at end? */
static uint32_t prefixed_start(struct machine *m, uint32_t start, uint32_t end)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    uint32_t at = m->stepping ? m->stepped_at
                              : (uint32_t)clock_running(&m->clock)->address;

    while (at < start) {
        uint8_t bytes[INSN_MAX_LENGTH];
        size_t n = code_bytes(m, at, bytes, sizeof bytes);
        struct insn insn;

        if (!decode_flow(bytes, n, code32, &insn))
            break;
        if (at + insn.length == end)
            return at;
        at += insn.length;
    }
    return start;
}

/* The three bytes before a linear address; 0 where there is no memory. */
static void bytes_before(struct machine *m, uint32_t linear, uint8_t bytes[3])
{
    uint32_t at = linear - 3;

    memset(bytes, 0, 3);
    if ((at & PAGE_MASK) <= PAGE_BYTES - 3) {
        code_executed_bytes(m, at, bytes, 3);
        return;
    }
    for (unsigned i = 0; i < 3; i++)
        code_bytes(m, at + i, bytes + i, 1);
}

/* Where the INT instruction that ends at EIP starts, and which it is: the last
 * byte of INT n is the vector. SDM 2, "INT n/INTO/INT3/INT1". */
static uint32_t software_start(struct machine *m, uint8_t vector, uint32_t next,
                               uint8_t *source)
{
    uint32_t base = (uint32_t)m->engine.live.seg[SEG_CS].base;
    uint32_t start = next - 2;
    uint8_t bytes[3], before;

    bytes_before(m, base + next, bytes);
    before = bytes[0];
    *source = ARCH_SOFTWARE;
    if ((vector == VEC_BP && bytes[2] == OP_INT3) ||
        (vector == VEC_OF && bytes[2] == OP_INTO)) {
        *source = ARCH_INT3_INTO;
        start = next - 1;
        before = bytes[1];
    }
    if (is_prefix(before))
        start = prefixed_start(m, base + start, base + next) - base;
    return start;
}

static void step_trap(struct machine *m)
{
    clock_add(&m->clock, m->weight);
    m->stepped = true;
    if (engine_eflags(&m->engine) & EFL_TF) /* the guest steps, too */
        run_single_step(m);
    run_ask(m);
}

void run_single_step(struct machine *m)
{
    struct fault f = {.vector = VEC_DB};

    m->extra.dr[6] |= DR6_BS;
    machine_fault(m, &f);
}

void run_emulated_event(struct machine *m, const struct arch_event *event)
{
    struct fault f = {event->vector, event->has_error, event->error,
                      event->cr2};

    if (event->source == ARCH_EXCEPTION)
        machine_fault(m, &f);
    else
        software_interrupt(m, event->vector, (uint32_t)*m->engine.live.eip,
                           event->next_eip, event->source);
}

/* BT and its kin are intercepted only for the LOCK before them, which may be
 * the end of another instruction (cpu/code.c). Where does the instruction
 * begin whose opcode is at linear? The running block ends with it. */
static uint32_t locked_start(struct machine *m, uint32_t linear)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    uint32_t at = (uint32_t)clock_running(&m->clock)->address;

    while (at < linear) {
        uint8_t bytes[INSN_MAX_LENGTH];
        size_t n = code_bytes(m, at, bytes, sizeof bytes);
        struct insn insn;

        if (!decode_flow(bytes, n, code32, &insn))
            break; /* here, then */
        at += insn.length;
    }
    return at;
}

static bool is_bit_test(const struct insn *insn)
{
    return insn->id == INSN_BT || insn->id == INSN_BTS ||
           insn->id == INSN_BTR || insn->id == INSN_BTC;
}

static void undefined_at(struct machine *m, uint32_t linear)
{
    struct fault f = {.vector = VEC_UD};

    *m->engine.live.eip = (uint32_t)(linear - m->engine.live.seg[SEG_CS].base);
    if (!m->stepping)
        code_refund(m, linear);
    machine_fault(m, &f);
}

/* The machine has executed the instruction at linear in the engine's place,
 * whose block ended there for that. Nothing is looked at before what follows,
 * as if the engine had gone on. */
static void go_on(struct machine *m, uint32_t linear, unsigned length,
                  bool shadow)
{
    uint32_t next = linear + length;

    if (m->stepping || clock_now(&m->clock) < m->clock.attention || shadow ||
        live_linear(m) != next || code_crosses(m, linear, next))
        return;
    m->mid_block = true;
    machine_look(m);
}

static void intercepted(struct machine *m, uint32_t eip)
{
    bool shadow = (*m->engine.live.hflags & HF_INHIBIT_IRQ) != 0;
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    uint32_t linear;
    size_t n;

    *m->engine.live.eip = eip;
    linear = live_linear(m);
    n = code_executed_bytes(m, linear, bytes, sizeof bytes);
    if (!decode(bytes, n, (*m->engine.live.hflags & HF_CS32) != 0, &insn)) {
        undefined_at(m, linear); /* the engine takes some for instructions */
        return;
    }
    if (is_bit_test(&insn) && !m->stepping &&
        locked_start(m, linear) != linear) {
        undefined_at(m, locked_start(m, linear));
        return;
    }
    m->trace->count.intercepts++;
    if (m->stepping)
        clock_add(&m->clock, 1); /* otherwise its block has counted it */
    if (intercept_execute(m, &insn) && !code_boundary_after(&insn))
        go_on(m, linear, insn.length, shadow);
}

/* RDTSC is most of all intercepts (delay loops), and simple. */
static bool quick_rdtsc(struct machine *m, const struct code_page *p,
                        uint32_t linear)
{
    struct live *l = &m->engine.live;
    unsigned offset = linear & PAGE_MASK;
    const uint8_t *bytes =
        (const uint8_t *)memory_at(&m->memory, code_page_at(p)) + offset;
    uint64_t value = clock_now(&m->clock) + m->extra.tsc_offset;
    bool shadow = (*l->hflags & HF_INHIBIT_IRQ) != 0;

    if (m->stepping || ((l->cr[4] & CR4_TSD) && live_cpl(m) > 0) ||
        (m->vmx.non_root && (m->vmx.c.proc & PROC_RDTSC)) ||
        (*l->eflags & (EFL_TF | EFL_RF | EFL_VM)) || offset + 2 > PAGE_BYTES ||
        bytes[0] != 0x0F || bytes[1] != 0x31)
        return false;
    l->regs[GPR_EAX] = (uint32_t)value;
    l->regs[GPR_EDX] = (uint32_t)(value >> 32);
    *l->eip = (uint32_t)*l->eip + 1;
    *l->hflags &= ~(uint32_t)HF_INHIBIT_IRQ;
    clock_add(&m->clock, RDTSC_CYCLES - 1);
    m->trace->count.intercepts++;
    go_on(m, linear, 2, shadow);
    return true;
}

/* So are moves of a device's registers. */
static bool quick_device(struct machine *m, struct code_page *p,
                         uint32_t linear)
{
    bool shadow = (*m->engine.live.hflags & HF_INHIBIT_IRQ) != 0;
    struct insn insn;

    if (!device_quick(m, p, linear, &insn))
        return false;
    go_on(m, linear, insn.length, shadow);
    return true;
}

static bool is_int1(struct machine *m, struct insn *insn)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, live_linear(m), bytes, sizeof bytes);
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;

    return decode_flow(bytes, n, code32, insn) && insn->id == INSN_INT1;
}

/* The engine reports every exception and INT n here. */
void run_interrupt(uc_engine *uc, uint32_t vector, void *user)
{
    struct machine *m = user;
    struct live *l = &m->engine.live;
    bool software = *l->exception_is_int != 0;
    uint32_t eip = (uint32_t)*l->eip;
    struct fault f = {.vector = (uint8_t)vector};
    struct code_page *site;

    (void)uc;
    *l->old_exception = -1; /* or the second #GP would arrive as #DF */
    if (vector == ENGINE_REFUSED) {
        if (!refused_inside(m) || refused_ahead(m))
            return; /* run_execute() deals with it */
        m->refused = REFUSED_NOT;
        engine_take_refusal(&m->engine);
        refused_page_fault(m);
        goto out;
    }
    if (l->seg[SEG_CS].base == LINEAR_MICROCODE) {
        run_ask(m); /* drops_run() puts everything back */
        return;
    }
    if (vector == VEC_BP && software &&
        (site = code_site(m, live_linear(m) - 1))) {
        if (!quick_rdtsc(m, site, live_linear(m) - 1) &&
            !quick_device(m, site, live_linear(m) - 1))
            intercepted(m, eip - 1);
    } else if (vector == VEC_BP && software &&
               is_own_code(m, live_linear(m) - 1)) {
        if (m->stepping)
            clock_add(&m->clock, m->weight);
        software_interrupt(m, VEC_BP, eip - 1, eip, ARCH_INT3_INTO);
    } else if (software) {
        uint8_t source = ARCH_SOFTWARE;
        uint32_t start = software_start(m, (uint8_t)vector, eip, &source);

        if (m->stepping)
            clock_add(&m->clock, m->weight);
        software_interrupt(m, (uint8_t)vector, start, eip, source);
    } else if (vector == VEC_DB && m->stepping) {
        step_trap(m);
        return;
    } else {
        struct insn insn;

        if (vector != VEC_DB && m->vmx.non_root && !m->stepping)
            code_refund(m, live_linear(m));
        if (vector == VEC_UD && m->vmx.non_root && vmx_undefined(m))
            goto out;
        if (live_cpl(m) == 0 && refused_return(m, vector))
            goto out;
        if (vector == VEC_UD &&
            is_int1(m, &insn)) { /* not known to the engine */
            software_interrupt(m, VEC_DB, eip, eip + insn.length, ARCH_ICEBP);
            goto out;
        }
        if (vector == VEC_DB)
            m->extra.dr[6] |= DR6_BS;
        else if (!m->stepping)
            code_refund(m, live_linear(m));
        if (vector_has_error(vector)) {
            f.has_error = true;
            f.error = (uint32_t)*l->error_code;
        }
        machine_fault(m, &f);
    }
out:
    if (m->stepping || m->stop || m->halted || m->drop_count ||
        m->step_requested || m->step_next)
        run_ask(m);
}

bool run_invalid(uc_engine *uc, void *user)
{
    (void)uc;
    (void)user;
    return true; /* vector 6 follows */
}
