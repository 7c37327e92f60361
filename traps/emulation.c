/* SPDX-License-Identifier: MIT */
/* traps/emulation.c - a sensitive instruction, done for the guest.
 *
 * The instruction's meaning is cpu/emulate.h's, applied to the virtual
 * processor; here is what that processor is connected to: guest memory through
 * the guest's tables, the virtual devices, and the techniques that must hear
 * of changed control registers.
 */
#include "cpu/msr.h"
#include "traps/monitor_priv.h"

/* ---- memory ----------------------------------------------------------------
 */

/* No memory there: a device, but for a technique that has none. */
static bool device_answers(struct monitor *mon, uint32_t linear, uint32_t error,
                           struct fault *f)
{
    if (!mon->technique->device)
        return true;
    *f = mon->technique->device(mon, linear, error);
    return false;
}

uint32_t emulation_device_read(struct monitor *mon, gpa_t gpa, unsigned size,
                               uint32_t linear)
{
    struct bus *bus = pc_bus(mon->config.pc);
    uint32_t value = bus_memory_read(bus, gpa.v, size);

    mon->trace->count.mmio_accesses++;
    trace_mmio(mon->trace, monitor_site(mon), bus_memory_name(bus, gpa.v),
               (uint32_t)gpa.v, size, value, false, linear);
    return value;
}

void emulation_device_write(struct monitor *mon, gpa_t gpa, unsigned size,
                            uint32_t value, uint32_t linear)
{
    struct bus *bus = pc_bus(mon->config.pc);

    mon->trace->count.mmio_accesses++;
    trace_mmio(mon->trace, monitor_site(mon), bus_memory_name(bus, gpa.v),
               (uint32_t)gpa.v, size, value, true, linear);
    bus_memory_write(bus, gpa.v, size, value);
}

static bool memory_read(void *ctx, uint32_t linear, unsigned size, bool user,
                        uint32_t *value, struct fault *f)
{
    struct monitor *mon = ctx;
    bool device = false;
    gpa_t gpa;

    if (mmu_read(mon->mmu, linear, size, user, value, f, &device))
        return true;
    if (!device || !device_answers(mon, linear, user ? PF_USER : 0, f))
        return false;
    gpa = mmu_device(mon->mmu, linear, user ? ACC_USER : 0);
    *value = emulation_device_read(mon, gpa, size, linear);
    return true;
}

static bool memory_write(void *ctx, uint32_t linear, unsigned size, bool user,
                         uint32_t value, struct fault *f)
{
    struct monitor *mon = ctx;
    bool device = false;
    gpa_t gpa;

    if (mmu_write(mon->mmu, linear, size, user, value, f, &device))
        return true;
    if (!device ||
        !device_answers(mon, linear, PF_WRITE | (user ? PF_USER : 0), f))
        return false;
    gpa = mmu_device(mon->mmu, linear, ACC_WRITE | (user ? ACC_USER : 0));
    emulation_device_write(mon, gpa, size, value, linear);
    return true;
}

uint32_t emulation_mmio_read(void *ctx, ma_t ma, unsigned size)
{
    struct monitor *mon = ctx;
    uint32_t linear;
    gpa_t gpa = mmu_opened(mon->mmu, ma, &linear);

    return emulation_device_read(mon, gpa, size, linear);
}

void emulation_mmio_write(void *ctx, ma_t ma, unsigned size, uint32_t value)
{
    struct monitor *mon = ctx;
    uint32_t linear;
    gpa_t gpa = mmu_opened(mon->mmu, ma, &linear);

    emulation_device_write(mon, gpa, size, value, linear);
}

static void *memory_span(void *ctx, uint32_t linear, unsigned bytes, bool write,
                         bool user)
{
    return mmu_span(((struct monitor *)ctx)->mmu, linear, bytes, write, user);
}

/* Where the guest has no memory, the bus reads all ones. */
static bool read_physical(void *ctx, uint32_t address, uint64_t *value,
                          struct fault *f)
{
    struct monitor *mon = ctx;

    (void)f;
    if (!pmap_read(mon->config.pmap, GPA(address), value, sizeof *value))
        *value = UINT64_MAX;
    return true;
}

static void switch_cr3(void *ctx, uint32_t cr3, const uint64_t *pdpte)
{
    struct monitor *mon = ctx;

    mon->v.cr3 = cr3;
    memcpy(mon->v.pdpte, pdpte, sizeof mon->v.pdpte);
    mmu_cr3_written(mon->mmu);
    if (mon->technique->remapped)
        mon->technique->remapped(mon, 3, 0);
}

struct mem_ops emulation_memory(struct monitor *mon)
{
    return (struct mem_ops){.read = memory_read,
                            .write = memory_write,
                            .span = memory_span,
                            .read_physical = read_physical,
                            .switch_cr3 = switch_cr3,
                            .ctx = mon};
}

/* ---- ports and registers ----------------------------------------------------
 */

uint32_t emulation_in(void *ctx, uint16_t port, unsigned size)
{
    struct monitor *mon = ctx;
    struct bus *bus = pc_bus(mon->config.pc);
    uint32_t value = bus_port_read(bus, port, size);

    mon->trace->count.io_reads++;
    trace_io(mon->trace, monitor_site(mon), bus_port_name(bus, port), port,
             size, value, false);
    return value;
}

void emulation_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct monitor *mon = ctx;
    struct bus *bus = pc_bus(mon->config.pc);

    mon->trace->count.io_writes++;
    trace_io(mon->trace, monitor_site(mon), bus_port_name(bus, port), port,
             size, value, true);
    bus_port_write(bus, port, size, value);
}

static bool rdmsr(void *ctx, uint32_t index, uint64_t *value)
{
    struct monitor *mon = ctx;

    if (index != MSR_APICBASE)
        return msr_read_fixed(index, value);
    *value = pc_apicbase(mon->config.pc);
    return true;
}

static bool wrmsr(void *ctx, uint32_t index, uint64_t value)
{
    struct monitor *mon = ctx;

    if (index != MSR_APICBASE)
        return msr_write_fixed(index);
    return pc_set_apicbase(mon->config.pc, value);
}

static void cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)ctx;
    machine_cpuid(leaf, subleaf, out);
}

static uint64_t tsc(void *ctx)
{
    return machine_read_clock(((struct monitor *)ctx)->machine);
}

/* ---- news -------------------------------------------------------------------
 */

static void cr_written(void *ctx, unsigned n, uint32_t old, uint32_t value)
{
    struct monitor *mon = ctx;

    (void)value;
    switch (n) {
    case 0: mmu_mode_changed(mon->mmu, old, mon->v.cr4); break;
    case 3: mmu_cr3_written(mon->mmu); break;
    case 4: mmu_mode_changed(mon->mmu, mon->v.cr0, old); break;
    default: return;
    }
    descriptors_remapped(mon);
    if (mon->technique->remapped)
        mon->technique->remapped(mon, (int)n, 0);
}

static void efer_changed(void *ctx)
{
    struct monitor *mon = ctx;

    mmu_mode_changed(mon->mmu, mon->v.cr0, mon->v.cr4);
    descriptors_remapped(mon);
    if (mon->technique->remapped)
        mon->technique->remapped(mon, 4, 0);
}

static void invlpg(void *ctx, uint32_t linear)
{
    struct monitor *mon = ctx;

    mmu_invlpg(mon->mmu, linear);
    if (linear - (mon->gdt.base & PTE_FRAME) < mon->gdt.bytes + PAGE_BYTES ||
        linear - (mon->ldt.base & PTE_FRAME) < mon->ldt.bytes + PAGE_BYTES)
        descriptors_remapped(mon);
    if (mon->technique->remapped)
        mon->technique->remapped(mon, -1, linear);
}

static void tables_changed(void *ctx)
{
    descriptors_tables_changed(ctx);
}

static void halt(void *ctx)
{
    struct monitor *mon = ctx;

    mon->trace->count.exits[EXIT_HALT]++;
    trace_halt(mon->trace, monitor_site(mon), (mon->v.eflags & EFL_IF) != 0);
    machine_set_halted(mon->machine, true);
}

/* ---- one instruction --------------------------------------------------------
 */

static void tell(struct monitor *mon, const struct insn *insn,
                 const uint8_t *bytes, struct event_site site)
{
    uint32_t first;

    memcpy(&first, bytes, sizeof first);
    mon->trace->count.emulated++;
    trace_emulate(mon->trace, site, insn_name(insn->id), first, 0, 0);
}

static void emulated(struct monitor *mon, const struct insn *insn,
                     const uint8_t *bytes, struct event_site site,
                     uint32_t old_eflags)
{
    tell(mon, insn, bytes, site);
    silent_flag_changed(mon, old_eflags, site.eip, insn_name(insn->id));
}

void emulation_done(struct monitor *mon, const struct insn *insn,
                    const uint8_t *bytes)
{
    tell(mon, insn, bytes, monitor_site(mon));
}

static bool repeats(const struct insn *insn)
{
    return (insn->rep || insn->repne) && insn->cls == CLASS_NONE;
}

/* What a REP takes besides the one instruction that is counted: a pass each,
 * and one that finds the count 0, as the processor does (cpu/machine.h). */
static int more_passes(const struct insn *insn, uint32_t ecx_before,
                       const struct emu *e)
{
    uint32_t mask = insn->address_size == 2 ? 0xFFFF : 0xFFFFFFFFu;
    uint32_t left = e->state->gpr[GPR_ECX] & mask;
    uint32_t passes = (ecx_before & mask) - left;
    bool compares = insn->id == INSN_CMPS || insn->id == INSN_SCAS;
    bool equal = (e->state->eflags & EFL_ZF) != 0;

    if (!repeats(insn))
        return 0;
    if (left || (passes && compares && equal == insn->repne))
        return (int)passes - 1;
    return (int)passes;
}

/* A fault takes the instruction back, but not the passes before it. */
static int passes_before_fault(const struct insn *insn, uint32_t ecx_before,
                               const struct emu *e)
{
    return repeats(insn) ? more_passes(insn, ecx_before, e) : -1;
}

/* IRET, most often. False: it is another case, nothing was done. */
static bool return_plainly(struct monitor *mon, const struct insn *insn,
                           const uint8_t *bytes)
{
    struct mem_ops memory = emulation_memory(mon);
    struct event_site site = monitor_site(mon);
    uint32_t before = mon->v.eflags;

    monitor_need_rest(mon); /* its data segments */
    if (insn->operand_size != 4 || (before & EFL_TF) ||
        !arch_iret_plain(&mon->v, &memory))
        return false;
    monitor_frame_changed(mon);
    emulated(mon, insn, bytes, site, before);
    return true;
}

static void run(struct monitor *mon, const struct insn *insn,
                const uint8_t *bytes)
{
    static const struct emu_ops connections = {
        .port_in = emulation_in,
        .port_out = emulation_out,
        .rdmsr = rdmsr,
        .wrmsr = wrmsr,
        .cpuid = cpuid,
        .clock = tsc,
        .cr_written = cr_written,
        .efer_changed = efer_changed,
        .invlpg = invlpg,
        .tables_changed = tables_changed,
        .halt = halt,
    };
    struct emu_ops ops = connections;
    struct mem_ops memory = emulation_memory(mon);
    struct emu e = {.state = &mon->v, .mem = &memory, .ops = &ops};
    struct event_site site = monitor_site(mon);
    uint32_t before = mon->v.eflags;
    uint32_t ecx;

    ops.ctx = mon;
    monitor_changed(mon);
    ecx = mon->v.gpr[GPR_ECX];
    switch (emulate(&e, insn)) {
    case EMU_DONE:
        machine_retire(mon->machine, more_passes(insn, ecx, &e));
        emulated(mon, insn, bytes, site, before);
        if (e.single_step) {
            struct fault f = {.vector = VEC_DB};
            mon->v.dr[6] |= DR6_BS;
            inject_fault(mon, &f);
        }
        break;
    case EMU_FAULT:
        if (e.event.source == ARCH_EXCEPTION)
            machine_retire(mon->machine, passes_before_fault(insn, ecx, &e));
        inject_event(mon, &e.event,
                     e.event.source == ARCH_EXCEPTION ? "fault" : "software");
        break;
    case EMU_UNHANDLED:
        exits_stop(mon, MONITOR_BROKEN, "cannot emulate %s at %08x",
                   insn_name(insn->id), site.eip);
        break;
    }
}

/* counted: the machine has counted the instruction as retired already (the
 * trap that brought us here took its place). */
void emulation_run(struct monitor *mon, const struct insn *insn,
                   const uint8_t *bytes, bool counted)
{
    if (!counted)
        machine_retire(mon->machine, 1); /* devices see it counted */
    if (insn->id != INSN_IRET || !return_plainly(mon, insn, bytes))
        run(mon, insn, bytes);
}
