/* SPDX-License-Identifier: MIT */
/* cli/guest.h - from options to a configuration: files read, defaults set. */
#ifndef CLI_GUEST_H
#define CLI_GUEST_H

#include "cli/options.h"

struct guest {
    struct vm_config config; /* without the callbacks */
    struct blob initrd[OPTIONS_INITRDS];
    void *kernel_data; /* NULL: built in */
};

/* KERNEL may be "@NAME": a built-in guest. False: a line was printed (status
 * 2). The options must outlive the guest. */
bool guest_open(struct guest *g, struct run_options *o);
void guest_close(struct guest *g);

/* Read or find a kernel alone. False: a line was printed. free(*data). */
bool guest_kernel(const char *who, const char *name, struct blob *kernel,
                  void **data);

/* Is it a built-in guest of this name? */
bool guest_is_builtin(const struct guest *g, const char *name);

/* The built-in lumen is there for every technique: as its port for pv, as
 * itself for the others. Changes *kernel if the guest is one of these. False:
 * a line was printed. */
bool guest_port(const struct guest *g, const char *who, enum cpu_technique cpu,
                struct blob *kernel);

#endif
