/* SPDX-License-Identifier: MIT */
/* test_paging.c - page faults, accessed and dirty bits, the TLB.
 *
 * All of it happens in a window of the kernel's address space where nothing
 * else is.
 *
 * Reference: SDM 3A, "Interrupt 14 - Page-Fault Exception (#PF)", "Accessed
 * and Dirty Flags", "Caching Translation Information".
 */
#include "kernel.h"
#include "machine.h"
#include "selftest.h"
#include "x86.h"

#define BIG_WINDOW (WINDOW + BIG_PAGE)

/* Map a frame at WINDOW, with nothing stale in the TLB. */
static pte_t *map_window(phys_t frame, pte_t flags)
{
    pte_t *pte = directory_entry(virt_to_phys(kernel_directory), WINDOW, false);

    pte_set(pte, frame | flags);
    invlpg(WINDOW);
    return pte;
}

static volatile uint32_t *window(void)
{
    return (volatile uint32_t *)WINDOW;
}

static phys_t scratch[2]; /* frames holding 1 and 2              */

/* The first test: it leaves the scratch frames to the others. */
static const char *test_frames(void)
{
    uint32_t before = frames_free();
    phys_t a = frame_alloc(), b = frame_alloc();
    bool good = a && b && a != b && frames_free() == before - 2;

    frame_share(a);
    frame_free(a);
    good = good && frame_references(a) == 1;
    frame_free(a);
    frame_free(b);
    good = good && frames_free() == before;

    for (uint32_t i = 0; i < 2; i++) {
        scratch[i] = frame_alloc();
        *(uint32_t *)phys_to_virt(scratch[i]) = i + 1;
    }
    return good ? NULL : "frames are miscounted";
}

static const char *check_page_fault(uint32_t va, uint32_t error)
{
    const char *why = check_frame(VEC_PF, error, fault_at);

    return !why && trap_probe.cr2 != va ? "wrong address in CR2" : why;
}

static const char *test_fault_not_present(void)
{
    const char *why;

    map_window(0, 0);
    PROBE("movl (%[va]), %%eax", [va] "r"(WINDOW + 8));
    why = check_page_fault(WINDOW + 8, 0);
    if (why)
        return why;
    PROBE("movl %%eax, (%[va])", [va] "r"(WINDOW + 12));
    return check_page_fault(WINDOW + 12, PF_W);
}

static const char *test_write_protect(void)
{
    map_window(scratch[0], PTE_P);
    if (*window() != 1)
        return "a read-only page cannot be read";
    PROBE("movl %%eax, (%[va])", [va] "r"(WINDOW));
    if (*window() != 1)
        return "the write went through";
    return check_page_fault(WINDOW, PF_P | PF_W);
}

#ifndef LUMEN_PV /* CR0 is the VMM's, and WP is set */
/* Without CR0.WP, ring 0 may write to read-only pages. */
static const char *test_write_protect_off(void)
{
    uint32_t cr0 = read_cr0();
    bool hit;

    map_window(scratch[0], PTE_P);
    write_cr0(cr0 & ~CR0_WP);
    PROBE("movl $1, (%[va])", [va] "r"(WINDOW));
    hit = trap_probe.hit;
    write_cr0(cr0);
    if (hit)
        return "a fault although CR0.WP is clear";
    PROBE("movl $1, (%[va])", [va] "r"(WINDOW));
    return check_page_fault(WINDOW, PF_P | PF_W);
}

#endif

/* The directory entry's W bit counts as well. */
static const char *test_directory_protect(void)
{
    pte_t *pde = &kernel_directory[WINDOW >> 22];
    const char *why;

    map_window(scratch[0], PTE_P | PTE_W);
    *window() = 1;
    pte_set(pde, pte_get(pde) & ~(pte_t)PTE_W);
    tlb_flush();
    PROBE("movl $9, (%[va])", [va] "r"(WINDOW));
    why = check_page_fault(WINDOW, PF_P | PF_W);
    pte_set(pde, pte_get(pde) | PTE_W);
    tlb_flush();
    return why;
}

static const char *test_accessed_dirty(void)
{
    pte_t *pte = map_window(scratch[0], PTE_P | PTE_W);
    pte_t *pde = &kernel_directory[WINDOW >> 22];

    for (uint32_t round = 0; round < 3; round++) {
        pte_set(pde, pte_get(pde) & ~(pte_t)PTE_A);
        pte_set(pte, pte_get(pte) & ~(pte_t)(PTE_A | PTE_D));
        tlb_flush();
        if (*window() != 1)
            return "wrong contents";
        if (!(*pte & PTE_A) || !(*pde & PTE_A))
            return "a read does not set the accessed bits";
        if (*pte & PTE_D)
            return "a read sets the dirty bit";
        *window() = 1;
        if (!(*pte & PTE_D))
            return "a write does not set the dirty bit";
    }
    return NULL;
}

static const char *test_invlpg(void)
{
    for (uint32_t round = 0; round < 8; round++) {
        map_window(scratch[round % 2], PTE_P | PTE_W);
        if (*window() != round % 2 + 1)
            return "INVLPG does not make a new mapping visible";
    }
    return NULL;
}

static const char *test_flush_by_cr3(void)
{
    pte_t *pte = map_window(scratch[0], PTE_P | PTE_W);

    for (uint32_t round = 0; round < 8; round++) {
        pte_set(pte, scratch[round % 2] | PTE_P | PTE_W);
        tlb_flush();
        if (*window() != round % 2 + 1)
            return "loading CR3 does not make a new mapping visible";
    }
    return NULL;
}

#ifndef LUMEN_PV /* so is CR4: no global pages */
/* Global pages outlive a load of CR3, but not a change of CR4.PGE. With "pge"
 * on the command line only. */
static const char *test_flush_by_pge(void)
{
    pte_t *pte = map_window(scratch[0], PTE_P | PTE_W | PTE_G);
    uint32_t cr4 = read_cr4();

    if (!(cr4 & CR4_PGE))
        return NULL;
    for (uint32_t round = 0; round < 4; round++) {
        pte_set(pte, scratch[round % 2] | PTE_P | PTE_W | PTE_G);
        write_cr4(cr4 & ~CR4_PGE);
        write_cr4(cr4);
        if (*window() != round % 2 + 1)
            return "changing CR4.PGE does not flush global pages";
    }
    return NULL;
}

#endif

/* A string store runs into a page that is not there: what it has done so far
 * stays done, and EDI and ECX say how to go on. */
static const char *test_string_restart(void)
{
    const char *why;

    map_window(scratch[0], PTE_P | PTE_W);
    PROBE("movl %[va], %%edi\n\t"
          "movl $16, %%ecx\n\t"
          "xorl %%eax, %%eax\n\t"
          "movl $3f, %[at]\n"
          "3:\trep stosb",
          [va] "i"(WINDOW + PAGE_SIZE - 6));
    why = check_page_fault(WINDOW + PAGE_SIZE, PF_W);
    if (why)
        return why;
    return trap_probe.seen.ecx == 10 &&
                   trap_probe.seen.edi == WINDOW + PAGE_SIZE
               ? NULL
               : "ECX and EDI do not tell how far it came";
}

/* With "pse" on the command line only. */
static const char *test_big_page(void)
{
    static volatile uint32_t cell = 3;
    phys_t pa = virt_to_phys((void *)&cell);
    volatile uint32_t *alias = (volatile uint32_t *)(BIG_WINDOW + pa);
    pte_t *pde = &kernel_directory[BIG_WINDOW >> 22];
    const char *why = NULL;

    if (!(read_cr4() & CR4_PSE))
        return NULL;
    pte_set(pde, PTE_P | PTE_W | PDE_PS);
    tlb_flush();
    if (*alias != 3 || !(*pde & PTE_A) || (*pde & PTE_D))
        why = "reading through a 4 MiB page";
    *alias = 4;
    if (!why && (cell != 4 || !(*pde & PTE_D)))
        why = "writing through a 4 MiB page";
    pte_set(pde, 0);
    tlb_flush();
    cell = 3;
    return why;
}

const struct self_test paging_tests[] = {
    {"frame allocator", test_frames},
    {"fault: page not present", test_fault_not_present},
    {"fault: write to read-only", test_write_protect},
#ifndef LUMEN_PV
    {"CR0.WP off and on", test_write_protect_off},
#endif
    {"read-only directory entry", test_directory_protect},
    {"accessed and dirty bits", test_accessed_dirty},
    {"INVLPG", test_invlpg},
    {"TLB flush by CR3", test_flush_by_cr3},
#ifndef LUMEN_PV
    {"TLB flush by PGE, if on", test_flush_by_pge},
#endif
    {"4 MiB page, if on", test_big_page},
    {"fault in a string store", test_string_restart},
    {NULL, NULL},
};
