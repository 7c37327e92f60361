/* SPDX-License-Identifier: MIT */
/* cpu/vmx_fields.h - the fields of a VMCS, as the manual encodes them.
 *
 * An encoding says what a field is: bit 0 the high half of a 64-bit field,
 * bits 9:1 an index, bits 11:10 the type (control, read-only data, guest
 * state, host state), bits 14:13 the width (16, 64, 32 bits, natural). The
 * area of a control cannot be seen in it and is given here.
 *
 * Reference: SDM 3C, "Field Encoding in VMCS"; SDM 3C, "VMCS Data Organization"
 * names the six areas.
 */
#ifndef CPU_VMX_FIELDS_H
#define CPU_VMX_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

enum vmcs_area {
    AREA_GUEST,
    AREA_HOST,
    AREA_EXECUTION,
    AREA_EXIT,
    AREA_ENTRY,
    AREA_INFORMATION,
    AREA_COUNT,
};

/* X(NAME, encoding, area, "what it is called on a screen") */
#define VMCS_FIELDS(X)                                                         \
    X(GUEST_ES_SELECTOR, 0x0800, GUEST, "ES selector")                         \
    X(GUEST_CS_SELECTOR, 0x0802, GUEST, "CS selector")                         \
    X(GUEST_SS_SELECTOR, 0x0804, GUEST, "SS selector")                         \
    X(GUEST_DS_SELECTOR, 0x0806, GUEST, "DS selector")                         \
    X(GUEST_FS_SELECTOR, 0x0808, GUEST, "FS selector")                         \
    X(GUEST_GS_SELECTOR, 0x080A, GUEST, "GS selector")                         \
    X(GUEST_LDTR_SELECTOR, 0x080C, GUEST, "LDTR selector")                     \
    X(GUEST_TR_SELECTOR, 0x080E, GUEST, "TR selector")                         \
    X(GUEST_ES_LIMIT, 0x4800, GUEST, "ES limit")                               \
    X(GUEST_CS_LIMIT, 0x4802, GUEST, "CS limit")                               \
    X(GUEST_SS_LIMIT, 0x4804, GUEST, "SS limit")                               \
    X(GUEST_DS_LIMIT, 0x4806, GUEST, "DS limit")                               \
    X(GUEST_FS_LIMIT, 0x4808, GUEST, "FS limit")                               \
    X(GUEST_GS_LIMIT, 0x480A, GUEST, "GS limit")                               \
    X(GUEST_LDTR_LIMIT, 0x480C, GUEST, "LDTR limit")                           \
    X(GUEST_TR_LIMIT, 0x480E, GUEST, "TR limit")                               \
    X(GUEST_ES_RIGHTS, 0x4814, GUEST, "ES access rights")                      \
    X(GUEST_CS_RIGHTS, 0x4816, GUEST, "CS access rights")                      \
    X(GUEST_SS_RIGHTS, 0x4818, GUEST, "SS access rights")                      \
    X(GUEST_DS_RIGHTS, 0x481A, GUEST, "DS access rights")                      \
    X(GUEST_FS_RIGHTS, 0x481C, GUEST, "FS access rights")                      \
    X(GUEST_GS_RIGHTS, 0x481E, GUEST, "GS access rights")                      \
    X(GUEST_LDTR_RIGHTS, 0x4820, GUEST, "LDTR access rights")                  \
    X(GUEST_TR_RIGHTS, 0x4822, GUEST, "TR access rights")                      \
    X(GUEST_ES_BASE, 0x6806, GUEST, "ES base")                                 \
    X(GUEST_CS_BASE, 0x6808, GUEST, "CS base")                                 \
    X(GUEST_SS_BASE, 0x680A, GUEST, "SS base")                                 \
    X(GUEST_DS_BASE, 0x680C, GUEST, "DS base")                                 \
    X(GUEST_FS_BASE, 0x680E, GUEST, "FS base")                                 \
    X(GUEST_GS_BASE, 0x6810, GUEST, "GS base")                                 \
    X(GUEST_LDTR_BASE, 0x6812, GUEST, "LDTR base")                             \
    X(GUEST_TR_BASE, 0x6814, GUEST, "TR base")                                 \
    X(GUEST_GDTR_BASE, 0x6816, GUEST, "GDTR base")                             \
    X(GUEST_IDTR_BASE, 0x6818, GUEST, "IDTR base")                             \
    X(GUEST_GDTR_LIMIT, 0x4810, GUEST, "GDTR limit")                           \
    X(GUEST_IDTR_LIMIT, 0x4812, GUEST, "IDTR limit")                           \
    X(GUEST_CR0, 0x6800, GUEST, "CR0")                                         \
    X(GUEST_CR3, 0x6802, GUEST, "CR3")                                         \
    X(GUEST_CR4, 0x6804, GUEST, "CR4")                                         \
    X(GUEST_DR7, 0x681A, GUEST, "DR7")                                         \
    X(GUEST_ESP, 0x681C, GUEST, "ESP")                                         \
    X(GUEST_EIP, 0x681E, GUEST, "EIP")                                         \
    X(GUEST_EFLAGS, 0x6820, GUEST, "EFLAGS")                                   \
    X(GUEST_PENDING_DEBUG, 0x6822, GUEST, "pending debug exceptions")          \
    X(GUEST_SYSENTER_CS, 0x482A, GUEST, "SYSENTER_CS")                         \
    X(GUEST_SYSENTER_ESP, 0x6824, GUEST, "SYSENTER_ESP")                       \
    X(GUEST_SYSENTER_EIP, 0x6826, GUEST, "SYSENTER_EIP")                       \
    X(GUEST_INTERRUPTIBILITY, 0x4824, GUEST, "interruptibility state")         \
    X(GUEST_ACTIVITY, 0x4826, GUEST, "activity state")                         \
    X(GUEST_SMBASE, 0x4828, GUEST, "SMBASE")                                   \
    X(GUEST_DEBUGCTL, 0x2802, GUEST, "IA32_DEBUGCTL")                          \
    X(GUEST_EFER, 0x2806, GUEST, "IA32_EFER")                                  \
    X(GUEST_PDPTE0, 0x280A, GUEST, "PDPTE 0")                                  \
    X(GUEST_PDPTE1, 0x280C, GUEST, "PDPTE 1")                                  \
    X(GUEST_PDPTE2, 0x280E, GUEST, "PDPTE 2")                                  \
    X(GUEST_PDPTE3, 0x2810, GUEST, "PDPTE 3")                                  \
    X(VMCS_LINK_POINTER, 0x2800, GUEST, "VMCS link pointer")                   \
    X(HOST_ES_SELECTOR, 0x0C00, HOST, "ES selector")                           \
    X(HOST_CS_SELECTOR, 0x0C02, HOST, "CS selector")                           \
    X(HOST_SS_SELECTOR, 0x0C04, HOST, "SS selector")                           \
    X(HOST_DS_SELECTOR, 0x0C06, HOST, "DS selector")                           \
    X(HOST_FS_SELECTOR, 0x0C08, HOST, "FS selector")                           \
    X(HOST_GS_SELECTOR, 0x0C0A, HOST, "GS selector")                           \
    X(HOST_TR_SELECTOR, 0x0C0C, HOST, "TR selector")                           \
    X(HOST_EFER, 0x2C02, HOST, "IA32_EFER")                                    \
    X(HOST_SYSENTER_CS, 0x4C00, HOST, "SYSENTER_CS")                           \
    X(HOST_CR0, 0x6C00, HOST, "CR0")                                           \
    X(HOST_CR3, 0x6C02, HOST, "CR3")                                           \
    X(HOST_CR4, 0x6C04, HOST, "CR4")                                           \
    X(HOST_FS_BASE, 0x6C06, HOST, "FS base")                                   \
    X(HOST_GS_BASE, 0x6C08, HOST, "GS base")                                   \
    X(HOST_TR_BASE, 0x6C0A, HOST, "TR base")                                   \
    X(HOST_GDTR_BASE, 0x6C0C, HOST, "GDTR base")                               \
    X(HOST_IDTR_BASE, 0x6C0E, HOST, "IDTR base")                               \
    X(HOST_SYSENTER_ESP, 0x6C10, HOST, "SYSENTER_ESP")                         \
    X(HOST_SYSENTER_EIP, 0x6C12, HOST, "SYSENTER_EIP")                         \
    X(HOST_ESP, 0x6C14, HOST, "ESP")                                           \
    X(HOST_EIP, 0x6C16, HOST, "EIP")                                           \
    X(PIN_CONTROLS, 0x4000, EXECUTION, "pin-based controls")                   \
    X(PROC_CONTROLS, 0x4002, EXECUTION, "processor-based controls")            \
    X(PROC2_CONTROLS, 0x401E, EXECUTION, "secondary controls")                 \
    X(EXCEPTION_BITMAP, 0x4004, EXECUTION, "exception bitmap")                 \
    X(PF_ERROR_MASK, 0x4006, EXECUTION, "page-fault error mask")               \
    X(PF_ERROR_MATCH, 0x4008, EXECUTION, "page-fault error match")             \
    X(IO_BITMAP_A, 0x2000, EXECUTION, "I/O bitmap A")                          \
    X(IO_BITMAP_B, 0x2002, EXECUTION, "I/O bitmap B")                          \
    X(MSR_BITMAP, 0x2004, EXECUTION, "MSR bitmap")                             \
    X(EXECUTIVE_VMCS, 0x200C, EXECUTION, "executive-VMCS pointer")             \
    X(TSC_OFFSET, 0x2010, EXECUTION, "TSC offset")                             \
    X(EPT_POINTER, 0x201A, EXECUTION, "EPT pointer")                           \
    X(VPID, 0x0000, EXECUTION, "VPID")                                         \
    X(CR0_MASK, 0x6000, EXECUTION, "CR0 guest/host mask")                      \
    X(CR4_MASK, 0x6002, EXECUTION, "CR4 guest/host mask")                      \
    X(CR0_SHADOW, 0x6004, EXECUTION, "CR0 read shadow")                        \
    X(CR4_SHADOW, 0x6006, EXECUTION, "CR4 read shadow")                        \
    X(CR3_TARGET_COUNT, 0x400A, EXECUTION, "CR3-target count")                 \
    X(CR3_TARGET0, 0x6008, EXECUTION, "CR3-target value 0")                    \
    X(CR3_TARGET1, 0x600A, EXECUTION, "CR3-target value 1")                    \
    X(CR3_TARGET2, 0x600C, EXECUTION, "CR3-target value 2")                    \
    X(CR3_TARGET3, 0x600E, EXECUTION, "CR3-target value 3")                    \
    X(EXIT_CONTROLS, 0x400C, EXIT, "VM-exit controls")                         \
    X(EXIT_MSR_STORE_COUNT, 0x400E, EXIT, "VM-exit MSR-store count")           \
    X(EXIT_MSR_STORE, 0x2006, EXIT, "VM-exit MSR-store address")               \
    X(EXIT_MSR_LOAD_COUNT, 0x4010, EXIT, "VM-exit MSR-load count")             \
    X(EXIT_MSR_LOAD, 0x2008, EXIT, "VM-exit MSR-load address")                 \
    X(ENTRY_CONTROLS, 0x4012, ENTRY, "VM-entry controls")                      \
    X(ENTRY_MSR_LOAD_COUNT, 0x4014, ENTRY, "VM-entry MSR-load count")          \
    X(ENTRY_MSR_LOAD, 0x200A, ENTRY, "VM-entry MSR-load address")              \
    X(ENTRY_INTERRUPTION, 0x4016, ENTRY, "VM-entry interruption info")         \
    X(ENTRY_ERROR_CODE, 0x4018, ENTRY, "VM-entry exception error code")        \
    X(ENTRY_LENGTH, 0x401A, ENTRY, "VM-entry instruction length")              \
    X(INSTRUCTION_ERROR, 0x4400, INFORMATION, "VM-instruction error")          \
    X(EXIT_REASON, 0x4402, INFORMATION, "exit reason")                         \
    X(EXIT_INTERRUPTION, 0x4404, INFORMATION, "VM-exit interruption info")     \
    X(EXIT_ERROR_CODE, 0x4406, INFORMATION, "VM-exit exception error code")    \
    X(VECTORING, 0x4408, INFORMATION, "IDT-vectoring info")                    \
    X(VECTORING_ERROR, 0x440A, INFORMATION, "IDT-vectoring error code")        \
    X(EXIT_LENGTH, 0x440C, INFORMATION, "VM-exit instruction length")          \
    X(EXIT_INSTRUCTION, 0x440E, INFORMATION, "VM-exit instruction info")       \
    X(EXIT_QUALIFICATION, 0x6400, INFORMATION, "exit qualification")           \
    X(GUEST_LINEAR, 0x640A, INFORMATION, "guest linear address")               \
    X(GUEST_PHYSICAL, 0x2400, INFORMATION, "guest-physical address")

/* Encodings: VMCS_GUEST_CR0. */
#define VMCS_ENCODING(name, encoding, area, text) VMCS_##name = (encoding),
enum vmcs_encoding { VMCS_FIELDS(VMCS_ENCODING) };
#undef VMCS_ENCODING

/* Places in the table: F_GUEST_CR0. */
#define VMCS_PLACE(name, encoding, area, text) F_##name,
enum vmcs_place { VMCS_FIELDS(VMCS_PLACE) F_COUNT };
#undef VMCS_PLACE

enum vmcs_width { WIDTH_16, WIDTH_64, WIDTH_32, WIDTH_NATURAL };

struct vmcs_field {
    uint16_t encoding;
    uint16_t offset; /* in the region, bytes */
    uint8_t area;    /* enum vmcs_area */
    uint8_t width;   /* enum vmcs_width; natural is 32 bits here */
    bool read_only;  /* VMWRITE is refused */
    const char *name;
};

extern const struct vmcs_field vmcs_fields[F_COUNT];

/* The place of an encoding (of either half), or F_COUNT: no such field. */
enum vmcs_place vmcs_find(uint32_t encoding);

/* "guest state", "VM-exit information". */
const char *vmcs_area_name(enum vmcs_area area);

#endif
