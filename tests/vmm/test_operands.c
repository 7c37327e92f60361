/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_operands.c - operands where no memory is.
 *
 * Instructions that no monitor emulates read and write a page that leads to a
 * device, or to nothing: there reads are all ones and writes are lost. Whoever
 * runs the guest, they must do what they do on the bare machine, faults in
 * their second page included.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/batch.h"

enum { AT = PROBE_SANDBOX + 0x100, STACK = PROBE_SANDBOX + 0x800 };

/* EBX is where the operand is, EDI where memory is. */
struct form {
    const char *name;
    uint8_t length;
    uint8_t bytes[12]; /* INT PROBE_DONE follows */
    bool ones; /* EAX is all ones where nothing is, and the operand is whole */
};

static const struct form forms[] = {
    {"MOVQ from", 8, {0x0F, 0x6F, 0x03, 0x0F, 0x7F, 0x07, 0x8B, 0x07}, true},
    {"MOVQ, and CLI behind it", 4, {0x0F, 0x6F, 0x03, 0xFA}, false},
    {"MOVQ, and PUSHF behind it", 5, {0x0F, 0x6F, 0x03, 0x9C, 0x58}, false},
    {"MOVQ to", 3, {0x0F, 0x7F, 0x03}, false},
    {"PAVGB", 3, {0x0F, 0xE0, 0x03}, false},
    {"MASKMOVQ", 7, {0x87, 0xDF, 0x0F, 0xF7, 0xC1, 0x87, 0xDF}, false},
    {"MOVAPS from", 8, {0x0F, 0x28, 0x03, 0x0F, 0x11, 0x07, 0x8B, 0x07}, true},
    {"MOVUPS to", 3, {0x0F, 0x11, 0x03}, false},
    {"MOVNTI", 3, {0x0F, 0xC3, 0x03}, false},
    {"ADDSD", 8, {0xF2, 0x0F, 0x58, 0x03, 0x0F, 0x11, 0x07, 0x90}, false},
    {"LDMXCSR", 3, {0x0F, 0xAE, 0x13}, false},
    {"STMXCSR", 3, {0x0F, 0xAE, 0x1B}, false},
    {"FLD m80", 6, {0xDB, 0x2B, 0xDB, 0x3F, 0x8B, 0x07}, true},
    {"FSTP m80", 2, {0xDB, 0x3B}, false},
    {"FILD m64", 6, {0xDF, 0x2B, 0xDF, 0x3F, 0x8B, 0x07}, true},
    {"FISTP m64", 2, {0xDF, 0x3B}, false},
    {"FLDENV", 2, {0xD9, 0x23}, false},
    {"FNSTENV", 2, {0xD9, 0x33}, false},
    {"FRSTOR", 2, {0xDD, 0x23}, false},
    {"FNSAVE", 2, {0xDD, 0x33}, false},
    {"FXSAVE", 3, {0x0F, 0xAE, 0x03}, false},
    {"FNSTCW", 2, {0xD9, 0x3B}, false},
    {"SHLD", 4, {0x0F, 0xA4, 0x03, 0x04}, false},
    {"SHRD", 3, {0x0F, 0xAD, 0x03}, false},
    {"IMUL", 3, {0x0F, 0xAF, 0x03}, false},
    {"MUL", 2, {0xF7, 0x23}, false},
    {"DIV", 2, {0xF7, 0x33}, false},
    {"IDIV", 2, {0xF7, 0x3B}, false},
    {"BSF", 3, {0x0F, 0xBC, 0x03}, false},
    {"BSR", 3, {0x0F, 0xBD, 0x03}, false},
    {"BOUND", 2, {0x62, 0x03}, false},
    {"XLAT", 1, {0xD7}, false},
    {"CMPXCHG8B", 3, {0x0F, 0xC7, 0x0B}, false},
    {"CALL", 2, {0xFF, 0x13}, false},
    {"JMP", 2, {0xFF, 0x23}, false},
    {"ENTER", 6, {0x89, 0xDD, 0xC8, 0x10, 0x00, 0x03}, false},
    {"LEAVE", 7, {0x89, 0xE6, 0x89, 0xDD, 0xC9, 0x89, 0xF4}, false},
    {"PUSHA", 5, {0x87, 0xDC, 0x60, 0x87, 0xDC}, false},
    {"POPA", 8, {0x87, 0xDC, 0x61, 0xBC, 0x00, 0x08, 0x40, 0x01}, false},
};
enum { FORMS = sizeof forms / sizeof *forms };

/* What the page of the operand leads to; behind it there is no page. */
struct place {
    const char *name;
    uint32_t pte, offset;
    bool nothing; /* is there, and room for every operand */
};

static const struct place places[] = {
    {"nothing", 0xE0000000 | PTE_P | PTE_W | PTE_U, 0x80, true},
    {"nothing, read-only", 0xE0000000 | PTE_P | PTE_U, 0x80, true},
    {"nothing, to the end of the page", 0xE0000000 | PTE_P | PTE_W | PTE_U,
     0xFFE, false},
    {"a screen", 0x000B8000 | PTE_P | PTE_W | PTE_U, 0x80, false},
    {"a local APIC", 0xFEE00000 | PTE_P | PTE_W | PTE_U, 0x20, false},
};
enum { PLACES = sizeof places / sizeof *places, CASES = PLACES * FORMS * 2 };

static uint8_t code[FORMS][PROBE_ENTRY_BYTES];
static struct probe_case cases[CASES];

static const struct form *form_of(uint32_t i)
{
    return &forms[i % FORMS];
}

static const struct place *place_of(uint32_t i)
{
    return &places[i / FORMS % PLACES];
}

static void make(void)
{
    for (unsigned i = 0; i < FORMS; i++) {
        memset(code[i], 0xCC, sizeof code[i]);
        memcpy(code[i], forms[i].bytes, forms[i].length);
        memcpy(code[i] + forms[i].length, (const uint8_t[]){0xCD, PROBE_DONE},
               2);
    }
    for (uint32_t i = 0; i < CASES; i++) {
        const struct place *p = place_of(i);

        cases[i] = (struct probe_case){
            .flags = CASE_SANDBOX | CASE_CONTROL | CASE_ENTRIES |
                     (i / FORMS / PLACES ? CASE_USER : 0u),
            .pde = PROBE_WINDOW_TABLE | PTE_P | PTE_W | PTE_U,
            .pte = p->pte,
            .cr0 = PROBE_CR0,
            .cr4 = CR4_OSFXSR,
            .eip = probe_entry(i % FORMS),
            .eflags = EFL_FIXED | EFL_IF,
            .gpr = {AT, AT, AT, STACK, PROBE_WINDOW + p->offset, 7, 2, 1},
        };
    }
}

static void run(const struct way *way, struct outcome outcomes[CASES])
{
    static struct probe_result results[CASES];
    struct probe_table t = {.cases = cases,
                            .case_count = CASES,
                            .code = (const uint8_t(*)[PROBE_ENTRY_BYTES])code,
                            .code_count = FORMS};
    enum vm_stop stop;
    uint32_t done = probe_run(way, &t, results, &stop);

    cr_assert_eq(done, CASES, "%s: stopped at %s, %s (%d)", way->name,
                 form_of(done)->name, place_of(done)->name, stop);
    for (uint32_t i = 0; i < CASES; i++)
        outcomes[i] = (struct outcome){results[i], VM_RUNNING};
}

static struct outcome bare[CASES], other[CASES];

Test(operands, reads_are_ones_where_nothing_is)
{
    make();
    run(&ways[WAY_BARE], bare);
    for (uint32_t i = 0; i < CASES; i++)
        if (form_of(i)->ones && place_of(i)->nothing)
            cr_expect_eq(bare[i].result.gpr[7], UINT32_MAX, "%s, %s: %08x",
                         form_of(i)->name, place_of(i)->name,
                         bare[i].result.gpr[7]);
}

Test(operands, where_no_memory_is)
{
    struct way way;

    make();
    run(&ways[WAY_BARE], bare);
    for (unsigned n = 0; guest_way(n, &way); n++) {
        run(&way, other);
        for (uint32_t i = 0; i < CASES; i++) {
            const char *what = outcome_difference(&bare[i], &other[i]);

            cr_expect_null(what, "%s, ring %u, %s, %s: another %s", way.name,
                           cases[i].flags & CASE_USER ? 3 : 0, form_of(i)->name,
                           place_of(i)->name, what);
        }
    }
}
