/* SPDX-License-Identifier: MIT */
/* vmm/report.c - the end of a run, in sentences. */
#include <stdio.h>

#include "vmm/vm_priv.h"

/* "name+0x12" or the bare address. */
static const char *place(struct vm *vm, uint32_t eip, char *buffer,
                         size_t bytes)
{
    uint32_t offset;
    const char *name = vm_symbol(vm, eip, &offset);

    if (name)
        snprintf(buffer, bytes, "%08x (%s+0x%x)", eip, name, offset);
    else
        snprintf(buffer, bytes, "%08x", eip);
    return buffer;
}

static void report_triple_fault(struct vm *vm)
{
    const struct arch_chain *chain = vm->monitor
                                         ? monitor_triple_fault(vm->monitor)
                                         : machine_triple_fault(vm->machine);
    struct cpu_state s;
    char where[96];

    vm_guest_state(vm, &s);
    if (!chain->count) {
        vm_say(vm, "%s, at %s, cycle %llu", monitor_message(vm->monitor),
               place(vm, s.eip, where, sizeof where),
               (unsigned long long)vm_cycles(vm));
        return;
    }
    vm_say(vm, "triple fault at %s, cycle %llu",
           place(vm, s.eip, where, sizeof where),
           (unsigned long long)vm_cycles(vm));
    for (unsigned i = 0; i < chain->count; i++) {
        const struct arch_event *e = &chain->event[i];

        if (e->vector == VEC_PF)
            vm_say(vm, "  %u. vector 14 (#PF), error %x, address %08x", i + 1,
                   e->error, e->cr2);
        else if (e->has_error)
            vm_say(vm, "  %u. vector %u, error %x", i + 1, e->vector, e->error);
        else
            vm_say(vm, "  %u. vector %u", i + 1, e->vector);
    }
    vm_say(vm,
           "  IDT at %08x, limit %x; CS:EIP %04x:%08x, SS:ESP %04x:%08x, "
           "CR0 %08x, CR3 %08x",
           s.idtr.base, s.idtr.limit, s.seg[SEG_CS].selector, s.eip,
           s.seg[SEG_SS].selector, s.gpr[GPR_ESP], s.cr0, s.cr3);
}

/* The hole: what was lost without a trap, and what came of it. */
static void report_lost(struct vm *vm)
{
    const struct monitor_audit *a =
        vm->monitor ? monitor_audit(vm->monitor) : NULL;
    struct cpu_state s;
    char first[96], last[96];
    bool any = false;

    if (!a)
        return;
    for (unsigned i = 0; i < 2; i++) {
        const struct monitor_lost *l = &a->lost[i];

        if (!l->count)
            continue;
        any = true;
        vm_say(vm,
               "%s was lost %llu time%s: at ring 1 it does not trap and leaves "
               "IF alone; first at %s, cycle %llu, which wanted IF=%d; last "
               "at %s",
               i ? "iret" : "popf", (unsigned long long)l->count,
               l->count == 1 ? "" : "s",
               place(vm, l->first_eip, first, sizeof first),
               (unsigned long long)l->first_cycle, l->wanted,
               place(vm, l->last_eip, last, sizeof last));
    }
    if (a->missed.count)
        vm_say(vm,
               "static translation missed %llu silent instruction%s, which ran "
               "as they are: first %s at %s, cycle %llu; the scan cannot see "
               "code that only exists later or is reached by computed jumps",
               (unsigned long long)a->missed.count,
               a->missed.count == 1 ? "" : "s", insn_name(a->missed.insn),
               place(vm, a->missed.first_eip, first, sizeof first),
               (unsigned long long)a->missed.first_cycle);
    vm_guest_state(vm, &s);
    if (any && !(s.eflags & EFL_IF) && a->if_off_by)
        vm_say(vm, "interrupts have been off since cycle %llu: %s at %s",
               (unsigned long long)a->if_off_cycle, a->if_off_by,
               place(vm, a->if_off_eip, first, sizeof first));
}

static void report_no_memory(struct vm *vm)
{
    const struct counters *c = &vm->trace.count;
    struct cpu_state s;
    char where[96];

    vm_guest_state(vm, &s);
    vm_say(vm, "out of machine memory at %s, cycle %llu: %s",
           place(vm, s.eip, where, sizeof where),
           (unsigned long long)vm_cycles(vm), pmap_trouble(vm->pmap));
    vm_say(vm,
           "  the guest has %llu KiB: %llu KiB in the machine, %llu KiB in "
           "the swap, %llu KiB in the balloon; more --machine-memory or "
           "--swap-limit helps",
           (unsigned long long)c->pmap_ram * 4,
           (unsigned long long)c->pmap_resident * 4,
           (unsigned long long)c->pmap_swapped * 4,
           (unsigned long long)c->pmap_ballooned * 4);
}

static void report_dead(struct vm *vm)
{
    struct cpu_state s;
    char where[96];

    vm_guest_state(vm, &s);
    vm_say(vm, "the guest halted at %s with %s: nothing can wake it",
           place(vm, s.eip, where, sizeof where),
           s.eflags & EFL_IF ? "no interrupt source" : "interrupts off");
}

/* A guest that looks for the end of its memory writes there, too, but little.
 */
enum { BEYOND_MANY = 4096 };

static void report_beyond(struct vm *vm)
{
    if (vm->beyond.writes >= BEYOND_MANY)
        vm_say(vm,
               "the guest wrote %llu times to %08x and up, where it has no "
               "memory: does it expect more than --memory %llu?",
               (unsigned long long)vm->beyond.writes, vm->beyond.first,
               (unsigned long long)vm->config.memory_bytes >> 20);
}

void vm_write_report(struct vm *vm)
{
    switch (vm->stop) {
    case VM_TRIPLE_FAULT: report_triple_fault(vm); break;
    case VM_DEAD: report_dead(vm); break;
    case VM_NO_MEMORY: report_no_memory(vm); break;
    case VM_UNSUPPORTED: vm_say(vm, "%s", monitor_message(vm->monitor)); break;
    case VM_INTERNAL:
        vm_say(vm, "internal error: %s",
               *machine_broken(vm->machine) ? machine_broken(vm->machine)
               : vm->monitor                ? monitor_message(vm->monitor)
                                            : "unknown");
        break;
    default: break;
    }
    report_lost(vm);
    report_beyond(vm);
}
