/* SPDX-License-Identifier: MIT */
/* cpu/vmx.h - hardware support for virtual machines, as VT-x defines it.
 *
 * The instructions of VMX are operations that the monitor (C code, which is
 * "software in VMX root operation" here) calls on the machine. The guest runs
 * in VMX non-root operation: natively, at its own privilege levels, through
 * its own descriptor tables, until an event that the VMCS's controls name
 * makes it exit. Then client.vm_exit is called; it finds what happened in the
 * VMCS and ends by vmx_resume() (or by machine_stop()).
 *
 * Between an exit and the next entry the processor still holds the guest's
 * general registers, CR2 and DR0-DR6, as on silicon (machine_reg() and
 * machine_get_state() read them). The guest-state area is cached in the
 * processor: VMREAD and VMWRITE see it, memory does after VMCLEAR.
 *
 * Where this differs from silicon, all for want of code that runs in root
 * operation on the engine: the host-state area is checked and not loaded;
 * VMXON does not look at CR0, CR4 and IA32_FEATURE_CONTROL. "Unrestricted
 * guest" does not ask for EPT: without it, CR3's tables translate also while
 * the guest's CR0.PG is 0, so that real mode needs no emulation. MSR-load and
 * MSR-store areas must be empty.
 *
 * Reference: SDM 3C, "Introduction to Virtual Machine Extensions" to "VMX
 * Instruction Reference"; SDM 3D, "VMX Capability Reporting Facility", "VMX
 * Basic Exit Reasons", "Field Encoding in VMCS".
 */
#ifndef CPU_VMX_H
#define CPU_VMX_H

#include "cpu/arch.h"
#include "cpu/machine.h"
#include "cpu/vmx_fields.h"

/* How a VMX instruction ends. SDM 3C, "Conventions". */
enum vmx_result {
    VMX_SUCCEED,
    VMX_FAIL_INVALID, /* there is no current VMCS to hold an error number */
    VMX_FAIL_VALID,   /* the VM-instruction error field says why */
    VMX_UNDEFINED,    /* #UD: not in VMX operation */
};

/* SDM 3C, "VM Instruction Error Numbers". */
enum vmx_error {
    VMX_ERROR_VMCLEAR_ADDRESS = 2,
    VMX_ERROR_VMCLEAR_VMXON_POINTER = 3,
    VMX_ERROR_VMLAUNCH_NOT_CLEAR = 4,
    VMX_ERROR_VMRESUME_NOT_LAUNCHED = 5,
    VMX_ERROR_ENTRY_CONTROLS = 7,
    VMX_ERROR_ENTRY_HOST_STATE = 8,
    VMX_ERROR_VMPTRLD_ADDRESS = 9,
    VMX_ERROR_VMPTRLD_VMXON_POINTER = 10,
    VMX_ERROR_VMPTRLD_REVISION = 11,
    VMX_ERROR_NO_SUCH_FIELD = 12,
    VMX_ERROR_READ_ONLY_FIELD = 13,
    VMX_ERROR_VMXON_IN_ROOT = 15,
    VMX_ERROR_INVALIDATION_OPERAND = 28, /* of INVEPT, INVVPID */
};

/* SDM 3D, "VMX Basic Exit Reasons". */
enum vmx_reason {
    VMX_EXCEPTION_OR_NMI = 0,
    VMX_EXTERNAL_INTERRUPT = 1,
    VMX_TRIPLE_FAULT = 2,
    VMX_INTERRUPT_WINDOW = 7,
    VMX_NMI_WINDOW = 8,
    VMX_TASK_SWITCH = 9,
    VMX_CPUID = 10,
    VMX_HLT = 12,
    VMX_INVD = 13,
    VMX_INVLPG = 14,
    VMX_RDPMC = 15,
    VMX_RDTSC = 16,
    VMX_VMCALL = 18,
    VMX_VMCLEAR = 19,
    VMX_VMLAUNCH = 20,
    VMX_VMPTRLD = 21,
    VMX_VMPTRST = 22,
    VMX_VMREAD = 23,
    VMX_VMRESUME = 24,
    VMX_VMWRITE = 25,
    VMX_VMXOFF = 26,
    VMX_VMXON = 27,
    VMX_CR_ACCESS = 28,
    VMX_DR_ACCESS = 29,
    VMX_IO = 30,
    VMX_RDMSR = 31,
    VMX_WRMSR = 32,
    VMX_BAD_GUEST_STATE = 33,
    VMX_MONITOR_TRAP = 37,
    VMX_PAUSE = 40,
    VMX_GDTR_IDTR_ACCESS = 46,
    VMX_LDTR_TR_ACCESS = 47,
    VMX_EPT_VIOLATION = 48,
    VMX_EPT_MISCONFIGURATION = 49,
    VMX_INVEPT = 50,
    VMX_INVVPID = 53,
    VMX_WBINVD = 54,
    VMX_REASONS = 64,
};
#define VMX_ENTRY_FAILURE 0x80000000u /* in the exit reason */

/* "external interrupt", or NULL. */
const char *vmx_reason_name(unsigned reason);

/* Pin-based controls. */
#define PIN_EXTERNAL_INTERRUPT 0x00000001u
#define PIN_NMI                0x00000008u
#define PIN_VIRTUAL_NMI        0x00000020u

/* Primary processor-based controls. */
#define PROC_INTERRUPT_WINDOW 0x00000004u
#define PROC_TSC_OFFSET       0x00000008u
#define PROC_HLT              0x00000080u
#define PROC_INVLPG           0x00000200u
#define PROC_RDPMC            0x00000800u
#define PROC_RDTSC            0x00001000u
#define PROC_CR3_LOAD         0x00008000u
#define PROC_CR3_STORE        0x00010000u
#define PROC_NMI_WINDOW       0x00400000u
#define PROC_MOV_DR           0x00800000u
#define PROC_IO               0x01000000u
#define PROC_IO_BITMAPS       0x02000000u
#define PROC_MONITOR_TRAP     0x08000000u
#define PROC_MSR_BITMAPS      0x10000000u
#define PROC_PAUSE            0x40000000u
#define PROC_SECONDARY        0x80000000u

/* Secondary processor-based controls. */
#define PROC2_EPT              0x00000002u
#define PROC2_DESCRIPTOR_TABLE 0x00000004u
#define PROC2_VPID             0x00000020u
#define PROC2_WBINVD           0x00000040u
#define PROC2_UNRESTRICTED     0x00000080u

#define EXIT_ACKNOWLEDGE 0x00008000u
#define EXIT_SAVE_EFER   0x00100000u
#define EXIT_LOAD_EFER   0x00200000u

#define ENTRY_LOAD_EFER 0x00008000u

/* Interruption information: vector in bits 7:0. */
#define INTERRUPTION_VALID      0x80000000u
#define INTERRUPTION_HAS_ERROR  0x00000800u
#define INTERRUPTION_TYPE       0x00000700u
#define INTERRUPTION_TYPE_SHIFT 8
enum interruption_type {
    TYPE_EXTERNAL = 0,
    TYPE_NMI = 2,
    TYPE_HARDWARE_EXCEPTION = 3,
    TYPE_SOFTWARE_INTERRUPT = 4,
    TYPE_PRIVILEGED_SOFTWARE = 5, /* INT1 */
    TYPE_SOFTWARE_EXCEPTION = 6,  /* INT3, INTO */
};

/* An event by its interruption information; the error only if it has one. */
struct arch_event vmx_event(uint32_t info, uint32_t error, uint32_t next_eip);

/* Guest interruptibility state. */
#define BLOCKING_STI    0x1u
#define BLOCKING_MOV_SS 0x2u
#define BLOCKING_NMI    0x8u

enum { ACTIVITY_ACTIVE = 0, ACTIVITY_HLT = 1 };

#define RIGHTS_UNUSABLE 0x10000u

/* CR4.VMXE, which is 1 in VMX operation. */
#define CR4_VMXE 0x00002000u

/* Capability MSRs. Of the controls: low half, bits that must be 1; high half,
 * bits that may be. */
enum {
    MSR_VMX_BASIC = 0x480,
    MSR_VMX_PIN = 0x481,
    MSR_VMX_PROC = 0x482,
    MSR_VMX_EXIT = 0x483,
    MSR_VMX_ENTRY = 0x484,
    MSR_VMX_MISC = 0x485,
    MSR_VMX_CR0_FIXED0 = 0x486,
    MSR_VMX_CR0_FIXED1 = 0x487,
    MSR_VMX_CR4_FIXED0 = 0x488,
    MSR_VMX_CR4_FIXED1 = 0x489,
    MSR_VMX_PROC2 = 0x48B,
    MSR_VMX_EPT_VPID_CAP = 0x48C,
    MSR_VMX_TRUE_PIN = 0x48D,
    MSR_VMX_TRUE_PROC = 0x48E,
    MSR_VMX_TRUE_EXIT = 0x48F,
    MSR_VMX_TRUE_ENTRY = 0x490,
};
uint64_t vmx_capability(uint32_t msr);

/* What a VMCS or VMXON region begins with. */
enum { VMX_REVISION = 0x554D4252 };

/* Where there is no current VMCS. */
#define VMX_NO_VMCS (~UINT64_C(0))

/* The instructions. Regions are 4 KiB frames of machine memory. */
enum vmx_result vmx_on(struct machine *m, ma_t region);
enum vmx_result vmx_off(struct machine *m);
enum vmx_result vmx_clear(struct machine *m, ma_t vmcs);
enum vmx_result vmx_load(struct machine *m, ma_t vmcs);        /* VMPTRLD */
enum vmx_result vmx_store(const struct machine *m, ma_t *out); /* VMPTRST */
enum vmx_result vmx_read(struct machine *m, uint32_t encoding, uint32_t *out);
enum vmx_result vmx_write(struct machine *m, uint32_t encoding, uint32_t value);
/* The guest runs from the next machine_run() on (or when client.vm_exit
 * returns). An entry whose guest state is refused succeeds and exits. */
enum vmx_result vmx_launch(struct machine *m);
enum vmx_result vmx_resume(struct machine *m);

/* INVVPID: a VPID's translations, whatever nested tables they are derived from.
 * SDM 3C, "INVVPID - Invalidate Translations Based on VPID". SVM's INVLPGA is
 * INVVPID_ADDRESS (cpu/README.md has the table). */
enum vmx_invvpid {
    INVVPID_ADDRESS, /* one page of a VPID, global or not */
    INVVPID_CONTEXT,
    INVVPID_ALL,   /* of every VPID but 0 */
    INVVPID_LOCAL, /* a context's, retaining globals */
};
enum vmx_result vmx_invvpid(struct machine *m, enum vmx_invvpid type,
                            uint16_t vpid, uint32_t linear);

/* INVEPT: what is derived from nested tables, of whatever VPID; those of one
 * pointer, or all. SDM 3C, "INVEPT - Invalidate Translations Derived from EPT".
 */
enum vmx_invept { INVEPT_CONTEXT = 1, INVEPT_ALL = 2 };
enum vmx_result vmx_invept(struct machine *m, enum vmx_invept type,
                           uint64_t eptp);

/* The check that the latest failed VM entry did not pass, in words; "". */
const char *vmx_complaint(const struct machine *m);

/* A field of the current VMCS from wherever its value is, at any time and
 * without effect (for screens). False: there is no current VMCS. */
bool vmx_peek(const struct machine *m, enum vmcs_place place, uint64_t *value);

/* What the latest delivery of an event to the guest ran through (for reports:
 * no field of a VMCS tells). injected: the first of them was the VM entry's. */
const struct arch_chain *vmx_delivery(const struct machine *m, bool *injected);

/* Is the guest running (VMX non-root operation)? */
bool vmx_non_root(const struct machine *m);

/* Root software writes the registers that it shares with the guest. */
void vmx_set_cr2(struct machine *m, uint32_t value);
void vmx_set_dr(struct machine *m, unsigned n, uint32_t value);

#endif
