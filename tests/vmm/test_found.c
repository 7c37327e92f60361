/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_found.c - what generated code has found, once more by itself.
 *
 * A few instructions each, with the exception that must end them, on the bare
 * machine and under every technique that can be right about it. Everything else
 * is compared with the bare machine.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/batch.h"

/* Where it starts: EBX, ESI, EDI; EBP points behind them. */
enum { AT = PROBE_SANDBOX + 0x100, STACK = PROBE_SANDBOX + 0x800 };

/* Page tables of the first 4 MiB, which map themselves, and of the code. */
enum { TABLE_0 = PROBE_TABLES, TABLE_3 = PROBE_TABLES + 3 * 4096 };

struct found {
    const char *name;
    uint8_t vector;
    uint16_t error;
    uint32_t ebx, flags; /* EBX; EFLAGS to start with, but for IF, which is
                          * set unless it is among them; */
    uint32_t set, clear; /* EFLAGS in the end */
    bool user;
    unsigned about;    /* holes, as of a sequence; CHANGES */
    uint8_t bytes[44]; /* INT PROBE_DONE follows */
    uint8_t length;
};

static const struct found found[] = {
    {"LOCK MOV DR5 enables no breakpoint, it is undefined", .vector = VEC_UD,
     .bytes = {0xB8, 0xFF, 0x07, 0, 0, 0xF0, 0x0F, 0x23, 0xE8}, .length = 9},
    {"LOCK MOV", .vector = VEC_UD, .bytes = {0xF0, 0x89, 0x06}, .length = 3},
    {"PUSHF of a program without IF", .vector = PROBE_DONE, .flags = EFL_IF,
     .user = true, .bytes = {0x9C, 0x58}, .length = 2},
    {"POP by 8F /1", .vector = VEC_UD, .bytes = {0x8F, 0xC8}, .length = 2},
    {"VZEROUPPER", .vector = VEC_UD, .bytes = {0xC5, 0xF8, 0x77}, .length = 3},
    {"XBEGIN", .vector = VEC_UD, .bytes = {0xC7, 0xF8, 0, 0, 0, 0},
     .length = 6},
    {"IN at a single step has its result", .vector = VEC_DB, .flags = EFL_TF,
     .bytes = {0xE5, 0x80}, .length = 2},
    {"CPUID at a single step has its results", .vector = VEC_DB,
     .flags = EFL_TF, .bytes = {0x0F, 0xA2}, .length = 2},
    {"an unaligned store to the page table that translates it",
     .vector = PROBE_DONE, .ebx = TABLE_0 + 1,
     .bytes = {0x83, 0x0B, 0x00}, /* or [ebx], 0 */
     .length = 3},
    {"an unaligned store to the page table of its own code",
     .vector = PROBE_DONE, .ebx = TABLE_3 + 1, .bytes = {0x83, 0x0B, 0x00},
     .length = 3},
    {"LOCK NEG has its result's flags", .vector = PROBE_DONE,
     .ebx = PROBE_TRACED, .set = EFL_SF | EFL_CF,
     .bytes = {0xC6, 0x03, 0x74, 0xF0, 0xF6, 0x1B}, .length = 6},
    {"CMPXCHG8B at a hidden fault keeps the flags", .vector = PROBE_DONE,
     .ebx = AT, .set = EFL_AF, .clear = EFL_CF | EFL_SF | EFL_OF | EFL_PF,
     .bytes = {0xB8, 0x0F, 0, 0, 0, 0x83, 0xC0, 0x01, /* AF */
               0x0F, 0xC7, 0x0B},
     .length = 11},
    {"RETF to a stack that is not present", .vector = VEC_SS, .error = 0x48,
     .about = IN_HOLE_0,
     .bytes = {0x6A, 0x4B, 0x68, 0x00, 0x06, 0x40, 0x01, 0x6A, PROBE_USER_CS,
               0x68, 0x00, 0x00, 0xC0, 0x00, 0xCB},
     .length = 15},
    {"a call from code that was just written, the stack beside it",
     .vector = PROBE_DONE, .ebx = AT, .about = COMPUTED,
     .bytes = {0xC6, 0x03, 0xC3, 0xFF, 0xD3, 0xE8, 0, 0, 0, 0, 0xFF, 0xD3, 0xE8,
               0, 0, 0, 0},
     .length = 17},
    {"IRET to a stack that is not present", .vector = VEC_SS, .error = 0x48,
     .about = IN_HOLE_0,
     .bytes = {0x6A, 0x4B, 0x68, 0x00, 0x06, 0x40, 0x01,
               0x68, 0x02, 0x02, 0x00, 0x00, 0x6A, PROBE_USER_CS,
               0x68, 0x00, 0x00, 0xC0, 0x00, 0xCF},
     .length = 20},
    {"IRET reads the stack's descriptor before it looks at its selector",
     .vector = VEC_PF, .about = IN_HOLE_0 | CHANGES,
     .bytes = {0xC6, 0x05,
               0x6F, 0x10,
               0x11, 0x00,
               0x40, /* the LDT's base */
               0x6A, PROBE_LDT_SELECTOR,
               0x58, 0x0F,
               0x00, 0xD0, /* lldt ax */
               0x6A, 0x0C,
               0x68, 0x00,
               0x06, 0x40,
               0x01, 0x68,
               0x02, 0x02,
               0x00, 0x00,
               0x6A, PROBE_USER_CS,
               0x68, 0x00,
               0x00, 0xC0,
               0x00, 0xCF},
     .length = 33},
    {"PUSHF and POPF at ring 3 with IOPL 3", .vector = PROBE_DONE,
     .flags = EFL_IOPL, .user = true, .clear = EFL_IF,
     .bytes = {0xFA, 0x9C, 0x58, 0xFB, 0x9C, 0x5A, 0x50, 0x9D}, .length = 8},
    {"PUSHF at ring 3 shows IOPL 1", .vector = PROBE_DONE, .flags = 0x1000,
     .user = true, .bytes = {0x9C, 0x58}, .length = 2},
    {"a program with an IOPL goes to where a monitor may be", .vector = VEC_PF,
     .error = PF_USER, .flags = 0x1000, .user = true, .about = COMPUTED,
     .bytes = {0x68, 0xC5, 0x18, 0xE5, 0xBF, 0xC3}, .length = 6},
    {"HLT waits for the timer", .vector = PROBE_TIMER, .set = EFL_IF,
     .bytes = {0xB0, 0xFE, 0xE6, 0x21, 0xB0, 0x30, 0xE6, 0x43, 0xB0, 0x00, 0xE6,
               0x40, 0xB0, 0x01, 0xE6, 0x40, 0xFB, 0xF4},
     .length = 18},
    {"RET releases 32 KiB", .vector = PROBE_DONE, .user = true,
     .about = COMPUTED,
     .bytes = {0xE8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 7, 0xC2, 0x00, 0x80},
     .length = 12},
};
enum { FOUND = sizeof found / sizeof *found };

static uint8_t code[FOUND][PROBE_ENTRY_BYTES];
static struct probe_case cases[FOUND];

static void make(void)
{
    for (unsigned i = 0; i < FOUND; i++) {
        const struct found *f = &found[i];

        memset(code[i], 0xCC, sizeof code[i]);
        memcpy(code[i], f->bytes, f->length);
        memcpy(code[i] + f->length, (const uint8_t[]){0xCD, PROBE_DONE}, 2);
        cases[i] = (struct probe_case){
            .flags = CASE_SANDBOX | CASE_CONTROL | CASE_FLUSH |
                     (f->user ? CASE_USER : 0u) |
                     (f->about & CHANGES ? CASE_RESTORE : 0u),
            .cr0 = PROBE_CR0,
            .eip = probe_entry(i),
            .eflags = EFL_FIXED | (EFL_IF ^ f->flags),
            .gpr = {AT, AT, AT, STACK, f->ebx, 0, 0, 0},
        };
    }
}

/* One alone: what comes before must not help it. */
static void run_one(const struct way *way, unsigned i, struct outcome *o)
{
    struct probe_table t = {.cases = &cases[i],
                            .case_count = 1,
                            .code = (const uint8_t(*)[PROBE_ENTRY_BYTES])code,
                            .code_count = FOUND};
    enum vm_stop stop;
    uint32_t done = probe_run(way, &t, &o->result, &stop);

    o->stop = done ? VM_RUNNING : (int)stop;
}

static bool excused(const struct found *f, enum cpu_technique cpu)
{
    bool hole =
        (f->about & IN_HOLE_0) || (f->user && (f->flags & (EFL_IOPL | EFL_IF)));

    return (cpu == CPU_TRAP && hole) ||
           (cpu == CPU_BT_STATIC && (f->about & COMPUTED));
}

static void check_one(unsigned i)
{
    const struct found *f = &found[i];
    struct outcome bare, other;
    struct way way;

    run_one(&ways[WAY_BARE], i, &bare);
    cr_expect_eq(bare.stop, VM_RUNNING, "%s: stopped (%d)", f->name, bare.stop);
    cr_expect(bare.result.vector == f->vector && bare.result.error == f->error,
              "%s: vector %u error %x", f->name, bare.result.vector,
              bare.result.error);
    cr_expect((bare.result.eflags & (f->set | f->clear)) == f->set,
              "%s: EFLAGS %08x", f->name, bare.result.eflags);
    for (unsigned n = 0; guest_way(n, &way); n++) {
        const char *what;

        if (excused(f, way.cpu))
            continue;
        run_one(&way, i, &other);
        what = outcome_difference(&bare, &other);
        cr_expect_null(what, "%s, %s: another %s", way.name, f->name, what);
    }
}

Test(found, by_generated_code)
{
    make();
    for (unsigned i = 0; i < FOUND; i++)
        check_one(i);
}
