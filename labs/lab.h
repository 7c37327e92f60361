/* SPDX-License-Identifier: MIT */
/* labs/lab.h - umbra lab: exercises, and tests that judge them.
 *
 * The student writes one function. It runs in a process of its own that holds
 * nothing but that function; the machine, the guest and the right answers are
 * in this one, which asks it and compares. What the student's code prints is
 * shown and never read.
 */
#ifndef LABS_LAB_H
#define LABS_LAB_H

#include "vmm/vm.h"

#include <stdio.h>

/* What the labs need of the program they are in. */
struct lab_host {
    const char *engine; /* the processor's library and its version */
    /* A guest by its name ("@lumen", built in). False: a line was printed.
     * free(*data). */
    bool (*guest)(const char *who, const char *name, struct blob *kernel,
                  void **data);
    /* Print into a file that is whole or not there; what is no regular file is
     * written to as it is. print's false: no memory. 0 or an errno. */
    int (*replace)(const char *path, bool (*print)(const void *ctx, FILE *out),
                   const void *ctx);
};

/* argv[0]: "umbra lab". The exit status: 0; 1 when a test did not pass; 2 for
 * bad usage or files that cannot be read or written. */
int lab_command(int argc, char **argv, const struct lab_host *host);

#endif
