/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_own.c - code that a monitor made: what it counts for,
 * its way out by INT3, and changes to it. */
#include "tests/cpu/test_machine_fixture.h"

enum {
    OWN = 0x30000, /* the monitor's code */
    OWN_END = 0x31FFF,
    ROUNDS = 100,
    OP_INT3 = 0xCC,
    OP_INC_EAX = 0x40,
    OP_NOP = 0x90,
};

static unsigned exits;
static struct machine_exit last;
static uint32_t exit_eip;
static bool light; /* every second byte of the own code weighs nothing */
static void (*at_exit)(void);

static void on_machine_exit(void *owner, const struct machine_exit *e)
{
    (void)owner;
    exits++;
    last = *e;
    exit_eip = machine_eip(machine);
    at_exit();
}

static void stop_there(void)
{
    machine_stop(machine);
}

static uint32_t weigh(void *owner, uint32_t linear)
{
    (void)owner;
    return light ? linear & 1 : 0;
}

static void own_open(void)
{
    machine_open_for((struct machine_client){.exit = on_machine_exit,
                                             .attend = on_attend,
                                             .weight = weigh,
                                             .mmio_read = on_mmio_read,
                                             .mmio_write = on_mmio_write});
    machine_set_weighed(machine, OWN, OWN_END);
    exits = 0;
    at_exit = stop_there;
}

static void own_fixture(void)
{
    machine_fixture();
    cpu.eip = OWN;
    light = false;
}

TestSuite(machine_own, .init = own_fixture, .timeout = 60);

/* mov $ROUNDS,%ecx; four INC %eax; LOOP; a jump out; then a hundred of the
 * guest's instructions; INT3. */
static void put_loop(void)
{
    CODE_AT(OWN, 0xB9, ROUNDS, 0, 0, 0, OP_INC_EAX, OP_INC_EAX, OP_INC_EAX,
            OP_INC_EAX, 0xE2, 0xFA, 0xE9, 0xF0, 0xFF, 0xFD, 0xFF);
    memset(memory + CODE, OP_INC_EAX, 100);
    CODE_AT(CODE + 100, 0xE9, 0x97, 0x0F, 0x02, 0x00); /* jmp OWN + 1000 */
    CODE_AT(OWN + 0x1000, OP_INT3);
}

static void run_to_exit(void)
{
    cr_assert_eq(machine_run(machine), MACHINE_STOPPED);
    cr_assert_str_eq(machine_broken(machine), "");
}

static void step_to_exit(void)
{
    for (unsigned i = 0; !exits && i < 10000; i++)
        machine_step(machine);
}

static void expect_exit(uint32_t eip, uint64_t cycles)
{
    cr_expect_eq(exits, 1);
    cr_expect_eq(last.kind, MX_SOFTWARE);
    cr_expect_eq(last.vector, VEC_BP);
    cr_expect_eq(last.next_eip, eip + 1);
    cr_expect_eq(exit_eip, eip);
    cr_expect_eq(machine_now(machine), cycles, "%llu cycles, not %llu",
                 (unsigned long long)machine_now(machine),
                 (unsigned long long)cycles);
}

Test(machine_own, only_the_guests_instructions_count)
{
    put_loop();
    for (unsigned way = 0; way < 4; way++) {
        plain_clock = way & 1;
        light = way & 2;
        own_open();
        run_to_exit();
        /* by odd addresses: the first, third INC and LOOP; JMP; not INT3 */
        expect_exit(OWN + 0x1000, 101 + (light ? ROUNDS * 3 + 1 : 0));
        cr_expect_eq(machine_reg(machine, GPR_EAX), ROUNDS * 4 + 100);
        machine_destroy(machine);
    }
}

Test(machine_own, steps_count_the_same)
{
    put_loop();
    light = true;
    own_open();
    step_to_exit();
    expect_exit(OWN + 0x1000, 101 + ROUNDS * 3 + 1);
}

/* A fault takes back what was counted for the instructions behind it. */
Test(machine_own, fault_amid_weights)
{
    enable_paging();
    put32(PAGE_TABLE + 0x50 * 4, 0);
    light = true;
    CODE_AT(OWN, OP_NOP, OP_NOP, OP_NOP,  /* 0 1 0 */
            0xA0, 0x00, 0x00, 0x05, 0x00, /* mov 0x50000,%al */
            OP_NOP, OP_NOP, OP_NOP, OP_NOP, OP_INT3);
    own_open();
    run_to_exit();
    cr_expect_eq(last.kind, MX_PAGE_FAULT);
    cr_expect_eq(exit_eip, OWN + 3);
    cr_expect_eq(machine_now(machine), 1);
}

/* ---- changes --------------------------------------------------------------
 */

static unsigned rounds;

static void put_now(uint32_t at, const void *bytes, uint32_t count)
{
    memcpy((uint8_t *)machine_memory(machine)->host + at, bytes, count);
    machine_code_patched(machine, MA(at), count);
}

/* Each exit writes another instruction, of another weight, over the one that
 * the next round runs, and appends a round. */
static void patch_on(void)
{
    static const uint8_t inc_ebx[] = {0x43, OP_NOP}, nops[] = {0x66, OP_NOP};
    uint8_t back[] = {0xE9, 0, 0, 0, 0}; /* jmp OWN + 0x100 */
    uint32_t here = exit_eip, to = OWN + 0x100 - (here + 5);

    if (++rounds == ROUNDS) {
        machine_stop(machine);
        return;
    }
    put_now(OWN + 0x101, rounds & 1 ? inc_ebx : nops, 2);
    memcpy(back + 1, &to, 4);
    put_now(here, back, 5);
    /* And INT3 where this round will end: OWN + 0x103 jumps there. */
    to = here + 16 - (OWN + 0x108);
    memcpy(back + 1, &to, 4);
    put_now(OWN + 0x103, back, 5);
    put_now(here + 16, (const uint8_t[]){OP_INT3}, 1);
}

Test(machine_own, patched_code_is_seen_and_counted_anew)
{
    for (unsigned way = 0; way < 2; way++) {
        plain_clock = way != 0;
        rounds = 0;
        light = true;
        CODE_AT(OWN, 0xE9, 0x09, 0x01, 0x00, 0x00); /* jmp OWN + 10E */
        memset(memory + OWN + 0x100, OP_NOP, 14);
        CODE_AT(OWN + 0x10E, OP_INT3);
        own_open();
        at_exit = patch_on;
        run_to_exit();
        cr_expect_eq(rounds, ROUNDS);
        cr_expect_eq(machine_reg(machine, GPR_EBX), ROUNDS / 2);
        /* A round is JMP (at an even address), NOP, INC and NOP or a prefixed
         * NOP, JMP at 0x103, and INT3 at an even one. */
        cr_expect_eq(machine_now(machine), 2 * (ROUNDS - 1), "%llu",
                     (unsigned long long)machine_now(machine));
        machine_destroy(machine);
    }
}

Test(machine_own, single_registers)
{
    struct cpu_state s;

    CODE_AT(OWN, 0x83, 0xF8, 0x01, OP_INT3); /* cmp $1,%eax */
    cpu.gpr[GPR_EAX] = 1;
    own_open();
    run_to_exit();
    cr_expect_eq(machine_eflags(machine) & EFL_ARITH, EFL_ZF | EFL_PF);
    machine_set_reg(machine, GPR_EDI, 0x12345678);
    machine_set_eip(machine, OWN + 3);
    machine_set_arith_flags(machine, EFL_CF | EFL_SF);
    machine_get_state(machine, &s);
    cr_expect_eq(s.gpr[GPR_EDI], 0x12345678);
    cr_expect_eq(machine_reg(machine, GPR_EDI), 0x12345678);
    cr_expect_eq(s.eip, OWN + 3);
    cr_expect_eq(s.eflags, EFL_FIXED | EFL_CF | EFL_SF);
}

/* RDTSC is the machine's there too, and code is still appended behind it. */
static void append_after_rdtsc(void)
{
    if (++rounds == 3) {
        machine_stop(machine);
        return;
    }
    put_now(exit_eip, (const uint8_t[]){0x89, 0xC3, 0x0F, 0x31, OP_INT3}, 5);
}

Test(machine_own, rdtsc_among_code_that_grows)
{
    rounds = 0;
    light = true;
    CODE_AT(OWN, OP_NOP, 0x0F, 0x31, OP_INT3); /* 0 1; INT3 weighs 1 */
    own_open();
    at_exit = append_after_rdtsc;
    run_to_exit();
    /* A round is MOV, RDTSC, INT3, all at odd addresses; the first has no MOV.
     * What RDTSC reads has itself counted, but not its time. */
    cr_expect_eq(machine_reg(machine, GPR_EBX), RDTSC_CYCLES + 3);
    cr_expect_eq(machine_reg(machine, GPR_EAX), 2 * RDTSC_CYCLES + 5);
    cr_expect_eq(machine_now(machine), 3 * RDTSC_CYCLES + 5, "%llu",
                 (unsigned long long)machine_now(machine));
}
