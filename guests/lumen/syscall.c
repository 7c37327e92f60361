/* SPDX-License-Identifier: MIT */
/* syscall.c - what programs may ask of the kernel. See abi.h.
 *
 * Each handler checks the pointers it is given against the process's own
 * regions, then simply uses them: a page that is not there yet faults in the
 * kernel exactly as it would in the program.
 */
#include "irq.h"
#include "kernel.h"
#include "proc.h"

typedef int32_t syscall_handler(struct trap_frame *frame);

static bool readable(uint32_t va, uint32_t bytes)
{
    return space_allows(&current->space, va, bytes, false);
}

static bool writable(uint32_t va, uint32_t bytes)
{
    return space_allows(&current->space, va, bytes, true);
}

/* A path from the program. Names are short, so a longer one cannot exist. */
static bool copy_path(char to[NAME_BYTES], uint32_t from)
{
    for (uint32_t i = 0; i < NAME_BYTES; i++) {
        if (!readable(from + i, 1))
            return false;
        to[i] = *(const char *)(from + i);
        if (to[i] == '\0')
            return true;
    }
    return false;
}

static int32_t sys_exit(struct trap_frame *frame)
{
    proc_exit((int32_t)(frame->ebx & 0xFF));
}

static int32_t sys_fork(struct trap_frame *frame)
{
    return proc_fork(frame);
}

/* The frame now starts the new program; its EAX must stay as it is. */
static int32_t sys_exec(struct trap_frame *frame)
{
    char path[NAME_BYTES];

    if (!copy_path(path, frame->ebx))
        return -1;
    return exec_current(path, frame->ecx, frame);
}

static int32_t sys_wait(struct trap_frame *frame)
{
    int32_t status = 0, pid;

    if (!writable(frame->ecx, sizeof status))
        return -1;
    pid = proc_wait((int32_t)frame->ebx, &status, frame->edx != 0);
    if (pid > 0)
        *(int32_t *)frame->ecx = status;
    return pid;
}

static int32_t sys_getpid(struct trap_frame *frame)
{
    (void)frame;
    return current->pid;
}

static int32_t sys_yield(struct trap_frame *frame)
{
    uint32_t state = irq_save();

    (void)frame;
    schedule();
    irq_restore(state);
    return 0;
}

static int32_t sys_sleep(struct trap_frame *frame)
{
    uint32_t state = irq_save();

    sched_sleep_until(&current->deadline, timer_ticks() + frame->ebx);
    irq_restore(state);
    return 0;
}

static int32_t sys_pipe(struct trap_frame *frame)
{
    if (!writable(frame->ebx, 2 * sizeof(int32_t)))
        return -1;
    return file_pipe((int32_t *)frame->ebx);
}

static int32_t sys_dup2(struct trap_frame *frame)
{
    return file_dup2(frame->ebx, frame->ecx);
}

static int32_t sys_read(struct trap_frame *frame)
{
    if (!writable(frame->ecx, frame->edx))
        return -1;
    return file_read(frame->ebx, (void *)frame->ecx, frame->edx);
}

static int32_t sys_write(struct trap_frame *frame)
{
    if (!readable(frame->ecx, frame->edx))
        return -1;
    return file_write(frame->ebx, (const void *)frame->ecx, frame->edx);
}

static int32_t sys_open(struct trap_frame *frame)
{
    char path[NAME_BYTES];

    return copy_path(path, frame->ebx) ? file_open(path) : -1;
}

static int32_t sys_close(struct trap_frame *frame)
{
    return file_close(frame->ebx);
}

static int32_t sys_seek(struct trap_frame *frame)
{
    return file_seek(frame->ebx, (int32_t)frame->ecx, frame->edx);
}

static int32_t sys_sbrk(struct trap_frame *frame)
{
    return space_sbrk(&current->space, (int32_t)frame->ebx);
}

static int32_t sys_discard(struct trap_frame *frame)
{
    return space_discard(&current->space, frame->ebx, frame->ecx);
}

static int32_t sys_protect(struct trap_frame *frame)
{
    return space_protect(&current->space, frame->ebx, frame->ecx,
                         frame->edx != 0);
}

static int32_t sys_psinfo(struct trap_frame *frame)
{
    if (!writable(frame->ecx, sizeof(struct ps_info)) ||
        !proc_info(frame->ebx, (struct ps_info *)frame->ecx))
        return -1;
    return ((struct ps_info *)frame->ecx)->pid < 0;
}

static int32_t sys_file(struct trap_frame *frame)
{
    const struct stored_file *file = &stored_files[frame->ebx];

    if (frame->ebx >= stored_file_count || !writable(frame->ecx, NAME_BYTES))
        return -1;
    name_copy((char *)frame->ecx, file->name);
    return file->end - file->data;
}

static int32_t sys_power(struct trap_frame *frame)
{
    if (frame->ebx == POWER_REBOOT)
        machine_reboot();
    machine_power_off();
}

static syscall_handler *const handlers[] = {
    [SYS_EXIT] = sys_exit,       [SYS_FORK] = sys_fork,
    [SYS_EXEC] = sys_exec,       [SYS_WAIT] = sys_wait,
    [SYS_GETPID] = sys_getpid,   [SYS_YIELD] = sys_yield,
    [SYS_SLEEP] = sys_sleep,     [SYS_PIPE] = sys_pipe,
    [SYS_DUP2] = sys_dup2,       [SYS_READ] = sys_read,
    [SYS_WRITE] = sys_write,     [SYS_OPEN] = sys_open,
    [SYS_CLOSE] = sys_close,     [SYS_SEEK] = sys_seek,
    [SYS_SBRK] = sys_sbrk,       [SYS_PSINFO] = sys_psinfo,
    [SYS_FILE] = sys_file,       [SYS_POWER] = sys_power,
    [SYS_DISCARD] = sys_discard, [SYS_PROTECT] = sys_protect,
};

/* Entered through a trap gate: interrupts are as the program had them, on. */
void syscall_dispatch(struct trap_frame *frame)
{
    uint32_t number = frame->eax;

    frame->eax = number < sizeof handlers / sizeof *handlers
                     ? (uint32_t)handlers[number](frame)
                     : (uint32_t)-1;
}
