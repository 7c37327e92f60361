/* SPDX-License-Identifier: MIT */
/* cpu/vmx_capability.c - which settings of the controls this processor has.
 *
 * Reference: SDM 3D, "VMX Capability Reporting Facility". The bits that must
 * be 1 are the manual's "default1" class; what else may be 1 is what is built.
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

/* The TRUE registers say more of the processor-based controls: CR3 exiting may
 * be 0. The debug registers are always loaded and saved. */
#define PIN_DEFAULT1       0x00000016u
#define PROC_DEFAULT1      0x0401E172u
#define PROC_TRUE_DEFAULT1 0x04006172u
#define EXIT_DEFAULT1      0x00036DFFu
#define ENTRY_DEFAULT1     0x000011FFu

#define PIN_BUILT (PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI)
#define PROC_BUILT                                                             \
    (PROC_INTERRUPT_WINDOW | PROC_TSC_OFFSET | PROC_HLT | PROC_INVLPG |        \
     PROC_RDPMC | PROC_RDTSC | PROC_CR3_LOAD | PROC_CR3_STORE |                \
     PROC_NMI_WINDOW | PROC_MOV_DR | PROC_IO | PROC_IO_BITMAPS |               \
     PROC_MONITOR_TRAP | PROC_MSR_BITMAPS | PROC_PAUSE | PROC_SECONDARY)
#define PROC2_BUILT                                                            \
    (PROC2_EPT | PROC2_DESCRIPTOR_TABLE | PROC2_VPID | PROC2_WBINVD |          \
     PROC2_UNRESTRICTED)
#define EXIT_BUILT  (EXIT_ACKNOWLEDGE | EXIT_SAVE_EFER | EXIT_LOAD_EFER)
#define ENTRY_BUILT ENTRY_LOAD_EFER

/* Revision, region of 4 KiB, write-back memory, TRUE registers. */
#define BASIC ((uint64_t)VMX_REVISION | 4096ull << 32 | 6ull << 50 | 1ull << 55)
/* HLT as an activity state, unrestricted guest, four CR3-target values. */
#define MISC (1u << 6 | 4u << 16)

/* EPT: walks of 4 levels (bit 6), and of 2 and 3 (bits 4 and 5, reserved on
 * silicon); uncacheable and write-back tables; pages of 2 MiB; accessed and
 * dirty bits; INVEPT of both types, INVVPID of all four. */
#define EPT_VPID_CAP                                                           \
    (7ull << 4 | 1ull << 8 | 1ull << 14 | 1ull << 16 | 1ull << 20 |            \
     1ull << 21 | 3ull << 25 | 1ull << 32 | 7ull << 40)

#define CR0_FIXED0 (CR0_PE | CR0_NE | CR0_PG)

static uint64_t pair(uint32_t must, uint32_t may)
{
    return (uint64_t)(must | may) << 32 | must;
}

uint64_t vmx_capability(uint32_t msr)
{
    switch (msr) {
    case MSR_VMX_BASIC: return BASIC;
    case MSR_VMX_PIN:
    case MSR_VMX_TRUE_PIN: return pair(PIN_DEFAULT1, PIN_BUILT);
    case MSR_VMX_PROC: return pair(PROC_DEFAULT1, PROC_BUILT);
    case MSR_VMX_TRUE_PROC: return pair(PROC_TRUE_DEFAULT1, PROC_BUILT);
    case MSR_VMX_PROC2: return pair(0, PROC2_BUILT);
    case MSR_VMX_EPT_VPID_CAP: return EPT_VPID_CAP;
    case MSR_VMX_EXIT:
    case MSR_VMX_TRUE_EXIT: return pair(EXIT_DEFAULT1, EXIT_BUILT);
    case MSR_VMX_ENTRY:
    case MSR_VMX_TRUE_ENTRY: return pair(ENTRY_DEFAULT1, ENTRY_BUILT);
    case MSR_VMX_MISC: return MISC;
    case MSR_VMX_CR0_FIXED0: return CR0_FIXED0;
    case MSR_VMX_CR0_FIXED1: return ARCH_CR0_BITS;
    case MSR_VMX_CR4_FIXED0: return CR4_VMXE;
    case MSR_VMX_CR4_FIXED1: return CR4_VMXE | ARCH_CR4_BITS;
    default: return 0;
    }
}

uint32_t vmx_must_be(uint32_t msr)
{
    return (uint32_t)vmx_capability(msr);
}

uint32_t vmx_may_be(uint32_t msr)
{
    return (uint32_t)(vmx_capability(msr) >> 32);
}
