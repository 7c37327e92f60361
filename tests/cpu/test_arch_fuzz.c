/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_fuzz.c - random states never crash and always end.
 *
 * The tables keep their shape and have random bytes written over them, so that
 * deep paths are reached too. Fixed seed: the same run everywhere.
 */
#include "test_arch_fixture.h"

static uint64_t seed;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* Often one that means something. */
static uint16_t random_selector(void)
{
    uint32_t v = rnd();

    return (uint16_t)(v & 7 ? (v >> 3 & 0xFF) : v >> 16);
}

static void scramble(void)
{
    static const uint32_t areas[] = {GDT, IDT, LDT, TSS, OTHER_TSS};

    for (unsigned i = rnd() % 12; i > 0; i--)
        memory[areas[rnd() % 5] + rnd() % 0x100] = (uint8_t)rnd();
    for (unsigned i = rnd() % 3; i > 0; i--)
        absent[rnd() % 0x21] = true;
    for (unsigned i = 1; i < 9; i++)
        put32(cpu.gpr[GPR_ESP] % (MEMORY_BYTES - 64) + i * 4,
              rnd() & 3 ? random_selector() : rnd());
    for (unsigned i = 0; i < 3; i++)
        put16(TSS + 8 + i * 8, random_selector());
    for (unsigned i = 0; i < 6; i++)
        if (rnd() & 1)
            put16(OTHER_TSS + 0x48 + i * 4, random_selector());
}

static void random_state(void)
{
    static const unsigned rings[] = {0, 1, 3};

    enter_ring(rings[rnd() % 3]);
    if (rnd() % 8 == 0)
        enter_vm86(rnd() & 3);
    else if (rnd() % 8 == 0)
        enter_real();
    cpu.eflags ^= rnd() & EFL_DEFINED & ~EFL_VM;
    cpu.tr.limit = rnd() & 3 ? cpu.tr.limit : rnd() & 0xFF;
    if (rnd() & 1)
        cpu.ldtr = (struct segment){.base = LDT, .limit = 0xFF, .attr = 0x82};
    if (rnd() % 8 == 0)
        cpu.gpr[GPR_ESP] = rnd();
    if (rnd() % 4 == 0)
        cpu.seg[SEG_SS].attr ^= SEG_D;
}

static void deliver_something(void)
{
    struct arch_event e = {.vector = (uint8_t)(rnd() & 0x3F),
                           .source = (uint8_t)(rnd() % 6),
                           .has_error = rnd() & 1,
                           .error = rnd(),
                           .next_eip = CODE + 2};

    arch_deliver(&cpu, &mem, &e, &chain);
    cr_assert_leq(chain.count, 3);
}

static void step(void)
{
    unsigned size = rnd() & 1 ? 4 : 2;
    uint32_t v = rnd();

    switch (rnd() % 11) {
    case 0: arch_iret(&cpu, &mem, size, CODE, &fault); break;
    case 1:
        arch_far_jump(&cpu, &mem, random_selector(), v, size, CODE, &fault);
        break;
    case 2:
        arch_far_call(&cpu, &mem, random_selector(), v, size, CODE, &fault);
        break;
    case 3: arch_far_return(&cpu, &mem, size, v & 0xFF, &fault); break;
    case 4:
        arch_load_segment(&cpu, &mem, (enum seg_reg)(2 + v % 4),
                          random_selector(), &fault);
        break;
    case 5: arch_lldt(&cpu, &mem, random_selector(), &fault); break;
    case 6: arch_ltr(&cpu, &mem, random_selector(), &fault); break;
    case 7: arch_lar(&cpu, &mem, random_selector(), &v, &fault); break;
    case 8: arch_verify(&cpu, &mem, random_selector(), v & 1, &fault); break;
    case 9: arch_io_allowed(&cpu, &mem, (uint16_t)v, size, &fault); break;
    default: deliver_something(); break;
    }
}

Test(arch_fuzz, random_steps_keep_the_state_sane)
{
    seed = 0x9E3779B97F4A7C15;
    for (unsigned round = 0; round < 4000; round++) {
        fixture();
        random_state();
        scramble();
        for (unsigned i = 0; i < 12; i++) {
            step();
            cr_assert_leq(cpu.cpl, 3);
            cr_assert_eq(cpu.eflags & ~EFL_DEFINED, 0);
        }
    }
}
