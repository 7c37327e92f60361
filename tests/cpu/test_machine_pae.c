/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_pae.c - PAE paging on the machine: registers that are
 * copies of memory, what loads them, and no-execute. SDM 3A, "PAE Paging". */
#include <stdlib.h>

#include "tests/cpu/test_machine_fixture.h"

TestSuite(machine_pae, .init = machine_fixture, .timeout = 60);

enum {
    PDPT = 0x42000,
    PDPT_OTHER = 0x42020,
    PDPT_BAD = 0x42040, /* R/W, which is reserved there */
    PD = 0x43000,
    PT = 0x44000,
    SPARE = 0x50000,
    SECOND_GIB = 0x40000000,
    ALL = PTE_P | PTE_W | PTE_U,
};

static void put64(uint32_t at, uint64_t value)
{
    memcpy(memory + at, &value, sizeof value);
}

static void maps(uint32_t linear, uint64_t entry)
{
    put64(PT + (linear >> 12) * 8, entry);
}

/* The first megabyte, mapped to itself. */
static void enable_pae(void)
{
    put64(PDPT, PD | PTE_P);
    put64(PDPT_OTHER, PD | PTE_P);
    put64(PDPT_BAD, PD | PTE_P);
    put64(PDPT_BAD + 16, PD | PTE_P | PTE_W);
    put64(PD, PT | ALL);
    for (uint32_t at = 0; at < MEMORY_BYTES; at += 4096)
        maps(at, at | ALL);
    cpu.cr3 = PDPT;
    cpu.cr0 |= CR0_PG;
    cpu.cr4 |= CR4_PAE;
    cpu.pdpte[0] = PD | PTE_P;
}

static void expect_page_fault(uint32_t linear, uint32_t error)
{
    cr_assert_eq(ran_vector, VEC_PF);
    cr_expect_eq(ran.cr2, linear, "CR2 %x", ran.cr2);
    cr_expect_eq(machine_read32(ran.gpr[GPR_ESP]), error, "error %x",
                 machine_read32(ran.gpr[GPR_ESP]));
}

/* ---- the registers --------------------------------------------------------
 */

Test(machine_pae, a_change_in_memory_is_not_seen)
{
    enable_pae();
    /* movl $PD | P, PDPT + 8; mov SECOND_GIB + SPARE, %eax */
    CODE_AT(CODE, 0xC7, 0x05, 0x08, 0x20, 0x04, 0, 0x01, 0x30, 0x04, 0, 0xA1, 0,
            0, 0x05, 0x40);
    run_both();
    expect_page_fault(SECOND_GIB + SPARE, 0);
}

Test(machine_pae, until_cr3_is_loaded)
{
    enable_pae();
    put32(SPARE, 0x600D);
    /* the same, with a load of CR3 in between; hlt */
    CODE_AT(CODE, 0xC7, 0x05, 0x08, 0x20, 0x04, 0, 0x01, 0x30, 0x04, 0, 0x0F,
            0x20, 0xD8, 0x0F, 0x22, 0xD8, 0xA1, 0, 0, 0x05, 0x40, OP_HLT);
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.gpr[GPR_EAX], 0x600D);
}

Test(machine_pae, reserved_bits_refuse_mov_to_cr3)
{
    enable_pae();
    CODE_AT(CODE, 0xB8, 0x40, 0x20, 0x04, 0, 0x0F, 0x22, 0xD8);
    run_both();
    cr_assert_eq(ran_vector, VEC_GP);
    cr_expect_eq(machine_read32(ran.gpr[GPR_ESP]), 0);
    cr_expect_eq(ran.cr3, PDPT);
    cr_expect_eq(ran.pdpte[2], 0);
}

Test(machine_pae, without_paging_cr3_loads_nothing)
{
    enable_pae();
    cpu.cr0 &= ~CR0_PG;
    CODE_AT(CODE, 0xB8, 0x40, 0x20, 0x04, 0, 0x0F, 0x22, 0xD8, OP_HLT);
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.cr3, PDPT_BAD);
}

Test(machine_pae, reserved_bits_refuse_to_turn_paging_on)
{
    enable_pae();
    cpu.cr0 &= ~CR0_PG;
    cpu.cr3 = PDPT_BAD;
    CODE_AT(CODE, 0x0F, 0x20, 0xC0, 0x0D, 0, 0, 0, 0x80, 0x0F, 0x22, 0xC0);
    run_both();
    cr_assert_eq(ran_vector, VEC_GP);
    cr_assert(!(ran.cr0 & CR0_PG));
}

/* Entries of 4 bytes are no PDPTEs. */
Test(machine_pae, reserved_bits_refuse_to_turn_pae_on)
{
    enable_paging();
    CODE_AT(CODE, 0x0F, 0x20, 0xE0, 0x0C, CR4_PAE, 0x0F, 0x22, 0xE0);
    run_both();
    cr_assert_eq(ran_vector, VEC_GP);
    cr_assert(!(ran.cr4 & CR4_PAE));
}

Test(machine_pae, cr4_pge_loads_them_too)
{
    enable_pae();
    put64(PDPT + 8, PD | PTE_P);
    put32(SPARE, 0x600D);
    CODE_AT(CODE, 0x0F, 0x20, 0xE0, 0x0C, CR4_PGE, 0x0F, 0x22, 0xE0, 0xA1, 0, 0,
            0x05, 0x40, OP_HLT);
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.gpr[GPR_EAX], 0x600D);
}

/* With paging on: the table of PDPTEs is a directory at once, and PD its page
 * table, where entry CODE / 4096 is half of an entry of 8 bytes. */
Test(machine_pae, turned_off_with_paging_on)
{
    enable_pae();
    put32(PD + CODE / 4096 * 4, CODE | ALL);
    CODE_AT(CODE, 0x0F, 0x20, 0xE0, 0x24, (uint8_t)~CR4_PAE, 0x0F, 0x22, 0xE0,
            OP_HLT);
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.cr4, 0);
    cr_assert_eq(machine_read32(PDPT), PD | PTE_P | PTE_A);
}

Test(machine_pae, saved_and_restored)
{
    size_t bytes;
    void *saved;

    enable_pae();
    CODE_AT(CODE, OP_HLT);
    machine_open();
    bytes = machine_save(machine, NULL, 0);
    saved = malloc(bytes);
    cr_assert_eq(machine_save(machine, saved, bytes), bytes);
    cpu.pdpte[0] = 0;
    machine_set_state(machine, &cpu);
    cr_assert(machine_restore(machine, saved, bytes));
    free(saved);
    cr_assert_eq(machine_run(machine), MACHINE_HALTED);
    machine_close();
    cr_assert_eq(ran_vector, NO_VECTOR);
}

/* ---- task switches --------------------------------------------------------
 */

static void jump_to_task(uint32_t pdpt)
{
    enable_pae();
    put64(pdpt + 8, PD | PTE_P);
    put32(OTHER_TSS + 0x1C, pdpt);
    put32(OTHER_TSS + 0x20, CODE + 16);
    put32(SPARE, 0x600D);
    CODE_AT(CODE, 0xEA, 0, 0, 0, 0, OTHER_SEL, 0);
    CODE_AT(CODE + 16, 0xA1, 0, 0, 0x05, 0x40, OP_HLT);
    run_both();
}

Test(machine_pae, a_task_with_another_cr3_loads_them)
{
    jump_to_task(PDPT_OTHER);
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.gpr[GPR_EAX], 0x600D);
}

Test(machine_pae, a_task_with_the_same_cr3_does_not)
{
    jump_to_task(PDPT);
    expect_page_fault(SECOND_GIB + SPARE, 0);
}

Test(machine_pae, refused_ones_are_the_new_tasks_fault)
{
    struct mem_ops mem_of_machine;

    enable_pae();
    put32(OTHER_TSS + 0x1C, PDPT_BAD);
    machine_open();
    mem_of_machine = machine_mem_ops(machine);
    cr_assert(!arch_far_jump(&cpu, &mem_of_machine, OTHER_SEL, 0, 4, CODE + 7,
                             &fault));
    cr_assert_eq(fault.vector, VEC_GP);
    cr_assert_eq(fault.error, 0);
    cr_assert_eq(cpu.tr.selector, OTHER_SEL);
    cr_assert_eq(cpu.pdpte[2], 0);
}

/* ---- no-execute -----------------------------------------------------------
 */

Test(machine_pae, a_page_without_execute_right)
{
    enable_pae();
    cpu.efer = EFER_NXE;
    maps(SPARE, SPARE | ALL | PTE_NX);
    /* mov SPARE, %eax; mov %eax, SPARE; jmp SPARE */
    CODE_AT(CODE, 0xA1, 0, 0, 0x05, 0, 0xA3, 0, 0, 0x05, 0, 0xE9);
    put32(CODE + 11, SPARE - (CODE + 15));
    run_both();
    expect_page_fault(SPARE, PF_PRESENT | PF_FETCH);
}

Test(machine_pae, code_that_runs_into_one)
{
    enable_pae();
    cpu.efer = EFER_NXE;
    cpu.eip = SPARE - 2;
    maps(SPARE, SPARE | ALL | PTE_NX);
    CODE_AT(SPARE - 2, 0x40, 0xB8); /* inc; mov $imm32, %eax */
    run_both();
    expect_page_fault(SPARE, PF_PRESENT | PF_FETCH);
    cr_assert_eq(machine_read32(ran.gpr[GPR_ESP] + 4), SPARE - 1);
}

/* WRMSR turns it off: the bit is reserved then. */
Test(machine_pae, without_nxe_the_bit_is_reserved)
{
    enable_pae();
    cpu.efer = EFER_NXE;
    maps(SPARE, SPARE | ALL | PTE_NX);
    CODE_AT(CODE, 0xA1, 0, 0, 0x05, 0, 0x31, 0xC0, 0x31, 0xD2, 0xB9, 0x80, 0, 0,
            0xC0, 0x0F, 0x30, 0xA1, 0, 0, 0x05, 0);
    run_both();
    expect_page_fault(SPARE, PF_PRESENT | PF_RSVD);
    cr_assert_eq(ran.efer, 0);
}

/* ---- tables in more places than one ---------------------------------------
 */

Test(machine_pae, one_directory_for_two_gibibytes)
{
    enable_pae();
    cpu.pdpte[1] = PD | PTE_P;
    /* movl $0x600D, SECOND_GIB + SPARE; mov SPARE, %eax; hlt */
    CODE_AT(CODE, 0xC7, 0x05, 0, 0, 0x05, 0x40, 0x0D, 0x60, 0, 0, 0xA1, 0, 0,
            0x05, 0, OP_HLT);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EAX], 0x600D);
    cr_assert_eq(machine_read32(PT + SPARE / 4096 * 8),
                 SPARE | ALL | PTE_A | PTE_D);
}

/* The directory's last entry is the directory: its tables can be reached. */
Test(machine_pae, a_directory_that_maps_itself)
{
    enable_pae();
    put64(PD + 511 * 8, PD | ALL);
    put32(SPARE + 0x1000, 0x600D);
    /* mov SPARE, %eax; movl $(SPARE + 0x1000) | ALL, the PTE of SPARE;
     * invlpg SPARE; mov SPARE, %eax; hlt */
    CODE_AT(CODE, 0xA1, 0, 0, 0x05, 0, 0xC7, 0x05, 0x80, 0x02, 0xE0, 0x3F, ALL,
            0x10, 0x05, 0, 0x0F, 0x01, 0x3D, 0, 0, 0x05, 0, 0xA1, 0, 0, 0x05, 0,
            OP_HLT);
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.gpr[GPR_EAX], 0x600D);
    cr_assert_eq(machine_read32(PD),
                 PT | ALL | PTE_A | PTE_D); /* it was a PTE */
    cr_assert_eq(machine_read32(PD + 511 * 8), PD | ALL | PTE_A);
}
