/* SPDX-License-Identifier: MIT */
/* proc.c - the life of a process: fork, exit, wait.
 *
 * A process that has ended keeps its slot and its kernel stack, on which it
 * stood when it ended, until its parent has asked for its status. The idle
 * loop adopts the children of the dead.
 */
#include "proc.h"
#include "irq.h"
#include "kernel.h"

#define IDLE      (&procs[0])
#define FIRST_PID 1
#define KILLED_V  0x40 /* debug-exit value: this + the exception  */

struct proc procs[PROCS];

static int32_t next_pid = FIRST_PID;

void proc_init(void)
{
    name_copy(IDLE->name, "idle");
    IDLE->state = PROC_RUNNING;
}

static void free_slot(struct proc *proc)
{
    frame_free(proc->stack);
    memset(proc, 0, sizeof *proc);
}

void proc_reap_orphans(void)
{
    for (struct proc *p = procs + 1; p < procs + PROCS; p++) {
        if (p->state == PROC_ZOMBIE && p->parent == IDLE)
            free_slot(p);
    }
}

/* A slot with a kernel stack; still PROC_UNUSED until sched_ready. */
static struct proc *find_slot(void)
{
    struct proc *p = procs + 1;

    proc_reap_orphans();
    while (p < procs + PROCS && p->state != PROC_UNUSED)
        p++;
    if (p == procs + PROCS)
        return NULL;

    memset(p, 0, sizeof *p);
    p->stack = frame_alloc();
    return p->stack ? p : NULL;
}

/* A trap from ring 3 finds an empty kernel stack, so its frame is on top. */
static struct trap_frame *frame_of(const struct proc *proc)
{
    return (struct trap_frame *)phys_to_virt(proc->stack + PAGE_SIZE) - 1;
}

/* Make the process ready, such that switch_stacks to it "returns" to
 * trap_return with the frame under ESP. */
static void start(struct proc *proc, struct proc *parent)
{
    uint32_t *esp = (uint32_t *)frame_of(proc);

    *--esp = (uint32_t)trap_return;
    esp -= 4; /* EBP, EBX, ESI, EDI: whatever         */
    proc->saved_esp = (uint32_t)esp;
    proc->parent = parent;
    proc->pid = next_pid++;
    sched_ready(proc);
}

struct proc *proc_spawn(char *const argv[], uint32_t argc)
{
    struct proc *proc = find_slot();

    if (!proc)
        return NULL;
    if (exec_image(&proc->space, argv[0], argv, argc, frame_of(proc)) < 0 ||
        !files_open_console(proc))
        return NULL;
    name_copy(proc->name, argv[0]);
    start(proc, IDLE);
    return proc;
}

int32_t proc_fork(const struct trap_frame *frame)
{
    struct proc *child = find_slot();
    struct trap_frame *copy;

    if (!child)
        return -1;
    if (!space_fork(&child->space, &current->space)) {
        free_slot(child);
        return -1;
    }
    copy = frame_of(child);
    *copy = *frame;
    copy->eax = 0; /* what fork() returns in the child     */
    name_copy(child->name, current->name);
    files_share(child, current);
    start(child, current);
    return child->pid;
}

int32_t proc_wait(int32_t pid, int32_t *status, bool nohang)
{
    uint32_t state = irq_save();
    int32_t result = -1;

    for (;;) {
        struct proc *child = NULL, *p;

        for (p = procs + 1; p < procs + PROCS; p++) {
            if (p->state == PROC_UNUSED || p->parent != current ||
                (pid != -1 && p->pid != pid))
                continue;
            child = p;
            if (p->state == PROC_ZOMBIE)
                break;
        }
        if (!child)
            break;
        if (child->state == PROC_ZOMBIE) {
            result = child->pid;
            *status = child->status;
            free_slot(child);
            break;
        }
        result = 0;
        if (nohang)
            break;
        result = -1;
        sched_sleep(current);
    }
    irq_restore(state);
    return result;
}

/* The machine was there for the first process. */
static _Noreturn void end_of_first(int32_t status)
{
    uint32_t value = (uint32_t)status;

    if (status >= KILLED_BY)
        value = KILLED_V + (uint32_t)(status - KILLED_BY);
    if (cmdline_has("test"))
        machine_exit(status != 0);
    if (cmdline_value("run="))
        machine_exit(value);
    boot_message("lumen: the shell has ended, power off\n");
    machine_power_off();
}

void proc_exit(int32_t status)
{
    files_close_all(current);

    /* Nobody may stand on page tables that are being torn down. */
    directory_load(virt_to_phys(kernel_directory));
    space_destroy(&current->space);

    irq_disable();
    if (current->pid == FIRST_PID)
        end_of_first(status);
    for (struct proc *p = procs + 1; p < procs + PROCS; p++) {
        if (p->state != PROC_UNUSED && p->parent == current)
            p->parent = IDLE;
    }
    current->status = status;
    current->state = PROC_ZOMBIE;
    sched_wake(current->parent);
    schedule();
    panic(NULL, "a dead process runs");
}

bool proc_info(uint32_t slot, struct ps_info *info)
{
    static const char letters[] = {
        [PROC_UNUSED] = '-',   [PROC_READY] = 'r',  [PROC_RUNNING] = 'R',
        [PROC_SLEEPING] = 'S', [PROC_ZOMBIE] = 'Z',
    };
    const struct proc *p = &procs[slot];

    if (slot >= PROCS)
        return false;
    info->pid = p->state == PROC_UNUSED ? -1 : p->pid;
    info->parent = p->parent ? p->parent->pid : 0;
    info->pages = p->space.pages;
    info->preempted = p->preempted;
    info->state = letters[p->state];
    name_copy(info->name, p->name);
    return true;
}
