/* SPDX-License-Identifier: MIT */
/* cpu/emulate_control.c - control and debug registers, GDTR and IDTR. */
#include "cpu/emulate_run.h"

#define DR6_FIXED 0xFFFF0FF0u
#define DR6_BD    0x2000u
#define DR7_FIXED 0x0400u
#define DR7_BITS  0xFFFF23FFu
#define DR7_GD    0x2000u

/* ---- Control registers -------------------------------------------------- */

/* Control registers that say how to translate are in place: with PAE paging on
 * that includes the PDPTE registers. */
static void load_pdptes(struct emu_run *r)
{
    struct fault f;

    if (state_pae(&r->s) && !arch_load_pdptes(&r->s, r->mem, &f))
        emu_raise_fault(r, &f);
}

static void write_cr0(struct emu_run *r, uint32_t value)
{
    uint32_t old = r->s.cr0;
    struct fault f;

    if (!arch_check_cr0(&r->s, &value, &f))
        emu_raise_fault(r, &f);
    r->cr = 0;
    r->s.cr0 = value;
    if (!(value & CR0_PE))
        r->s.cpl = 0;
    if ((r->s.cr0 ^ old) & ARCH_CR0_LOADS_PDPTES)
        load_pdptes(r);
}

static void write_cr4(struct emu_run *r, uint32_t value)
{
    uint32_t old = r->s.cr4;
    struct fault f;

    if (!arch_check_cr4(&r->s, &value, &f))
        emu_raise_fault(r, &f);
    r->cr = 4;
    r->s.cr4 = value;
    if ((value ^ old) & ARCH_CR4_LOADS_PDPTES)
        load_pdptes(r);
}

void emu_mov_to_cr(struct emu_run *r)
{
    uint32_t value = r->s.gpr[r->in->op[1].reg];

    switch (r->in->op[0].reg) {
    case 0: write_cr0(r, value); break;
    case 2: r->s.cr2 = value; break;
    case 3:
        r->cr = 3;
        r->s.cr3 = value;
        load_pdptes(r);
        break;
    case 4: write_cr4(r, value); break;
    default: emu_raise_plain(r, VEC_UD);
    }
}

void emu_mov_from_cr(struct emu_run *r)
{
    uint32_t *to = &r->s.gpr[r->in->op[0].reg];

    switch (r->in->op[1].reg) {
    case 0: *to = r->s.cr0; break;
    case 2: *to = r->s.cr2; break;
    case 3: *to = r->s.cr3; break;
    case 4: *to = r->s.cr4; break;
    default: emu_raise_plain(r, VEC_UD);
    }
}

/* LMSW can set PE but not clear it. */
void emu_lmsw(struct emu_run *r)
{
    uint32_t value = emu_load(r, 0) & 0xF;

    write_cr0(r, (r->s.cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | value);
}

/* A 32-bit register gets all of CR0, memory always 16 bits. */
void emu_smsw(struct emu_run *r)
{
    emu_store(r, 0, r->s.cr0);
}

void emu_clts(struct emu_run *r)
{
    r->cr = 0;
    r->s.cr0 &= ~CR0_TS;
}

/* The operand is an address, not an access: nothing is checked. */
void emu_invlpg(struct emu_run *r)
{
    const struct operand *op = &r->in->op[0];

    r->invlpg = true;
    r->invlpg_linear = r->s.seg[op->segment].base + emu_offset(r, op);
}

/* ---- Debug registers ---------------------------------------------------- */

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE says they do not exist. */
static unsigned debug_register(struct emu_run *r, unsigned n)
{
    if (n == 4 || n == 5) {
        if (r->s.cr4 & CR4_DE)
            emu_raise_plain(r, VEC_UD);
        n += 2;
    }
    if (r->s.dr[7] & DR7_GD) { /* somebody guards the debug registers */
        r->s.dr[6] |= DR6_BD;
        r->s.dr[7] &= ~DR7_GD;
        r->keep = true;
        emu_raise_plain(r, VEC_DB);
    }
    return n;
}

void emu_mov_to_dr(struct emu_run *r)
{
    unsigned n = debug_register(r, r->in->op[0].reg);
    uint32_t value = r->s.gpr[r->in->op[1].reg];

    if (n == 6)
        value = (value & 0xE00Fu) | DR6_FIXED;
    if (n == 7)
        value = (value & DR7_BITS) | DR7_FIXED;
    r->s.dr[n] = value;
    r->dr = (int)n;
}

void emu_mov_from_dr(struct emu_run *r)
{
    unsigned n = debug_register(r, r->in->op[1].reg);

    r->s.gpr[r->in->op[0].reg] = r->s.dr[n];
}

/* ---- GDTR and IDTR ------------------------------------------------------ */

/* With 16-bit operands the base has 24 bits. */
static uint32_t base_mask(const struct emu_run *r)
{
    return r->in->operand_size == 2 ? 0x00FFFFFFu : 0xFFFFFFFFu;
}

static void load_table(struct emu_run *r, struct table_reg *table)
{
    const struct operand *op = &r->in->op[0];
    uint32_t at = emu_offset(r, op);
    uint32_t limit = emu_read(r, op->segment, at, 2);
    uint32_t base = emu_read(r, op->segment, at + 2, 4) & base_mask(r);

    *table = (struct table_reg){.base = base, .limit = (uint16_t)limit};
    r->tables = true;
}

static void store_table(struct emu_run *r, const struct table_reg *table)
{
    const struct operand *op = &r->in->op[0];
    uint32_t at = emu_offset(r, op);

    emu_write(r, op->segment, at, 2, table->limit);
    emu_write(r, op->segment, at + 2, 4, table->base & base_mask(r));
}

void emu_lgdt(struct emu_run *r)
{
    load_table(r, &r->s.gdtr);
}

void emu_lidt(struct emu_run *r)
{
    load_table(r, &r->s.idtr);
}

void emu_sgdt(struct emu_run *r)
{
    store_table(r, &r->s.gdtr);
}

void emu_sidt(struct emu_run *r)
{
    store_table(r, &r->s.idtr);
}
