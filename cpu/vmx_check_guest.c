/* SPDX-License-Identifier: MIT */
/* cpu/vmx_check_guest.c - what a VM entry demands of the guest's state.
 *
 * State that the processor saved at an exit passes by itself, so only what was
 * written since is looked at: a few registers alone, or everything.
 *
 * Reference: SDM 3C, "Checks on the Guest State Area"; each function below is
 * a section of it.
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

#define REQUIRE(condition, complaint)                                          \
    do {                                                                       \
        if (!(condition))                                                      \
            return complaint;                                                  \
    } while (0)

/* Exit qualification of PDPTEs and of a link pointer that are refused. */
enum { QUALIFY_PDPTE = 2, QUALIFY_LINK_POINTER = 4 };

#define EFL_RESERVED    0xFFC08028u
#define RIGHTS_RESERVED 0xFFFE0F00u

uint32_t vmx_guest_value(const struct machine *m, enum vmcs_place place)
{
    return vmx_in_processor(m, place) ? (uint32_t)vmx_guest_field(m, place)
                                      : vmcs_get(m, place);
}

/* What the checks ask for again and again. */
struct guest {
    const struct machine *m;
    bool unrestricted, protected_mode, vm86;
    uint32_t eflags;
    uint32_t info; /* the injected event */
};

static uint32_t value(const struct guest *g, unsigned place)
{
    return vmx_guest_value(g->m, (enum vmcs_place)place);
}

static const char *check_control_registers(const struct guest *g)
{
    uint32_t cr0 = value(g, F_GUEST_CR0), cr4 = value(g, F_GUEST_CR4);
    uint32_t must = vmx_must_be(MSR_VMX_CR0_FIXED0);

    if (g->unrestricted)
        must &= ~(CR0_PE | CR0_PG);
    REQUIRE((~cr0 & must) == 0 && (cr0 & ~vmx_must_be(MSR_VMX_CR0_FIXED1)) == 0,
            "CR0");
    REQUIRE(!(cr0 & CR0_PG) || (cr0 & CR0_PE), "CR0.PG without CR0.PE");
    REQUIRE((~cr4 & vmx_must_be(MSR_VMX_CR4_FIXED0)) == 0 &&
                (cr4 & ~vmx_must_be(MSR_VMX_CR4_FIXED1)) == 0,
            "CR4");
    REQUIRE(value(g, F_GUEST_DEBUGCTL) == 0, "IA32_DEBUGCTL");
    REQUIRE(!(g->m->vmx.c.entry & ENTRY_LOAD_EFER) ||
                vmx_in_processor(g->m, F_GUEST_EFER) ||
                !(vmcs_get64(g->m, F_GUEST_EFER) & ~(uint64_t)ARCH_EFER_BITS),
            "IA32_EFER");
    return NULL;
}

static bool granular(uint32_t rights, uint32_t limit)
{
    if ((limit & 0xFFF) != 0xFFF && (rights & SEG_G))
        return false;
    return !(limit & 0xFFF00000u) || (rights & SEG_G);
}

static unsigned dpl(uint32_t rights)
{
    return (rights & SEG_DPL) >> SEG_DPL_SHIFT;
}

static const char *check_cs(const struct guest *g, uint32_t rights, uint32_t ss)
{
    switch (rights & SEG_TYPE) {
    case 3: /* data: real mode, left over */
        REQUIRE(g->unrestricted, "CS type");
        REQUIRE(dpl(rights) == 0, "CS DPL");
        break;
    case 9:
    case 11: REQUIRE(dpl(rights) == dpl(ss), "CS DPL"); break;
    case 13:
    case 15: REQUIRE(dpl(rights) <= dpl(ss), "CS DPL"); break;
    default: return "CS type";
    }
    REQUIRE(!(rights & RIGHTS_UNUSABLE), "CS unusable");
    return NULL;
}

static const char *check_ss(const struct guest *g, uint32_t rights, uint32_t cs)
{
    unsigned rpl = value(g, F_GUEST_SS_SELECTOR) & SEL_RPL;
    unsigned type = rights & SEG_TYPE;

    REQUIRE((rights & RIGHTS_UNUSABLE) || type == 3 || type == 7, "SS type");
    REQUIRE(g->unrestricted || dpl(rights) == rpl, "SS DPL");
    if ((cs & SEG_TYPE) == 3 || !g->protected_mode)
        REQUIRE(dpl(rights) == 0, "SS DPL");
    return NULL;
}

static const char *check_data(const struct guest *g, unsigned n,
                              uint32_t rights)
{
    unsigned type = rights & SEG_TYPE;
    unsigned rpl = value(g, F_GUEST_ES_SELECTOR + n) & SEL_RPL;

    REQUIRE(type & SEG_ACCESSED, "data segment type");
    REQUIRE(!(type & SEG_CODE) || (type & SEG_READABLE), "data segment type");
    REQUIRE(g->unrestricted || type > 11 || dpl(rights) >= rpl,
            "data segment DPL");
    return NULL;
}

static const char *check_segment(const struct guest *g, unsigned n)
{
    uint32_t rights = value(g, F_GUEST_ES_RIGHTS + n);
    uint32_t limit = value(g, F_GUEST_ES_LIMIT + n);
    const char *wrong = NULL;

    if (n == SEG_CS)
        wrong = check_cs(g, rights, value(g, F_GUEST_SS_RIGHTS));
    else if (n == SEG_SS)
        wrong = check_ss(g, rights, value(g, F_GUEST_CS_RIGHTS));
    else if (!(rights & RIGHTS_UNUSABLE))
        wrong = check_data(g, n, rights);
    if (wrong || (rights & RIGHTS_UNUSABLE))
        return wrong;
    REQUIRE((rights & SEG_S) && (rights & SEG_P), "segment's S or P");
    REQUIRE(!(rights & RIGHTS_RESERVED), "segment's reserved bits");
    REQUIRE(granular(rights, limit), "segment's limit and G");
    return NULL;
}

static const char *check_vm86_segment(const struct guest *g, unsigned n)
{
    REQUIRE(value(g, F_GUEST_ES_BASE + n) == value(g, F_GUEST_ES_SELECTOR + n)
                                                 << 4,
            "virtual-8086 segment base");
    REQUIRE(value(g, F_GUEST_ES_LIMIT + n) == 0xFFFF,
            "virtual-8086 segment limit");
    REQUIRE(value(g, F_GUEST_ES_RIGHTS + n) == 0xF3,
            "virtual-8086 segment rights");
    return NULL;
}

static const char *check_system_segments(const struct guest *g)
{
    uint32_t tr = value(g, F_GUEST_TR_RIGHTS);
    uint32_t ldt = value(g, F_GUEST_LDTR_RIGHTS);
    unsigned type = tr & SEG_TYPE;

    REQUIRE(!(value(g, F_GUEST_TR_SELECTOR) & SEL_TI), "TR selector");
    REQUIRE(type == SYS_TSS32_BUSY || type == SYS_TSS16_BUSY, "TR type");
    REQUIRE(!(tr & (SEG_S | RIGHTS_UNUSABLE | RIGHTS_RESERVED)) &&
                (tr & SEG_P) && granular(tr, value(g, F_GUEST_TR_LIMIT)),
            "TR access rights");
    if (ldt & RIGHTS_UNUSABLE)
        return NULL;
    REQUIRE(!(value(g, F_GUEST_LDTR_SELECTOR) & SEL_TI), "LDTR selector");
    REQUIRE((ldt & SEG_TYPE) == SYS_LDT, "LDTR type");
    REQUIRE(!(ldt & (SEG_S | RIGHTS_RESERVED)) && (ldt & SEG_P) &&
                granular(ldt, value(g, F_GUEST_LDTR_LIMIT)),
            "LDTR access rights");
    return NULL;
}

static const char *check_segments(const struct guest *g)
{
    const char *wrong = check_system_segments(g);

    for (unsigned n = 0; n < SEG_COUNT && !wrong; n++)
        wrong = g->vm86 ? check_vm86_segment(g, n) : check_segment(g, n);
    if (!wrong && !g->vm86 && !g->unrestricted &&
        ((value(g, F_GUEST_SS_SELECTOR) ^ value(g, F_GUEST_CS_SELECTOR)) &
         SEL_RPL))
        wrong = "RPLs of CS and SS";
    return wrong;
}

static const char *check_tables(const struct guest *g)
{
    REQUIRE(value(g, F_GUEST_GDTR_LIMIT) <= 0xFFFF &&
                value(g, F_GUEST_IDTR_LIMIT) <= 0xFFFF,
            "table limit");
    return NULL;
}

static const char *check_flags(const struct guest *g)
{
    unsigned type = (g->info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;

    REQUIRE(!(g->eflags & EFL_RESERVED) && (g->eflags & EFL_FIXED), "EFLAGS");
    REQUIRE(g->protected_mode || !(g->eflags & EFL_VM),
            "EFLAGS.VM without CR0.PE");
    REQUIRE(!(g->info & INTERRUPTION_VALID) || type != TYPE_EXTERNAL ||
                (g->eflags & EFL_IF),
            "an interrupt is injected with EFLAGS.IF 0");
    return NULL;
}

static bool wakes_from_halt(uint32_t info)
{
    unsigned type = (info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
    unsigned vector = info & 0xFF;

    return type == TYPE_EXTERNAL || type == TYPE_NMI ||
           (type == TYPE_HARDWARE_EXCEPTION &&
            (vector == VEC_DB || vector == VEC_MC));
}

static const char *check_activity(const struct guest *g)
{
    uint32_t activity = value(g, F_GUEST_ACTIVITY);
    uint32_t blocking = value(g, F_GUEST_INTERRUPTIBILITY);

    REQUIRE(activity <= ACTIVITY_HLT, "activity state");
    if (activity != ACTIVITY_HLT)
        return NULL;
    REQUIRE(dpl(value(g, F_GUEST_SS_RIGHTS)) == 0, "halted above privilege 0");
    REQUIRE(!(blocking & (BLOCKING_STI | BLOCKING_MOV_SS)),
            "halted and blocked");
    REQUIRE(!(g->info & INTERRUPTION_VALID) || wakes_from_halt(g->info),
            "the injected event does not wake from HLT");
    return NULL;
}

static const char *check_interruptibility(const struct guest *g)
{
    uint32_t state = value(g, F_GUEST_INTERRUPTIBILITY);
    uint32_t shadow = state & (BLOCKING_STI | BLOCKING_MOV_SS);
    unsigned type = (g->info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
    bool injected = (g->info & INTERRUPTION_VALID) != 0;

    REQUIRE(!(state & ~(BLOCKING_STI | BLOCKING_MOV_SS | BLOCKING_NMI)),
            "interruptibility state");
    REQUIRE(shadow != (BLOCKING_STI | BLOCKING_MOV_SS),
            "blocking by STI and by MOV SS");
    REQUIRE(!(state & BLOCKING_STI) || (g->eflags & EFL_IF),
            "blocking by STI with EFLAGS.IF 0");
    REQUIRE(!injected || type != TYPE_EXTERNAL || !shadow,
            "an interrupt is injected while blocked");
    REQUIRE(!injected || type != TYPE_NMI || !(state & BLOCKING_MOV_SS),
            "an NMI is injected while blocked by MOV SS");
    REQUIRE(!injected || type != TYPE_NMI || !(state & BLOCKING_NMI) ||
                !(g->m->vmx.c.pin & PIN_VIRTUAL_NMI),
            "an NMI is injected while NMIs are blocked");
    return NULL;
}

static const char *check_pending_debug(const struct guest *g)
{
    uint32_t pending = value(g, F_GUEST_PENDING_DEBUG);
    bool held = (value(g, F_GUEST_INTERRUPTIBILITY) &
                 (BLOCKING_STI | BLOCKING_MOV_SS)) ||
                value(g, F_GUEST_ACTIVITY) == ACTIVITY_HLT;

    REQUIRE(!(pending & 0xFFFFAFF0u), "pending debug exceptions");
    REQUIRE(!held || !(pending & DR6_BS) == !(g->eflags & EFL_TF),
            "pending single step");
    return NULL;
}

static const char *check_rest(const struct guest *g)
{
    const char *wrong = check_flags(g);

    if (!wrong)
        wrong = check_activity(g);
    if (!wrong)
        wrong = check_interruptibility(g);
    return wrong ? wrong : check_pending_debug(g);
}

/* The state in the processor, changed in nothing that other state depends on.
 */
static bool only_flags_changed(const struct machine *m)
{
    return m->vmx.loaded && !m->vmx.control_written &&
           !(m->vmx.stale &
             ~(1ull << F_GUEST_EIP | 1ull << F_GUEST_EFLAGS |
               1ull << F_GUEST_CR3 | 1ull << F_GUEST_INTERRUPTIBILITY |
               1ull << F_GUEST_ACTIVITY));
}

/* "Checks on Guest Page-Directory-Pointer-Table Entries". Those that the
 * processor holds were checked when they were loaded. */
static const char *check_pdptes(struct machine *m)
{
    bool loads =
        vmx_guest_pae(m, vmx_guest_value(m, F_GUEST_CR0),
                      vmx_guest_value(m, F_GUEST_CR4)) &&
        (!vmx_in_processor(m, F_GUEST_CR0) ||
         !vmx_in_processor(m, F_GUEST_CR3) ||
         !vmx_in_processor(m, F_GUEST_CR4) || (m->vmx.c.proc2 & PROC2_EPT));
    uint64_t pdpte[PDPTES];

    REQUIRE(!loads ||
                vmx_guest_pdptes(m, vmx_guest_value(m, F_GUEST_CR3), pdpte),
            "page-directory-pointer-table entries");
    return NULL;
}

const char *vmx_check_guest(struct machine *m, uint32_t *qualification)
{
    struct guest g = {
        .m = m,
        .unrestricted = (m->vmx.c.proc2 & PROC2_UNRESTRICTED) != 0,
        .eflags = vmx_guest_value(m, F_GUEST_EFLAGS),
        .info = vmcs_get(m, F_ENTRY_INTERRUPTION),
    };
    const char *wrong = NULL;

    *qualification = 0;
    g.protected_mode = (vmx_guest_value(m, F_GUEST_CR0) & CR0_PE) != 0;
    g.vm86 = (g.eflags & EFL_VM) != 0;
    if (!only_flags_changed(m) ||
        ((g.eflags ^ *m->engine.live.eflags) & EFL_VM)) {
        wrong = check_control_registers(&g);
        if (!wrong)
            wrong = check_segments(&g);
        if (!wrong)
            wrong = check_tables(&g);
    }
    if (!wrong)
        wrong = check_rest(&g);
    if (!wrong) {
        wrong = check_pdptes(m);
        *qualification = wrong ? QUALIFY_PDPTE : 0;
    }
    if (!wrong && ~vmcs_get64(m, F_VMCS_LINK_POINTER)) {
        *qualification = QUALIFY_LINK_POINTER;
        wrong = "VMCS link pointer";
    }
    return wrong;
}
