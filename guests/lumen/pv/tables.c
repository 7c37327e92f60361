/* SPDX-License-Identifier: MIT */
/* pv/tables.c - page tables and context switches, by hypercall.
 *
 * Inside batch_begin() and batch_end() changes are collected, and go to the
 * VMM together: one exit for a whole fork, one for a context switch. With
 * "nobatch" on the command line each goes alone, to show what that saves.
 */
#include "kernel.h"
#include "machine.h"
#include "trap.h"
#include "x86.h"

#define UPDATES 256u
#define OPS     64u

static struct pv_mmu_update updates[UPDATES];
static struct pv_mmu_op ops[OPS];
static uint32_t update_count, op_count, depth;
static uint32_t stack; /* for stack_switch; 0: none is due    */
static uint32_t directory;

static void add_call(struct pv_call *calls, uint32_t *n, uint32_t number,
                     uint32_t a, uint32_t b)
{
    calls[(*n)++] = (struct pv_call){number, 0, {a, b}};
}

/* The stack first, entries before what relies on them. */
static void flush(void)
{
    struct pv_call calls[3];
    int32_t bad = 0;
    uint32_t n = 0;

    if (stack)
        add_call(calls, &n, PV_STACK_SWITCH, SEL_KERNEL_DATA, stack);
    if (update_count)
        add_call(calls, &n, PV_MMU_UPDATE, (uint32_t)updates, update_count);
    if (op_count)
        add_call(calls, &n, PV_MMU_OP, (uint32_t)ops, op_count);
    if (n == 1)
        calls[0].result = hypercall2(calls[0].number, calls[0].argument[0],
                                     calls[0].argument[1]);
    else if (n)
        bad = hypercall2(PV_MULTICALL, (uint32_t)calls, n);
    for (uint32_t i = 0; i < n; i++)
        bad |= calls[i].result;
    stack = update_count = op_count = 0;
    if (bad)
        panic(NULL, "the VMM refuses a change of the page tables");
}

static void added(void)
{
    if (depth == 0 || update_count == UPDATES || op_count == OPS)
        flush();
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

void pte_set(pte_t *pte, pte_t value)
{
    updates[update_count++] = (struct pv_mmu_update){virt_to_phys(pte), value};
    added();
}

static void operate(uint32_t command, uint32_t value)
{
    ops[op_count++] = (struct pv_mmu_op){command, value};
    added();
}

void table_free(phys_t frame)
{
    operate(PV_MMU_NO_TABLE, frame);
    frame_free(frame);
}

void invlpg(uint32_t va)
{
    operate(PV_MMU_INVLPG, va);
}

uint32_t read_cr3(void)
{
    return directory ? directory : virt_to_phys(kernel_directory);
}

void write_cr3(uint32_t next)
{
    directory = next;
    operate(PV_MMU_NEW_BASE, next);
}

void tss_set_stack(uint32_t esp0)
{
    stack = esp0;
    added();
}
