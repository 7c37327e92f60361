/* SPDX-License-Identifier: MIT */
/* cpu/errata_rows.c - the errata sheet, a row each: what the manual says and
 * what shows that the engine does something else. */
#include "cpu/errata_rows.h"

/* ---- what departs from the manual --------------------------------------- */

static uint32_t reg(const struct probe *p, unsigned gpr)
{
    return (uint32_t)p->engine.live.regs[gpr];
}

static bool not_undefined(struct probe *p)
{
    return p->vector != VEC_UD;
}

static bool not_general_protection(struct probe *p)
{
    return p->vector != VEC_GP;
}

static bool not_debug(struct probe *p)
{
    return p->vector != VEC_DB;
}

/* Again, at privilege 3 with alignment checks. */
static bool not_alignment(struct probe *p)
{
    struct live *l = &p->engine.live;

    l->cr[0] |= CR0_AM;
    *l->eflags |= EFL_AC;
    *l->hflags |= HF_CPL;
    errata_run(p);
    return p->vector != VEC_AC;
}

static bool not_fpu_error(struct probe *p)
{
    return p->vector != VEC_MF;
}

static bool second_is_double(struct probe *p)
{
    errata_run(p);
    return p->vector == VEC_DF;
}

static bool upper_half_is_zero(struct probe *p)
{
    return (reg(p, GPR_EAX) & CR0_AM) == 0;
}

static bool reads_host_time(struct probe *p)
{
    return reg(p, GPR_EDX) != 0 || reg(p, GPR_EAX) > 1000;
}

static bool shows_svm(struct probe *p)
{
    return reg(p, GPR_ECX) >> 2 & 1;
}

/* The patched function gives 1. */
static bool ran_stale_code(struct probe *p)
{
    return reg(p, GPR_EAX) != 1;
}

static bool page_only(struct probe *p)
{
    return p->refused == 0x123000;
}

static bool write_looks_like_read(struct probe *p)
{
    return !p->refused_write;
}

static bool no_instruction_pointer(struct probe *p)
{
    uint32_t fip;

    memcpy(&fip, p->room + DATA_AT + 12, sizeof fip);
    return fip == 0;
}

/* The code has set AF alone of the arithmetic flags. */
static bool flags_are_lost(struct probe *p)
{
    return (engine_eflags(&p->engine) & EFL_ARITH) != EFL_AF;
}

/* The byte there is a HLT, F4. */
static bool sign_of_operand(struct probe *p)
{
    return engine_eflags(&p->engine) & EFL_SF;
}

/* RET 8000 below it. */
static bool releases_less(struct probe *p)
{
    return reg(p, GPR_ESP) != STACK_AT + 0x8000;
}

enum { GDT_AT = 0x6000, RETURN_CS = 0x0B, RETURN_SS = 0x13 };

/* Again, to ring 3 by two descriptors that were never used; ss: attributes of
 * the stack's. */
static void return_outwards(struct probe *p, uint32_t ss)
{
    const uint32_t frame[] = {CODE_AT, RETURN_CS, EFL_FIXED, STACK_AT,
                              RETURN_SS};
    const uint32_t gdt[] = {0, 0, 0xFFFF, 0xCFFA00, 0xFFFF, 0xCF0000 | ss << 8};

    memcpy(p->room + GDT_AT, gdt, sizeof gdt);
    memcpy(p->room + STACK_AT, frame, sizeof frame);
    p->engine.live.gdt->base = GDT_AT;
    p->engine.live.gdt->limit = sizeof gdt - 1;
    p->engine.live.regs[GPR_ESP] = STACK_AT;
    errata_run(p);
}

static bool not_stack_fault(struct probe *p)
{
    return_outwards(p, 0x72); /* not present */
    return p->vector != VEC_SS;
}

static bool not_accessed(struct probe *p)
{
    return_outwards(p, 0xF2);
    return !(p->room[GDT_AT + (RETURN_CS & SEL_INDEX) + 5] & SEG_ACCESSED);
}

/* Again, to virtual-8086 mode, all segments 0. */
static bool enters_vm86(struct probe *p)
{
    const uint32_t frame[9] = {0x10000, 0, EFL_FIXED | EFL_VM, STACK_AT};

    memcpy(p->room + STACK_AT, frame, sizeof frame);
    p->engine.live.regs[GPR_ESP] = STACK_AT;
    errata_run(p);
    return *p->engine.live.eflags & EFL_VM;
}

static bool over_the_limit(struct probe *p)
{
    p->engine.live.seg[SEG_DS].limit = DATA_AT - 1;
    errata_run(p);
    return p->vector != VEC_GP;
}

/* ---- the sheet ----------------------------------------------------------- */

const struct errata_test errata_tests[] = {
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "LOCK BT, BTS, BTR, BTC with a register",
     .behaviour = "the library aborts the whole process; #UD",
     .cure = "pages that hold the bytes run one decoded instruction at a time",
     .lethal = true,
     .departs = not_undefined,
     .bytes = 4,
     .code = {0xF0, 0x0F, 0xA3, 0xC0}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "instruction breakpoint in DR7",
     .behaviour = "an endless loop or a crash of the process; #DB",
     .cure = "MOV to and from DRn is done by the machine; none fires",
     .eax = 0x100B,
     .lethal = true,
     .departs = not_debug,
     .bytes = 13,
     .code = {0x0F, 0x23, 0xC0, 0xB8, 0x01, 0x04, 0x00, 0x00, 0x0F, 0x23, 0xF8,
              0x40, 0xF4}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "data breakpoint in DR7",
     .behaviour = "never fires; #DB after the access",
     .eax = 0x5000,
     .lethal = true,
     .departs = not_debug,
     .bytes = 17,
     .code = {0x0F, 0x23, 0xC0, 0xB8, 0x01, 0x04, 0x0F, 0x00, 0x0F, 0x23, 0xF8,
              0xA3, 0x00, 0x50, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "second store to a page of code",
     .behaviour = "the old code goes on running; the new one",
     .cure = "a page is writable or executable, never both",
     .departs = ran_stale_code,
     .bytes = 28,
     .code = {0xE8, 0xFB, 0x1F, 0x00, 0x00, 0xE8, 0xFC, 0x1F, 0x00, 0x00,
              0xFE, 0x05, 0x01, 0x30, 0x00, 0x00, 0xFE, 0x05, 0x07, 0x30,
              0x00, 0x00, 0xE8, 0xEB, 0x1F, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "second general-protection fault",
     .behaviour = "arrives as a double fault, for ever after; #GP again",
     .cure = "the exception in flight is forgotten at each one",
     .cpl = 3,
     .departs = second_is_double,
     .bytes = 1,
     .code = {0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "SETcc, RCL, RCR, CMPXCHG8B in memory, at a page fault",
     .behaviour = "the flags are lost; unchanged",
     .cure = "replaced",
     .departs = flags_are_lost,
     .bytes = 15,
     .code = {0xB8, 0x0F, 0x00, 0x00, 0x00, 0x83, 0xC0, 0x01, 0x0F, 0x9A, 0x05,
              0x00, 0x30, 0x12, 0x00}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "LOCK NEG",
     .behaviour = "sets the flags by the operand; by the result",
     .cure = "replaced",
     .departs = sign_of_operand,
     .bytes = 8,
     .code = {0xF0, 0xF6, 0x1D, 0x00, 0x50, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "LOOPE and LOOPNE, the last time round",
     .behaviour = "the flags are lost; unchanged",
     .cure = "replaced",
     .departs = flags_are_lost,
     .bytes = 12,
     .code = {0x41, 0xB8, 0x0F, 0x00, 0x00, 0x00, 0x83, 0xC0, 0x01, 0xE1, 0xF5,
              0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "RET n, 32 KiB and more",
     .behaviour = "takes n for a negative number; releases n bytes",
     .cure = "replaced",
     .departs = releases_less,
     .bytes = 8,
     .code = {0x68, 0x08, 0x10, 0x00, 0x00, 0xC2, 0x00, 0x80}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "IRET to an absent stack",
     .behaviour = "#NP, and #GP before its descriptor is read; #SS, afterwards",
     .cure = "one that faults is done again by the machine",
     .departs = not_stack_fault,
     .bytes = 1,
     .code = {0xCF}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "IRET, accessed bits",
     .behaviour = "are not set in the descriptors; set",
     .departs = not_accessed,
     .bytes = 1,
     .code = {0xCF}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "IRET to virtual-8086 mode, EIP above 64 KiB",
     .behaviour = "is cut to 16 bits; #GP",
     .departs = enters_vm86,
     .bytes = 1,
     .code = {0xCF}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "CR2",
     .behaviour = "a fill is told the page only; the whole address",
     .cure = "read from the engine's own state",
     .departs = page_only,
     .bytes = 6,
     .code = {0xA1, 0x45, 0x30, 0x12, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "read-modify-write of an absent page",
     .behaviour = "the fault's error code says read; write",
     .departs = write_looks_like_read,
     .bytes = 7,
     .code = {0xFF, 0x05, 0x00, 0x30, 0x12, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "IN and OUT above IOPL",
     .behaviour = "never fault; #GP",
     .cure = "replaced in the fetched copy of the page, checked and done",
     .cpl = 3,
     .departs = not_general_protection,
     .bytes = 3,
     .code = {0xE4, 0x80, 0xCC}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "RDTSC",
     .behaviour = "reads the host's time; the processor's",
     .cure = "replaced; reads the virtual clock",
     .departs = reads_host_time,
     .bytes = 3,
     .code = {0x0F, 0x31, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "RDPMC at privilege 3",
     .behaviour = "tests CR4.PCE the wrong way round; #GP",
     .cure = "replaced",
     .cpl = 3,
     .departs = not_general_protection,
     .bytes = 3,
     .code = {0x0F, 0x33, 0xCC}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "RDMSR of an unknown register",
     .behaviour = "gives zero; #GP",
     .cure = "replaced; the machine has its own list",
     .departs = not_general_protection,
     .bytes = 8,
     .code = {0xB9, 0xEF, 0xBE, 0xAD, 0x0B, 0x0F, 0x32, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "WRMSR of an unknown register",
     .behaviour = "is ignored; #GP",
     .cure = "replaced; the machine has its own list",
     .departs = not_general_protection,
     .bytes = 8,
     .code = {0xB9, 0xEF, 0xBE, 0xAD, 0x0B, 0x0F, 0x30, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "CR4, reserved bits",
     .behaviour = "are kept; #GP",
     .cure = "MOV to CRn is replaced and checked",
     .eax = 0x80000000,
     .departs = not_general_protection,
     .bytes = 4,
     .code = {0x0F, 0x22, 0xE0, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "CR0, NW without CD",
     .behaviour = "is accepted; #GP",
     .cure = "MOV to CRn is replaced and checked",
     .eax = 0x20000011,
     .departs = not_general_protection,
     .bytes = 4,
     .code = {0x0F, 0x22, 0xC0, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "SMSW of a 32-bit register",
     .behaviour = "clears the upper half; all of CR0",
     .cure = "replaced",
     .departs = upper_half_is_zero,
     .bytes = 17,
     .code = {0x0F, 0x20, 0xC0, 0x0D, 0x00, 0x00, 0x04, 0x00, 0x0F, 0x22, 0xC0,
              0x31, 0xC0, 0x0F, 0x01, 0xE0, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "LTR of a null selector",
     .behaviour = "is accepted; #GP",
     .cure = "replaced",
     .departs = not_general_protection,
     .bytes = 4,
     .code = {0x0F, 0x00, 0xD8, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "SYSENTER without its MSR",
     .behaviour = "does nothing; #GP",
     .cure = "replaced",
     .departs = not_general_protection,
     .bytes = 3,
     .code = {0x0F, 0x34, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "SYSCALL without EFER.SCE",
     .behaviour = "does nothing; #UD",
     .cure = "replaced",
     .departs = not_undefined,
     .bytes = 3,
     .code = {0x0F, 0x05, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "ICEBP (F1)",
     .behaviour = "is undefined; #DB",
     .cure = "the exception is exchanged",
     .departs = not_debug,
     .bytes = 2,
     .code = {0xF1, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "DR7.GD",
     .behaviour = "is ignored; #DB at the next use of DRn",
     .cure = "MOV to and from DRn is done by the machine",
     .eax = 0x2400,
     .lethal = true,
     .departs = not_debug,
     .bytes = 7,
     .code = {0x0F, 0x23, 0xF8, 0x0F, 0x21, 0xC0, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "CPUID",
     .behaviour = "promises SVM and 64-bit mode, which are not there",
     .cure = "the machine has leaves of its own",
     .eax = 0x80000001,
     .departs = shows_svm,
     .bytes = 3,
     .code = {0x0F, 0xA2, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "SSE, unaligned operand of MOVAPS",
     .behaviour = "works; #GP",
     .cure = "CPUID does not offer SSE",
     .departs = not_general_protection,
     .bytes = 8,
     .code = {0x0F, 0x28, 0x05, 0x04, 0x50, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "VEX prefixes",
     .behaviour = "are accepted; #UD on this model",
     .cure = "replaced: what the decoder does not know",
     .departs = not_undefined,
     .bytes = 4,
     .code = {0xC5, 0xF8, 0x77, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "XBEGIN",
     .behaviour = "is accepted; #UD on this model",
     .cure = "replaced: what the decoder does not know",
     .departs = not_undefined,
     .bytes = 7,
     .code = {0xC7, 0xF8, 0x00, 0x00, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "segment limits",
     .behaviour = "are not checked; #GP",
     .departs = over_the_limit,
     .bytes = 7,
     .code = {0x8B, 0x0D, 0x00, 0x50, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "null segment",
     .behaviour = "can be used; #GP",
     .departs = not_general_protection,
     .bytes = 9,
     .code = {0x8E, 0xD8, 0x8B, 0x0D, 0x00, 0x50, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "alignment check",
     .behaviour = "never happens; #AC at privilege 3",
     .departs = not_alignment,
     .bytes = 7,
     .code = {0x8B, 0x0D, 0x01, 0x50, 0x00, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "LOCK on MOV and its like",
     .behaviour = "is accepted; #UD",
     .eax = 0x5000,
     .cure = "replaced: what the decoder does not know",
     .departs = not_undefined,
     .bytes = 4,
     .code = {0xF0, 0x89, 0x00, 0xF4}},
    {.if_present = ERRATUM_PRESENT_CURED,
     .name = "POP with a second opcode (8F /1)",
     .behaviour = "is accepted; #UD",
     .cure = "replaced: what the decoder does not know",
     .departs = not_undefined,
     .bytes = 3,
     .code = {0x8F, 0xC8, 0xF4}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "x87 error pending",
     .behaviour = "only FWAIT raises it; the next x87 instruction: #MF",
     .departs = not_fpu_error,
     .bytes = 28,
     .code = {0x0F, 0x20, 0xC0, 0x83, 0xC8, 0x20, 0x0F, 0x22, 0xC0, 0xDB,
              0xE3, 0x68, 0x7B, 0x03, 0x00, 0x00, 0xD9, 0x2C, 0x24, 0xD9,
              0xEE, 0xD9, 0xE8, 0xDE, 0xF1, 0xD9, 0xE8, 0xF4}},
    {.if_present = ERRATUM_PRESENT_OPEN,
     .name = "x87 instruction pointer",
     .behaviour = "FNSTENV stores zero; the last x87 instruction's",
     .departs = no_instruction_pointer,
     .bytes = 11,
     .code = {0xDB, 0xE3, 0xD9, 0xE8, 0xD9, 0x35, 0x00, 0x50, 0x00, 0x00,
              0xF4}},
};

const size_t errata_tests_count = sizeof errata_tests / sizeof *errata_tests;
