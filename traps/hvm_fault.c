/* SPDX-License-Identifier: MIT */
/* traps/hvm_fault.c - page-fault exits, and instructions in the guest's place.
 *
 * The exception bitmap names #PF: the VMM's tables are the processor's. With
 * nested paging they are behind the guest's, and what is missing there is an
 * EPT violation.
 *
 * Reference: SDM 3C, "Exception Bitmap"; SDM 3A, "Interrupt 14 - Page-Fault
 * Exception".
 */
#include "cpu/ept.h"
#include "traps/hvm_priv.h"

/* ---- an instruction in the guest's place ------------------------------------
 */

/* parts: all that it can change. */
void hvm_emulate(struct monitor *mon, const struct insn *insn,
                 const uint8_t *bytes, unsigned parts)
{
    if (mon->v.eflags & EFL_TF) /* a debug trap follows */
        parts = PARTS_ALL;
    hvm_fetch(mon, PARTS_DATA | parts);
    hvm_of(mon)->written |= parts;
    emulation_run(mon, insn, bytes, false);
}

bool hvm_current(struct monitor *mon, struct insn *insn,
                 uint8_t bytes[INSN_MAX_LENGTH])
{
    hvm_fetch(mon, PARTS_DATA);
    return exits_current(mon, insn, bytes);
}

/* ---- page faults
 * ------------------------------------------------------------- */

/* Where an instruction is not known to emulation, or an event is on its way,
 * the page is opened, and the monitor trap flag ends that. */
static void let_through(struct monitor *mon)
{
    if (mmu_open(mon->mmu))
        hvm_of(mon)->open = true;
    else
        exits_stop(mon, MONITOR_NO_MEMORY, "the machine is out of frames");
}

static void device_access(struct monitor *mon)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if (hvm_of(mon)->vectoring || !hvm_current(mon, &insn, bytes) ||
        !emulate_knows(insn.id)) {
        let_through(mon);
        return;
    }
    hvm_close_step(mon);
    hvm_emulate(mon, &insn, bytes,
                insn.cls == CLASS_NONE ? PART_SITE | PART_GPR : PARTS_ALL);
}

static void traced_write(struct monitor *mon)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if (!hvm_of(mon)->vectoring && hvm_current(mon, &insn, bytes) &&
        insn.cls == CLASS_NONE && emulate_knows(insn.id)) {
        hvm_emulate(mon, &insn, bytes, PART_SITE | PART_GPR);
        return;
    }
    let_through(mon);
}

void hvm_close_step(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);

    if (h->open)
        mmu_stepped(mon->mmu);
    h->open = false;
}

/* What the memory side says of a fault. */
static void act(struct monitor *mon, uint32_t linear, uint32_t error,
                const struct mmu_result *result)
{
    if (mon->observer)
        mon->observer(mon->observer_ctx, linear, error, result);
    if (result->action == MMU_INJECT)
        hvm_close_step(mon);
    switch (result->action) {
    case MMU_RESUME: break;
    case MMU_INJECT: inject_fault(mon, &result->fault); break;
    case MMU_EMULATE: device_access(mon); break;
    case MMU_WRITE: traced_write(mon); break;
    case MMU_NO_MEMORY:
        exits_stop(mon, MONITOR_NO_MEMORY, "the machine is out of frames");
        break;
    }
}

void hvm_page_fault(struct monitor *mon)
{
    uint32_t linear = hvm_read(mon, VMCS_EXIT_QUALIFICATION);
    uint32_t error = hvm_read(mon, VMCS_EXIT_ERROR_CODE);
    struct mmu_result result;

    mmu_fault(mon->mmu, linear, error, mon->v.eip, &result);
    act(mon, linear, error, &result);
}

/* The error is told as that of the page fault it would have been. An access to
 * an entry of the guest's tables that cannot be had (there is a device) ends
 * like one to a device: the instruction is emulated, walk and all. */
void hvm_ept_violation(struct monitor *mon)
{
    uint32_t q = hvm_read(mon, VMCS_EXIT_QUALIFICATION);
    uint32_t linear = hvm_read(mon, VMCS_GUEST_LINEAR);
    gpa_t gpa = GPA(hvm_read(mon, VMCS_GUEST_PHYSICAL) |
                    (uint64_t)hvm_read(mon, VMCS_GUEST_PHYSICAL + 1) << 32);
    unsigned rights = q >> EPT_VIOLATION_RIGHTS_SHIFT & EPT_RIGHTS;
    uint32_t error =
        (rights ? PF_PRESENT : 0) | (q & EPT_FOR_WRITE ? PF_WRITE : 0) |
        (mon->v.cpl == 3 ? PF_USER : 0) | (q & EPT_FOR_FETCH ? PF_FETCH : 0);
    struct mmu_result result;

    nested_fault(mon->mmu, gpa, linear, error, mon->v.eip, &result);
    act(mon, linear, error, &result);
}
