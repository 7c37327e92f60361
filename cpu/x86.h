/* SPDX-License-Identifier: MIT */
/* cpu/x86.h - the architecture's names for bits and numbers.
 *
 * Reference: Intel SDM 2, "System Architecture Overview"; SDM 3A, "Paging",
 * "Protection", "Interrupt and Exception Handling". Nothing here is ours.
 */
#ifndef CPU_X86_H
#define CPU_X86_H

#include <stdint.h>

enum gpr {
    GPR_EAX,
    GPR_ECX,
    GPR_EDX,
    GPR_EBX,
    GPR_ESP,
    GPR_EBP,
    GPR_ESI,
    GPR_EDI,
    GPR_COUNT
};

enum seg_reg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* Exception vectors. SDM 3A, "Exception and Interrupt Reference". */
enum vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19,
    VEC_EXCEPTIONS = 32, /* the first vector free for interrupts */
    VEC_COUNT = 256,
};

/* EFLAGS. */
#define EFL_CF         0x00000001u
#define EFL_FIXED      0x00000002u /* always one */
#define EFL_PF         0x00000004u
#define EFL_AF         0x00000010u
#define EFL_ZF         0x00000040u
#define EFL_SF         0x00000080u
#define EFL_TF         0x00000100u
#define EFL_IF         0x00000200u
#define EFL_DF         0x00000400u
#define EFL_OF         0x00000800u
#define EFL_IOPL       0x00003000u
#define EFL_IOPL_SHIFT 12
#define EFL_NT         0x00004000u
#define EFL_RF         0x00010000u
#define EFL_VM         0x00020000u
#define EFL_AC         0x00040000u
#define EFL_VIF        0x00080000u
#define EFL_VIP        0x00100000u
#define EFL_ID         0x00200000u
#define EFL_ARITH      (EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF | EFL_OF)
#define EFL_DEFINED                                                            \
    0x00277FD7u /* every bit that can be set; VIF and VIP are VME's, which     \
                   this processor has not (CPUID) */

/* CR0. */
#define CR0_PE 0x00000001u
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u
#define CR0_TS 0x00000008u
#define CR0_ET 0x00000010u
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u
#define CR0_AM 0x00040000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

/* CR4. */
#define CR4_VME        0x00000001u
#define CR4_PVI        0x00000002u
#define CR4_TSD        0x00000004u
#define CR4_DE         0x00000008u
#define CR4_PSE        0x00000010u
#define CR4_PAE        0x00000020u
#define CR4_MCE        0x00000040u
#define CR4_PGE        0x00000080u
#define CR4_PCE        0x00000100u
#define CR4_OSFXSR     0x00000200u
#define CR4_OSXMMEXCPT 0x00000400u
#define CR4_UMIP       0x00000800u

/* DR6. */
#define DR6_BS 0x00004000u /* single step */

/* EFER. SDM 3A, "IA32_EFER MSR". */
#define EFER_NXE 0x800u

/* Page-table entries, of 4 and of 8 bytes. SDM 3A, "Paging". */
#define PTE_P           0x001u
#define PTE_W           0x002u
#define PTE_U           0x004u
#define PTE_PWT         0x008u
#define PTE_PCD         0x010u
#define PTE_A           0x020u
#define PTE_D           0x040u
#define PTE_PS          0x080u /* in a PDE: a large page (CR4.PSE, or PAE) */
#define PTE_G           0x100u
#define PTE_FRAME       0xFFFFF000u
#define PDE_LARGE_FRAME 0xFFC00000u
#define PTE_NX          0x8000000000000000u /* 8 bytes, with EFER.NXE */
#define PAGING_ADDRESS  0x000FFFFFFFFFF000u /* of a table or page */

/* Page-fault error code. SDM 3A, "Interrupt 14 - Page-Fault Exception". */
#define PF_PRESENT 0x01u /* 0: a page was not present; 1: a right was */
#define PF_WRITE   0x02u
#define PF_USER    0x04u
#define PF_RSVD    0x08u
#define PF_FETCH   0x10u

/* Selectors. */
#define SEL_RPL       0x0003u
#define SEL_TI        0x0004u /* 1: in the LDT */
#define SEL_INDEX     0xFFF8u
#define SEL_NULL(sel) (((sel) & ~SEL_RPL) == 0)

/* Segment attributes, in the order of a descriptor's second word shifted
 * right by eight and masked with 0xF0FF (as VT-x stores access rights). */
#define SEG_TYPE      0x000Fu
#define SEG_ACCESSED  0x0001u
#define SEG_WRITABLE  0x0002u /* data */
#define SEG_READABLE  0x0002u /* code */
#define SEG_EXPAND    0x0004u /* data: expand down */
#define SEG_CONFORM   0x0004u /* code: conforming */
#define SEG_CODE      0x0008u
#define SEG_S         0x0010u /* 1: code or data; 0: system */
#define SEG_DPL       0x0060u
#define SEG_DPL_SHIFT 5
#define SEG_P         0x0080u
#define SEG_AVL       0x1000u
#define SEG_L         0x2000u
#define SEG_D         0x4000u /* 32-bit code or stack */
#define SEG_G         0x8000u /* limit counts pages */
#define SEG_ATTR_MASK 0xF0FFu

/* System descriptor types. SDM 3A, "System Descriptor Types". */
enum {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12,
    SYS_INT32 = 14,
    SYS_TRAP32 = 15,
};

/* Model-specific registers that the machine has. */
enum {
    MSR_TSC = 0x10,
    MSR_APICBASE = 0x1B,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MISC_ENABLE = 0x1A0,
    MSR_PAT = 0x277,
    MSR_EFER = 0xC0000080,
};

#endif
