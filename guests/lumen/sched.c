/* SPDX-License-Identifier: MIT */
/* sched.c - who runs next: round robin, one tick (10 ms) each.
 *
 * Ready processes wait in a queue. procs[0] is the idle loop; it is never in
 * the queue and runs when nobody is. Interrupt handlers wake processes, so
 * the queue is only touched with interrupts off.
 */
#include "irq.h"
#include "kernel.h"
#include "machine.h"
#include "proc.h"

#define CANARY 0x4C554D45u /* at the bottom of each kernel stack      */

struct proc *current = &procs[0];
volatile bool sched_wanted;

static struct proc *queue_head, *queue_tail;

static void queue_push(struct proc *proc)
{
    proc->state = PROC_READY;
    proc->next = NULL;
    if (queue_head)
        queue_tail->next = proc;
    else
        queue_head = proc;
    queue_tail = proc;
}

static struct proc *queue_pop(void)
{
    struct proc *proc = queue_head;

    if (proc)
        queue_head = proc->next;
    return proc;
}

static void check_stack(const struct proc *proc)
{
    const uint32_t *bottom = phys_to_virt(proc->stack);

    if (proc->stack != 0 && *bottom != CANARY)
        panic(NULL, "kernel stack of %s[%d] overflowed", proc->name, proc->pid);
}

void sched_ready(struct proc *proc)
{
    uint32_t state = irq_save();

    if (proc->state == PROC_UNUSED)
        *(uint32_t *)phys_to_virt(proc->stack) = CANARY;
    queue_push(proc);
    irq_restore(state);
}

/* Interrupts are off. Returns when it is this process's turn again. */
void schedule(void)
{
    struct proc *before = current, *next;

    sched_wanted = false;
    if (before == &procs[0])
        before->state = PROC_READY;
    else if (before->state == PROC_RUNNING)
        queue_push(before);
    next = queue_pop();
    if (!next)
        next = &procs[0];
    next->state = PROC_RUNNING;
    if (next == before)
        return;

    check_stack(before);
    current = next;
    batch_begin();
    tss_set_stack((uint32_t)phys_to_virt(next->stack + PAGE_SIZE));
    directory_load(next->space.directory ? next->space.directory
                                         : virt_to_phys(kernel_directory));
    batch_end();
    switch_stacks(&before->saved_esp, next->saved_esp);
}

/* Interrupts are off, and have been since the caller found nothing to do: a
 * wakeup in between would be lost. */
void sched_sleep(const void *channel)
{
    current->channel = channel;
    current->has_deadline = false;
    current->state = PROC_SLEEPING;
    schedule();
}

/* The same, but not for longer than that. False: nobody woke us in time. */
bool sched_sleep_until(const void *channel, uint32_t deadline)
{
    current->channel = channel;
    current->has_deadline = true;
    current->deadline = deadline;
    current->state = PROC_SLEEPING;
    schedule();
    return current->channel == NULL;
}

void sched_wake(const void *channel)
{
    uint32_t state = irq_save();

    for (struct proc *p = procs; p < procs + PROCS; p++) {
        if (p->state == PROC_SLEEPING && p->channel == channel) {
            p->channel = NULL;
            queue_push(p);
        }
    }
    irq_restore(state);
}

/* From the timer's interrupt handler, so with interrupts off. */
void sched_tick(bool from_user)
{
    uint32_t now = timer_ticks();

    for (struct proc *p = procs; p < procs + PROCS; p++) {
        if (p->state == PROC_SLEEPING && p->has_deadline &&
            (int32_t)(now - p->deadline) >= 0)
            queue_push(p);
    }
    if (queue_head) {
        sched_wanted = true;
        if (from_user)
            current->preempted++;
    }
}

/* What the boot code becomes. Any interrupt ends the HLT; if it woke a
 * process, that one runs at once. */
void sched_idle(void)
{
    for (;;) {
        irq_disable();
        proc_reap_orphans();
        schedule();
        irq_enable_and_halt();
    }
}
