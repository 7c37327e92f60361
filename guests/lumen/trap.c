/* SPDX-License-Identifier: MIT */
/* trap.c - what happened, and who deals with it.
 *
 * A program's fault is either the kernel's business (memory it promised but
 * has not given yet) or the program's end. The kernel's own fault is a bug,
 * except on a program's memory, and when a self-test asked for it.
 */
#include "trap.h"
#include "irq.h"
#include "kernel.h"
#include "proc.h"

struct trap_probe trap_probe;

static const char *const exception_names[VEC_EXCEPTIONS] = {
    [0] = "divide error",
    [1] = "debug exception",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "x87 error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD error",
};

static const char *exception_name(uint32_t vector)
{
    const char *name = vector < VEC_EXCEPTIONS ? exception_names[vector] : NULL;

    return name ? name : "unknown exception";
}

void panic(const struct trap_frame *frame, const char *format, ...)
{
    va_list list;

    irq_disable();
    kprintf("lumen: panic: ");
    va_start(list, format);
    vkprintf(format, list);
    va_end(list);
    kprintf("\n");

    if (frame) {
        kprintf("eax %08x ebx %08x ecx %08x edx %08x\n", frame->eax, frame->ebx,
                frame->ecx, frame->edx);
        kprintf("esi %08x edi %08x ebp %08x frame %08x\n", frame->esi,
                frame->edi, frame->ebp, (uint32_t)frame);
        kprintf("eip %08x cs %04x eflags %08x vector %u error %x\n", frame->eip,
                frame->cs, frame->eflags, frame->vector, frame->error);
        kprintf("cr0 %08x cr2 %08x cr3 %08x process %s[%d]\n", read_cr0(),
                read_cr2(), read_cr3(), current->name, current->pid);
    }
    if (cmdline_has("test") || cmdline_value("run="))
        machine_exit(2);
    machine_stop();
}

static _Noreturn void kill_current(const struct trap_frame *frame, uint32_t cr2,
                                   enum fault_result why)
{
    if (!cmdline_has("quiet")) {
        kprintf("%s[%d]: %s", current->name, current->pid,
                exception_name(frame->vector));
        if (frame->vector == VEC_PF)
            kprintf(" at 0x%08x ip 0x%08x (%s)", cr2, frame->eip,
                    why == FAULT_NO_MEMORY ? "out of memory"
                    : frame->error & PF_P  ? "protection"
                                           : "not present");
        else
            kprintf(" ip 0x%08x (error code 0x%x)", frame->eip, frame->error);
        kprintf(", killed\n");
    }
    proc_exit(KILLED_BY + (int32_t)frame->vector);
}

static void exception(struct trap_frame *frame)
{
    uint32_t cr2 = frame->vector == VEC_PF ? read_cr2() : 0;
    bool user_memory = frame->vector == VEC_PF && cr2 < (uint32_t)KERNEL_BASE &&
                       current->space.directory;
    enum fault_result result = FAULT_ILLEGAL;

    if (user_memory)
        result = space_fault(&current->space, cr2, frame->error);
    if (result == FAULT_FIXED)
        return;

    /* The kernel checks a program's pointers before it follows them, so its
     * faults on them can only mean that no frame was left. */
    if (frame_is_user(frame) || (user_memory && result == FAULT_NO_MEMORY))
        kill_current(frame, cr2, result);

    if (!trap_probe.armed)
        panic(frame, "%s in the kernel", exception_name(frame->vector));
    trap_probe.seen = *frame;
    trap_probe.cr2 = cr2;
    trap_probe.armed = false;
    trap_probe.hit = true;
    frame->eip = trap_probe.resume;
}

void irq_dispatch(uint32_t irq, bool from_user)
{
    switch (irq) {
    case IRQ_TIMER: timer_interrupt(from_user); break;
    case IRQ_SERIAL: console_interrupt(); break;
    case IRQ_DISK: disk_interrupt(); break;
    default: break;
    }
}

void trap_enter(struct trap_frame *frame)
{
    if (frame->vector == VEC_SYSCALL) { /* a trap gate: IF as it was    */
        syscall_dispatch(frame);
        return;
    }

    irq_gate_entered();
    if (frame->vector < VEC_EXCEPTIONS)
        exception(frame);
    else
        pic_interrupt(frame);
}

/* The one place where a process loses the CPU against its will: on the way
 * back to its program. Inside the kernel nothing is preempted. */
void trap_leave(struct trap_frame *frame)
{
    irq_disable();
    if (frame_is_user(frame) && sched_wanted)
        schedule();
    irq_gate_leaving(frame->eflags, frame_is_user(frame));
}
