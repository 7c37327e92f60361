/* SPDX-License-Identifier: MIT */
/* traps/hvm_exit.c - VM exits: one table, a handler for each reason.
 *
 * Reference: SDM 3D, "VMX Basic Exit Reasons"; SDM 3C, "Exit Qualification".
 */
#include "traps/hvm_priv.h"

struct exit_row {
    void (*handle)(struct monitor *mon);
    enum exit_reason counted;
    const char *cite;
};

static uint32_t qualification(struct monitor *mon)
{
    return hvm_read(mon, VMCS_EXIT_QUALIFICATION);
}

/* ---- an instruction in the guest's place ------------------------------------
 */

static void emulate_current(struct monitor *mon)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if (!hvm_current(mon, &insn, bytes))
        exits_stop(mon, MONITOR_BROKEN, "an exit at %08x is on no instruction",
                   mon->v.eip);
    else
        hvm_emulate(mon, &insn, bytes, PARTS_ALL);
}

static void done(struct monitor *mon, const char *mnemonic)
{
    mon->trace->count.emulated++;
    trace_emulate(mon->trace, monitor_site(mon), mnemonic, 0, 0, 0);
    hvm_skip(mon);
}

/* Only page faults are in the exception bitmap. */
static void exception(struct monitor *mon)
{
    uint32_t info = hvm_read(mon, VMCS_EXIT_INTERRUPTION);

    if ((info & 0xFF) == VEC_PF)
        hvm_page_fault(mon);
}

/* ---- events
 * ------------------------------------------------------------------- */

/* What there is to do happens before the entry (hvm_events). */
static void nothing(struct monitor *mon)
{
    (void)mon;
}

static void triple_fault(struct monitor *mon)
{
    hvm_follow_delivery(mon);
    exits_stop(mon, MONITOR_TRIPLE_FAULT, "triple fault");
}

/* By a task gate of the IDT, or by a JMP, CALL, IRET. */
static void task_switch(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);

    if (!h->vectoring) {
        emulate_current(mon);
        return;
    }
    hvm_fetch(mon, PARTS_ALL);
    h->written = PARTS_ALL;
    h->vectoring = false;
    inject_by_hand(mon, &h->vectored, "task gate");
}

static void monitor_trap(struct monitor *mon)
{
    hvm_close_step(mon);
}

static void halt(struct monitor *mon)
{
    trace_halt(mon->trace, monitor_site(mon), (mon->v.eflags & EFL_IF) != 0);
    machine_retire(mon->machine, 1);
    hvm_skip(mon);
    hvm_write(mon, VMCS_GUEST_ACTIVITY, ACTIVITY_HLT);
}

static void undefined(struct monitor *mon)
{
    struct fault f = {.vector = VEC_UD};

    inject_fault(mon, &f);
}

static void refused(struct monitor *mon)
{
    exits_stop(mon, MONITOR_BROKEN, "VM entry refused the guest's state: %s",
               vmx_complaint(mon->machine));
}

/* Nobody writes such an entry on purpose. */
static void misconfigured(struct monitor *mon)
{
    exits_stop(mon, MONITOR_BROKEN, "a nested entry for %08x is wrong",
               hvm_read(mon, VMCS_GUEST_PHYSICAL));
}

/* ---- instructions
 * -------------------------------------------------------------- */

static void cpuid(struct monitor *mon)
{
    static const enum gpr to[4] = {GPR_EAX, GPR_EBX, GPR_ECX, GPR_EDX};
    uint32_t out[4];

    machine_retire(mon->machine, 1);
    machine_cpuid(machine_reg(mon->machine, GPR_EAX),
                  machine_reg(mon->machine, GPR_ECX), out);
    for (unsigned i = 0; i < 4; i++)
        machine_set_reg(mon->machine, to[i], out[i]);
    done(mon, "cpuid");
}

static void invd(struct monitor *mon)
{
    machine_retire(mon->machine, 1);
    done(mon, "invd");
}

static void invlpg(struct monitor *mon)
{
    machine_retire(mon->machine, 1);
    mmu_invlpg(mon->mmu, qualification(mon));
    done(mon, "invlpg");
}

/* "Exit Qualification for I/O Instructions". */
static void port(struct monitor *mon)
{
    enum { SIZE = 7, IN = 8, STRING = 16 };
    uint32_t q = qualification(mon);
    unsigned size = (q & SIZE) + 1;
    uint32_t mask = size == 4 ? 0xFFFFFFFFu : (1u << size * 8) - 1;
    uint32_t eax = machine_reg(mon->machine, GPR_EAX), value;

    if (q & STRING) {
        emulate_current(mon);
        return;
    }
    machine_retire(mon->machine, 1);
    if (q & IN) {
        value = emulation_in(mon, (uint16_t)(q >> 16), size) & mask;
        machine_set_reg(mon->machine, GPR_EAX, (eax & ~mask) | value);
    } else {
        emulation_out(mon, (uint16_t)(q >> 16), size, eax & mask);
    }
    done(mon, q & IN ? "in" : "out");
}

/* False: its page-directory-pointer table is refused. */
static bool load_cr3(struct monitor *mon, enum gpr gpr)
{
    struct mem_ops mem = emulation_memory(mon);
    uint32_t old = mon->v.cr3;
    struct fault f;

    mon->v.cr3 = machine_reg(mon->machine, gpr);
    if (!state_pae(&mon->v) || arch_load_pdptes(&mon->v, &mem, &f))
        return true;
    mon->v.cr3 = old;
    return false;
}

/* "Exit Qualification for Control-Register Accesses". CR3 is switched often;
 * the others change the mode and are emulated. */
static void control_register(struct monitor *mon)
{
    enum { TO_CR3 = 3, FROM_CR3 = 3 | 1 << 4 };
    uint32_t q = qualification(mon);
    enum gpr gpr = (enum gpr)(q >> 8 & 15);

    if ((q & 0x3F) == TO_CR3 && load_cr3(mon, gpr)) {
        machine_retire(mon->machine, 1);
        mmu_cr3_written(mon->mmu);
        done(mon, "mov cr, r");
    } else if ((q & 0x3F) == FROM_CR3) {
        machine_retire(mon->machine, 1);
        machine_set_reg(mon->machine, gpr, mon->v.cr3);
        done(mon, "mov r, cr");
    } else {
        emulate_current(mon);
    }
}

/* ---- the table
 * ------------------------------------------------------------------ */

static const struct exit_row rows[VMX_REASONS] = {
    [VMX_EXCEPTION_OR_NMI] = {exception, EXIT_PAGE_FAULT,
                              "SDM 3A, Interrupt 14"},
    [VMX_EXTERNAL_INTERRUPT] = {nothing, EXIT_INTERRUPT,
                                "SDM 3C, External-Interrupt Exiting"},
    [VMX_TRIPLE_FAULT] = {triple_fault, EXIT_TRIPLE_FAULT,
                          "SDM 3A, Interrupt 8"},
    [VMX_INTERRUPT_WINDOW] = {nothing, EXIT_WINDOW,
                              "SDM 3C, Interrupt-Window Exiting"},
    [VMX_NMI_WINDOW] = {nothing, EXIT_WINDOW, "SDM 3C, NMI-Window Exiting"},
    [VMX_TASK_SWITCH] = {task_switch, EXIT_TASK_SWITCH,
                         "SDM 3C, Treatment of Task Switches"},
    [VMX_CPUID] = {cpuid, EXIT_CPUID, "SDM 2, CPUID"},
    [VMX_HLT] = {halt, EXIT_HALT, "SDM 2, HLT"},
    [VMX_INVD] = {invd, EXIT_PRIVILEGED, "SDM 2, INVD"},
    [VMX_INVLPG] = {invlpg, EXIT_INVLPG, "SDM 2, INVLPG"},
    [VMX_VMCALL] = {undefined, EXIT_VMX, "SDM 3C, VMCALL"},
    [VMX_VMCLEAR] = {undefined, EXIT_VMX, "SDM 3C, VMCLEAR"},
    [VMX_VMLAUNCH] = {undefined, EXIT_VMX, "SDM 3C, VMLAUNCH/VMRESUME"},
    [VMX_VMPTRLD] = {undefined, EXIT_VMX, "SDM 3C, VMPTRLD"},
    [VMX_VMPTRST] = {undefined, EXIT_VMX, "SDM 3C, VMPTRST"},
    [VMX_VMREAD] = {undefined, EXIT_VMX, "SDM 3C, VMREAD"},
    [VMX_VMRESUME] = {undefined, EXIT_VMX, "SDM 3C, VMLAUNCH/VMRESUME"},
    [VMX_VMWRITE] = {undefined, EXIT_VMX, "SDM 3C, VMWRITE"},
    [VMX_VMXOFF] = {undefined, EXIT_VMX, "SDM 3C, VMXOFF"},
    [VMX_VMXON] = {undefined, EXIT_VMX, "SDM 3C, VMXON"},
    [VMX_INVEPT] = {undefined, EXIT_VMX, "SDM 3C, INVEPT"},
    [VMX_INVVPID] = {undefined, EXIT_VMX, "SDM 3C, INVVPID"},
    [VMX_CR_ACCESS] = {control_register, EXIT_CR_ACCESS,
                       "SDM 2, MOV to/from Control Registers"},
    [VMX_IO] = {port, EXIT_IO, "SDM 2, IN, OUT, INS, OUTS"},
    [VMX_RDMSR] = {emulate_current, EXIT_MSR, "SDM 2, RDMSR"},
    [VMX_WRMSR] = {emulate_current, EXIT_MSR, "SDM 2, WRMSR"},
    [VMX_BAD_GUEST_STATE] = {refused, EXIT_VMX,
                             "SDM 3C, VM-Entry Failures During or After "
                             "Loading Guest State"},
    [VMX_EPT_VIOLATION] = {hvm_ept_violation, EXIT_EPT_VIOLATION,
                           "SDM 3C, EPT Violations"},
    [VMX_EPT_MISCONFIGURATION] = {misconfigured, EXIT_EPT_MISCONFIGURATION,
                                  "SDM 3C, EPT Misconfigurations"},
    [VMX_MONITOR_TRAP] = {monitor_trap, EXIT_STEP, "SDM 3C, Monitor Trap Flag"},
};

static void count(struct monitor *mon, unsigned reason, enum exit_reason as)
{
    uint32_t info;

    mon->trace->count.exits[as]++;
    if (!mon->trace->sinks) {
        mon->trace->seq++;
        return;
    }
    info = hvm_read(mon, VMCS_EXIT_INTERRUPTION);
    trace_vm_exit(mon->trace, monitor_site(mon), as, vmx_reason_name(reason),
                  info & 0xFF, hvm_read(mon, VMCS_EXIT_ERROR_CODE), reason,
                  qualification(mon));
}

/* ---- entry
 * ---------------------------------------------------------------------- */

static void write_proc_controls(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);
    uint32_t proc = h->proc & ~(PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW |
                                PROC_MONITOR_TRAP);

    if (h->window)
        proc |= PROC_INTERRUPT_WINDOW;
    if (h->nmi_window)
        proc |= PROC_NMI_WINDOW;
    if (h->open)
        proc |= PROC_MONITOR_TRAP;
    if (proc == h->proc)
        return;
    h->proc = proc;
    hvm_write(mon, VMCS_PROC_CONTROLS, proc);
}

void hvm_resume(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);
    enum vmx_result result;

    hvm_events(mon);
    if (mon->dirty)
        hvm_install(mon);
    write_proc_controls(mon);
    result = h->launched ? vmx_resume(mon->machine) : vmx_launch(mon->machine);
    if (result != VMX_SUCCEED) {
        exits_stop(mon, MONITOR_BROKEN, "VM entry failed: %s",
                   vmx_complaint(mon->machine));
        return;
    }
    h->launched = true;
    h->in_exit = false;
}

void hvm_exit(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);
    unsigned reason;
    const struct exit_row *row;

    h->in_exit = true;
    h->valid = h->written = 0;
    h->injected = false;
    hvm_fetch(mon, PART_SITE);
    hvm_note_vectoring(mon);
    reason = hvm_read(mon, VMCS_EXIT_REASON) & 0xFFFF;
    row = reason < VMX_REASONS ? &rows[reason] : NULL;
    if (!row || !row->handle) {
        exits_stop(mon, MONITOR_BROKEN, "VM exit for reason %u", reason);
        return;
    }
    count(mon, reason, row->counted);
    if (reason != VMX_EXCEPTION_OR_NMI && reason != VMX_EPT_VIOLATION)
        hvm_close_step(mon);
    row->handle(mon);
    if (reason == VMX_BAD_GUEST_STATE || mon->stopped)
        return; /* a triple fault's event must not be injected again */
    hvm_resume(mon);
}
