/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_clock.c - blocks that count themselves keep the same
 * time as blocks that are counted. */
#include "cpu/machine_priv.h"
#include "tests/cpu/test_machine_fixture.h"

TestSuite(machine_clock, .init = machine_fixture, .timeout = 60);

enum { ROUNDS = 12, DEADLINES = 400 };

/* Loops in loops, a call, a block of one instruction, and a long one. */
static void put_program(void)
{
    CODE_AT(CODE, 0xB9, ROUNDS, 0, 0, 0, /* mov $,%ecx */
            0x51, 0xB9, 3, 0, 0, 0,      /* 1: push; mov $3,%ecx */
            0xE8, 0xEF, 0x01, 0, 0,      /* 2: call CODE+200 */
            0xE2, 0xF9,                  /* loop 2b */
            0x59, 0xE2, 0xF0,            /* pop; loop 1b */
            OP_HLT);
    memset(memory + CODE + 0x200, 0x40, 100); /* inc %eax */
    CODE_AT(CODE + 0x200 + 100, 0xC3);        /* ret */
}

struct look {
    uint64_t cycles;
    uint32_t eip;
};

/* Where the machine stands when it notices the deadline. */
static struct look looked(uint64_t deadline, bool plain)
{
    struct look at;

    plain_clock = plain;
    machine_open();
    machine_set_deadline(machine, deadline);
    cr_assert_eq(machine_run(machine), MACHINE_STOPPED);
    machine_get_state(machine, &ran);
    at = (struct look){machine_now(machine), ran.eip};
    machine_destroy(machine);
    return at;
}

static void expect_same_look(uint64_t deadline)
{
    struct look counted = looked(deadline, true);
    struct look counting = looked(deadline, false);

    cr_assert_eq(counted.cycles, counting.cycles, "%llu: %llu, %llu",
                 (unsigned long long)deadline,
                 (unsigned long long)counted.cycles,
                 (unsigned long long)counting.cycles);
    cr_assert_eq(counted.eip, counting.eip, "%llu: %x, %x",
                 (unsigned long long)deadline, counted.eip, counting.eip);
}

Test(machine_clock, deadlines_are_noticed_at_the_same_place)
{
    put_program();
    for (uint64_t deadline = 1; deadline < DEADLINES; deadline += 3)
        expect_same_look(deadline);
}

/* The countdown is wound up several times until then. */
Test(machine_clock, far_deadlines_are_noticed_at_the_same_place)
{
    CODE_AT(CODE, 0xA1, 0, 0, 3, 0, /* 1: mov 0x30000,%eax */
            0x40, 0xA3, 0, 0, 3, 0, /* inc %eax; mov %eax,0x30000 */
            0xEB, 0xF3);            /* jmp 1b */
    for (uint64_t wound = 1; wound < 4; wound++)
        for (uint64_t early = 0; early < 12; early++)
            expect_same_look(wound * COUNTDOWN_MOST + 6 - early);
}

static struct look looked_stepping(uint64_t deadline)
{
    struct look at;

    machine_open();
    machine_set_deadline(machine, deadline);
    for (unsigned i = 0; i < CYCLES_MOST && !ran_late; i++)
        machine_step(machine);
    machine_get_state(machine, &ran);
    at = (struct look){machine_now(machine), ran.eip};
    machine_destroy(machine);
    return at;
}

/* Three pages of one instruction, over and over, without a branch. */
static void put_straight(const uint8_t *insn, unsigned bytes)
{
    uint32_t end = CODE + 0x3000;

    for (uint32_t at = CODE; at < end; at += bytes)
        put_code(at, insn, bytes);
    memset(memory + end + bytes, OP_HLT, 1);
}

/* A deadline is noticed where a page begins, or at the first instruction that
 * begins in it, whoever executes them. */
static void expect_noticed_at_pages(const uint8_t *insn, unsigned bytes)
{
    put_straight(insn, bytes);
    for (uint32_t page = 1; page < 3; page++) {
        uint32_t before = (0x1000 * page + bytes - 1) / bytes;

        for (uint32_t early = 0; early < 600; early += 199) {
            struct look counted = looked(before - early, true);
            struct look counting = looked(before - early, false);
            struct look stepping = looked_stepping(before - early);

            cr_expect_eq(counted.eip, CODE + before * bytes, "%x", counted.eip);
            cr_expect_eq(counting.eip, counted.eip, "%x", counting.eip);
            cr_expect_eq(stepping.eip, counted.eip, "%x", stepping.eip);
            cr_expect_eq(counted.cycles, before);
            cr_expect_eq(counting.cycles, before);
            cr_expect_eq(stepping.cycles, before);
        }
    }
}

Test(machine_clock, straight_code_is_interrupted)
{
    expect_noticed_at_pages((const uint8_t[]){0x40}, 1); /* inc %eax */
    expect_noticed_at_pages((const uint8_t[]){0xBB, 1, 2, 3, 4}, 5); /* mov */
}

/* How many instructions run until a flag is seen that goes up behind the first
 * one. */
static uint64_t cycles_to_flag(const uint8_t *insn, unsigned bytes)
{
    static const volatile bool up = true;
    uint64_t cycles;

    put_straight(insn, bytes);
    machine_open();
    machine_set_deadline(machine, UINT64_MAX);
    cr_assert_eq(machine_step(machine), MACHINE_STEPPED);
    machine_set_interrupted(machine, &up);
    cr_assert_eq(machine_run(machine), MACHINE_STOPPED);
    cycles = machine_now(machine);
    machine_destroy(machine);
    return cycles;
}

/* Code that is slow, because the machine executes each instruction itself. A
 * store to a device ends no block, but there the page does. */
Test(machine_clock, flag_stops_slow_code)
{
    static const uint8_t in[] = {0xEC};
    static const uint8_t store[] = {0x3E, 0x89, 0x84, 0x23, 0, 0, 0x20, 0};

    cpu.gpr[GPR_EBX] = 0; /* mov %eax,%ds:0x200000(%ebx) */
    cr_expect_eq(cycles_to_flag(in, sizeof in), 1);
    cr_expect_eq(cycles_to_flag(store, sizeof store), 0x1000 / 8);
}

/* The device puts HLT where the processor is about to go on. */
static void dma_on_code(void *owner)
{
    (void)owner;
    ((uint8_t *)machine_memory(machine)->host)[CODE] = OP_HLT;
    machine_memory_written(machine, MA(CODE), 1);
    machine_set_deadline(machine, UINT64_MAX);
}

Test(machine_clock, deadline_writes_the_code_that_runs)
{
    for (unsigned plain = 0; plain < 2; plain++) {
        CODE_AT(CODE, 0x40, 0xEB, 0xFD); /* 1: inc %eax; jmp 1b */
        plain_clock = plain != 0;
        machine_open_for((struct machine_client){
            .attend = dma_on_code, .acknowledge = on_acknowledge});
        machine_set_deadline(machine, 100);
        cr_assert_eq(machine_run(machine), MACHINE_HALTED);
        cr_expect_eq(machine_reg(machine, GPR_EAX), 50, "%u",
                     machine_reg(machine, GPR_EAX));
        cr_expect_eq(machine_now(machine), 101);
        machine_destroy(machine);
    }
}

/* A fault in the middle of a block takes back what was counted ahead. */
Test(machine_clock, fault_in_a_counting_block)
{
    uint64_t cycles[2];

    enable_paging();
    put_program();
    put32(PAGE_TABLE + 0x30 * 4, 0);
    CODE_AT(CODE + 0x200 + 50, 0x83, 0xF9, 0x01, /* cmp $1,%ecx */
            0x90, 0x90, 0x90, 0xA0, 0x00, 0x00, 0x03,
            0x00, /* mov 0x30000,%al */
            0x40, 0xC3);
    /* until the last round, another page: LOOP's count chooses it */
    CODE_AT(CODE + 0x200, 0x89, 0xC8, 0xC1, 0xE0, 0x0C, /* ecx << 12 */
            0x8A, 0x98, 0x00, 0xF0, 0x02, 0x00); /* mov 0x2F000(%eax),%bl */
    for (unsigned plain = 0; plain < 2; plain++) {
        plain_clock = plain != 0;
        run_both();
        cr_assert_eq(ran_vector, VEC_PF);
        cycles[plain] = ran_cycles;
    }
    cr_assert_eq(cycles[0], cycles[1]);
}

/* Counted by the hook, by the block itself, and in steps. */
Test(machine_clock, pause_takes_its_time)
{
    static const uint64_t cycles = 10 * (PAUSE_CYCLES + 2) + 2;
    struct look at;

    CODE_AT(CODE, 0xB9, 10, 0, 0, 0, /* mov $10,%ecx */
            0xF3, 0x90, 0x90,        /* 1: pause; nop */
            0xE2, 0xFB, OP_HLT);     /* loop 1b; hlt */
    for (unsigned plain = 0; plain < 2; plain++) {
        plain_clock = plain != 0;
        run_freely();
        cr_expect_eq(ran_cycles, cycles, "%llu",
                     (unsigned long long)ran_cycles);
        machine_destroy(machine);
    }
    at = looked_stepping(cycles - 1);
    cr_expect_eq(at.cycles, cycles - 1, "%llu", (unsigned long long)at.cycles);
}

/* More than a block's entry can hold. */
Test(machine_clock, many_pauses_in_a_block)
{
    enum { PAUSES = 200, PASSES = 5 };

    CODE_AT(CODE, 0xB9, PASSES, 0, 0, 0); /* mov $,%ecx */
    for (uint32_t i = 0; i < PAUSES; i++)
        CODE_AT(CODE + 5 + 2 * i, 0xF3, 0x90);
    CODE_AT(CODE + 5 + 2 * PAUSES, 0x49, 0x0F, 0x85, 0x69, 0xFE, 0xFF, 0xFF,
            OP_HLT); /* dec %ecx; jnz CODE+5; hlt */
    run_freely();
    cr_expect_eq(ran_cycles, PASSES * (PAUSES * PAUSE_CYCLES + 2) + 2, "%llu",
                 (unsigned long long)ran_cycles);
    machine_destroy(machine);
}

#if defined(__x86_64__) && defined(__linux__)
Test(machine_clock, blocks_do_count_themselves)
{
    put_program();
    run_freely();
    cr_assert_gt(machine->clock.used, 3);
    machine_destroy(machine);
    plain_clock = true;
    run_freely();
    cr_assert_eq(machine->clock.used, 0);
}

/* Code that is rewritten all the time does not use up records. */
Test(machine_clock, records_are_used_again)
{
    CODE_AT(CODE, 0xB9, 0xD0, 0x07, 0x00, 0x00, /* mov $2000,%ecx */
            0x88, 0x0D, 0x01, 0x30, 0x01, 0x00, /* 1: mov %cl,[patch] */
            0xBA, 4, 0, 0, 0,                   /* mov $4,%edx */
            0xE8, 0xEB, 0x2F, 0x00, 0x00,       /* 2: call CODE+3000 */
            0x4A, 0x75, 0xF8,                   /* dec %edx; jnz 2b */
            0xE2, 0xEB,                         /* loop 1b */
            OP_HLT);
    CODE_AT(CODE + 0x3000, 0xB8, 0, 0, 0, 0, 0xC3); /* mov $,%eax; ret */
    run_freely();
    cr_assert_gt(machine->clock.used, 0);
    cr_assert_lt(machine->clock.used, 20, "%u", machine->clock.used);
}
#endif
