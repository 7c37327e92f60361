/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_state.c - POPF, I/O permission, control registers. */
#include "test_arch_fixture.h"

#include <criterion/parameterized.h>

TestSuite(arch_state, .init = fixture);

/* POPF: every CPL and IOPL. What may change: SDM 2, POPF, table. */
struct popf_case {
    unsigned cpl, iopl;
    bool if_changes, iopl_changes;
};

ParameterizedTestParameters(arch_state, popf_matrix)
{
    static struct popf_case cases[16];
    for (unsigned i = 0; i < 16; i++)
        cases[i] = (struct popf_case){.cpl = i / 4,
                                      .iopl = i % 4,
                                      .if_changes = i / 4 <= i % 4,
                                      .iopl_changes = i / 4 == 0};
    return cr_make_param_array(struct popf_case, cases, 16);
}

ParameterizedTest(struct popf_case *c, arch_state, popf_matrix)
{
    fixture();
    cpu.cpl = (uint8_t)c->cpl;
    cpu.eflags = EFL_FIXED | EFL_IF | c->iopl << EFL_IOPL_SHIFT;
    unsigned other = c->iopl ^ 3;
    uint32_t now = arch_popf(&cpu, other << EFL_IOPL_SHIFT, 4);
    unsigned iopl = c->iopl_changes ? other : c->iopl;

    cr_assert_eq(
        now, EFL_FIXED | (c->if_changes ? 0 : EFL_IF) | iopl << EFL_IOPL_SHIFT,
        "CPL %u IOPL %u: %x", c->cpl, c->iopl, now);
}

Test(arch_state, popf_clears_rf)
{
    cpu.eflags |= EFL_RF;
    cr_assert(!(arch_popf(&cpu, EFL_RF, 4) & EFL_RF));
}

Test(arch_state, popf_never_sets_vm)
{
    cr_assert(!(arch_popf(&cpu, EFL_VM, 4) & EFL_VM));
}

Test(arch_state, popf_16_keeps_the_upper_half)
{
    cpu.eflags |= EFL_AC | EFL_ID;
    cr_assert_eq(arch_popf(&cpu, EFL_CF, 2),
                 EFL_FIXED | EFL_CF | EFL_AC | EFL_ID);
}

Test(arch_state, popf_in_vm86_keeps_iopl)
{
    enter_vm86(3);
    cr_assert_eq(arch_popf(&cpu, 0, 2), EFL_FIXED | EFL_VM | EFL_IOPL);
}

Test(arch_state, popf_in_real_mode_changes_all)
{
    enter_real();
    cr_assert_eq(arch_popf(&cpu, EFL_IOPL | EFL_NT, 2),
                 EFL_FIXED | EFL_IOPL | EFL_NT);
}

static bool io(unsigned port, unsigned size)
{
    return arch_io_allowed(&cpu, &mem, (uint16_t)port, size, &fault);
}

Test(arch_state, kernel_may_use_ports)
{
    cr_assert(io(0x60, 1));
}

Test(arch_state, user_without_bitmap_bit_is_gp)
{
    enter_ring(3);
    EXPECT_FAULT(io(0x60, 1), VEC_GP, 0);
}

Test(arch_state, user_at_iopl_3_may)
{
    enter_ring(3);
    cpu.eflags |= EFL_IOPL;
    cr_assert(io(0x60, 1));
}

Test(arch_state, clear_bit_allows_the_port)
{
    enter_ring(3);
    memory[TSS + IO_MAP + 0x60 / 8] = 0xFE;
    cr_assert(io(0x60, 1));
}

Test(arch_state, every_byte_of_the_access_needs_its_bit)
{
    enter_ring(3);
    memory[TSS + IO_MAP + 0x60 / 8] = 0xFE;
    cr_assert(!io(0x60, 2));
}

Test(arch_state, access_across_bitmap_bytes)
{
    enter_ring(3);
    memory[TSS + IO_MAP + 12] = 0x7F;
    memory[TSS + IO_MAP + 13] = 0xFE;
    cr_assert(io(0x67, 2));
}

Test(arch_state, port_beyond_tss_limit_is_gp)
{
    enter_ring(3);
    cpu.tr.limit = IO_MAP + 12;
    memset(memory + TSS + IO_MAP, 0, 0x200);
    EXPECT_FAULT(io(0x60, 1), VEC_GP, 0);
}

Test(arch_state, sixteen_bit_tss_has_no_bitmap)
{
    enter_ring(3);
    memset(memory + TSS + IO_MAP, 0, 0x200);
    cpu.tr.attr = SEG_P | SYS_TSS16_BUSY;
    EXPECT_FAULT(io(0x60, 1), VEC_GP, 0);
}

Test(arch_state, vm86_always_uses_the_bitmap)
{
    enter_vm86(3);
    EXPECT_FAULT(io(0x60, 1), VEC_GP, 0);
}

Test(arch_state, bitmap_page_fault_is_reported)
{
    enter_ring(3);
    absent[TSS / 4096] = true;
    EXPECT_FAULT(io(0x60, 1), VEC_PF, 0);
}

Test(arch_state, paging_without_protection_is_gp)
{
    uint32_t v = CR0_PG;
    EXPECT_FAULT(arch_check_cr0(&cpu, &v, &fault), VEC_GP, 0);
}

Test(arch_state, nw_without_cd_is_gp)
{
    uint32_t v = CR0_PE | CR0_NW;
    EXPECT_FAULT(arch_check_cr0(&cpu, &v, &fault), VEC_GP, 0);
}

Test(arch_state, et_reads_one_and_reserved_bits_zero)
{
    uint32_t v = CR0_PE | 0x100;
    cr_assert(arch_check_cr0(&cpu, &v, &fault));
    cr_assert_eq(v, CR0_PE | CR0_ET);
}

Test(arch_state, every_unsupported_cr4_bit_is_gp)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t v = 1u << bit;
        cr_assert_eq(arch_check_cr4(&cpu, &v, &fault),
                     (ARCH_CR4_BITS >> bit & 1) != 0, "bit %u", bit);
    }
}

Test(arch_state, reset_starts_below_the_top)
{
    arch_reset(&cpu);
    cr_assert_eq(cpu.seg[SEG_CS].base + cpu.eip, 0xFFFFFFF0);
}
