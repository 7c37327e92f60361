/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_device.c - instructions that keep reaching a device:
 * after some of its accesses the machine executes them without leaving the
 * engine, and the program must not be able to tell. */
#include "tests/cpu/test_machine_fixture.h"

TestSuite(machine_device, .init = machine_fixture, .timeout = 60);

/* Like a free-running counter: what is read is the clock. */
static uint32_t counter_read(void *ctx, ma_t ma, unsigned size)
{
    (void)ctx, (void)size;
    return (uint32_t)machine_now(machine) + (uint32_t)ma.v;
}

static uint32_t written_sum;

static void sum_write(void *ctx, ma_t ma, unsigned size, uint32_t value)
{
    (void)ctx, (void)ma, (void)size;
    written_sum = written_sum * 31 + value;
}

static void open_with_device(void)
{
    machine_open_for((struct machine_client){.attend = on_attend,
                                             .acknowledge = on_acknowledge,
                                             .mmio_read = counter_read,
                                             .mmio_write = sum_write});
    machine_set_deadline(machine, CYCLES_MOST);
    ran_late = false;
    written_sum = 0;
}

static void run_with_device(void)
{
    open_with_device();
    cr_assert_eq(machine_run(machine), MACHINE_HALTED);
    machine_close();
}

static void step_with_device(void)
{
    enum machine_stop why = MACHINE_STEPPED;

    open_with_device();
    while (why == MACHINE_STEPPED && !ran_late)
        why = machine_step(machine);
    cr_assert_eq(why, MACHINE_HALTED);
    machine_close();
}

/* mov $100,%ecx; 1: mov 0x20(%esi),%eax; add %eax,%ebx; mov %eax,(%esi);
 * nop; loop 1b; hlt */
static void put_loop(void)
{
    CODE_AT(CODE, 0xB9, 100, 0, 0, 0, 0x8B, 0x46, 0x20, 0x01, 0xC3, 0x89, 0x06,
            0x90, 0xE2, 0xF6, OP_HLT);
}

Test(machine_device, a_loop_reads_and_writes_the_same_freely_and_stepped)
{
    uint32_t sum, written;
    uint64_t cycles;

    cpu.gpr[GPR_ESI] = MEMORY_BYTES;
    put_loop();
    step_with_device();
    sum = ran.gpr[GPR_EBX];
    written = written_sum;
    cycles = ran_cycles;
    machine_destroy(machine);
    run_with_device();
    cr_expect_eq(ran.gpr[GPR_EBX], sum);
    cr_expect_eq(written_sum, written);
    cr_expect_eq(ran_cycles, cycles);
    cr_expect_gt(machine_trace.count.intercepts, 100, "%llu",
                 (unsigned long long)machine_trace.count.intercepts);
}

Test(machine_device, what_is_memory_by_then_is_read_as_memory)
{
    /* call the load with %esi at the device, then in memory, often enough that
     * its site is given up */
    cpu.gpr[GPR_ESI] = MEMORY_BYTES;
    put32(0x30000 + 0x20, 7);
    CODE_AT(CODE, 0xB9, 50, 0, 0, 0, /* mov $50,%ecx */
            0x8B, 0x46, 0x20,        /* 1: mov 0x20(%esi),%eax */
            0xE2, 0xFB,              /* loop 1b */
            0x81, 0xFE, 0, 0, 3, 0,  /* cmp $0x30000,%esi */
            0x74, 0x0C,              /* je 2f */
            0xBE, 0, 0, 3, 0,        /* mov $0x30000,%esi */
            0xB9, 200, 0, 0, 0,      /* mov $200,%ecx */
            0xEB, 0xE7,              /* jmp 1b */
            OP_HLT);
    run_with_device();
    cr_assert_eq(ran.gpr[GPR_EAX], 7);
    cr_assert_eq(ran.gpr[GPR_ECX], 0);
}

Test(machine_device, a_page_fault_at_its_site_is_exact)
{
    enable_paging();
    cpu.gpr[GPR_ESI] = MEMORY_BYTES;
    put32(PAGE_DIRECTORY + 4 * 3, 0x83 | 0xC00000); /* devices, 4 MiB */
    cpu.cr4 |= CR4_PSE;
    cpu.gpr[GPR_ESI] = 0xC00000;
    CODE_AT(CODE, 0xB9, 50, 0, 0, 0, /* mov $50,%ecx */
            0x8B, 0x46, 0x20,        /* 1: mov 0x20(%esi),%eax */
            0xE2, 0xFB,              /* loop 1b */
            0xBE, 0, 0, 0, 2,        /* mov $0x2000000,%esi: not mapped */
            0x41, 0xEB, 0xF3);       /* inc %ecx; jmp 1b */
    run_with_device();
    cr_assert_eq(ran_vector, VEC_PF);
    cr_assert_eq(ran.cr2, 0x2000020);
    cr_assert_eq(ran.gpr[GPR_ECX], 1);
}
