/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_permissions.c - who may touch what, on the whole machine.
 *
 * Every combination of the bits of both levels, of CR0.WP and CR4.PSE, of the
 * kind of access and its privilege. What must come of it is computed here from
 * the manual's words; the bare machine and the monitor must both say so, also
 * of the bits that are left in the tables, also when the access comes again.
 *
 * Reference: SDM 3A, "Determination of Access Rights", "Accessed and Dirty
 * Flags", "Page-Fault Exceptions".
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86.h"
#include "tests/support/probe.h"

enum access { READ, WRITE, FETCH, ACCESSES };

static const uint8_t code[ACCESSES][PROBE_ENTRY_BYTES] = {
    [READ] = {0x8B, 0x06, 0xCD, PROBE_DONE},        /* mov eax, [esi] */
    [WRITE] = {0x88, 0x46, 0x20, 0xCD, PROBE_DONE}, /* mov [esi + 20h], al */
    [FETCH] = {0xFF, 0xE6},                         /* jmp esi */
};

struct expected {
    bool faults;
    uint32_t error, pde, pte;
};

static uint32_t wanted_rights(const struct probe_case *c, enum access access)
{
    bool user = c->flags & CASE_USER;
    uint32_t need = user ? PTE_U : 0;

    if (access == WRITE && (user || (c->cr0 & CR0_WP)))
        need |= PTE_W;
    return need;
}

/* The manual's rules. */
static struct expected rule(const struct probe_case *c, enum access access)
{
    bool large = (c->pde & PTE_PS) && (c->cr4 & CR4_PSE);
    uint32_t need = wanted_rights(c, access);
    uint32_t rights = large ? c->pde : c->pde & c->pte;
    struct expected e = {.pde = c->pde, .pte = c->pte};

    e.error =
        (access == WRITE ? PF_WRITE : 0) | (c->flags & CASE_USER ? PF_USER : 0);
    if (!(c->pde & PTE_P) || (!large && !(c->pte & PTE_P))) {
        e.faults = true;
    } else if ((rights & need) != need) {
        e.faults = true;
        e.error |= PF_PRESENT;
    } else {
        uint32_t leaf = PTE_A | (access == WRITE ? PTE_D : 0);

        e.pde |= large ? leaf : PTE_A;
        e.pte |= large ? 0 : leaf;
    }
    return e;
}

/* ---- the cases
 * ----------------------------------------------------------------- */

struct table {
    struct probe_case *cases;
    uint8_t *access;
    uint32_t count;
};

static void add(struct table *t, uint32_t pde, uint32_t pte, uint32_t cr4,
                unsigned variant)
{
    enum access access = (enum access)(variant % ACCESSES);
    bool user = variant / ACCESSES & 1, protect = variant / ACCESSES & 2;
    bool again = variant / ACCESSES & 4;
    struct probe_case *c = &t->cases[t->count];

    *c = (struct probe_case){
        .flags = (user ? CASE_USER : 0u) | CASE_CONTROL |
                 (again ? 0u : CASE_ENTRIES),
        .pde = pde,
        .pte = pte,
        .cr0 = protect ? PROBE_CR0 : PROBE_CR0 & ~CR0_WP,
        .cr4 = cr4,
        .eip = probe_entry(access),
        .eflags = EFL_FIXED | EFL_IF,
        .gpr = {0, PROBE_WINDOW, 0, PROBE_SANDBOX + 0x800, 0, 0, 0, 0x5A},
    };
    t->access[t->count++] = (uint8_t)access;
}

/* Each case and the same once more. (CR0 and CR4 stay: no flush comes between
 * the two.) */
static void add_all(struct table *t, uint32_t pde, uint32_t pte, uint32_t cr4)
{
    for (unsigned v = 0; v < 4 * ACCESSES; v++) {
        add(t, pde, pte, cr4, v);
        add(t, pde, pte, cr4, v + 4 * ACCESSES);
        t->cases[t->count - 1].flags &= ~(uint32_t)CASE_CONTROL;
    }
}

static uint32_t pick(unsigned index, const uint32_t *bit, unsigned bits)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bits; i++)
        if (index >> i & 1)
            value |= bit[i];
    return value;
}

static void make(struct table *t)
{
    static const uint32_t bits[] = {PTE_P, PTE_W, PTE_U, PTE_A, PTE_D};
    static const uint32_t psebits[] = {PTE_P, PTE_W, PTE_U, PTE_A, PTE_D};

    t->cases = calloc(PROBE_CASES_MAX, sizeof *t->cases);
    t->access = calloc(PROBE_CASES_MAX, 1);
    cr_assert(t->cases && t->access);
    /* Small pages; bit 7 of the PDE means nothing without CR4.PSE. */
    for (unsigned d = 0; d < 16; d++)
        for (unsigned p = 0; p < 32; p++) {
            uint32_t pde = PROBE_WINDOW_TABLE | pick(d, bits, 4);
            uint32_t pte = PROBE_WINDOW_GPA | pick(p, bits, 5);

            add_all(t, pde, pte, d & 8 ? CR4_PSE : 0);
            add_all(t, pde | PTE_PS, pte, 0);
        }
    /* Large ones; the PTE must not matter. */
    for (unsigned d = 0; d < 32; d++) {
        uint32_t pde = PROBE_LARGE_GPA | PTE_PS | pick(d, psebits, 5);

        add_all(t, pde, PROBE_WINDOW_GPA, CR4_PSE);
        add_all(t, pde, PROBE_WINDOW_GPA | PTE_P | PTE_W | PTE_U, CR4_PSE);
    }
    cr_assert(t->count <= PROBE_CASES_MAX);
}

static unsigned check(const struct way *way, const struct probe_case *c,
                      enum access access, const struct probe_result *r,
                      uint32_t number)
{
    static const char *const names[] = {"read", "write", "fetch"};
    struct expected e = rule(c, access);
    bool ok = r->vector == (e.faults ? VEC_PF : PROBE_DONE) &&
              (!e.faults ||
               (r->error == e.error &&
                r->cr2 == PROBE_WINDOW + (access == WRITE ? 0x20 : 0))) &&
              r->pde == e.pde && r->pte == e.pte;

    cr_expect(ok,
              "%s, case %u: %s %s WP=%u PSE=%u PDE %08x PTE %08x%s: vector %u "
              "(%s) error %x (%x) CR2 %08x PDE %08x (%08x) PTE %08x (%08x)",
              way->name, number, c->flags & CASE_USER ? "user" : "supervisor",
              names[access], (c->cr0 & CR0_WP) != 0, (c->cr4 & CR4_PSE) != 0,
              c->pde, c->pte, c->flags & CASE_ENTRIES ? "" : ", again",
              r->vector, e.faults ? "14" : "64", r->error, e.error, r->cr2,
              r->pde, e.pde, r->pte, e.pte);
    return !ok;
}

Test(permissions, bare_and_virtualized)
{
    static const unsigned which[] = {WAY_BARE, WAY_TRAP_TLB, WAY_TRAP_SHADOW};
    struct table t = {.count = 0};
    struct probe_result *results = calloc(PROBE_CASES_MAX, sizeof *results);

    make(&t);
    cr_assert_not_null(results);
    for (unsigned w = 0; w < sizeof which / sizeof *which; w++) {
        const struct way *way = &ways[which[w]];
        struct probe_table table = {t.cases, t.count, code, ACCESSES, 0, false};
        enum vm_stop stop;
        uint32_t done = probe_run(way, &table, results, &stop);
        unsigned wrong = 0;

        cr_expect_eq(stop, VM_DEBUG_EXIT, "%s: %d", way->name, stop);
        cr_expect_eq(done, t.count, "%s: %u of %u", way->name, done, t.count);
        for (uint32_t i = 0; i < done && wrong < 10; i++)
            wrong += check(way, &t.cases[i], (enum access)t.access[i],
                           &results[i], i);
    }
    free(results);
    free(t.cases);
    free(t.access);
}
