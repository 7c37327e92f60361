/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_vmx_exits.c - which instructions exit, and what is recorded:
 * each control off and on. SDM 3C, "VMX Non-Root Operation". */
#include "tests/cpu/test_vmx_fixture.h"

TestSuite(vmx_exits, .init = vmx_fixture, .timeout = 60);

struct program {
    const char *name;
    uint8_t code[16];
    unsigned before; /* bytes in front of the instruction in question */
    unsigned length; /* its bytes */
    unsigned reason;
    uint32_t qualification;
    uint32_t encoding, bits; /* the control */
    uint32_t mask, shadow;   /* of CR0, where it is not 0 */
};

/* ---- unconditional ----------------------------------------------------------
 */

static const struct program always[] = {
    {"cpuid", {0x0F, 0xA2}, 0, 2, VMX_CPUID, 0, 0, 0, 0, 0},
    {"invd", {0x0F, 0x08}, 0, 2, VMX_INVD, 0, 0, 0, 0, 0},
    {"rdmsr", {0x0F, 0x32}, 0, 2, VMX_RDMSR, 0, 0, 0, 0, 0},
    {"wrmsr", {0x0F, 0x30}, 0, 2, VMX_WRMSR, 0, 0, 0, 0, 0},
    {"vmcall", {0x0F, 0x01, 0xC1}, 0, 3, VMX_VMCALL, 0, 0, 0, 0, 0},
    {"vmlaunch", {0x0F, 0x01, 0xC2}, 0, 3, VMX_VMLAUNCH, 0, 0, 0, 0, 0},
    {"vmresume", {0x0F, 0x01, 0xC3}, 0, 3, VMX_VMRESUME, 0, 0, 0, 0, 0},
    {"vmxoff", {0x0F, 0x01, 0xC4}, 0, 3, VMX_VMXOFF, 0, 0, 0, 0, 0},
    {"vmread", {0x0F, 0x78, 0xC0}, 0, 3, VMX_VMREAD, 0, 0, 0, 0, 0},
    {"vmwrite", {0x0F, 0x79, 0xC0}, 0, 3, VMX_VMWRITE, 0, 0, 0, 0, 0},
    {"vmptrld", {0x0F, 0xC7, 0x33}, 0, 3, VMX_VMPTRLD, 0, 0, 0, 0, 0},
    {"vmptrst", {0x0F, 0xC7, 0x3B}, 0, 3, VMX_VMPTRST, 0, 0, 0, 0, 0},
    {"vmclear", {0x66, 0x0F, 0xC7, 0x33}, 0, 4, VMX_VMCLEAR, 0, 0, 0, 0, 0},
    {"vmxon", {0xF3, 0x0F, 0xC7, 0x33}, 0, 4, VMX_VMXON, 0, 0, 0, 0, 0},
    {"invept", {0x66, 0x0F, 0x38, 0x80, 0x03}, 0, 5, VMX_INVEPT, 0, 0, 0, 0, 0},
    {"invvpid",
     {0x66, 0x0F, 0x38, 0x81, 0x03},
     0,
     5,
     VMX_INVVPID,
     0,
     0,
     0,
     0,
     0},
    {"jmp to a TSS",
     {0xEA, 0, 0, 0, 0, OTHER_SEL, 0},
     0,
     7,
     VMX_TASK_SWITCH,
     OTHER_SEL | 2u << 30,
     0,
     0,
     0,
     0},
    {"call of a task gate",
     {0x9A, 0, 0, 0, 0, TASK_GATE, 0},
     0,
     7,
     VMX_TASK_SWITCH,
     OTHER_SEL,
     0,
     0,
     0,
     0},
};

static void prepare(const struct program *p)
{
    vmx_fixture();
    cpu.gpr[GPR_EBX] = 0x5000;
    cpu.gpr[GPR_EDX] = 0x3F8;
    put_code(CODE, p->code, sizeof p->code);
    memory[CODE + p->before + p->length] = OP_HLT;
    vmx_open();
    vmwrite(VMCS_CR0_MASK, p->mask);
    vmwrite(VMCS_CR0_SHADOW, p->shadow);
}

static void check_exit(const struct program *p)
{
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), p->qualification, "%s: %x",
                 p->name, vmread(VMCS_EXIT_QUALIFICATION));
    cr_expect_eq(vmread(VMCS_EXIT_LENGTH), p->length, "%s: length %u", p->name,
                 vmread(VMCS_EXIT_LENGTH));
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + p->before, "%s: EIP %x",
                 p->name, vmread(VMCS_GUEST_EIP));
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION), 0, "%s", p->name);
    cr_expect_eq(vmread(VMCS_VECTORING), 0, "%s", p->name);
}

Test(vmx_exits, unconditional)
{
    for (unsigned i = 0; i < sizeof always / sizeof *always; i++) {
        unsigned reason;

        prepare(&always[i]);
        reason = launch();
        cr_expect_eq(reason, always[i].reason, "%s: reason %u", always[i].name,
                     reason);
        check_exit(&always[i]);
        cr_expect_eq(machine_now(machine), 0, "%s has not retired",
                     always[i].name);
        machine_destroy(machine);
    }
}

/* By whatever task's tables, were the engine to switch. */
Test(vmx_exits, a_return_to_a_task_exits)
{
    CODE_AT(CODE, 0x68, 2, 0x40, 0, 0, /* push $NT */
            0x9D, 0xCF);               /* popf; iret */
    put16(TSS, OTHER_SEL);
    memory[gdt_at(OTHER_SEL) + 5] |= 2; /* busy */
    vmx_open();
    cr_assert_eq(launch(), VMX_TASK_SWITCH);
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), OTHER_SEL | 1u << 30);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 6);
    cr_expect_eq(vmread(VMCS_EXIT_LENGTH), 1);
    cr_expect_eq(vmread(VMCS_GUEST_TR_BASE), TSS);
    cr_expect_eq(machine_now(machine), 2);
}

/* ---- by control -------------------------------------------------------------
 */

#define PROC  VMCS_PROC_CONTROLS
#define PROC2 VMCS_PROC2_CONTROLS
static const struct program controlled[] = {
    {"hlt", {0xF4}, 0, 1, VMX_HLT, 0, PROC, PROC_HLT, 0, 0},
    {"invlpg",
     {0x0F, 0x01, 0x7B, 0x10},
     0,
     4,
     VMX_INVLPG,
     0x5010,
     PROC,
     PROC_INVLPG,
     0,
     0},
    {"pause", {0xF3, 0x90}, 0, 2, VMX_PAUSE, 0, PROC, PROC_PAUSE, 0, 0},
    {"rdpmc", {0x0F, 0x33}, 0, 2, VMX_RDPMC, 0, PROC, PROC_RDPMC, 0, 0},
    {"rdtsc", {0x0F, 0x31}, 0, 2, VMX_RDTSC, 0, PROC, PROC_RDTSC, 0, 0},
    {"mov %cr3,%esi",
     {0x0F, 0x20, 0xDE},
     0,
     3,
     VMX_CR_ACCESS,
     3 | 1 << 4 | GPR_ESI << 8,
     PROC,
     PROC_CR3_STORE,
     0,
     0},
    {"mov %esi,%cr3",
     {0xBE, 0x00, 0x00, 0x04, 0x00, 0x0F, 0x22, 0xDE},
     5,
     3,
     VMX_CR_ACCESS,
     3 | GPR_ESI << 8,
     PROC,
     PROC_CR3_LOAD,
     0,
     0},
    {"mov %dr3,%edi",
     {0x0F, 0x21, 0xDF},
     0,
     3,
     VMX_DR_ACCESS,
     3 | 1 << 4 | GPR_EDI << 8,
     PROC,
     PROC_MOV_DR,
     0,
     0},
    {"mov %edi,%dr7",
     {0x0F, 0x23, 0xFF},
     0,
     3,
     VMX_DR_ACCESS,
     7 | GPR_EDI << 8,
     PROC,
     PROC_MOV_DR,
     0,
     0},
    {"in $0x60,%al",
     {0xE4, 0x60},
     0,
     2,
     VMX_IO,
     8 | 64 | 0x60 << 16,
     PROC,
     PROC_IO,
     0,
     0},
    {"out %ax,(%dx)",
     {0x66, 0xEF},
     0,
     2,
     VMX_IO,
     1 | 0x3F8 << 16,
     PROC,
     PROC_IO,
     0,
     0},
    {"rep outsl",
     {0xF3, 0x6F},
     0,
     2,
     VMX_IO,
     3 | 16 | 32 | 0x3F8 << 16,
     PROC,
     PROC_IO,
     0,
     0},
    {"wbinvd", {0x0F, 0x09}, 0, 2, VMX_WBINVD, 0, PROC2, PROC2_WBINVD, 0, 0},
};

Test(vmx_exits, each_control_off_and_on)
{
    for (unsigned i = 0; i < sizeof controlled / sizeof *controlled; i++) {
        const struct program *p = &controlled[i];
        unsigned reason;

        prepare(p);
        reason = launch();
        cr_expect_eq(reason, NO_EXIT, "%s without its control: %u", p->name,
                     reason);
        machine_destroy(machine);

        prepare(p);
        vmset(p->encoding, p->bits);
        reason = launch();
        cr_expect_eq(reason, p->reason, "%s: reason %u", p->name, reason);
        check_exit(p);
        machine_destroy(machine);
    }
}

/* ---- descriptor tables
 * -------------------------------------------------------- */

Test(vmx_exits, descriptor_table_instructions_tell_their_operand)
{
    enum { ADDRESS_32 = 1 << 7, REGISTER = 1 << 10, OPERAND_32 = 1 << 11 };
    enum { NO_INDEX = 1 << 22, NO_BASE = 1 << 27 };
    static const struct {
        uint8_t code[8];
        unsigned length, reason;
        uint32_t qualification, info;
    } cases[] = {
        /* sgdt 0x10(%ebx) */
        {{0x0F, 0x01, 0x43, 0x10},
         4,
         VMX_GDTR_IDTR_ACCESS,
         0x10,
         ADDRESS_32 | OPERAND_32 | SEG_DS << 15 | NO_INDEX | GPR_EBX << 23},
        /* lidt %fs:-8(%ebx, %ecx, 4) */
        {{0x64, 0x0F, 0x01, 0x5C, 0x8B, 0xF8},
         6,
         VMX_GDTR_IDTR_ACCESS,
         0xFFFFFFF8,
         2 | ADDRESS_32 | OPERAND_32 | SEG_FS << 15 | GPR_ECX << 18 |
             GPR_EBX << 23 | 3 << 28},
        /* lgdtw 0x5000 */
        {{0x66, 0x0F, 0x01, 0x15, 0x00, 0x50, 0x00, 0x00},
         8,
         VMX_GDTR_IDTR_ACCESS,
         0x5000,
         ADDRESS_32 | SEG_DS << 15 | NO_INDEX | NO_BASE | 2 << 28},
        /* str %esi */
        {{0x0F, 0x00, 0xCE},
         3,
         VMX_LDTR_TR_ACCESS,
         0,
         REGISTER | GPR_ESI << 3 | 1 << 28},
        /* lldt (%ebx) */
        {{0x0F, 0x00, 0x13},
         3,
         VMX_LDTR_TR_ACCESS,
         0,
         ADDRESS_32 | SEG_DS << 15 | NO_INDEX | GPR_EBX << 23 | 2 << 28},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned reason;

        vmx_fixture();
        put_code(CODE, cases[i].code, sizeof cases[i].code);
        vmx_open();
        vmset(VMCS_PROC2_CONTROLS, PROC2_DESCRIPTOR_TABLE);
        reason = launch();
        cr_expect_eq(reason, cases[i].reason, "case %u: reason %u", i, reason);
        cr_expect_eq(vmread(VMCS_EXIT_LENGTH), cases[i].length, "case %u", i);
        cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), cases[i].qualification,
                     "case %u: %x", i, vmread(VMCS_EXIT_QUALIFICATION));
        cr_expect_eq(vmread(VMCS_EXIT_INSTRUCTION), cases[i].info,
                     "case %u: %x", i, vmread(VMCS_EXIT_INSTRUCTION));
        machine_destroy(machine);
    }
}

Test(vmx_exits, descriptor_tables_are_the_guests_without_the_control)
{
    CODE_AT(CODE, 0x0F, 0x01, 0x43, 0x10, OP_HLT); /* sgdt 0x10(%ebx) */
    cpu.gpr[GPR_EBX] = 0x50000;
    vmx_open();
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(machine_read32(0x50012), GDT);
}

/* ---- control registers
 * -------------------------------------------------------- */

static const struct program cr0[] = {
    {"clts", {0x0F, 0x06}, 0, 2, VMX_CR_ACCESS, 2 << 4, 0, 0, CR0_TS, CR0_TS},
    {"clts of 0", {0x0F, 0x06}, 0, 2, NO_EXIT, 0, 0, 0, CR0_TS, 0},
    {"clts unmasked", {0x0F, 0x06}, 0, 2, NO_EXIT, 0, 0, 0, 0, CR0_TS},
    {"lmsw %bx",
     {0x66, 0xBB, 0x09, 0x00, 0x0F, 0x01, 0xF3},
     4,
     3,
     VMX_CR_ACCESS,
     3 << 4 | 9 << 16,
     0,
     0,
     CR0_TS,
     0},
    {"lmsw does not clear PE",
     {0x66, 0xBB, 0x00, 0x00, 0x0F, 0x01, 0xF3},
     4,
     3,
     NO_EXIT,
     0,
     0,
     0,
     CR0_PE,
     CR0_PE},
    {"mov %ebp,%cr0",
     {0x0F, 0x20, 0xC5, 0x83, 0xF5, 0x08, 0x0F, 0x22, 0xC5},
     6,
     3,
     VMX_CR_ACCESS,
     GPR_EBP << 8,
     0,
     0,
     CR0_TS,
     0},
    {"mov %ebp,%cr0 as it is shown",
     {0x0F, 0x20, 0xC5, 0x0F, 0x22, 0xC5},
     3,
     3,
     NO_EXIT,
     0,
     0,
     0,
     CR0_TS | CR0_PE,
     CR0_TS},
};

Test(vmx_exits, cr0_mask_and_shadow)
{
    for (unsigned i = 0; i < sizeof cr0 / sizeof *cr0; i++) {
        unsigned reason;

        prepare(&cr0[i]);
        reason = launch();
        cr_expect_eq(reason, cr0[i].reason, "%s: reason %u", cr0[i].name,
                     reason);
        if (reason != NO_EXIT)
            check_exit(&cr0[i]);
        machine_destroy(machine);
    }
}

Test(vmx_exits, cr0_is_read_through_the_shadow)
{
    CODE_AT(CODE, 0x0F, 0x20, 0xC0, /* mov %cr0,%eax */
            0x0F, 0x01, 0xE3,       /* smsw %ebx */
            0x0F, 0x20, 0xE1,       /* mov %cr4,%ecx */
            0x0F, 0x06,             /* clts, which the guest owns */
            0x0F, 0x20, 0xC2, OP_HLT);
    cpu.cr0 |= CR0_TS;
    vmx_open();
    vmwrite(VMCS_CR0_MASK, CR0_PE | CR0_PG | CR0_NE);
    vmwrite(VMCS_CR0_SHADOW, CR0_PE | CR0_WP);
    vmwrite(VMCS_CR4_MASK, CR4_VMXE | CR4_PSE);
    vmwrite(VMCS_CR4_SHADOW, CR4_PSE | CR4_TSD);
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(machine_reg(machine, GPR_EAX), CR0_PE | CR0_TS | CR0_ET, "%x",
                 machine_reg(machine, GPR_EAX));
    cr_expect_eq(machine_reg(machine, GPR_EBX), CR0_PE | CR0_TS | CR0_ET);
    cr_expect_eq(machine_reg(machine, GPR_ECX), CR4_PSE);
    cr_expect_eq(machine_reg(machine, GPR_EDX), CR0_PE | CR0_ET);
}

/* Those of which the monitor owns nothing are the processor's own affair. */
Test(vmx_exits, reads_of_cr2_and_cr3_are_not_intercepted)
{
    CODE_AT(CODE, 0x0F, 0x20, 0xD0, /* mov %cr2,%eax */
            0x0F, 0x20, 0xDB,       /* mov %cr3,%ebx */
            OP_HLT);
    vmx_open();
    vmwrite(VMCS_CR0_MASK, CR0_NE);
    vmwrite(VMCS_CR4_MASK, CR4_VMXE);
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(machine_trace.count.intercepts, 0);
    cr_expect_eq(machine_reg(machine, GPR_EBX), PAGE_DIRECTORY);
}

Test(vmx_exits, cr3_targets)
{
    CODE_AT(CODE, 0xB8, 0x00, 0x00, 0x04, 0x00, /* mov $PAGE_DIRECTORY,%eax */
            0x0F, 0x22, 0xD8,                   /* mov %eax,%cr3 */
            0x83, 0xC0, 0x08, 0x0F, 0x22, 0xD8);
    vmx_open();
    vmset(VMCS_PROC_CONTROLS, PROC_CR3_LOAD);
    vmwrite(VMCS_CR3_TARGET1, PAGE_DIRECTORY);
    vmwrite(VMCS_CR3_TARGET_COUNT, 2);
    cr_assert_eq(launch(), VMX_CR_ACCESS);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 11);
}

Test(vmx_exits, cr4_mask)
{
    CODE_AT(CODE, 0xB8, 0x04, 0x00, 0x00, 0x00, /* mov $TSD,%eax */
            0x0F, 0x22, 0xE0,                   /* mov %eax,%cr4 */
            0xB0, 0x10, 0x0F, 0x22, 0xE0);      /* PSE */
    vmx_open();
    vmwrite(VMCS_CR4_MASK, CR4_VMXE | CR4_PSE);
    cr_assert_eq(launch(), VMX_CR_ACCESS);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 10);
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), 4);
    cr_expect_eq(vmread(VMCS_GUEST_CR4), CR4_VMXE | CR4_TSD);
}

/* ---- bitmaps ----------------------------------------------------------------
 */

static void set_bit(uint32_t map, unsigned bit)
{
    memory[map + bit / 8] |= (uint8_t)(1u << bit % 8);
}

Test(vmx_exits, io_bitmaps_name_ports)
{
    static const struct {
        uint32_t map, bit, port;
        uint8_t op;
        bool exits;
    } cases[] = {
        {BITMAP_A, 0x3F8, 0x3F8, 0xEC, true},
        {BITMAP_A, 0x3F9, 0x3F8, 0xEC, false},
        {BITMAP_A, 0x3FB, 0x3F8, 0xED, true}, /* one of four bytes */
        {BITMAP_A, 0x3FC, 0x3F8, 0xED, false},
        {BITMAP_B, 0x0CF8, 0x8CF8, 0xEE, true},
        {BITMAP_A, 0x0CF8, 0x8CF8, 0xEE, false},
        {BITMAP_B, 0x0, 0xFFFE, 0xED, true}, /* wraps around */
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned reason;

        vmx_fixture();
        set_bit(cases[i].map, cases[i].bit);
        CODE_AT(CODE, cases[i].op, OP_HLT);
        cpu.gpr[GPR_EDX] = cases[i].port;
        vmx_open();
        vmset(VMCS_PROC_CONTROLS, PROC_IO_BITMAPS | PROC_IO);
        reason = launch();
        cr_expect_eq(reason, cases[i].exits ? (unsigned)VMX_IO : NO_EXIT,
                     "case %u: reason %u", i, reason);
        machine_destroy(machine);
    }
}

Test(vmx_exits, msr_bitmap_names_registers)
{
    static const struct {
        unsigned byte;
        uint32_t bit, msr;
        uint8_t op;
        bool exits;
    } cases[] = {
        {0, MSR_SYSENTER_CS, MSR_SYSENTER_CS, 0x32, true},
        {0, MSR_SYSENTER_ESP, MSR_SYSENTER_CS, 0x32, false},
        {2048, MSR_SYSENTER_CS, MSR_SYSENTER_CS, 0x30, true},
        {2048, MSR_SYSENTER_CS, MSR_SYSENTER_CS, 0x32, false},
        {1024, 0x80, MSR_EFER, 0x32, true},
        {3072, 0x80, MSR_EFER, 0x30, true},
        {0, 0, 0x40000000, 0x32, true}, /* in neither range */
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned reason;

        vmx_fixture();
        set_bit(MSR_MAP + cases[i].byte, cases[i].bit);
        CODE_AT(CODE, 0x0F, cases[i].op, OP_HLT);
        cpu.gpr[GPR_ECX] = cases[i].msr;
        vmx_open();
        vmset(VMCS_PROC_CONTROLS, PROC_MSR_BITMAPS);
        reason = launch();
        cr_expect_eq(reason,
                     !cases[i].exits       ? NO_EXIT
                     : cases[i].op == 0x30 ? (unsigned)VMX_WRMSR
                                           : (unsigned)VMX_RDMSR,
                     "case %u: reason %u", i, reason);
        machine_destroy(machine);
    }
}

/* ---- privilege comes first
 * ---------------------------------------------------- */

Test(vmx_exits, faults_by_privilege_come_before_the_exit)
{
    static const uint8_t code[][4] = {
        {0xF4},       {0x0F, 0x01, 0x3B}, {0x0F, 0x22, 0xD8},
        {0x0F, 0x32}, {0x0F, 0x08},       {0xEC}};

    for (unsigned i = 0; i < sizeof code / sizeof *code; i++) {
        uint32_t info;

        vmx_fixture();
        put_code(CODE, code[i], 4);
        enter_ring(3);
        vmx_open();
        vmset(VMCS_PROC_CONTROLS,
              PROC_HLT | PROC_INVLPG | PROC_CR3_LOAD | PROC_IO);
        vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_GP);
        cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI, "case %u", i);
        info = vmread(VMCS_EXIT_INTERRUPTION);
        cr_expect_eq(info,
                     INTERRUPTION_VALID | INTERRUPTION_HAS_ERROR |
                         TYPE_HARDWARE_EXCEPTION << 8 | VEC_GP,
                     "case %u: %x", i, info);
        cr_expect_eq(vmread(VMCS_EXIT_ERROR_CODE), 0);
        machine_destroy(machine);
    }
}

Test(vmx_exits, mov_dr_exits_before_its_fault)
{
    CODE_AT(CODE, 0x0F, 0x21, 0xC0);
    enter_ring(3);
    vmx_open();
    vmset(VMCS_PROC_CONTROLS, PROC_MOV_DR);
    cr_assert_eq(launch(), VMX_DR_ACCESS);
}

Test(vmx_exits, vmx_instructions_are_undefined_in_virtual_8086_mode)
{
    CODE_AT(0x10200, 0x0F, 0x01, 0xC1);
    enter_vm86(3);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_UD);
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION) & 0xFF, VEC_UD);
}

/* ---- what else the controls do
 * ------------------------------------------------ */

Test(vmx_exits, tsc_offset)
{
    CODE_AT(CODE, 0x0F, 0x31, OP_HLT);
    vmx_open();
    vmset(VMCS_PROC_CONTROLS, PROC_TSC_OFFSET);
    vmwrite(VMCS_TSC_OFFSET, 0x1000);
    vmwrite(VMCS_TSC_OFFSET + 1, 0x5);
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(machine_reg(machine, GPR_EDX), 5);
    cr_expect(machine_reg(machine, GPR_EAX) - 0x1000 < 100);
}

Test(vmx_exits, monitor_trap_flag_after_one_instruction)
{
    CODE_AT(CODE, 0x40, 0x43, 0x41); /* inc eax, ebx, ecx */
    vmx_open();
    vmset(VMCS_PROC_CONTROLS, PROC_MONITOR_TRAP);
    cr_assert_eq(launch(), VMX_MONITOR_TRAP);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 1);
    cr_assert_eq(vmx_resume(machine), VMX_SUCCEED);
    machine_run(machine);
    cr_expect_eq(vmread(VMCS_EXIT_REASON), VMX_MONITOR_TRAP);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 2);
}

/* ---- the clock
 * --------------------------------------------------------------- */

/* The monitor does what the instruction would have done. */
static void emulate_cpuid(void)
{
    uint32_t out[4];

    machine_cpuid(machine_reg(machine, GPR_EAX), 0, out);
    machine_set_reg(machine, GPR_EAX, out[0]);
    machine_set_reg(machine, GPR_EBX, out[1]);
    machine_set_reg(machine, GPR_EDX, out[3]);
    vmwrite(VMCS_GUEST_EIP, vmread(VMCS_GUEST_EIP) + vmread(VMCS_EXIT_LENGTH));
    machine_retire(machine, 1);
    cr_assert_eq(vmx_resume(machine), VMX_SUCCEED);
}

Test(vmx_exits, an_exit_costs_the_guest_no_time)
{
    CODE_AT(CODE, 0xBE, 0x64, 0, 0, 0, /* mov $100,%esi */
            0x31, 0xC0, 0x0F, 0xA2,    /* xor %eax,%eax; cpuid */
            0x01, 0xDF,                /* add %ebx,%edi */
            0x4E, 0x75, 0xF7, OP_HLT); /* dec %esi; jnz */
    run_freely();
    vmx_open();
    on_exit_do = emulate_cpuid;
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(exits, 100);
    cr_expect_eq(machine_now(machine), ran_cycles, "%llu, bare %llu",
                 (unsigned long long)machine_now(machine),
                 (unsigned long long)ran_cycles);
    cr_expect_eq(machine_reg(machine, GPR_EDI), ran.gpr[GPR_EDI]);
}
