/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_plain.c - the usual case says what the manual's
 * procedure says, or nothing.
 *
 * Each random case is done twice: by the procedure that takes everything, which
 * gets no spans of memory, and by the quick one. Fixed seed.
 */
#include "test_arch_fixture.h"

enum {
    ROUNDS = 4000,
    USED_BYTES = 0x10000, /* tables and stacks lie below */
};

static uint64_t seed = 0xD1B54A32D192ED03;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* One in n. */
static bool rarely(unsigned n)
{
    return rnd() % n == 0;
}

static void *mem_span(void *ctx, uint32_t linear, unsigned bytes, bool write,
                      bool user)
{
    struct fault ignored;

    (void)ctx;
    if (linear % 4096 + bytes > 4096 ||
        !reach(linear, bytes, user, write, &ignored))
        return NULL;
    return memory + linear;
}

static struct mem_ops with_spans(void)
{
    struct mem_ops ops = mem;

    ops.span = mem_span;
    return ops;
}

static uint16_t any_selector(void)
{
    return (uint16_t)(rnd() & 0xFF);
}

/* Descriptors that were used before, as most were, and a few odd bytes. */
static void age_tables(void)
{
    static const unsigned used[] = {CODE0, DATA0,       CODE3, DATA3,
                                    CODE1, CONFORMING0, DATA1, READ_ONLY0};

    for (unsigned i = 0; i < sizeof used / sizeof *used; i++)
        if (!rarely(16))
            memory[gdt_at(used[i]) + 5] |= SEG_ACCESSED;
    for (unsigned i = rnd() % 3; i > 0; i--)
        memory[GDT + rnd() % 0x60] ^= (uint8_t)(1u << rnd() % 8);
    if (rarely(8))
        absent[rnd() % 16] = true;
    if (rarely(8))
        user_only_hidden[rnd() % 16] = true;
}

static void any_state(void)
{
    static const unsigned rings[] = {0, 0, 1, 3, 3};

    fixture();
    age_tables();
    enter_ring(rings[rnd() % 5]);
    if (rarely(32))
        enter_vm86(3);
    cpu.eflags ^= rnd() & EFL_DEFINED & ~EFL_VM & (rarely(8) ? ~0u : ~EFL_NT);
    cpu.interrupt_shadow = rnd() & 1;
    cpu.nmi_blocked = rnd() & 1;
    cpu.gpr[GPR_ESP] -= rnd() % 64;
    if (rarely(32))
        cpu.gpr[GPR_ESP] = rnd() % 16;
    if (rarely(32))
        cpu.seg[SEG_SS].attr ^= rnd() & 1 ? SEG_D : SEG_EXPAND;
    if (rarely(32))
        cpu.tr.limit = rnd() % 16;
    if (rarely(32))
        cpu.gdtr.limit = (uint16_t)(rnd() % 64);
}

static struct arch_event any_event(void)
{
    struct arch_event e = {.vector = (uint8_t)(rnd() & 0x3F),
                           .source = (uint8_t)(rnd() % 6),
                           .has_error = rnd() & 1,
                           .error = rnd(),
                           .cr2 = rnd(),
                           .next_eip = CODE + 2};
    static const uint8_t types[] = {GATE_INT32,  GATE_TRAP32, GATE_INT32,
                                    GATE_TRAP32, GATE_INT16,  GATE_TASK};
    static const uint16_t to[] = {CODE0, CODE0 | 3, CODE0, CODE1, CODE3};

    put_gate(IDT + e.vector * 8u, rarely(8) ? any_selector() : to[rnd() % 5],
             HANDLER, types[rnd() % 6] | (rnd() & GATE_DPL3), 0);
    return e;
}

static void any_frame(void)
{
    static const uint16_t code[] = {CODE0, CODE1, CODE3, CODE3};
    static const uint16_t stack[] = {DATA0, DATA1, DATA3, DATA3};
    uint32_t at = cpu.gpr[GPR_ESP] % (USED_BYTES - 64);
    unsigned ring = rnd() % 4;

    put32(at, rarely(16) ? rnd() : CODE + 5);
    put32(at + 4, rarely(8) ? any_selector() : code[ring]);
    put32(at + 8, rnd() & (rarely(8) ? ~0u : ~(EFL_VM | EFL_NT | EFL_TF)));
    put32(at + 12, STACK3 - 16);
    put32(at + 16, rarely(8) ? any_selector() : stack[ring]);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (i != SEG_CS && i != SEG_SS && !rarely(6))
            load_cache((enum seg_reg)i, rnd() & 1 ? DATA3 : 0);
}

/* The state and the memory in which a case begins, or ended. */
struct world {
    struct cpu_state cpu;
    uint8_t memory[USED_BYTES];
};

static void keep(struct world *w)
{
    w->cpu = cpu;
    memcpy(w->memory, memory, USED_BYTES);
}

static void put_back(const struct world *w)
{
    cpu = w->cpu;
    memcpy(memory, w->memory, USED_BYTES);
}

static void assert_as(const struct world *w, const char *what, unsigned round)
{
    cr_assert_arr_eq((const char *)&cpu, (const char *)&w->cpu, sizeof cpu,
                     "%s, round %u: another state", what, round);
    cr_assert_arr_eq(memory, w->memory, USED_BYTES,
                     "%s, round %u: other memory", what, round);
}

static struct world before, general;

Test(arch_plain, an_event_ends_as_the_procedure_ends_it)
{
    struct mem_ops spans = with_spans();
    unsigned taken = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct arch_event e;
        bool plain;

        any_state();
        e = any_event();
        keep(&before);
        arch_deliver(&cpu, &mem, &e, &chain);
        keep(&general);
        put_back(&before);
        plain = arch_deliver_plain(&cpu, &spans, &e);
        assert_as(plain ? &general : &before, "event", round);
        taken += plain;
    }
    cr_assert_gt(taken, ROUNDS / 5, "only %u cases were usual ones", taken);
}

Test(arch_plain, a_return_ends_as_the_procedure_ends_it)
{
    struct mem_ops spans = with_spans();
    unsigned taken = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        bool plain;

        any_state();
        any_frame();
        keep(&before);
        arch_iret(&cpu, &mem, 4, CODE, &fault);
        keep(&general);
        put_back(&before);
        plain = arch_iret_plain(&cpu, &spans);
        assert_as(plain ? &general : &before, "return", round);
        taken += plain;
    }
    cr_assert_gt(taken, ROUNDS / 5, "only %u cases were usual ones", taken);
}

/* What a monitor relies on that has not fetched the rest of the state. */
Test(arch_plain, nothing_but_the_frame_registers_is_used)
{
    struct mem_ops spans = with_spans();
    struct arch_event e = {.vector = 0x20, .source = ARCH_EXTERNAL};
    struct cpu_state poor = {0};

    fixture();
    age_tables();
    memory[gdt_at(CODE0) + 5] |= SEG_ACCESSED;
    memory[gdt_at(DATA0) + 5] |= SEG_ACCESSED;
    enter_ring(3);
    poor.eip = cpu.eip;
    poor.eflags = cpu.eflags;
    poor.gpr[GPR_ESP] = cpu.gpr[GPR_ESP];
    poor.seg[SEG_CS] = cpu.seg[SEG_CS];
    poor.seg[SEG_SS] = cpu.seg[SEG_SS];
    poor.cpl = cpu.cpl;
    poor.cr0 = cpu.cr0;
    poor.gdtr = cpu.gdtr;
    poor.idtr = cpu.idtr;
    poor.tr = cpu.tr;
    cr_assert(arch_deliver_plain(&poor, &spans, &e));
    cr_assert_eq(poor.eip, HANDLER + 0x200);
    cr_assert_eq(poor.cpl, 0);
    cr_assert_eq(get32(poor.gpr[GPR_ESP] + 12), STACK3);
}
