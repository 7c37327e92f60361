/* SPDX-License-Identifier: MIT */
/* cli/options_memory.h - the options about the guest's memory in the machine:
 * a part of cli/options.h. */
#ifndef CLI_OPTIONS_MEMORY_H
#define CLI_OPTIONS_MEMORY_H

#include "cli/options.h"

/* Its input is the struct run_options. */
extern const struct argp options_memory;

/* Do they go together, and with the rest? False after options_fail(). */
bool options_check_memory(const struct run_options *o);

#endif
