/* SPDX-License-Identifier: MIT */
/* proc.h - processes, the run queue, and open files. */
#ifndef LUMEN_PROC_H
#define LUMEN_PROC_H

#include "abi.h"
#include "memory.h"
#include "trap.h"
#include <stdbool.h>
#include <stdint.h>

#define PROCS      64
#define PROC_FILES 16
#define ARGUMENTS  24

enum proc_state {
    PROC_UNUSED,
    PROC_READY,
    PROC_RUNNING,
    PROC_SLEEPING,
    PROC_ZOMBIE
};

struct file;

struct proc {
    int32_t pid;
    enum proc_state state;
    char name[NAME_BYTES];
    struct proc *parent;
    struct proc *next; /* in the run queue                     */
    struct space space;
    phys_t stack;       /* one frame, used in the kernel        */
    uint32_t saved_esp; /* while it does not run                */
    struct file *files[PROC_FILES];
    const void *channel; /* what it sleeps for                   */
    bool has_deadline;
    uint32_t deadline; /* in ticks                             */
    int32_t status;    /* of a zombie                          */
    uint32_t preempted;
};

extern struct proc procs[PROCS]; /* procs[0] is the idle loop            */
extern struct proc *current;

/* proc.c */
void proc_init(void);
struct proc *proc_spawn(char *const argv[], uint32_t argc);
int32_t proc_fork(const struct trap_frame *frame);
int32_t proc_wait(int32_t pid, int32_t *status, bool nohang);
_Noreturn void proc_exit(int32_t status);
void proc_reap_orphans(void);
bool proc_info(uint32_t slot, struct ps_info *info);

/* exec.c */
int32_t exec_image(struct space *space, const char *path, char *const argv[],
                   uint32_t argc, struct trap_frame *frame);
int32_t exec_current(const char *path, uint32_t user_argv,
                     struct trap_frame *frame);

/* sched.c. The caller of schedule and sched_sleep has interrupts off. */
extern volatile bool sched_wanted;
void schedule(void);
void sched_ready(struct proc *proc);
void sched_sleep(const void *channel);
bool sched_sleep_until(const void *channel, uint32_t deadline);
void sched_wake(const void *channel);
void sched_tick(bool from_user);
_Noreturn void sched_idle(void);

/* trap.S */
void switch_stacks(uint32_t *save_esp, uint32_t esp);
void trap_return(void);

/* file.c */
struct stored_file { /* made by CMake, in programs.S         */
    const char *name;
    const uint8_t *data, *end;
};
extern const struct stored_file stored_files[];
extern const uint32_t stored_file_count;

const struct stored_file *stored_file_find(const char *path);
bool files_open_console(struct proc *proc);
void files_share(struct proc *child, const struct proc *parent);
void files_close_all(struct proc *proc);
int32_t file_open(const char *path);
int32_t file_close(uint32_t fd);
int32_t file_dup2(uint32_t from, uint32_t to);
int32_t file_pipe(int32_t fds[2]);
int32_t file_read(uint32_t fd, void *buffer, uint32_t bytes);
int32_t file_write(uint32_t fd, const void *buffer, uint32_t bytes);
int32_t file_seek(uint32_t fd, int32_t offset, uint32_t whence);

/* pipe.c */
struct pipe;
struct pipe *pipe_create(void);
void pipe_close(struct pipe *pipe, bool writer);
int32_t pipe_read(struct pipe *pipe, void *buffer, uint32_t bytes);
int32_t pipe_write(struct pipe *pipe, const void *buffer, uint32_t bytes);

/* disk.c and cache.c */
#define SECTOR_BYTES 512u
void disk_init(void);
uint32_t disk_sectors(void); /* 0: there is no disk         */
bool disk_transfer(uint32_t sector, void *buffer, bool write);
void disk_interrupt(void);
bool cache_read(uint32_t sector, void *buffer);
bool cache_write(uint32_t sector, const void *buffer);

#endif
