/* SPDX-License-Identifier: MIT */
/* cli/outputs.h - what a command writes overwrites nothing that it needs. */
#ifndef CLI_OUTPUTS_H
#define CLI_OUTPUTS_H

#include "cli/options.h"

/* Is each of these files, of which some may be NULL (none) or "-" (standard
 * output), another than the rest of them and than all that the guest is made
 * from: its kernel, modules, disks and swap? Devices and FIFOs may be named
 * twice. Creates nothing. False: a line was printed (status 2). */
bool outputs_are_distinct(const struct run_options *o, const char *const *paths,
                          size_t count);

#endif
