/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_emulate_fixture.h - bytes in, state out. */
#ifndef TESTS_TRAPS_TEST_EMULATE_FIXTURE_H
#define TESTS_TRAPS_TEST_EMULATE_FIXTURE_H

#include "cpu/emulate.h"
#include "tests/cpu/test_arch_fixture.h"

static uint32_t ports[8]; /* what was written, by order */
static unsigned port_count;
static uint32_t port_value; /* what reads give */
static unsigned news_cr, news_old, news_new, news_crs;
static uint32_t news_invlpg;
static bool news_tables, news_halt;
static struct emu emu;

static uint32_t on_in(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)port, (void)size;
    port_count++;
    return port_value++;
}

static void on_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    (void)ctx, (void)port, (void)size;
    if (port_count < 8)
        ports[port_count] = value;
    port_count++;
}

static bool on_rdmsr(void *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx;
    *value = 0x1122334455667788;
    return index == MSR_APICBASE;
}

static bool on_wrmsr(void *ctx, uint32_t index, uint64_t value)
{
    (void)ctx, (void)value;
    return index == MSR_APICBASE;
}

static void on_cpuid(void *ctx, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    (void)ctx;
    out[0] = leaf + 1;
    out[1] = sub;
    out[2] = 3;
    out[3] = 4;
}

static uint64_t on_clock(void *ctx)
{
    (void)ctx;
    return 0x500000000;
}

static void on_cr(void *ctx, unsigned n, uint32_t old, uint32_t value)
{
    (void)ctx;
    news_cr = n;
    news_old = old;
    news_new = value;
    news_crs++;
}

static void on_invlpg(void *ctx, uint32_t linear)
{
    (void)ctx;
    news_invlpg = linear;
}

static void on_tables(void *ctx)
{
    (void)ctx;
    news_tables = true;
}

static void on_halt(void *ctx)
{
    (void)ctx;
    news_halt = true;
}

static const struct emu_ops ops = {
    .port_in = on_in,
    .port_out = on_out,
    .rdmsr = on_rdmsr,
    .wrmsr = on_wrmsr,
    .cpuid = on_cpuid,
    .clock = on_clock,
    .cr_written = on_cr,
    .invlpg = on_invlpg,
    .tables_changed = on_tables,
    .halt = on_halt,
};

static inline void emu_fixture(void)
{
    fixture();
    memset(ports, 0, sizeof ports);
    port_count = 0;
    port_value = 0;
    news_cr = 99;
    news_crs = news_old = news_new = 0;
    news_invlpg = 0;
    news_tables = news_halt = false;
    emu = (struct emu){.state = &cpu, .mem = &mem, .ops = &ops};
}

static inline enum emu_result run_bytes(const uint8_t *bytes, size_t n)
{
    struct insn in;
    bool code32 = (cpu.seg[SEG_CS].attr & SEG_D) != 0;

    cr_assert(decode(bytes, n, code32, &in), "the test's bytes must decode");
    cr_assert_eq(in.length, n, "length %u", in.length);
    return emulate(&emu, &in);
}
#define RUN(...)                                                               \
    run_bytes((const uint8_t[]){__VA_ARGS__},                                  \
              sizeof((const uint8_t[]){__VA_ARGS__}))

#define EXPECT_DONE(...) cr_assert_eq(RUN(__VA_ARGS__), EMU_DONE)

/* It raised this exception and nothing else happened. */
static inline void expect_raise(enum emu_result result, unsigned vector,
                                int error, const struct cpu_state *before)
{
    cr_assert_eq(result, EMU_FAULT);
    cr_assert_eq(emu.event.vector, vector, "vector %u", emu.event.vector);
    cr_assert_eq(emu.event.source, ARCH_EXCEPTION);
    cr_assert_eq(emu.event.has_error, error >= 0);
    if (error >= 0)
        cr_assert_eq(emu.event.error, (uint32_t)error, "error %x",
                     emu.event.error);
    cr_assert_arr_eq((const char *)&cpu, (const char *)before, sizeof cpu,
                     "the state must stay");
}
#define EXPECT_RAISE(vec, err, ...)                                            \
    do {                                                                       \
        struct cpu_state before_ = cpu;                                        \
        expect_raise(RUN(__VA_ARGS__), vec, err, &before_);                    \
    } while (0)

enum { NO_CODE = -1 };

#endif
