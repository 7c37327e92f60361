/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_permissions_pae.c - who may touch what, in PAE paging.
 *
 * As test_permissions.c, with entries of 8 bytes: both levels' no-execute bits
 * with EFER.NXE and without, the bits that are reserved, pages of 2 MiB. What
 * must come of each case is computed here from the manual's words.
 *
 * Reference: SDM 3A, "PAE Paging", "Access Rights", "Page-Fault Exceptions".
 */
#include "tests/vmm/permissions.h"

#define RIGHTS         (PTE_P | PTE_W | PTE_U)
#define LARGE_RESERVED 0x1FE000u

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

/* Each case, and the access once more. */
static void add_all(struct permission_cases *t, uint64_t pde, uint64_t pte,
                    uint32_t efer)
{
    for (unsigned v = 0; v < VARIANTS; v++) {
        permissions_add(t, pde, pte, CR4_PAE, v)->efer = efer;
        permissions_add(t, pde, pte, CR4_PAE, v + VARIANTS)->efer = efer;
    }
}

/* P, W, U and no-execute by the bits of a number. */
static uint64_t rights(unsigned n)
{
    return (n & 7) | (n & 8 ? PTE_NX : 0);
}

static void add_rights(struct permission_cases *t)
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

static void add_reserved(struct permission_cases *t)
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

Test(permissions_pae, bare_and_virtualized)
{
    static const unsigned which[] = {WAY_BARE,        WAY_TRAP_TLB,
                                     WAY_TRAP_SHADOW, WAY_HVM_TLB,
                                     WAY_HVM_SHADOW,  WAY_HVM_NESTED};
    struct permission_cases t = {.pae = true, .rule = rule};

    permissions_open(&t);
    add_rights(&t);
    add_reserved(&t);
    for (unsigned w = 0; w < sizeof which / sizeof *which; w++)
        permissions_run(&t, &ways[which[w]]);
    permissions_close(&t);
}
