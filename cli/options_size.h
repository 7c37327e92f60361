/* SPDX-License-Identifier: MIT */
/* cli/options_size.h - how large the machine's and the VMM's things are: a part
 * of cli/options.h. */
#ifndef CLI_OPTIONS_SIZE_H
#define CLI_OPTIONS_SIZE_H

#include "cli/options.h"

/* Its input is the struct run_options. */
extern const struct argp options_sizes;

/* A list of techniques shares these options: take those away that this one has
 * no use for. */
void options_keep_sizes(struct run_options *o);

#endif
