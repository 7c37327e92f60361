/* SPDX-License-Identifier: MIT */
/* pv/paging.h - in place of the paging registers: tables.c. */
#ifndef LUMEN_PV_PAGING_H
#define LUMEN_PV_PAGING_H

#include "pv/hypercall.h"

/* CR0 and CR4 are the VMM's. These are their bits that matter to a kernel. */
static inline uint32_t read_cr0(void)
{
    return 0x80000000u | CR0_WP;
}

static inline uint32_t cpu_features(void)
{
    return hypercall1(PV_FEATURES, PV_QUERY_FEATURES) & PV_HAS_LARGE_PAGES
               ? CPUID_PSE
               : 0;
}

static inline uint32_t read_cr4(void)
{
    return cpu_features() & CPUID_PSE ? CR4_PSE : 0;
}

/* What the kernel would set is set. */
static inline void write_cr4(uint32_t value)
{
    (void)value;
}

static inline uint32_t read_cr2(void)
{
    return shared->cr2;
}

uint32_t read_cr3(void);
void write_cr3(uint32_t directory);
void invlpg(uint32_t va);

#endif
