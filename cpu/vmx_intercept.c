/* SPDX-License-Identifier: MIT */
/* cpu/vmx_intercept.c - instructions that exit from VMX non-root operation.
 *
 * Faults by privilege, by the I/O permission bitmap and of undefined forms
 * come before the exit (MOV DR excepted). What does not exit is executed as on
 * the bare machine.
 *
 * Reference: SDM 3C, "Relative Priority of Faults and VM Exits", "Instructions
 * That Cause VM Exits Unconditionally", "Instructions That Cause VM Exits
 * Conditionally", "Basic VM-Exit Information".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

/* ---- where they are -------------------------------------------------------
 */

static void want(uint64_t sites[2], enum insn_id id)
{
    sites[id / 64] |= 1ull << id % 64;
}

_Static_assert(INSN_COUNT <= 128, "a bit for each instruction");

/* MOV from CR shows the monitor's bits in its place, or exits. */
static uint8_t cr_sites_for(const struct vmx_controls *c)
{
    return (uint8_t)((c->cr0_mask ? 1u << 0 : 0) |
                     (c->proc & PROC_CR3_STORE ? 1u << 3 : 0) |
                     (c->cr4_mask ? 1u << 4 : 0));
}

/* Instructions that the engine would execute by itself. The others are sites
 * anyway (cpu/intercept.c). */
void vmx_find_sites(struct machine *m)
{
    const struct vmx_controls *c = &m->vmx.c;
    uint64_t sites[2] = {m->vmx.sites[0], m->vmx.sites[1]};
    uint8_t cr_sites = m->vmx.cr_sites | cr_sites_for(c);

    want(sites, INSN_CPUID);
    want(sites, INSN_INVD);
    if (c->proc & PROC_HLT)
        want(sites, INSN_HLT);
    if (c->proc & PROC_PAUSE)
        want(sites, INSN_PAUSE);
    if (c->proc & PROC_INVLPG)
        want(sites, INSN_INVLPG);
    if (c->cr0_mask & CR0_TS)
        want(sites, INSN_CLTS);
    if (c->proc2 & PROC2_WBINVD)
        want(sites, INSN_WBINVD);
    for (int id = 0; id < INSN_COUNT; id++)
        if ((c->proc2 & PROC2_DESCRIPTOR_TABLE) && vmx_uses_table(id))
            want(sites, (enum insn_id)id);
    if (sites[0] == m->vmx.sites[0] && sites[1] == m->vmx.sites[1] &&
        cr_sites == m->vmx.cr_sites)
        return;
    memcpy(m->vmx.sites, sites, sizeof sites);
    m->vmx.cr_sites = cr_sites;
    for (uint64_t n = 0; n < m->memory.bytes >> PAGE_SHIFT; n++)
        if (m->pages[n])
            code_drop(m, MA(n << PAGE_SHIFT));
}

/* ---- operands --------------------------------------------------------------
 */

uint32_t vmx_operand_linear(const struct cpu_state *s, const struct insn *insn,
                            const struct operand *op)
{
    uint32_t offset = op->value;

    if (op->base != REG_NONE)
        offset += s->gpr[op->base];
    if (op->index != REG_NONE)
        offset += s->gpr[op->index] * op->scale;
    if (insn->address_size == 2)
        offset &= 0xFFFF;
    return s->seg[op->segment].base + offset;
}

/* ---- I/O -------------------------------------------------------------------
 */

static bool bit_of(const struct machine *m, uint64_t bitmap, unsigned bit)
{
    ma_t at = MA(bitmap + bit / 8);

    return memory_has(&m->memory, at, 1) &&
           (*memory_at(&m->memory, at) >> bit % 8 & 1);
}

static bool port_exits(const struct machine *m, unsigned port, unsigned size)
{
    const struct vmx_controls *c = &m->vmx.c;

    if (!(c->proc & PROC_IO_BITMAPS))
        return (c->proc & PROC_IO) != 0;
    if (port + size > 0x10000) /* wraps around */
        return true;
    for (unsigned p = port; p < port + size; p++)
        if (bit_of(m, p < 0x8000 ? c->io_bitmap_a : c->io_bitmap_b, p % 0x8000))
            return true;
    return false;
}

struct port_access {
    unsigned port, size;
    bool in, string, immediate;
};

static struct port_access access_of(const struct cpu_state *s,
                                    const struct insn *insn)
{
    struct port_access a = {
        .port = s->gpr[GPR_EDX] & 0xFFFF,
        .in = insn->id == INSN_IN || insn->id == INSN_INS,
        .string = insn->id == INSN_INS || insn->id == INSN_OUTS,
    };
    const struct operand *data, *port;

    if (a.string) {
        a.size = insn->operand_size;
        return a;
    }
    data = &insn->op[a.in ? 0 : 1];
    port = &insn->op[a.in ? 1 : 0];
    a.size = data->size;
    a.immediate = port->kind == OPERAND_IMM;
    if (a.immediate)
        a.port = port->value & 0xFF;
    return a;
}

/* "VM-Exit Instruction-Information Field as Used for INS and OUTS". */
static void describe_string(const struct cpu_state *s, const struct insn *insn,
                            bool in, struct vmx_exit *x)
{
    unsigned seg = in                          ? SEG_ES
                   : insn->segment == REG_NONE ? (unsigned)SEG_DS
                                               : insn->segment;
    uint32_t offset = s->gpr[in ? GPR_EDI : GPR_ESI];

    if (insn->address_size == 2)
        offset &= 0xFFFF;
    x->linear = s->seg[seg].base + offset;
    x->instruction = (insn->address_size == 4 ? 1u << 7 : 0) | seg << 15;
}

static bool io_exits(struct machine *m, const struct insn *insn,
                     const struct cpu_state *s)
{
    struct port_access a = access_of(s, insn);
    struct mem_ops mem = machine_mem_ops(m);
    struct vmx_exit x = {.reason = VMX_IO, .length = insn->length};
    struct fault f;

    if (!arch_io_allowed(s, &mem, (uint16_t)a.port, a.size, &f) ||
        !port_exits(m, a.port, a.size))
        return false;
    x.qualification = (a.size - 1) | (a.in ? 8u : 0) | (a.string ? 16u : 0) |
                      (insn->rep || insn->repne ? 32u : 0) |
                      (a.immediate ? 64u : 0) | (uint32_t)a.port << 16;
    if (a.string)
        describe_string(s, insn, a.in, &x);
    vmx_exit(m, &x);
    return true;
}

/* ---- MSRs ------------------------------------------------------------------
 */

static bool msr_exits(const struct machine *m, uint32_t index, bool write)
{
    const struct vmx_controls *c = &m->vmx.c;
    uint64_t map = c->msr_bitmap + (write ? 2048 : 0);

    if (!(c->proc & PROC_MSR_BITMAPS))
        return true;
    if (index < 0x2000)
        return bit_of(m, map, index);
    if (index - 0xC0000000u < 0x2000)
        return bit_of(m, map + 1024, index - 0xC0000000u);
    return true;
}

/* ---- all -------------------------------------------------------------------
 */

static bool exits(struct machine *m, const struct insn *insn,
                  enum vmx_reason reason, uint32_t qualification)
{
    struct vmx_exit x = {.reason = reason,
                         .qualification = qualification,
                         .length = insn->length};

    vmx_exit(m, &x);
    return true;
}

static bool supervisor(const struct cpu_state *s)
{
    return !state_protected(s) || s->cpl == 0;
}

static bool allows(const struct cpu_state *s, bool all)
{
    return all || supervisor(s);
}

static bool dr_exits(struct machine *m, const struct insn *insn)
{
    bool to = insn->id == INSN_MOV_TO_DR;
    unsigned dr = insn->op[to ? 0 : 1].reg, gpr = insn->op[to ? 1 : 0].reg;

    return exits(m, insn, VMX_DR_ACCESS,
                 dr | (to ? 0 : 1u << 4) | (uint32_t)gpr << 8);
}

static bool by_control(struct machine *m, const struct insn *insn,
                       const struct cpu_state *s)
{
    uint32_t proc = m->vmx.c.proc;

    switch (insn->id) {
    case INSN_CPUID: return exits(m, insn, VMX_CPUID, 0);
    case INSN_MOV_TO_DR:
    case INSN_MOV_FROM_DR: return (proc & PROC_MOV_DR) && dr_exits(m, insn);
    case INSN_RDTSC:
        return (proc & PROC_RDTSC) && allows(s, !(s->cr4 & CR4_TSD)) &&
               exits(m, insn, VMX_RDTSC, 0);
    case INSN_RDPMC:
        return (proc & PROC_RDPMC) && allows(s, s->cr4 & CR4_PCE) &&
               exits(m, insn, VMX_RDPMC, 0);
    case INSN_PAUSE: return (proc & PROC_PAUSE) && exits(m, insn, VMX_PAUSE, 0);
    case INSN_IN:
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS: return io_exits(m, insn, s);
    default: break;
    }
    if (vmx_uses_table(insn->id))
        return vmx_table_exits(m, insn, s);
    if (!supervisor(s))
        return false; /* #GP comes first */
    switch (insn->id) {
    case INSN_HLT: return (proc & PROC_HLT) && exits(m, insn, VMX_HLT, 0);
    case INSN_INVD: return exits(m, insn, VMX_INVD, 0);
    case INSN_WBINVD:
        return (m->vmx.c.proc2 & PROC2_WBINVD) && exits(m, insn, VMX_WBINVD, 0);
    case INSN_INVLPG:
        return (proc & PROC_INVLPG) &&
               exits(m, insn, VMX_INVLPG,
                     vmx_operand_linear(s, insn, &insn->op[0]));
    case INSN_RDMSR:
    case INSN_WRMSR: {
        bool write = insn->id == INSN_WRMSR;

        return msr_exits(m, s->gpr[GPR_ECX], write) &&
               exits(m, insn, write ? VMX_WRMSR : VMX_RDMSR, 0);
    }
    default: return vmx_cr_exits(m, insn, s);
    }
}

bool vmx_intercept(struct machine *m, const struct insn *insn,
                   const struct cpu_state *s)
{
    const int weight =
        insn->id == INSN_PAUSE ? (int)code_weight(m, live_linear(m)) : 1;

    clock_add(&m->clock, -weight); /* if it exits it has not retired */
    if (by_control(m, insn, s))
        return true;
    clock_add(&m->clock, weight);
    return false;
}

/* ---- VMX instructions ------------------------------------------------------
 */

/* 0F 01 /0, mod 3: rm 1 to 4. */
static int by_group7(uint8_t modrm)
{
    static const uint8_t reasons[] = {VMX_VMCALL, VMX_VMLAUNCH, VMX_VMRESUME,
                                      VMX_VMXOFF};

    return modrm >= 0xC1 && modrm <= 0xC4 ? reasons[modrm - 0xC1] : -1;
}

/* 0F C7 with a memory operand: /6 by prefix, /7 VMPTRST. */
static int by_group9(uint8_t modrm, uint8_t prefix)
{
    unsigned reg = modrm >> 3 & 7;

    if (modrm >= 0xC0 || reg < 6)
        return -1;
    if (reg == 7)
        return prefix ? -1 : VMX_VMPTRST;
    return prefix == 0xF3   ? VMX_VMXON
           : prefix == 0x66 ? VMX_VMCLEAR
                            : VMX_VMPTRLD;
}

/* 66 0F 38 80 and 81 with a memory operand. */
static int by_three_bytes(const uint8_t *bytes, size_t n, uint8_t prefix)
{
    if (n < 2 || prefix != 0x66 || bytes[1] >= 0xC0)
        return -1;
    return bytes[0] == 0x80 ? VMX_INVEPT : bytes[0] == 0x81 ? VMX_INVVPID : -1;
}

static int vmx_opcode(const uint8_t *bytes, size_t n)
{
    uint8_t prefix = 0;
    size_t at = 0;

    while (at < n &&
           (bytes[at] == 0x66 || bytes[at] == 0xF3 || bytes[at] == 0x67 ||
            bytes[at] == 0x2E || bytes[at] == 0x36 || bytes[at] == 0x3E ||
            bytes[at] == 0x26 || bytes[at] == 0x64 || bytes[at] == 0x65)) {
        if (bytes[at] == 0x66 || bytes[at] == 0xF3)
            prefix = bytes[at];
        at++;
    }
    if (at + 2 >= n || bytes[at] != 0x0F)
        return -1;
    switch (bytes[at + 1]) {
    case 0x01: return prefix ? -1 : by_group7(bytes[at + 2]);
    case 0x38: return by_three_bytes(bytes + at + 2, n - at - 2, prefix);
    case 0x78: return prefix ? -1 : VMX_VMREAD;
    case 0x79: return prefix ? -1 : VMX_VMWRITE;
    case 0xC7: return by_group9(bytes[at + 2], prefix);
    default: return -1;
    }
}

/* The engine does not know these and raises #UD, as they do in real and in
 * virtual-8086 mode. True: it was one, and exited. */
bool vmx_undefined(struct machine *m)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, live_linear(m), bytes, sizeof bytes);
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    int reason = vmx_opcode(bytes, n);
    struct insn insn;

    if (reason < 0 || !(m->engine.live.cr[0] & CR0_PE) ||
        (*m->engine.live.eflags & EFL_VM) ||
        !decode_flow(bytes, n, code32, &insn))
        return false;
    return exits(m, &insn, (enum vmx_reason)reason, 0);
}
