/* SPDX-License-Identifier: MIT */
/* cpu/msr.h - model-specific registers that always read the same.
 *
 * A processor of the P6 family has them, and kernels read them without asking:
 * platform, microcode revision, power-on configuration. They hold 0 and what is
 * written to them is dropped.
 *
 * Reference: SDM 4, "MSRs in the P6 Family Processors".
 */
#ifndef CPU_MSR_H
#define CPU_MSR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MSR_PLATFORM_ID = 0x17,
    MSR_EBL_CR_POWERON = 0x2A,
    MSR_BIOS_UPDT_TRIG = 0x79,
    MSR_BIOS_SIGN_ID = 0x8B,
};

static inline bool msr_write_fixed(uint32_t index)
{
    return index == MSR_PLATFORM_ID || index == MSR_EBL_CR_POWERON ||
           index == MSR_BIOS_UPDT_TRIG || index == MSR_BIOS_SIGN_ID;
}

static inline bool msr_read_fixed(uint32_t index, uint64_t *value)
{
    *value = 0;
    return msr_write_fixed(index);
}

#endif
