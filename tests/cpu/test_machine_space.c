/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_space.c - the monitor's own linear space: who reaches
 * what is there, and that all others find nothing. */
#include "tests/cpu/test_machine_fixture.h"

enum {
    SPACE = 0x400000, /* linear */
    ELSEWHERE = 0x800000,
    SPACE_TABLE = 0x42000, /* the page table of both */
    PAGES = 6,
    FRAMES = 0x50000, /* their frames, in reverse order */
    CODE_PAGE = 0,
    DATA_PAGE,
    TABLE_PAGE, /* and the next */
    GDT_PAGE = 4,
    ROUNDS = 200,
    OP_INT3 = 0xCC,
};

static struct machine_exit last;
static unsigned exits, asked;
static uint32_t exit_eip;
static uint32_t own_from, own_to; /* own instructions: linear, [from, to) */

static uint32_t frame_of(unsigned page)
{
    return FRAMES + (PAGES - 1 - page) * PAGE_BYTES;
}

static void on_machine_exit(void *owner, const struct machine_exit *e)
{
    (void)owner;
    exits++;
    last = *e;
    exit_eip = machine_eip(machine);
    machine_stop(machine);
}

static bool on_owns(void *owner, uint32_t linear)
{
    (void)owner;
    asked++;
    return linear >= own_from && linear < own_to;
}

static uint32_t on_weight(void *owner, uint32_t linear)
{
    (void)owner, (void)linear;
    return 1;
}

static void place(uint32_t linear)
{
    machine_set_own_space(machine, linear);
    machine_set_weighed(machine, linear, linear + PAGE_BYTES - 1);
}

static void space_open(void)
{
    machine_open_for((struct machine_client){.exit = on_machine_exit,
                                             .attend = on_attend,
                                             .owns = on_owns,
                                             .weight = on_weight,
                                             .mmio_read = on_mmio_read,
                                             .mmio_write = on_mmio_write});
    for (unsigned i = DATA_PAGE; i <= TABLE_PAGE + 1; i++)
        machine_own_page(machine, i, MA(frame_of(i)), i == DATA_PAGE);
    place(SPACE);
    machine_set_state(machine, &cpu);
    exits = asked = 0;
}

static void space_fixture(void)
{
    machine_fixture();
    enable_paging();
    cpu.cr0 |= CR0_WP;
    for (unsigned i = 0; i < PAGES; i++)
        put32(SPACE_TABLE + i * 4,
              frame_of(i) | PTE_P | (i == DATA_PAGE ? PTE_W : 0));
    put32(PAGE_DIRECTORY + 4, SPACE_TABLE | PTE_P | PTE_W);
    put32(PAGE_DIRECTORY + 8, SPACE_TABLE | PTE_P | PTE_W);
    put32(frame_of(DATA_PAGE), 1000);
    cpu.eip = SPACE;
    own_from = SPACE;
    own_to = SPACE + PAGE_BYTES;
}

TestSuite(machine_space, .init = space_fixture, .timeout = 60);

/* ROUNDS times: a word of data is counted up, and words of a table, of two
 * pages that are no neighbours in memory, are added; at last a jump to INT3 by
 * another word. */
static void put_rounds(uint32_t space)
{
    uint8_t hi = (uint8_t)(space >> 16);

    CODE_AT(frame_of(CODE_PAGE), 0xB9, ROUNDS, 0, 0, 0, 0x36, 0xA1, 0x00, 0x10,
            hi, 0x00,                         /* mov eax, ss:[data] */
            0x8D, 0x40, 0x01,                 /* lea eax, [eax + 1] */
            0x36, 0xA3, 0x00, 0x10, hi, 0x00, /* mov ss:[data], eax */
            0x36, 0x8B, 0x14, 0xCD, 0xF8, 0x2B, hi,
            0x00,                                   /* mov edx, ss:[table..] */
            0x8D, 0x1C, 0x13,                       /* lea ebx, [ebx + edx] */
            0xE2, 0xE4,                             /* loop */
            0x36, 0xFF, 0x25, 0x04, 0x10, hi, 0x00, /* jmp ss:[data + 4] */
            0xF4, OP_INT3);
    put32(frame_of(DATA_PAGE) + 4, space + 41);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        uint32_t at = 0xBF8 + i * 8;

        put32(frame_of(TABLE_PAGE + at / PAGE_BYTES) + at % PAGE_BYTES, i);
    }
}

static uint32_t data(void)
{
    return machine_read32(frame_of(DATA_PAGE));
}

static void run_rounds(uint32_t space, bool stepped)
{
    if (stepped)
        for (unsigned i = 0; !exits && i < 10000; i++)
            machine_step(machine);
    else
        cr_assert_eq(machine_run(machine), MACHINE_STOPPED);
    cr_assert_str_eq(machine_broken(machine), "");
    cr_assert_eq(last.kind, MX_SOFTWARE, "at %x: %u, %x", exit_eip, last.vector,
                 last.linear);
    cr_expect_eq(exit_eip, space + 41);
    cr_expect_eq(machine_reg(machine, GPR_EBX), ROUNDS * (ROUNDS + 1) / 2);
}

Test(machine_space, own_instructions_reach_data)
{
    put_rounds(SPACE);
    for (unsigned way = 0; way < 4; way++) {
        plain_clock = way & 1;
        space_open();
        run_rounds(SPACE, way & 2);
        cr_expect_eq(data(), 1000 + ROUNDS);
        cr_expect_eq(machine_now(machine), 3 + 6 * ROUNDS, "%llu",
                     (unsigned long long)machine_now(machine));
        machine_destroy(machine);
    }
}

#if defined(__x86_64__)
Test(machine_space, own_instructions_run_in_the_engine)
{
    put_rounds(SPACE);
    space_open();
    run_rounds(SPACE, false);
    cr_expect_lt(asked, ROUNDS, "each access is refused first");
}
#endif

Test(machine_space, space_moves)
{
    struct cpu_state s;

    put_rounds(SPACE);
    space_open();
    run_rounds(SPACE, false);
    put_rounds(ELSEWHERE);
    memcpy((uint8_t *)machine_memory(machine)->host + FRAMES, memory + FRAMES,
           PAGES * PAGE_BYTES);
    machine_memory_written(machine, MA(FRAMES), PAGES * PAGE_BYTES);
    place(ELSEWHERE);
    machine_get_state(machine, &s);
    s.eip = own_from = ELSEWHERE;
    own_to = ELSEWHERE + PAGE_BYTES;
    s.gpr[GPR_EBX] = 0;
    machine_set_state(machine, &s);
    run_rounds(ELSEWHERE, false);
    cr_expect_eq(data(), 1000 + ROUNDS);
}

static void expect_nothing(uint32_t eip, uint32_t linear, uint32_t error)
{
    cr_assert_eq(machine_run(machine), MACHINE_STOPPED);
    cr_assert_str_eq(machine_broken(machine), "");
    cr_assert_eq(last.kind, MX_PAGE_FAULT, "vector %u", last.vector);
    cr_expect_eq(exit_eip, eip, "%x", exit_eip);
    cr_expect_eq(last.linear, linear, "%x", last.linear);
    cr_expect_eq(last.error, error, "%x", last.error);
    cr_expect_eq(data(), 1000);
    machine_destroy(machine);
}

/* Also where the same code has instructions that reach it, before and after. */
Test(machine_space, other_instructions_find_nothing)
{
    CODE_AT(frame_of(CODE_PAGE), 0x36, 0xA1, 0x00, 0x10, 0x40, 0x00, 0x36, 0xA1,
            0x00, 0x10, 0x40, 0x00, /* not this one */
            0x36, 0xA1, 0x00, 0x10, 0x40, 0x00, OP_INT3);
    own_to = SPACE + 6;
    space_open();
    expect_nothing(SPACE + 6, SPACE + 0x1000, 0);
    CODE_AT(frame_of(CODE_PAGE) + 6, 0x36, 0xA3);
    space_open();
    expect_nothing(SPACE + 6, SPACE + 0x1000, PF_WRITE);
}

Test(machine_space, guest_finds_nothing)
{
    cpu.eip = CODE;
    own_from = 0;
    CODE_AT(CODE, 0xA1, 0x08, 0x10, 0x40, 0x00, OP_INT3);
    space_open();
    expect_nothing(CODE, SPACE + 0x1008, 0);
    CODE_AT(CODE, 0xA3, 0xFD, 0x2F, 0x40, 0x00, OP_INT3); /* over two pages */
    space_open();
    expect_nothing(CODE, SPACE + 0x2FFD, PF_WRITE);
    CODE_AT(CODE, 0xE9, 0xFB, 0x0F, 0x3F, 0x00); /* jmp to data */
    cpu.eip = CODE;
    space_open();
    expect_nothing(SPACE + 0x1000, SPACE + 0x1000, 0);
}

/* What runs is not what can be read. */
Test(machine_space, code_is_fetched_only)
{
    CODE_AT(frame_of(CODE_PAGE), 0x40, 0xA1, 0x00, 0x00, 0x40, 0x00, OP_INT3);
    own_to = 0;
    space_open();
    expect_nothing(SPACE + 1, SPACE, 0);
}

/* SETcc in memory is done by the machine itself. */
Test(machine_space, nothing_by_hand_either)
{
    cpu.eip = CODE;
    own_from = 0;
    CODE_AT(CODE, 0x0F, 0x94, 0x05, 0x00, 0x10, 0x40, 0x00, OP_INT3);
    space_open();
    expect_nothing(CODE, SPACE + 0x1000, PF_WRITE);
}

Test(machine_space, withheld_page_can_be_read)
{
    CODE_AT(frame_of(CODE_PAGE), 0x36, 0xA1, 0x00, 0x10, 0x40, 0x00, 0x36, 0xA3,
            0x00, 0x10, 0x40, 0x00, OP_INT3);
    space_open();
    machine_own_page(machine, DATA_PAGE, MA(frame_of(DATA_PAGE)), false);
    expect_nothing(SPACE + 6, SPACE + 0x1000, PF_PRESENT | PF_WRITE);
}

/* The processor loads a segment by a table there; reading it finds nothing. */
Test(machine_space, descriptor_tables_are_the_processors)
{
    memcpy(memory + frame_of(GDT_PAGE), memory + cpu.gdtr.base,
           cpu.gdtr.limit + 1u);
    memory[frame_of(GDT_PAGE) + DATA0 + 5] |= 1; /* accessed */
    cpu.gdtr.base = SPACE + GDT_PAGE * PAGE_BYTES;
    cpu.eip = CODE;
    own_from = 0;
    CODE_AT(CODE, 0xB8, DATA0, 0, 0, 0, 0x8E, 0xD8, /* mov ds, eax */
            0xA1, 0x08, 0x40, 0x40, 0x00, OP_INT3);
    space_open();
    expect_nothing(CODE + 7, SPACE + 0x4008, 0);
}
