/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_emulate_fuzz.c - random instructions on random states.
 *
 * Every one-byte and 0F opcode with random operands; nothing may crash, hang
 * or leave a faulting instruction half done. Fixed seed.
 */
#include "test_emulate_fixture.h"

static uint64_t seed;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static void random_state(void)
{
    static const unsigned rings[] = {0, 1, 3};

    enter_ring(rings[rnd() % 3]);
    for (unsigned i = 0; i < GPR_COUNT; i++)
        if (i != GPR_ESP || rnd() % 4 == 0)
            cpu.gpr[i] = rnd() & 3 ? rnd() % 0xC000 : rnd();
    if (rnd() % 6 == 0)
        enter_vm86(rnd() & 3);
    else if (rnd() % 6 == 0)
        enter_real();
    cpu.eflags ^= rnd() & EFL_DEFINED & ~EFL_VM;
    cpu.cr4 = rnd() & ARCH_CR4_BITS;
    cpu.sysenter_cs = rnd() & 0xF8;
    for (unsigned i = 0; i < 4; i++)
        absent[rnd() % 0x20] = true;
}

/* Half of them from the emulator's own part of the map. */
static size_t random_bytes(uint8_t *b)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0xF0,
                                       0x26, 0x2E, 0x64, 0x65};
    size_t n = 0;

    while (rnd() % 3 == 0 && n < 3)
        b[n++] = prefixes[rnd() % sizeof prefixes];
    if (rnd() & 1)
        b[n++] = 0x0F;
    while (n < 16)
        b[n++] = (uint8_t)rnd();
    return n;
}

static void one(void)
{
    uint8_t bytes[16];
    struct insn in;
    bool code32 = (cpu.seg[SEG_CS].attr & SEG_D) != 0;

    if (!decode(bytes, random_bytes(bytes), code32, &in))
        return;
    struct cpu_state before = cpu;
    enum emu_result result = emulate(&emu, &in);
    cr_assert_leq(cpu.cpl, 3);
    cr_assert_eq(cpu.eflags & ~EFL_DEFINED, 0, "%s", insn_name(in.id));
    if (result == EMU_UNHANDLED)
        cr_assert_arr_eq((char *)&cpu, (char *)&before, sizeof cpu);
    if (result == EMU_FAULT && cpu.tr.selector == before.tr.selector)
        cr_assert_eq(cpu.eip, before.eip, "%s", insn_name(in.id));
}

Test(emulate_fuzz, random_instructions_keep_the_state_sane)
{
    seed = 0xD1B54A32D192ED03;
    for (unsigned round = 0; round < 3000; round++) {
        emu_fixture();
        random_state();
        for (unsigned i = 0; i < 60; i++)
            one();
    }
}
