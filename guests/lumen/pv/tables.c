/* SPDX-License-Identifier: MIT */
/* pv/tables.c - page tables and context switches, by hypercall.
 *
 * Inside batch_begin() and batch_end() changes are collected, and go to the
 * VMM together and in order: one exit for a whole fork, one for a context
 * switch. With "nobatch" on the command line each goes alone, to show what that
 * saves.
 *
 * Where the processor walks these very tables (p2m is there), they hold machine
 * addresses, and a frame is read-only for the kernel while it is a table.
 */
#include "kernel.h"
#include "machine.h"
#include "trap.h"
#include "x86.h"

#define ENTRIES 256u
#define CALLS   64u

/* A struct pv_mmu_update or pv_mmu_op, whichever its call takes. */
static struct {
    uint32_t first, second;
} entries[ENTRIES];
static struct pv_call calls[CALLS];
static uint32_t entry_count, call_count, depth;
static uint32_t directory;

static void flush(void)
{
    uint32_t n = call_count;
    int32_t bad = 0;

    if (n == 1)
        calls[0].result = hypercall2(calls[0].number, calls[0].argument[0],
                                     calls[0].argument[1]);
    else if (n)
        bad = hypercall2(PV_MULTICALL, (uint32_t)calls, n);
    entry_count = call_count = 0;
    for (uint32_t i = 0; i < n && !bad; i++)
        bad = calls[i].result;
    if (bad)
        panic(NULL, "the VMM refuses a change of the page tables (%d)", bad);
}

static void added(void)
{
    if (depth == 0 || entry_count == ENTRIES || call_count == CALLS)
        flush();
}

/* Another entry for this call, which goes on if it was the last. */
static void add(uint32_t number, uint32_t first, uint32_t second)
{
    if (call_count == 0 || calls[call_count - 1].number != number)
        calls[call_count++] =
            (struct pv_call){number, 0, {(uint32_t)&entries[entry_count], 0}};
    calls[call_count - 1].argument[1]++;
    entries[entry_count].first = first;
    entries[entry_count++].second = second;
    added();
}

void batch_begin(void)
{
    if (!cmdline_has("nobatch"))
        depth++;
}

void batch_flush(void)
{
    flush();
}

void batch_end(void)
{
    if (depth && --depth == 0)
        flush();
}

/* ---- addresses as tables hold them ---- */

static uint32_t translate(const uint32_t *map, uint32_t address)
{
    return map ? map[address / PAGE_SIZE] * PAGE_SIZE | (address & ~PAGE_MASK)
               : address;
}

pte_t pte_get(const pte_t *pte)
{
    return *pte & PTE_P ? translate(m2p, *pte) : *pte;
}

pte_t pte_value(pte_t entry)
{
    return entry & PTE_P ? translate(p2m, entry) : entry;
}

void pte_set(pte_t *pte, pte_t value)
{
    add(PV_MMU_UPDATE, translate(p2m, virt_to_phys(pte)), pte_value(value));
}

/* ---- frames that are tables ---- */

static void map_frame(phys_t frame, pte_t flags)
{
    pte_t *pte = directory_entry(virt_to_phys(kernel_directory),
                                 (uint32_t)phys_to_virt(frame), false);

    pte_set(pte, frame | PTE_P | flags);
}

void table_seal(phys_t frame)
{
    if (p2m)
        map_frame(frame, 0);
}

void table_free(phys_t frame)
{
    add(PV_MMU_OP, PV_MMU_NO_TABLE, translate(p2m, frame));
    if (p2m)
        map_frame(frame, PTE_W);
    frame_free(frame);
}

/* ---- frames that come and go ---- */

/* Its entry in the kernel's map of memory, changed at once and alone: what is
 * collected at the moment does not concern it. */
static bool kernel_map(phys_t frame, pte_t entry)
{
    pte_t *pte = directory_entry(virt_to_phys(kernel_directory),
                                 (uint32_t)phys_to_virt(frame), false);
    struct pv_mmu_update update = {translate(p2m, virt_to_phys(pte)),
                                   pte_value(entry)};

    return hypercall2(PV_MMU_UPDATE, (uint32_t)&update, 1) == 0;
}

bool frame_leaves(phys_t frame)
{
    if (call_count)
        return false; /* something collected may name it */
    return !p2m || kernel_map(frame, 0);
}

void frame_is_gone(phys_t frame)
{
    if (p2m)
        p2m[frame / PAGE_SIZE] = PV_NO_FRAME;
}

void frame_comes(phys_t frame, uint32_t machine_frame)
{
    if (!p2m)
        return;
    p2m[frame / PAGE_SIZE] = machine_frame;
    if (!kernel_map(frame, frame | PTE_P | PTE_W))
        panic(NULL, "the VMM refuses frame %x", frame);
}

void directory_seal(phys_t frame)
{
    batch_begin();
    table_seal(frame);
    if (p2m)
        add(PV_MMU_OP, PV_MMU_PIN_DIRECTORY, translate(p2m, frame));
    batch_end();
}

void directory_retire(phys_t frame)
{
    if (p2m)
        add(PV_MMU_OP, PV_MMU_UNPIN, translate(p2m, frame));
}

/* ---- the processor ---- */

void invlpg(uint32_t va)
{
    add(PV_MMU_OP, PV_MMU_INVLPG, va);
}

uint32_t read_cr3(void)
{
    return directory ? directory : virt_to_phys(kernel_directory);
}

void write_cr3(uint32_t next)
{
    directory = next;
    add(PV_MMU_OP, PV_MMU_NEW_BASE, translate(p2m, next));
}

void tss_set_stack(uint32_t esp0)
{
    calls[call_count++] =
        (struct pv_call){PV_STACK_SWITCH, 0, {SEL_KERNEL_DATA, esp0}};
    added();
}
