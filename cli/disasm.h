/* SPDX-License-Identifier: MIT */
/* cli/disasm.h - umbra disasm: what a listing looks like. */
#ifndef CLI_DISASM_H
#define CLI_DISASM_H

#include "vmm/listing.h"
#include "vmm/symbols.h"

#include <stdio.h>

/* Units side by side with the guest's code, in 80 columns. reached: the guest
 * did; else they were made for the listing. */
void disasm_print(const struct listing *list, size_t count,
                  const struct symbols *symbols, bool reached, FILE *out);
/* False: no memory. */
bool disasm_print_json(const struct listing *list, size_t count, bool reached,
                       FILE *out);

#endif
