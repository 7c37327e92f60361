/* SPDX-License-Identifier: MIT */
/* pv/start.c - what the VMM tells at the start, and how to end. */
#include "irq.h"
#include "kernel.h"
#include "machine.h"
#include "trap.h"

volatile struct pv_shared_info *shared;
uint32_t boot_end, boot_mapped;
uint32_t *p2m;
const uint32_t *m2p;

uint32_t boot_read(uint32_t start_info, uint32_t unused)
{
    const struct pv_start *start = (const void *)start_info;
    uint32_t bytes = start->memory_bytes;

    (void)unused;
    shared = phys_to_virt(start->shared_info_gpa);
    kernel_directory = phys_to_virt(start->directory_gpa);
    boot_end = (uint32_t)phys_to_virt(start->first_free_gpa);
    boot_mapped = start->mapped_bytes;
    if (start->m2p) {
        p2m = (void *)start->p2m;
        m2p = (const void *)start->m2p;
    }
    if (start->magic != PV_START_MAGIC ||
        hypercall1(PV_FEATURES, PV_QUERY_VERSION) != PV_VERSION)
        panic(NULL, "the VMM has another version of the interface");
    cmdline_init(start->command);
    if (start->mapped_bytes < BIG_PAGE)
        panic(NULL, "%u KiB of memory are too few", bytes / 1024);
    return (bytes < MEMORY_MAX ? bytes : MEMORY_MAX) & PAGE_MASK;
}

static _Noreturn void shut_down(uint32_t reason, uint32_t value)
{
    terminal_flush();
    for (;;)
        hypercall3(PV_SCHED_OP, PV_SCHED_SHUTDOWN, reason, value);
}

void machine_stop(void)
{
    shut_down(PV_SHUTDOWN_CRASH, 0);
}

void machine_power_off(void)
{
    shut_down(PV_SHUTDOWN_POWER_OFF, 0);
}

void machine_exit(uint32_t value)
{
    shut_down(PV_SHUTDOWN_EXIT, value & 0xFF);
}

void machine_reboot(void)
{
    shut_down(PV_SHUTDOWN_REBOOT, 0);
}
