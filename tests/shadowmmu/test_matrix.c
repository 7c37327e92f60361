/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_matrix.c - every combination of rights, on both
 * techniques, against the reference. */
#include "tests/shadowmmu/test_world.h"

enum { DIRECTORY = 0x1000, TABLE = 0x2000, DATA = 0x3000, LINEAR = 0x400000 };
/* PAE: the directory's entry 2 is LINEAR's. */
enum { POINTERS = 0x4000, PAE_PDE = DIRECTORY + 2 * 8 };

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

static bool is_pae(const struct world *w)
{
    return (w->vcpu.cr4 & CR4_PAE) != 0;
}

static uint32_t pde_at(const struct world *w)
{
    return is_pae(w) ? PAE_PDE : DIRECTORY + 4;
}

static void poke_entry(struct world *w, uint32_t at, uint64_t entry)
{
    world_poke(w, at, (uint32_t)entry);
    if (is_pae(w))
        world_poke(w, at + 4, (uint32_t)(entry >> 32));
}

static void set_entries(struct world *w, uint64_t pde, uint64_t pte)
{
    poke_entry(w, pde_at(w), pde);
    poke_entry(w, TABLE, pte);
    mmu_invlpg(w->mmu, LINEAR);
}

static void one(struct world *w, unsigned access)
{
    world_access(w, LINEAR, access, 0x12345678);
    assert_same_word(w, pde_at(w));
    assert_same_word(w, TABLE);
}

/* Every pair of accesses in a row, each done twice. */
static void all_accesses(struct world *w, uint64_t pde, uint64_t pte)
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

/* P, W, U and NX of both levels, the directory entry's A, and of the page table
 * entry's A and D the three combinations that a processor makes. */
static void pae_matrix(const struct mmu_technique *t, uint32_t cr0,
                       uint64_t efer)
{
    static const uint32_t marks[] = {0, PTE_A, PTE_A | PTE_D};
    struct world *w = world_create(t, 0, 1, 0);

    w->vcpu.efer = efer;
    world_poke(w, POINTERS, DIRECTORY | PTE_P);
    world_mode(w, CR0_PE, CR4_PAE);
    world_cr3(w, POINTERS);
    world_mode(w, CR0_PE | CR0_PG | cr0, CR4_PAE);
    for (unsigned i = 0; i < 32; i++) {
        uint64_t pde = pde_bits(i & 15) | ((i & 16) ? PTE_NX : 0);

        for (unsigned j = 0; j < 48; j++)
            all_accesses(w, pde | TABLE,
                         pde_bits(j & 7) | ((j & 8) ? PTE_NX : 0) |
                             marks[j / 16] | DATA);
        all_accesses(w, pde | PTE_PS, 0);
        all_accesses(w, pde | PTE_PS | PTE_D, 0);
        all_accesses(w, pde | PTE_PS | 0x2000, 0); /* reserved */
        all_accesses(w, pde | PTE_PS | 0x1000, 0); /* PAT: ignored */
        all_accesses(w, pde | TABLE | 1ull << 36, DATA | PTE_P); /* reserved */
    }
    all_accesses(w, TABLE | PTE_P | PTE_W | PTE_A,
                 DATA | PTE_P | PTE_A | 1ull << 52); /* reserved */
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

#define PAE_MATRIX(name, technique, cr0, efer)                                 \
    Test(mmu_matrix, pae_##name)                                               \
    {                                                                          \
        pae_matrix(&technique, cr0, efer);                                     \
    }

PAE_MATRIX(tlb_nx, mmu_tlb_emulation, CR0_WP, EFER_NXE)
PAE_MATRIX(tlb_without_wp, mmu_tlb_emulation, 0, EFER_NXE)
PAE_MATRIX(tlb_without_nx, mmu_tlb_emulation, CR0_WP, 0)
PAE_MATRIX(shadow_nx, mmu_shadow, CR0_WP, EFER_NXE)
PAE_MATRIX(shadow_without_wp, mmu_shadow, 0, EFER_NXE)
PAE_MATRIX(shadow_without_nx, mmu_shadow, CR0_WP, 0)
