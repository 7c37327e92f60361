/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_matrix.c - every combination of rights, on both
 * techniques, against the reference. */
#include "tests/shadowmmu/test_world.h"

enum { DIRECTORY = 0x1000, TABLE = 0x2000, DATA = 0x3000, LINEAR = 0x400000 };

static uint32_t pde_bits(unsigned i)
{
    return ((i & 1) ? PTE_P : 0) | ((i & 2) ? PTE_W : 0) |
           ((i & 4) ? PTE_U : 0) | ((i & 8) ? PTE_A : 0) |
           ((i & 16) ? PTE_D : 0) | ((i & 32) ? PTE_PS : 0);
}

static uint32_t pte_bits(unsigned i)
{
    return pde_bits(i) & (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
}

static void set_entries(struct world *w, uint32_t pde, uint32_t pte)
{
    world_poke(w, DIRECTORY + 4, pde);
    world_poke(w, TABLE, pte);
    mmu_invlpg(w->mmu, LINEAR);
}

static void one(struct world *w, unsigned access)
{
    world_access(w, LINEAR, access, 0x12345678);
    assert_same_word(w, DIRECTORY + 4);
    assert_same_word(w, TABLE);
}

/* Every pair of accesses in a row, each done twice. */
static void all_accesses(struct world *w, uint32_t pde, uint32_t pte)
{
    static const unsigned access[] = {
        0,
        ACC_WRITE,
        ACC_FETCH,
        ACC_USER,
        ACC_USER | ACC_WRITE,
        ACC_USER | ACC_FETCH,
    };

    for (unsigned first = 0; first < 6; first++)
        for (unsigned second = 0; second < 6; second++) {
            set_entries(w, pde, pte);
            one(w, access[first]);
            one(w, access[first]);
            one(w, access[second]);
            one(w, access[first]);
        }
}

static void matrix(const struct mmu_technique *t, uint32_t cr0, uint32_t cr4)
{
    struct world *w = world_create(t, 0, 1, 0);

    world_cr3(w, DIRECTORY);
    world_mode(w, CR0_PE | CR0_PG | cr0, cr4);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t pde = pde_bits(i);

        if ((pde & PTE_PS) && cr4) {
            all_accesses(w, pde, 0);
            all_accesses(w, pde | 0x2000, 0);   /* reserved */
            all_accesses(w, pde | 0x200000, 0); /* reserved */
            all_accesses(w, pde | 0x1000, 0);   /* PAT: ignored */
            continue;
        }
        for (unsigned j = 0; j < 32; j++)
            all_accesses(w, pde | TABLE, pte_bits(j) | DATA);
    }
    assert_audit(w);
    assert_same_memory(w);
    world_destroy(w);
}

#define MATRIX(name, technique, cr0, cr4)                                      \
    Test(mmu_matrix, name)                                                     \
    {                                                                          \
        matrix(&technique, cr0, cr4);                                          \
    }

MATRIX(tlb_wp, mmu_tlb_emulation, CR0_WP, CR4_PSE)
MATRIX(tlb_without_wp, mmu_tlb_emulation, 0, CR4_PSE)
MATRIX(tlb_without_pse, mmu_tlb_emulation, CR0_WP, 0)
MATRIX(shadow_wp, mmu_shadow, CR0_WP, CR4_PSE)
MATRIX(shadow_without_wp, mmu_shadow, 0, CR4_PSE)
MATRIX(shadow_without_pse, mmu_shadow, CR0_WP, 0)
