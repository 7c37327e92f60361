/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_fixture.h - a few bytes on a whole machine.
 *
 * The tables of test_arch_fixture.h are its memory. Every vector's handler is
 * a HLT, so a run ends there, or at the program's own HLT. Programs run twice,
 * freely and one instruction at a time, and must not be able to tell.
 */
#ifndef TESTS_CPU_TEST_MACHINE_FIXTURE_H
#define TESTS_CPU_TEST_MACHINE_FIXTURE_H

#include "cpu/machine.h"
#include "tests/cpu/test_arch_fixture.h"

enum {
    PAGE_DIRECTORY = 0x40000,
    PAGE_TABLE = 0x41000,
    OP_HLT = 0xF4,
    NO_VECTOR = -1,
    CYCLES_MOST = 2000000,
};

static struct machine *machine;
static struct trace machine_trace;
static struct cpu_state ran; /* after a run */
static uint64_t ran_cycles;
static int ran_vector; /* whose handler it ended in, or NO_VECTOR */
static bool ran_late;
static bool plain_clock; /* of the next machine */

static void on_attend(void *ctx)
{
    (void)ctx;
    ran_late = true;
    machine_stop(machine);
}

static int on_acknowledge(void *ctx)
{
    (void)ctx;
    return -1;
}

static uint32_t on_port_read(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx, (void)size;
    return port;
}

static void on_port_write(void *ctx, uint16_t port, unsigned size,
                          uint32_t value)
{
    (void)ctx, (void)port, (void)size, (void)value;
}

static uint32_t on_mmio_read(void *ctx, ma_t ma, unsigned size)
{
    (void)ctx, (void)ma, (void)size;
    return UINT32_MAX;
}

static void on_mmio_write(void *ctx, ma_t ma, unsigned size, uint32_t value)
{
    (void)ctx, (void)ma, (void)size, (void)value;
}

static inline void put_code(uint32_t at, const void *bytes, size_t count)
{
    memcpy(memory + at, bytes, count);
}

#define CODE_AT(at, ...)                                                       \
    put_code(at, (const uint8_t[]){__VA_ARGS__},                               \
             sizeof(const uint8_t[]){__VA_ARGS__})

/* Ring 0, interrupts off, and a HLT for every vector. */
static inline void machine_fixture(void)
{
    fixture();
    cpu.eflags = EFL_FIXED;
    for (unsigned v = 0; v < 256; v++)
        memory[HANDLER + v * 16] = OP_HLT;
}

static inline void page_maps(uint32_t linear, uint32_t to)
{
    put32(PAGE_TABLE + (linear >> 12) * 4, to | PTE_P | PTE_W | PTE_U);
}

/* The first megabyte, mapped to itself. */
static inline void enable_paging(void)
{
    put32(PAGE_DIRECTORY, PAGE_TABLE | PTE_P | PTE_W | PTE_U);
    for (uint32_t at = 0; at < MEMORY_BYTES; at += 4096)
        page_maps(at, at);
    cpu.cr3 = PAGE_DIRECTORY;
    cpu.cr0 |= CR0_PG;
}

/* A machine for that client, with the program and the state of the test. */
static inline void machine_open_for(struct machine_client client)
{
    struct machine_config config = {
        .memory_bytes = MEMORY_BYTES,
        .client = client,
        .trace = &machine_trace,
        .plain_clock = plain_clock,
    };
    char *error;

    machine = machine_create(&config, &error);
    cr_assert_not_null(machine, "%s", error);
    trace_init(&machine_trace, machine_clock(machine));
    memcpy(machine_memory(machine)->host, memory, MEMORY_BYTES);
    machine_set_state(machine, &cpu);
}

static inline void machine_open(void)
{
    machine_open_for((struct machine_client){.attend = on_attend,
                                             .acknowledge = on_acknowledge,
                                             .port_read = on_port_read,
                                             .port_write = on_port_write,
                                             .mmio_read = on_mmio_read,
                                             .mmio_write = on_mmio_write});
    machine_set_deadline(machine, CYCLES_MOST);
    ran_late = false;
}

static inline void machine_close(void)
{
    uint32_t handler;

    machine_get_state(machine, &ran);
    ran_cycles = machine_now(machine);
    handler = ran.eip - 1 - HANDLER;
    ran_vector = handler % 16 == 0 && handler / 16 < 256 ? (int)(handler / 16)
                                                         : NO_VECTOR;
    cr_assert_not(ran_late, "it must come to an end");
    cr_assert_str_eq(machine_broken(machine), "");
    cr_assert(ran.halted, "it must halt, at %08x", ran.eip);
}

static inline void run_freely(void)
{
    machine_open();
    cr_assert_eq(machine_run(machine), MACHINE_HALTED);
    machine_close();
}

static inline void run_stepped(void)
{
    enum machine_stop why = MACHINE_STEPPED;

    machine_open();
    for (unsigned i = 0; i < CYCLES_MOST && why != MACHINE_HALTED; i++) {
        why = machine_step(machine);
        cr_assert(why == MACHINE_STEPPED || why == MACHINE_FAULTED ||
                      why == MACHINE_HALTED,
                  "stop %d at step %u", (int)why, i);
    }
    machine_close();
}

/* Both ways: the same registers, memory and clock. */
static inline void run_both(void)
{
    static uint8_t stepped_memory[MEMORY_BYTES];
    struct cpu_state stepped;
    uint64_t cycles;

    run_stepped();
    stepped = ran;
    cycles = ran_cycles;
    memcpy(stepped_memory, machine_memory(machine)->host, MEMORY_BYTES);
    machine_destroy(machine);
    run_freely();
    for (unsigned i = 0; i < GPR_COUNT; i++)
        cr_expect_eq(ran.gpr[i], stepped.gpr[i], "register %u: %x, stepped %x",
                     i, ran.gpr[i], stepped.gpr[i]);
    cr_expect_eq(ran.eip, stepped.eip, "%x %x", ran.eip, stepped.eip);
    cr_expect_eq(ran.eflags, stepped.eflags, "%x %x", ran.eflags,
                 stepped.eflags);
    cr_expect_eq(ran_cycles, cycles, "%llu cycles, stepped %llu",
                 (unsigned long long)ran_cycles, (unsigned long long)cycles);
    cr_expect_eq(
        memcmp(machine_memory(machine)->host, stepped_memory, MEMORY_BYTES), 0,
        "the memory differs");
}

static inline uint32_t machine_read32(uint32_t at)
{
    uint32_t value;

    memcpy(&value, (uint8_t *)machine_memory(machine)->host + at, 4);
    return value;
}

#endif
