/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_permissions_pae.c - who may touch what, in PAE paging.
 *
 * As test_permissions.c, with entries of 8 bytes: both levels' no-execute bits
 * with EFER.NXE and without, the bits that are reserved, pages of 2 MiB. What
 * must come of each case is computed here from the manual's words.
 *
 * Reference: SDM 3A, "PAE Paging", "Access Rights", "Page-Fault Exceptions".
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cpu/x86.h"
#include "tests/support/probe.h"

enum access { READ, WRITE, FETCH, ACCESSES };

static const uint8_t code[ACCESSES][PROBE_ENTRY_BYTES] = {
    [READ] = {0x8B, 0x06, 0xCD, PROBE_DONE},        /* mov eax, [esi] */
    [WRITE] = {0x88, 0x46, 0x20, 0xCD, PROBE_DONE}, /* mov [esi + 20h], al */
    [FETCH] = {0xFF, 0xE6},                         /* jmp esi */
};

#define RIGHTS         (PTE_P | PTE_W | PTE_U)
#define LARGE_RESERVED 0x1FE000u

struct expected {
    bool faults;
    uint32_t error;
    uint64_t pde, pte;
};

static uint64_t pde_of(const struct probe_case *c)
{
    return (uint64_t)c->pde_high << 32 | c->pde;
}

static uint64_t pte_of(const struct probe_case *c)
{
    return (uint64_t)c->pte_high << 32 | c->pte;
}

/* "Reserved Bits" of an entry that is present; MAXPHYADDR is 32. */
static bool reserved(uint64_t entry, bool large, bool nxe)
{
    return (entry & 0x7FFFFFFF00000000u) || (!nxe && (entry & PTE_NX)) ||
           (large && (entry & LARGE_RESERVED));
}

/* The manual's rules. */
static struct expected rule(const struct probe_case *c, enum access access)
{
    uint64_t pde = pde_of(c), pte = pte_of(c);
    bool large = pde & PTE_PS, user = c->flags & CASE_USER;
    bool nxe = c->efer & EFER_NXE, read_only, present;
    uint64_t any = large ? pde : pde | pte, all = large ? pde : pde & pte;
    struct expected e = {.faults = true, .pde = pde, .pte = pte};

    e.error = (access == WRITE ? PF_WRITE : 0) | (user ? PF_USER : 0) |
              (access == FETCH && nxe ? PF_FETCH : 0);
    if ((pde & PTE_P) && reserved(pde, large, nxe)) {
        e.error |= PF_PRESENT | PF_RSVD;
        return e;
    }
    present = (pde & PTE_P) && (large || (pte & PTE_P));
    if (!present)
        return e;
    e.error |= PF_PRESENT;
    if (!large && reserved(pte, false, nxe)) {
        e.error |= PF_RSVD;
        return e;
    }
    read_only = !(all & PTE_W) && (user || (c->cr0 & CR0_WP));
    if ((user && !(all & PTE_U)) || (access == WRITE && read_only) ||
        (access == FETCH && (any & PTE_NX)))
        return e;
    e.faults = false;
    e.pde |= PTE_A | (large && access == WRITE ? PTE_D : 0);
    if (!large)
        e.pte |= PTE_A | (access == WRITE ? PTE_D : 0);
    return e;
}

/* ---- the cases
 * ----------------------------------------------------------------- */

struct table {
    struct probe_case *cases;
    uint8_t *access;
    uint32_t count;
};

static void add(struct table *t, uint64_t pde, uint64_t pte, uint32_t efer,
                unsigned variant)
{
    enum access access = (enum access)(variant % ACCESSES);
    bool user = variant / ACCESSES & 1, protect = variant / ACCESSES & 2;
    bool again = variant / ACCESSES & 4;
    struct probe_case *c = &t->cases[t->count];

    *c = (struct probe_case){
        .flags = (user ? CASE_USER : 0u) | CASE_WIDE |
                 (again ? 0u : CASE_ENTRIES | CASE_CONTROL),
        .pde = (uint32_t)pde,
        .pde_high = (uint32_t)(pde >> 32),
        .pte = (uint32_t)pte,
        .pte_high = (uint32_t)(pte >> 32),
        .cr0 = protect ? PROBE_CR0 : PROBE_CR0 & ~CR0_WP,
        .cr4 = CR4_PAE,
        .efer = efer,
        .eip = probe_entry(access),
        .eflags = EFL_FIXED | EFL_IF,
        .gpr = {0, PROBE_WINDOW, 0, PROBE_SANDBOX + 0x800, 0, 0, 0, 0x5A},
    };
    t->access[t->count++] = (uint8_t)access;
}

/* Each case, and the access once more. */
static void add_all(struct table *t, uint64_t pde, uint64_t pte, uint32_t efer)
{
    for (unsigned v = 0; v < 4 * ACCESSES; v++) {
        add(t, pde, pte, efer, v);
        add(t, pde, pte, efer, v + 4 * ACCESSES);
    }
}

/* P, W, U and no-execute by the bits of a number. */
static uint64_t rights(unsigned n)
{
    return (n & 7) | (n & 8 ? PTE_NX : 0);
}

static void add_rights(struct table *t)
{
    for (unsigned nxe = 0; nxe < 2; nxe++)
        for (unsigned d = 0; d < 16; d++) {
            for (unsigned p = 0; p < 16; p++)
                add_all(t, PROBE_PAE_WINDOW_TABLE | rights(d),
                        PROBE_WINDOW_GPA | rights(p), nxe ? EFER_NXE : 0);
            /* A page of 2 MiB; the PTE must not matter. */
            add_all(t, PROBE_LARGE_GPA | PTE_PS | rights(d), PROBE_WINDOW_GPA,
                    nxe ? EFER_NXE : 0);
            add_all(t, PROBE_LARGE_GPA | PTE_PS | PTE_D | rights(d), ~0ull,
                    nxe ? EFER_NXE : 0);
        }
}

static void add_reserved(struct table *t)
{
    static const uint64_t high[] = {1ull << 32, 1ull << 51, 1ull << 52,
                                    1ull << 62};
    const uint64_t table = PROBE_PAE_WINDOW_TABLE | RIGHTS;
    const uint64_t page = PROBE_WINDOW_GPA | RIGHTS;
    const uint64_t large = PROBE_LARGE_GPA | PTE_PS | RIGHTS;

    for (unsigned i = 0; i < sizeof high / sizeof *high; i++) {
        add_all(t, table | high[i], page, EFER_NXE);
        add_all(t, table, page | high[i], EFER_NXE);
        add_all(t, large | high[i], page, EFER_NXE);
        add_all(t, (table & ~(uint64_t)PTE_P) | high[i], page, 0);
    }
    for (unsigned bit = 13; bit <= 20; bit++)
        add_all(t, large | 1u << bit, page, 0);
    add_all(t, large | 1u << 12, page, 0); /* PAT: not reserved */
}

/* ---- the verdict
 * --------------------------------------------------------------- */

static bool check(const struct way *way, const struct probe_case *c,
                  enum access access, const struct probe_result *r,
                  uint32_t number)
{
    static const char *const names[] = {"read", "write", "fetch"};
    struct expected e = rule(c, access);
    uint64_t pde = (uint64_t)r->pde_high << 32 | r->pde;
    uint64_t pte = (uint64_t)r->pte_high << 32 | r->pte;
    bool ok = r->vector == (e.faults ? VEC_PF : PROBE_DONE) &&
              (!e.faults ||
               (r->error == e.error &&
                r->cr2 == PROBE_WINDOW + (access == WRITE ? 0x20 : 0))) &&
              pde == e.pde && pte == e.pte;

    cr_expect(ok,
              "%s, case %u: %s %s WP=%u NXE=%u PDE %016" PRIx64
              " PTE %016" PRIx64
              "%s: vector %u (%s) error %x (%x) CR2 %08x PDE %016" PRIx64
              " (%016" PRIx64 ") PTE %016" PRIx64 " (%016" PRIx64 ")",
              way->name, number, c->flags & CASE_USER ? "user" : "supervisor",
              names[access], (c->cr0 & CR0_WP) != 0, (c->efer & EFER_NXE) != 0,
              pde_of(c), pte_of(c), c->flags & CASE_ENTRIES ? "" : ", again",
              r->vector, e.faults ? "14" : "64", r->error, e.error, r->cr2, pde,
              e.pde, pte, e.pte);
    return ok;
}

static void run_all(const struct way *way, const struct table *t,
                    struct probe_result *results)
{
    struct probe_table table = {.cases = t->cases,
                                .case_count = t->count,
                                .code = code,
                                .code_count = ACCESSES,
                                .pae = true};
    enum vm_stop stop;
    uint32_t done = probe_run(way, &table, results, &stop);
    unsigned wrong = 0;

    cr_expect_eq(stop, VM_DEBUG_EXIT, "%s: %d", way->name, stop);
    cr_expect_eq(done, t->count, "%s: %u of %u", way->name, done, t->count);
    for (uint32_t i = 0; i < done && wrong < 10; i++)
        wrong += !check(way, &t->cases[i], (enum access)t->access[i],
                        &results[i], i);
}

Test(permissions_pae, bare_and_virtualized)
{
    static const unsigned which[] = {WAY_BARE,        WAY_TRAP_TLB,
                                     WAY_TRAP_SHADOW, WAY_HVM_TLB,
                                     WAY_HVM_SHADOW,  WAY_HVM_NESTED};
    struct probe_result *results = calloc(PROBE_CASES_MAX, sizeof *results);
    struct table t = {.count = 0};

    t.cases = calloc(PROBE_CASES_MAX, sizeof *t.cases);
    t.access = calloc(PROBE_CASES_MAX, 1);
    cr_assert(t.cases && t.access && results);
    add_rights(&t);
    add_reserved(&t);
    cr_assert(t.count <= PROBE_CASES_MAX);
    for (unsigned w = 0; w < sizeof which / sizeof *which; w++)
        run_all(&ways[which[w]], &t, results);
    free(results);
    free(t.cases);
    free(t.access);
}
