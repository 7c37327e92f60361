/* SPDX-License-Identifier: MIT */
/* cpu/run.c - the machine runs: boundaries, exceptions, single steps.
 *
 * The engine executes code and reports raw events; everything that happens at
 * an event is done here: through the running software's own IDT on the bare
 * machine, or by the monitor's exit handler.
 *
 * Reference: SDM 3A, "Interrupt and Exception Handling".
 */
#include "cpu/emulate.h"
#include "cpu/machine_priv.h"

#include <stdio.h>

#include "trace/emit.h"

/* Make the engine return at the next boundary. */
static void engine_ask(struct machine *m)
{
    m->asked = true;
    uc_emu_stop(m->engine.uc);
}

void machine_break(struct machine *m, const char *what)
{
    if (!m->broken)
        m->broken = what;
    machine_look_now(m);
    m->stop = true;
    if (m->running)
        engine_ask(m);
}

void machine_look(struct machine *m)
{
    bool now = m->attend || m->stop || m->mid_block || m->stepping || m->nmi;

    m->waiting = !now;
    m->attention = now || m->intr ? 0 : m->deadline;
}

/* ---- events ------------------------------------------------------------ */

static const char *source_name(const struct arch_event *event)
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

void machine_deliver(struct machine *m, const struct arch_event *event)
{
    struct mem_ops mem = machine_mem_ops(m);
    struct cpu_state s;

    machine_get_state(m, &s);
    if (arch_deliver(&s, &mem, event, &m->chain) == ARCH_TRIPLE_FAULT) {
        m->triple = true;
        machine_stop(m);
        return;
    }
    m->trace->count.interrupts[event->vector]++;
    trace_event_delivered(
        m->trace, EV_DELIVER,
        (struct event_site){(uint32_t)*m->engine.live.eip, live_cpl(m)},
        source_name(event), event->vector, event->has_error, event->error,
        event->cr2, s.seg[SEG_CS].selector, s.eip);
    machine_set_state(m, &s);
}

/* A fault: to the monitor, or through the IDT. The clock stands at the
 * faulting instruction (it did not retire). */
void machine_fault(struct machine *m, const struct fault *f)
{
    m->mid_block = false;
    if (m->client.exit) {
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
    *m->engine.live.eip = eip;
    m->mid_block = false;
    if (m->client.exit) {
        struct machine_exit e = {.kind = MX_SOFTWARE,
                                 .source = source,
                                 .vector = vector,
                                 .next_eip = next};
        m->client.exit(m->client.owner, &e);
    } else {
        struct arch_event event = {
            .vector = vector, .source = source, .next_eip = next};
        machine_deliver(m, &event);
    }
    machine_look(m);
}

static bool vector_has_error(uint32_t vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) ||
           vector == VEC_AC;
}

/* Where the INT instruction that ends at EIP starts (prefixes make it more
 * than two bytes), and which it is. */
static uint32_t software_start(struct machine *m, uint32_t next,
                               uint8_t *source)
{
    for (uint32_t length = 1; length <= INSN_MAX_LENGTH; length++) {
        uint8_t bytes[INSN_MAX_LENGTH];
        struct insn insn;
        uint32_t at = (uint32_t)m->engine.live.seg[SEG_CS].base + next - length;

        if (code_bytes(m, at, bytes, length) == length &&
            decode_flow(bytes, length, (*m->engine.live.hflags & HF_CS32) != 0,
                        &insn) &&
            insn.length == length &&
            (insn.id == INSN_INT || insn.id == INSN_INT3 ||
             insn.id == INSN_INTO)) {
            *source = insn.id == INSN_INT ? ARCH_SOFTWARE : ARCH_INT3_INTO;
            return next - length;
        }
    }
    return next;
}

static void step_trap(struct machine *m)
{
    m->now++;
    m->stepped = true;
    if (engine_eflags(&m->engine) & EFL_TF) /* the guest steps, too */
        run_single_step(m);
    engine_ask(m);
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

static void intercepted(struct machine *m, uint32_t eip)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    size_t n;

    *m->engine.live.eip = eip;
    n = code_bytes(m, live_linear(m), bytes, sizeof bytes);
    if (!decode(bytes, n, (*m->engine.live.hflags & HF_CS32) != 0, &insn)) {
        machine_break(m, "an intercept is on no instruction");
        return;
    }
    m->trace->count.intercepts++;
    if (m->stepping)
        m->now++; /* otherwise its block has counted it */
    if (!intercept_execute(m, &insn))
        m->now--;
}

/* RDTSC is most of all intercepts (delay loops), and simple. */
static bool quick_rdtsc(struct machine *m, uint32_t eip)
{
    struct live *l = &m->engine.live;
    uint32_t linear = (uint32_t)l->seg[SEG_CS].base + eip;
    uint64_t value = m->now + m->extra.tsc_offset;
    uint8_t bytes[2];

    if (m->stepping || ((l->cr[4] & CR4_TSD) && live_cpl(m) > 0) ||
        (*l->eflags & (EFL_TF | EFL_RF | EFL_VM)) ||
        code_bytes(m, linear, bytes, 2) != 2 || bytes[0] != 0x0F ||
        bytes[1] != 0x31)
        return false;
    l->regs[GPR_EAX] = (uint32_t)value;
    l->regs[GPR_EDX] = (uint32_t)(value >> 32);
    *l->eip = eip + 2;
    *l->hflags &= ~(uint32_t)HF_INHIBIT_IRQ;
    m->now += RDTSC_CYCLES - 1;
    m->trace->count.intercepts++;
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

    (void)uc;
    *l->old_exception = -1; /* or the second #GP would arrive as #DF */
    if (l->seg[SEG_CS].base == LINEAR_MICROCODE) {
        engine_ask(m); /* run_drops() puts everything back */
        return;
    }
    if (vector == VEC_BP && software && code_is_site(m, live_linear(m) - 1)) {
        if (!quick_rdtsc(m, eip - 1))
            intercepted(m, eip - 1);
    } else if (software) {
        uint8_t source = ARCH_SOFTWARE;
        uint32_t start = software_start(m, eip, &source);

        if (m->stepping)
            m->now++;
        software_interrupt(m, (uint8_t)vector, start, eip, source);
    } else if (vector == VEC_DB && m->stepping) {
        step_trap(m);
        return;
    } else {
        struct insn insn;

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
        m->step_requested)
        engine_ask(m);
}

bool run_invalid(uc_engine *uc, void *user)
{
    (void)uc;
    (void)user;
    return true; /* vector 6 follows */
}

/* ---- microcode --------------------------------------------------------- */

/* Drop single pages from the engine's TLB by running INVLPG, [EAX] at CPL 0,
 * from code that lies where no guest can name it. */
static void run_drops(struct machine *m)
{
    struct live *l = &m->engine.live;
    struct cpu_state s;

    if (m->drop_count > sizeof m->drop / sizeof *m->drop) {
        m->drop_count = 0;
        uc_ctl_flush_tlb(m->engine.uc);
        return;
    }
    machine_get_state(m, &s);
    while (m->drop_count) {
        l->regs[GPR_EAX] = m->drop[--m->drop_count];
        *l->eip = 0;
        l->seg[SEG_CS].base = LINEAR_MICROCODE;
        l->seg[SEG_DS].base = 0;
        *l->hflags =
            (*l->hflags & ~(uint32_t)(HF_CPL | HF_INHIBIT_IRQ | HF_TF)) |
            HF_CS32 | HF_ADDSEG | HF_PE;
        *l->eflags &= ~(uint64_t)(EFL_VM | EFL_TF);
        m->attention = UINT64_MAX;
        engine_before_run(&m->engine);
        uc_emu_start(m->engine.uc, 0, 0, 0, 0);
    }
    l->seg[SEG_CS].base = s.seg[SEG_CS].base;
    machine_set_state(m, &s);
    machine_look(m);
}

void machine_flush_page(struct machine *m, uint32_t linear)
{
    if (m->drop_count < sizeof m->drop / sizeof *m->drop)
        m->drop[m->drop_count] = linear;
    if (m->drop_count <= sizeof m->drop / sizeof *m->drop)
        m->drop_count++;
    m->trace->count.tlb_page_flushes++;
}

void machine_flush_tlb(struct machine *m)
{
    m->trace->count.tlb_flushes++;
    m->drop_count = 0;
    uc_ctl_flush_tlb(m->engine.uc);
}

/* ---- stepping ---------------------------------------------------------- */

/* Segment loads and far transfers at CPL 3 read descriptors and inner stacks
 * as a supervisor, which a TLB fill cannot know, but their operands as what
 * they are. */
static bool reads_as_supervisor(const struct insn *insn)
{
    return insn->cls == CLASS_SEGMENT || insn->cls == CLASS_DESCRIPTOR ||
           insn->id == INSN_CALL_FAR || insn->id == INSN_JMP_FAR ||
           insn->id == INSN_RET_FAR || insn->id == INSN_IRET;
}

static enum machine_stop execute(struct machine *m);
static enum machine_stop step(struct machine *m);

/* One instruction through the engine's own trap flag. */
static enum machine_stop trap_step(struct machine *m, uint32_t linear)
{
    enum machine_stop why;

    if (m->drop_count)
        run_drops(m); /* they put the flags back as they found them */
    m->stepping = true;
    m->stepped = false;
    machine_look_now(m);
    *m->engine.live.hflags |= HF_TF;
    why = execute(m);
    m->stepping = false;
    *m->engine.live.hflags &= ~(uint32_t)HF_TF;
    code_stepped(m, linear);
    machine_look(m);
    if (why == MACHINE_HALTED || why == MACHINE_BROKEN)
        return why;
    return m->stepped ? MACHINE_STEPPED : MACHINE_FAULTED;
}

/* A REP instruction that counts; 0 for every other and for its last pass. */
static uint32_t repeats_left(const struct machine *m, const struct insn *insn)
{
    uint32_t count = (uint32_t)m->engine.live.regs[GPR_ECX];

    switch (insn->id) {
    case INSN_MOVS:
    case INSN_STOS:
    case INSN_LODS:
    case INSN_CMPS:
    case INSN_SCAS: break;
    default: return 0;
    }
    if (!insn->rep && !insn->repne)
        return 0;
    return insn->address_size == 2 ? count & 0xFFFF : count;
}

/* The engine ends a REP by one more pass, which finds the count 0; not so under
 * its trap flag. Step it the same way: go back for that pass. */
static void repeat_last_pass(struct machine *m, const struct insn *insn,
                             uint32_t eip)
{
    uint32_t flags = engine_eflags(&m->engine);
    bool compares = insn->id == INSN_CMPS || insn->id == INSN_SCAS;
    bool equal = (flags & EFL_ZF) != 0;

    if (repeats_left(m, insn) || (flags & EFL_TF) ||
        (compares && equal == insn->repne))
        return;
    *m->engine.live.eip = eip;
}

/* PAUSE: the engine would run on behind it. */
static void step_over(struct machine *m, unsigned length)
{
    struct live *l = &m->engine.live;

    *l->eip = (uint32_t)*l->eip + length;
    *l->hflags &= ~(uint32_t)HF_INHIBIT_IRQ;
    *l->eflags &= ~(uint64_t)EFL_RF;
    m->now++;
    if (*l->eflags & EFL_TF)
        run_single_step(m);
}

/* Step the instruction at CS:EIP, wherever it is. */
static enum machine_stop step(struct machine *m)
{
    uint32_t eip = (uint32_t)*m->engine.live.eip;
    bool repeats;
    uint32_t linear = live_linear(m);
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    bool shadow = (*m->engine.live.hflags & HF_INHIBIT_IRQ) != 0;
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, linear, bytes, sizeof bytes);
    enum machine_stop why;
    struct insn insn;

    if (!decode(bytes, n, code32, &insn)) {
        if (n == sizeof bytes && decode_bad_lock(bytes, n, code32)) {
            struct fault f = {.vector = VEC_UD};
            machine_fault(m, &f);
            return MACHINE_FAULTED;
        }
        return trap_step(m, linear);
    }
    if (code_is_pause(bytes, &insn)) {
        step_over(m, insn.length);
        why = MACHINE_STEPPED;
    } else if (intercept_wanted(m, &insn, live_cpl(m) > 0)) {
        m->stepping = true;
        m->now++;
        why = intercept_execute(m, &insn) ? MACHINE_STEPPED : MACHINE_FAULTED;
        m->stepping = false;
        if (why == MACHINE_FAULTED)
            m->now--;
    } else {
        repeats = repeats_left(m, &insn) != 0;
        why = trap_step(m, linear);
        if (repeats && why == MACHINE_STEPPED)
            repeat_last_pass(m, &insn, eip);
    }
    if (why == MACHINE_STEPPED)
        m->mid_block = !code_boundary_after(&insn) && !shadow;
    machine_look(m);
    return why;
}

/* ---- running ----------------------------------------------------------- */

static void native_interrupts(struct machine *m)
{
    struct live *l = &m->engine.live;
    struct arch_event event = {.source = ARCH_EXTERNAL};
    int vector;

    if (*l->hflags & HF_INHIBIT_IRQ)
        return;
    if (m->nmi && !(*l->hflags2 & HF2_NMI)) {
        m->nmi = m->halted = false;
        event.vector = VEC_NMI;
        event.source = ARCH_NMI;
        machine_deliver(m, &event);
        return;
    }
    if (!m->intr || !(*l->eflags & EFL_IF))
        return;
    vector = m->client.acknowledge(m->client.ctx);
    if (vector < 0)
        return;
    m->halted = false;
    event.vector = (uint8_t)vector;
    machine_deliver(m, &event);
}

/* What is looked at between instructions. */
static void boundary(struct machine *m)
{
    if (m->mid_block && !m->halted)
        return;
    if (m->attend || m->now >= m->deadline ||
        (m->client.exit && m->intr &&
         (m->halted || (*m->engine.live.eflags & EFL_IF)) &&
         !(*m->engine.live.hflags & HF_INHIBIT_IRQ))) {
        m->attend = false;
        m->client.attend(m->client.owner);
    }
    if (!m->client.exit)
        native_interrupts(m);
    machine_look(m);
}

/* Instead of the engine, which stands before it and has not counted it. */
static void execute_by_hand(struct machine *m, const struct insn *insn)
{
    m->now++;
    if (!intercept_execute(m, insn)) {
        m->now--;
        return;
    }
    m->stepped = true;
    m->mid_block = !code_boundary_after(insn);
    machine_look(m);
}

/* A page fault at an exact EIP. */
static void page_fault(struct machine *m)
{
    struct fault f = m->refused_fault;
    uint32_t linear = live_linear(m);
    uint32_t full = (uint32_t)*m->engine.live.invalid_address;
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    size_t n;

    if (full >> PAGE_SHIFT == f.cr2 >> PAGE_SHIFT)
        f.cr2 = full; /* the fill was only told the page */
    if (!m->refused_fetch && !m->stepping)
        code_refund(m, linear);
    if (live_cpl(m) == 3 && !m->refused_fetch) {
        n = code_bytes(m, linear, bytes, sizeof bytes);
        if (decode(bytes, n, (*m->engine.live.hflags & HF_CS32) != 0, &insn) &&
            reads_as_supervisor(&insn)) {
            execute_by_hand(m, &insn);
            return;
        }
    }
    machine_fault(m, &f);
}

/* An instruction that touches a device's memory, at an exact EIP: do it by
 * hand, or, where that is not known, let the engine do it alone. */
static void device_access(struct machine *m)
{
    uint32_t linear = live_linear(m);
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, linear, bytes, sizeof bytes);
    struct insn insn;

    if (!m->stepping)
        code_refund(m, linear);
    if (decode(bytes, n, (*m->engine.live.hflags & HF_CS32) != 0, &insn) &&
        emulate_knows(insn.id)) {
        execute_by_hand(m, &insn);
        return;
    }
    m->device_once = true;
    trap_step(m, linear);
    m->device_once = false;
    uc_ctl_flush_tlb(m->engine.uc);
}

static enum machine_stop engine_failed(struct machine *m, uc_err err)
{
    static char line[120];

    snprintf(line, sizeof line, "the CPU library stopped: %s at EIP %08x",
             uc_strerror(err), (unsigned)*m->engine.live.eip);
    machine_break(m, line);
    return MACHINE_BROKEN;
}

/* Run the engine until it stops, and handle why. MACHINE_STOPPED: go on. */
static enum machine_stop execute(struct machine *m)
{
    uc_err err;

    if (m->drop_count)
        run_drops(m);
    if (m->stepped_fetch && !m->stepping) {
        m->stepped_fetch = false; /* it was for one instruction only */
        uc_ctl_flush_tlb(m->engine.uc);
    }
    m->refused = REFUSED_NOT;
    m->asked = false;
    m->running = true;
    engine_before_run(&m->engine);
    err = uc_emu_start(m->engine.uc, (uint32_t)*m->engine.live.eip, 0, 0, 0);
    m->running = false;
    if (m->broken)
        return MACHINE_BROKEN;
    switch (m->refused) {
    case REFUSED_FAULT: page_fault(m); return MACHINE_STOPPED;
    case REFUSED_OWN_STORE: code_refund(m, live_linear(m)); return step(m);
    case REFUSED_DEVICE: device_access(m); return MACHINE_STOPPED;
    case REFUSED_STEP: /* here, or where the block runs over into */
        return step(m);
    case REFUSED_WRAPPED: return MACHINE_STOPPED; /* starts at 32 bits */
    case REFUSED_NOT: break;
    }
    if (err != UC_ERR_OK)
        return engine_failed(m, err);
    if (m->asked)
        return MACHINE_STOPPED;
    m->halted = true; /* HLT */
    m->mid_block = false;
    if (m->stepping)
        m->now++;
    return MACHINE_HALTED;
}

/* The instruction a monitor asked to run alone. */
static enum machine_stop requested_step(struct machine *m)
{
    enum machine_stop why;

    m->step_requested = false;
    why = step(m);
    m->client.stepped(m->client.owner);
    return why;
}

enum machine_stop machine_run(struct machine *m)
{
    machine_look(m);
    for (;;) {
        if (m->broken)
            return MACHINE_BROKEN;
        if (m->triple)
            return MACHINE_TRIPLE_FAULT;
        if (m->step_requested) { /* even if a stop is asked for: no half
                                    way is left to be seen or saved */
            requested_step(m);
            continue;
        }
        if (m->stop) {
            m->stop = false;
            return MACHINE_STOPPED;
        }
        boundary(m);
        if (m->stop || m->triple)
            continue;
        if (m->halted)
            return MACHINE_HALTED;
        if (code_needs_step(m, live_linear(m)))
            step(m);
        else
            execute(m);
    }
}

enum machine_stop machine_step(struct machine *m)
{
    enum machine_stop why;

    if (m->broken)
        return MACHINE_BROKEN;
    if (m->triple)
        return MACHINE_TRIPLE_FAULT;
    boundary(m);
    if (m->stop) {
        m->stop = false;
        return MACHINE_STOPPED;
    }
    if (m->halted)
        return MACHINE_HALTED;
    why = step(m);
    while (m->step_requested && !m->triple && !m->broken)
        why = requested_step(m);
    m->stop = false;
    return m->triple ? MACHINE_TRIPLE_FAULT : why;
}

void machine_stop(struct machine *m)
{
    m->stop = true;
    machine_look_now(m);
}
