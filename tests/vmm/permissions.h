/* SPDX-License-Identifier: MIT */
/* tests/vmm/permissions.h - accesses through page tables, made by the probe:
 * what each came to, against what the manual says. The rule is the test's. */
#ifndef TESTS_VMM_PERMISSIONS_H
#define TESTS_VMM_PERMISSIONS_H

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cpu/x86.h"
#include "tests/support/probe.h"

enum access { READ, WRITE, FETCH, ACCESSES };

/* Kinds of access, user and supervisor, CR0.WP; and each of these again. */
enum { VARIANTS = 4 * ACCESSES };

static const uint8_t access_code[ACCESSES][PROBE_ENTRY_BYTES] = {
    [READ] = {0x8B, 0x06, 0xCD, PROBE_DONE},        /* mov eax, [esi] */
    [WRITE] = {0x88, 0x46, 0x20, 0xCD, PROBE_DONE}, /* mov [esi + 20h], al */
    [FETCH] = {0xFF, 0xE6},                         /* jmp esi */
};

struct expected {
    bool faults;
    uint32_t error;
    uint64_t pde, pte;
};

struct permission_cases {
    struct probe_case *cases;
    uint8_t *access;
    uint32_t count;
    bool pae;
    /* What the manual says. */
    struct expected (*rule)(const struct probe_case *c, enum access access);
};

static inline uint64_t pde_of(const struct probe_case *c)
{
    return (uint64_t)c->pde_high << 32 | c->pde;
}

static inline uint64_t pte_of(const struct probe_case *c)
{
    return (uint64_t)c->pte_high << 32 | c->pte;
}

static inline void permissions_open(struct permission_cases *t)
{
    t->cases = calloc(PROBE_CASES_MAX, sizeof *t->cases);
    t->access = calloc(PROBE_CASES_MAX, 1);
    cr_assert(t->cases && t->access);
}

static inline void permissions_close(struct permission_cases *t)
{
    free(t->cases);
    free(t->access);
}

/* One variant, from VARIANTS on without new entries; to be completed. */
static inline struct probe_case *permissions_add(struct permission_cases *t,
                                                 uint64_t pde, uint64_t pte,
                                                 uint32_t cr4, unsigned variant)
{
    enum access access = (enum access)(variant % ACCESSES);
    bool user = variant / ACCESSES & 1, protect = variant / ACCESSES & 2;
    struct probe_case *c = &t->cases[t->count];

    cr_assert(t->count < PROBE_CASES_MAX);
    *c = (struct probe_case){
        .flags = (user ? CASE_USER : 0u) | (t->pae ? CASE_WIDE : 0u) |
                 (variant < VARIANTS ? CASE_ENTRIES | CASE_CONTROL : 0u),
        .pde = (uint32_t)pde,
        .pde_high = (uint32_t)(pde >> 32),
        .pte = (uint32_t)pte,
        .pte_high = (uint32_t)(pte >> 32),
        .cr0 = protect ? PROBE_CR0 : PROBE_CR0 & ~CR0_WP,
        .cr4 = cr4,
        .eip = probe_entry(access),
        .eflags = EFL_FIXED | EFL_IF,
        .gpr = {0, PROBE_WINDOW, 0, PROBE_SANDBOX + 0x800, 0, 0, 0, 0x5A},
    };
    t->access[t->count++] = (uint8_t)access;
    return c;
}

static inline bool as_expected(const struct expected *e, enum access access,
                               const struct probe_result *r, uint64_t pde,
                               uint64_t pte)
{
    if (r->vector != (e->faults ? VEC_PF : PROBE_DONE))
        return false;
    if (e->faults && (r->error != e->error ||
                      r->cr2 != PROBE_WINDOW + (access == WRITE ? 0x20 : 0)))
        return false;
    return pde == e->pde && pte == e->pte;
}

static inline bool permissions_check(const struct permission_cases *t,
                                     const struct way *way, uint32_t number,
                                     const struct probe_result *r)
{
    static const char *const names[] = {"read", "write", "fetch"};
    const struct probe_case *c = &t->cases[number];
    enum access access = (enum access)t->access[number];
    struct expected e = t->rule(c, access);
    uint64_t pde = (uint64_t)r->pde_high << 32 | r->pde;
    uint64_t pte = (uint64_t)r->pte_high << 32 | r->pte;
    bool ok = as_expected(&e, access, r, pde, pte);

    cr_expect(ok,
              "%s, case %u: %s %s CR0 %08x CR4 %08x EFER %x PDE %" PRIx64
              " PTE %" PRIx64 "%s: vector %u (%u) error %x (%x) CR2 %08x "
              "PDE %" PRIx64 " (%" PRIx64 ") PTE %" PRIx64 " (%" PRIx64 ")",
              way->name, number, c->flags & CASE_USER ? "user" : "supervisor",
              names[access], c->cr0, c->cr4, c->efer, pde_of(c), pte_of(c),
              c->flags & CASE_ENTRIES ? "" : ", again", r->vector,
              e.faults ? VEC_PF : PROBE_DONE, r->error, e.error, r->cr2, pde,
              e.pde, pte, e.pte);
    return ok;
}

/* All cases under one way; the first ten failures are told. */
static inline void permissions_run(const struct permission_cases *t,
                                   const struct way *way)
{
    struct probe_table table = {.cases = t->cases,
                                .case_count = t->count,
                                .code = access_code,
                                .code_count = ACCESSES,
                                .pae = t->pae};
    struct probe_result *results = calloc(PROBE_CASES_MAX, sizeof *results);
    enum vm_stop stop;
    uint32_t done;
    unsigned wrong = 0;

    cr_assert_not_null(results);
    done = probe_run(way, &table, results, &stop);
    cr_expect_eq(stop, VM_DEBUG_EXIT, "%s: %d", way->name, stop);
    cr_expect_eq(done, t->count, "%s: %u of %u", way->name, done, t->count);
    for (uint32_t i = 0; i < done && wrong < 10; i++)
        wrong += !permissions_check(t, way, i, &results[i]);
    free(results);
}

#endif
