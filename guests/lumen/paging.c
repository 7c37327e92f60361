/* SPDX-License-Identifier: MIT */
/* paging.c - the kernel's own mappings, and page tables in general.
 *
 * Every process has its page directory; the upper quarter, 0xC0000000 and up,
 * is the same in all of them and never changes after boot, so a directory
 * copies it once.
 *
 * Reference: SDM 3A, "32-Bit Paging" and "Global Pages".
 */
#include "kernel.h"
#include "machine.h"
#include "trap.h"
#include "x86.h"

#define ENTRIES      1024u
#define KERNEL_ENTRY ((uint32_t)KERNEL_BASE >> 22)

pte_t *kernel_directory;

void directory_load(phys_t directory)
{
    write_cr3(directory);
}

/* All but the global pages. */
void tlb_flush(void)
{
    write_cr3(read_cr3());
}

static pte_t make_table(phys_t from, uint32_t memory_bytes, pte_t flags)
{
    pte_t *table = early_alloc(PAGE_SIZE);

    for (uint32_t i = 0; i < ENTRIES; i++) {
        phys_t pa = from + i * PAGE_SIZE;

        if (pa < memory_bytes)
            table[i] = pte_value(pa | flags);
    }
    table_seal(virt_to_phys(table));
    return virt_to_phys(table) | PTE_P | PTE_W;
}

/* Map all memory at KERNEL_BASE, by 4 KiB pages or, for "pse", 4 MiB ones.
 * The first table replaces boot.S's, with the same addresses in it; those of a
 * paravirtual guest's builder are good as they are. */
void paging_init(uint32_t memory_bytes)
{
    uint32_t features =
        cmdline_has("pse") || cmdline_has("pge") ? cpu_features() : 0;
    bool big = cmdline_has("pse") && (features & CPUID_PSE);
    bool global = cmdline_has("pge") && (features & CPUID_PGE);
    pte_t flags = PTE_P | PTE_W | (global ? PTE_G : 0u);

    if (big)
        write_cr4(read_cr4() | CR4_PSE);
    batch_begin();
    for (phys_t pa = big ? 0 : BOOT_TABLES_KEPT; pa < memory_bytes;
         pa += BIG_PAGE)
        pte_set(&kernel_directory[KERNEL_ENTRY + (pa >> 22)],
                big ? pa | flags | PDE_PS
                    : make_table(pa, memory_bytes, flags));

    /* The window's table has to be there before the first process copies
     * the directory. */
    pte_set(&kernel_directory[WINDOW >> 22], make_table(0, 0, 0));
    tlb_flush();
    batch_end();

    /* Setting PGE flushes everything, the pages above included. */
    if (global)
        write_cr4(read_cr4() | CR4_PGE);
}

phys_t directory_create(void)
{
    phys_t frame = frame_alloc();
    pte_t *directory = phys_to_virt(frame);

    if (frame == 0)
        return 0;
    memcpy(directory + KERNEL_ENTRY, kernel_directory + KERNEL_ENTRY,
           (ENTRIES - KERNEL_ENTRY) * sizeof *directory);
    directory_seal(frame);
    return frame;
}

/* The page-table entry for va, or NULL if there is no table (or, with
 * create, no frame for one). Not for addresses under 4 MiB pages. */
pte_t *directory_entry(phys_t directory, uint32_t va, bool create)
{
    pte_t *pde = (pte_t *)phys_to_virt(directory) + (va >> 22);
    phys_t table = pte_get(pde) & PAGE_MASK;

    if (!(*pde & PTE_P)) {
        table = create ? frame_alloc() : 0;
        if (table == 0)
            return NULL;
        batch_begin();
        table_seal(table);
        pte_set(pde, table | PTE_P | PTE_W | PTE_U);
        batch_end();
        batch_flush(); /* or the next page would find none yet     */
    }
    return (pte_t *)phys_to_virt(table) + (va / PAGE_SIZE) % ENTRIES;
}
