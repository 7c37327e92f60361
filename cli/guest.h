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
bool guest_open(struct guest *g, const struct run_options *o);
void guest_close(struct guest *g);

/* Read or find a kernel alone. False: a line was printed. free(*data). */
bool guest_kernel(const char *who, const char *name, struct blob *kernel,
                  void **data);

#endif
