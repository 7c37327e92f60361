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
#include "tests/vmm/permissions.h"

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

/* Each case and the same once more. (CR0 and CR4 stay: no flush comes between
 * the two.) */
static void add_all(struct permission_cases *t, uint32_t pde, uint32_t pte,
                    uint32_t cr4)
{
    for (unsigned v = 0; v < VARIANTS; v++) {
        permissions_add(t, pde, pte, cr4, v);
        permissions_add(t, pde, pte, cr4, v + VARIANTS);
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

static void make(struct permission_cases *t)
{
    static const uint32_t bits[] = {PTE_P, PTE_W, PTE_U, PTE_A, PTE_D};

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
        uint32_t pde = PROBE_LARGE_GPA | PTE_PS | pick(d, bits, 5);

        add_all(t, pde, PROBE_WINDOW_GPA, CR4_PSE);
        add_all(t, pde, PROBE_WINDOW_GPA | PTE_P | PTE_W | PTE_U, CR4_PSE);
    }
}

Test(permissions, bare_and_virtualized)
{
    static const unsigned which[] = {WAY_BARE, WAY_TRAP_TLB, WAY_TRAP_SHADOW};
    struct permission_cases t = {.rule = rule};

    permissions_open(&t);
    make(&t);
    for (unsigned w = 0; w < sizeof which / sizeof *which; w++)
        permissions_run(&t, &ways[which[w]]);
    permissions_close(&t);
}
