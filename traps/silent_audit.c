/* SPDX-License-Identifier: MIT */
/* traps/silent_audit.c - what a silent instruction gives, and what it should.
 *
 * The instruction is done twice, neither time for good: on a copy of the real
 * processor at its ring 1, and on a copy of the virtual one at ring 0, whose
 * writes to memory are kept back. What differs is what the guest was told
 * wrong.
 *
 * Reference: Robin & Irvine, USENIX Security 2000; SDM 2, one entry for each.
 */
#include "traps/monitor_priv.h"

/* Memory that is read and not written. */
struct dry_memory {
    struct mem_ops below;
    bool written;
    uint32_t first, last; /* values written */
};

static bool dry_read(void *ctx, uint32_t linear, unsigned size, bool user,
                     uint32_t *value, struct fault *f)
{
    const struct dry_memory *d = ctx;

    return d->below.read(d->below.ctx, linear, size, user, value, f);
}

static bool dry_write(void *ctx, uint32_t linear, unsigned size, bool user,
                      uint32_t value, struct fault *f)
{
    struct dry_memory *d = ctx;

    (void)linear, (void)size, (void)user, (void)f;
    if (!d->written)
        d->first = value;
    d->written = true;
    d->last = value;
    return true;
}

/* Marks on descriptors tell nothing. */
static bool dry_descriptor(void *ctx, uint32_t linear, bool write,
                           uint32_t *value, struct fault *f)
{
    const struct dry_memory *d = ctx;

    if (write)
        return true;
    if (!d->below.descriptor)
        return dry_read(ctx, linear, 4, false, value, f);
    return d->below.descriptor(d->below.ctx, linear, false, value, f);
}

static void dry_switch(void *ctx, uint32_t cr3, const uint64_t *pdpte)
{
    (void)ctx, (void)cr3, (void)pdpte;
}

/* Guest memory for the virtual processor, without devices. */
static bool guest_read(void *ctx, uint32_t linear, unsigned size, bool user,
                       uint32_t *value, struct fault *f)
{
    struct monitor *mon = ctx;
    bool device = false;

    *f = (struct fault){.vector = VEC_PF};
    return mmu_read(mon->mmu, linear, size, user, value, f, &device);
}

/* What an instruction did: a fault, or one value that tells. */
struct effect {
    bool known, fault;
    uint32_t value; /* of a fault: the vector */
};

/* The value by which the guest would notice. */
static uint32_t telling(const struct insn *insn, const struct cpu_state *s,
                        const struct dry_memory *d)
{
    bool zf = (s->eflags & EFL_ZF) != 0;

    switch (insn->id) {
    case INSN_SGDT:
    case INSN_SIDT: return d->last; /* the base, behind the limit */
    case INSN_LAR:
    case INSN_LSL: return zf ? s->gpr[insn->op[0].reg] : 0;
    case INSN_VERR:
    case INSN_VERW: return zf;
    case INSN_POPF: return s->eflags;
    case INSN_IRET: return s->eflags;
    case INSN_POP_SEG:
    case INSN_MOV_TO_SEG: return s->seg[insn->op[0].reg].selector;
    case INSN_JMP_FAR:
    case INSN_RET_FAR: return s->seg[SEG_CS].selector;
    case INSN_LDS: return s->seg[SEG_DS].selector;
    case INSN_LES: return s->seg[SEG_ES].selector;
    case INSN_LFS: return s->seg[SEG_FS].selector;
    case INSN_LGS: return s->seg[SEG_GS].selector;
    case INSN_LSS: return s->seg[SEG_SS].selector;
    default: break;
    }
    /* SLDT STR SMSW, MOV from a segment, PUSHF, PUSH, CALL far */
    return insn->op[0].kind == OPERAND_GPR ? s->gpr[insn->op[0].reg] : d->first;
}

static struct effect try(const struct insn *insn, struct cpu_state state,
                         struct mem_ops below)
{
    struct dry_memory dry = {.below = below};
    const struct mem_ops mem = {.read = dry_read,
                                .write = dry_write,
                                .descriptor = dry_descriptor,
                                .switch_cr3 = dry_switch,
                                .ctx = &dry};
    const struct emu_ops nothing = {0};
    struct emu e = {.state = &state, .mem = &mem, .ops = &nothing};
    struct effect effect = {0};

    switch (emulate(&e, insn)) {
    case EMU_DONE:
        effect.known = true;
        effect.value = telling(insn, &state, &dry);
        break;
    case EMU_FAULT:
        effect.known = true;
        effect.fault = true;
        effect.value = e.event.vector;
        break;
    case EMU_UNHANDLED: break;
    }
    return effect;
}

/* The guest is about to do it. If it faults, it traps: that is for the exit
 * that follows; after a page fault it comes here again. */
void silent_audit(struct monitor *mon, const struct insn *insn)
{
    struct mem_ops guest = {.read = guest_read, .ctx = mon};
    struct effect got, right;
    struct cpu_state real;

    if (insn->id == INSN_INT || insn->id == INSN_INT1 ||
        insn->id == INSN_INT3 || insn->id == INSN_INTO)
        return; /* always comes to the monitor */
    machine_get_state(mon->machine, &real);
    got = try(insn, real, machine_mem_ops(mon->machine));
    right = try(insn, mon->v, guest);
    if (!got.known || got.fault || !right.known)
        return;
    if (right.fault || got.value != right.value)
        mon->trace->count.silent++;
    trace_silent(mon->trace, monitor_site(mon), insn_name(insn->id),
                 insn->length, got.value, right.fault ? 0 : right.value,
                 right.fault ? right.value : 0);
}
