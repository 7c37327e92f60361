/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_fixture.h - a small machine of tables and stacks.
 *
 * One megabyte of flat memory with pages that can be made absent, and a GDT
 * with one descriptor of every kind that the tests need.
 */
#ifndef TESTS_CPU_TEST_ARCH_FIXTURE_H
#define TESTS_CPU_TEST_ARCH_FIXTURE_H

#include <criterion/criterion.h>
#include <string.h>

#include "cpu/arch.h"

enum {
    MEMORY_BYTES = 1 << 20,
    PAGE_COUNT = MEMORY_BYTES / 4096,
    GDT = 0x1000,
    IDT = 0x2000,
    LDT = 0x3000,
    TSS = 0x4000,       /* the current task's, 32-bit */
    OTHER_TSS = 0x5000, /* 32-bit */
    SMALL_TSS = 0x6000, /* 16-bit */
    IO_MAP = 0x88,      /* offset in TSS */
    STACK0 = 0x9000,
    STACK1 = 0x9800,
    STACK3 = 0xA000,
    STACK_OTHER = 0xB000,
    CODE = 0x10000,
    HANDLER = 0x20000,
};

enum {
    CODE0 = 0x08,
    DATA0 = 0x10,
    CODE3 = 0x1B,
    DATA3 = 0x23,
    TSS_SEL = 0x28,
    OTHER_SEL = 0x30,
    LDT_SEL = 0x38,
    CONFORMING0 = 0x40,
    ABSENT_CODE0 = 0x48,
    CODE1 = 0x51,
    DATA1 = 0x59,
    GATE32 = 0x60, /* call gate, DPL 3, to CODE0:HANDLER, 2 parameters */
    SMALL_SEL = 0x68,
    TASK_GATE = 0x70, /* DPL 3, to OTHER_SEL */
    GATE16 = 0x78,
    READ_ONLY0 = 0x80,
    EXECUTE_ONLY0 = 0x88,
    ABSENT_DATA0 = 0x90,
    SHORT_CODE0 = 0x98, /* limit FFF */
    ABSENT_LDT = 0xA0,
    ABSENT_TSS = 0xA8,
    ABSENT_GATE = 0xB0,
    GATE_CONFORMING = 0xB8,
    CODE0_16 = 0xC0,
    STACK3_16 = 0xCB, /* 16-bit data segment, DPL 3 */
    INT_GATE_IN_GDT = 0xD0,
    BEYOND_GDT = 0x7F8,
};

static uint8_t memory[MEMORY_BYTES];
static bool absent[PAGE_COUNT];
static bool user_only_hidden[PAGE_COUNT]; /* supervisor pages */
static uint32_t cr3_seen __attribute__((unused));
static struct cpu_state cpu;
static struct fault fault __attribute__((unused));
static struct arch_chain chain __attribute__((unused));

static bool reach(uint32_t linear, unsigned size, bool user, bool write,
                  struct fault *f)
{
    for (unsigned i = 0; i < size; i++) {
        uint32_t at = linear + i;
        bool out = at >= MEMORY_BYTES || absent[at / 4096];
        if (out || (user && user_only_hidden[at / 4096])) {
            *f = arch_fault(VEC_PF, (out ? 0 : PF_PRESENT) |
                                        (write ? PF_WRITE : 0) |
                                        (user ? PF_USER : 0));
            f->cr2 = at;
            return false;
        }
    }
    return true;
}

static bool mem_read(void *ctx, uint32_t linear, unsigned size, bool user,
                     uint32_t *value, struct fault *f)
{
    (void)ctx;
    if (!reach(linear, size, user, false, f))
        return false;
    *value = 0;
    memcpy(value, memory + linear, size);
    return true;
}

static bool mem_write(void *ctx, uint32_t linear, unsigned size, bool user,
                      uint32_t value, struct fault *f)
{
    (void)ctx;
    if (!reach(linear, size, user, true, f))
        return false;
    memcpy(memory + linear, &value, size);
    return true;
}

static void mem_cr3(void *ctx, uint32_t cr3, const uint64_t *pdpte)
{
    (void)ctx;
    (void)pdpte;
    cr3_seen = cr3;
}

static const struct mem_ops mem = {
    .read = mem_read, .write = mem_write, .switch_cr3 = mem_cr3};

static inline void put16(uint32_t at, unsigned v)
{
    uint16_t w = (uint16_t)v;
    memcpy(memory + at, &w, 2);
}

static inline void put32(uint32_t at, uint32_t v)
{
    memcpy(memory + at, &v, 4);
}

static inline uint32_t get32(uint32_t at)
{
    uint32_t v;
    memcpy(&v, memory + at, 4);
    return v;
}

static inline uint16_t get16(uint32_t at)
{
    uint16_t v;
    memcpy(&v, memory + at, 2);
    return v;
}

/* limit as encoded: 20 bits. */
static inline void put_segment(uint32_t at, uint32_t base, uint32_t limit,
                               unsigned attr)
{
    put32(at, (limit & 0xFFFF) | base << 16);
    put32(at + 4, (base >> 16 & 0xFF) | (attr & 0xF0FFu) << 8 |
                      (limit & 0xF0000) | (base & 0xFF000000u));
}

static inline void put_gate(uint32_t at, unsigned selector, uint32_t offset,
                            unsigned attr, unsigned parameters)
{
    put32(at, (offset & 0xFFFF) | selector << 16);
    put32(at + 4, (offset & 0xFFFF0000u) | attr << 8 | parameters);
}

static inline uint32_t gdt_at(unsigned selector)
{
    return GDT + (selector & SEL_INDEX);
}

enum {
    ATTR_CODE0 = 0xC09A,
    ATTR_DATA0 = 0xC092,
    ATTR_CODE3 = 0xC0FA,
    ATTR_DATA3 = 0xC0F2,
    GATE_INT32 = 0x8E,
    GATE_TRAP32 = 0x8F,
    GATE_INT16 = 0x86,
    GATE_TASK = 0x85,
    GATE_DPL3 = 0x60,
};

static inline void load_cache(enum seg_reg reg, unsigned selector)
{
    uint32_t at = gdt_at(selector);
    cpu.seg[reg] = arch_segment((uint16_t)selector, get32(at), get32(at + 4));
}

static inline void fill_gdt(void)
{
    put_segment(gdt_at(CODE0), 0, 0xFFFFF, ATTR_CODE0);
    put_segment(gdt_at(DATA0), 0, 0xFFFFF, ATTR_DATA0);
    put_segment(gdt_at(CODE3), 0, 0xFFFFF, ATTR_CODE3);
    put_segment(gdt_at(DATA3), 0, 0xFFFFF, ATTR_DATA3);
    put_segment(gdt_at(TSS_SEL), TSS, 0x2FF, 0x8B);
    put_segment(gdt_at(OTHER_SEL), OTHER_TSS, 0x67, 0xE9);
    put_segment(gdt_at(LDT_SEL), LDT, 0xFF, 0x82);
    put_segment(gdt_at(CONFORMING0), 0, 0xFFFFF, 0xC09E);
    put_segment(gdt_at(ABSENT_CODE0), 0, 0xFFFFF, 0xC01A);
    put_segment(gdt_at(CODE1), 0, 0xFFFFF, 0xC0BA);
    put_segment(gdt_at(DATA1), 0, 0xFFFFF, 0xC0B2);
    put_gate(gdt_at(GATE32), CODE0, HANDLER, 0xEC, 2);
    put_segment(gdt_at(SMALL_SEL), SMALL_TSS, 0x2B, 0xE1);
    put_gate(gdt_at(TASK_GATE), OTHER_SEL, 0, 0xE5, 0);
    put_gate(gdt_at(GATE16), CODE0, 0x4000, 0xE4, 1);
    put_segment(gdt_at(READ_ONLY0), 0, 0xFFFFF, 0xC090);
    put_segment(gdt_at(EXECUTE_ONLY0), 0, 0xFFFFF, 0xC098);
    put_segment(gdt_at(ABSENT_DATA0), 0, 0xFFFFF, 0xC012);
    put_segment(gdt_at(SHORT_CODE0), 0, 0xFFF, 0x409A);
    put_segment(gdt_at(ABSENT_LDT), LDT, 0xFF, 0x02);
    put_segment(gdt_at(ABSENT_TSS), OTHER_TSS, 0x67, 0x69);
    put_gate(gdt_at(ABSENT_GATE), CODE0, HANDLER, 0x6C, 0);
    put_gate(gdt_at(GATE_CONFORMING), CONFORMING0, HANDLER, 0xEC, 0);
    put_segment(gdt_at(CODE0_16), 0, 0xFFFF, 0x009A);
    put_segment(gdt_at(STACK3_16), 0, 0xFFFF, 0x00F2);
    put_gate(gdt_at(INT_GATE_IN_GDT), CODE0, HANDLER, 0xEE, 0);
}

static inline void fill_tss(void)
{
    put32(TSS + 4, STACK0);
    put16(TSS + 8, DATA0);
    put32(TSS + 12, STACK1);
    put16(TSS + 16, DATA1);
    put16(TSS + 0x66, IO_MAP);
    memset(memory + TSS + IO_MAP, 0xFF, 0x200);

    put32(OTHER_TSS + 0x1C, 0x77000);
    put32(OTHER_TSS + 0x20, HANDLER);
    put32(OTHER_TSS + 0x24, EFL_FIXED);
    put32(OTHER_TSS + 0x28, 0x11111111);
    put32(OTHER_TSS + 0x38, STACK_OTHER);
    put16(OTHER_TSS + 0x48, DATA0);
    put16(OTHER_TSS + 0x4C, CODE0);
    put16(OTHER_TSS + 0x50, DATA0);
    put16(OTHER_TSS + 0x54, DATA0);

    put16(SMALL_TSS + 0x0E, 0x4000);
    put16(SMALL_TSS + 0x10, EFL_FIXED);
    put16(SMALL_TSS + 0x12, 0x2222);
    put16(SMALL_TSS + 0x1A, (uint16_t)STACK_OTHER);
    put16(SMALL_TSS + 0x22, DATA0);
    put16(SMALL_TSS + 0x24, CODE0);
    put16(SMALL_TSS + 0x26, DATA0);
    put16(SMALL_TSS + 0x28, DATA0);
}

static inline void enter_ring(unsigned cpl)
{
    static const unsigned code[4] = {CODE0, CODE1, 0, CODE3};
    static const unsigned data[4] = {DATA0, DATA1, 0, DATA3};
    static const uint32_t stack[4] = {STACK0, STACK1, 0, STACK3};

    for (unsigned i = 0; i < SEG_COUNT; i++)
        load_cache((enum seg_reg)i, i == SEG_CS ? code[cpl] : data[cpl]);
    cpu.cpl = (uint8_t)cpl;
    cpu.gpr[GPR_ESP] = stack[cpl];
}

/* Ring 0, protected mode, interrupts on, 256 interrupt gates of DPL 3. */
static inline void fixture(void)
{
    memset(memory, 0, sizeof memory);
    memset(absent, 0, sizeof absent);
    memset(user_only_hidden, 0, sizeof user_only_hidden);
    cr3_seen = 0;
    fault = (struct fault){.vector = 0xEE};
    arch_reset(&cpu);
    fill_gdt();
    fill_tss();
    for (unsigned v = 0; v < 256; v++)
        put_gate(IDT + v * 8, CODE0, HANDLER + v * 16, GATE_INT32 | GATE_DPL3,
                 0);
    cpu.cr0 = CR0_PE | CR0_ET;
    cpu.gdtr = (struct table_reg){GDT, 0x3FF};
    cpu.idtr = (struct table_reg){IDT, 0x7FF};
    uint32_t at = gdt_at(TSS_SEL);
    cpu.tr = arch_segment(TSS_SEL, get32(at), get32(at + 4));
    cpu.ldtr = (struct segment){0};
    cpu.eip = CODE;
    cpu.eflags = EFL_FIXED | EFL_IF;
    enter_ring(0);
}

static inline void enter_vm86(unsigned iopl)
{
    for (unsigned i = 0; i < SEG_COUNT; i++)
        cpu.seg[i] = (struct segment){
            .base = 0x10000, .limit = 0xFFFF, .selector = 0x1000, .attr = 0xF3};
    cpu.eflags |= EFL_VM | iopl << EFL_IOPL_SHIFT;
    cpu.cpl = 3;
    cpu.eip = 0x200;
    cpu.gpr[GPR_ESP] = 0x800;
}

static inline void enter_real(void)
{
    cpu.cr0 = CR0_ET;
    cpu.cpl = 0;
    cpu.idtr = (struct table_reg){0, 0x3FF};
    for (unsigned i = 0; i < SEG_COUNT; i++)
        cpu.seg[i] = (struct segment){
            .base = 0x10000, .limit = 0xFFFF, .selector = 0x1000, .attr = 0x93};
    cpu.seg[SEG_CS].attr = 0x9B;
    cpu.eip = 0x200;
    cpu.gpr[GPR_ESP] = 0x800;
}

/* A refused step: it failed, with this fault, and changed nothing. */
#define EXPECT_FAULT(call, vec, err)                                           \
    do {                                                                       \
        struct cpu_state before_ = cpu;                                        \
        cr_assert(!(call), "it must fault");                                   \
        cr_assert_eq(fault.vector, (vec), "vector %u", fault.vector);          \
        cr_assert(fault.has_error);                                            \
        cr_assert_eq(fault.error, (uint32_t)(err), "error %x", fault.error);   \
        cr_assert_arr_eq((char *)&cpu, (char *)&before_, sizeof cpu,           \
                         "the state must stay");                               \
    } while (0)

#endif
