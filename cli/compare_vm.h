/* SPDX-License-Identifier: MIT */
/* cli/compare_vm.h - one of the compared guests, while it exists.
 *
 * It gets no input and its own copies of the disks, so that the same technique
 * gives the same run again, however often it is created.
 */
#ifndef CLI_COMPARE_VM_H
#define CLI_COMPARE_VM_H

#include "cli/compare.h"

struct disk_copies {
    struct pc_disk disk[OPTIONS_DISKS];
    int fd[OPTIONS_DISKS];
    char path[OPTIONS_DISKS][32];
    size_t count;
};

struct compared_vm {
    struct vm *vm; /* NULL: closed */
    struct vm_config config;
    struct disk_copies disks;
    char *append;      /* what differs from the guest's own command line */
    struct outcome *r; /* gets the console and host time; may be NULL */
    bool watch;        /* note who prints the console's byte number... */
    size_t watched_byte;
    bool seen;
    uint32_t printer; /* EIP of the instruction */
    uint64_t printed_at;
};

/* Create it at its first instruction. STATUS_OK, or another status after a
 * line was printed. r may be NULL: nobody wants its console. Close it in any
 * case. */
int compared_open(struct compared_vm *v, const struct guest *guest,
                  const struct run_options *o, const struct technique *t,
                  struct outcome *r);
void compared_close(struct compared_vm *v);

/* Run to a virtual time, or to the guest's end. Counts host time. */
enum vm_stop compared_run(struct compared_vm *v, uint64_t cycles);

/* Stop both at one virtual time, the earliest at or after `cycles` that they
 * have in common: what a limit stops is a block, and techniques may cut them
 * differently. False: none within reach, or one has ended. */
bool compared_align(struct compared_vm *a, struct compared_vm *b);

/* The first disk and byte that differ; false: none does. */
bool compared_disks_differ(const struct compared_vm *a,
                           const struct compared_vm *b, size_t *disk,
                           uint64_t *offset);

/* compare_spaces.c: a fault came, after so many loads of CR3. */
void compare_note_space(struct compared_vm *v, uint64_t loads);

#endif
