/* SPDX-License-Identifier: MIT */
/* embedded.h - the guests inside the umbra program itself, so that it can
 * boot one without any file. ELF32 multiboot kernels with their symbols. */
#ifndef GUESTS_EMBEDDED_H
#define GUESTS_EMBEDDED_H

#include <stddef.h>

struct embedded_guest {
    const char *name; /* "lumen", "lumen-trap", "lumen-pv", "bench", ... */
    const unsigned char *data;
    size_t size;
};

extern const struct embedded_guest embedded_guests[];
extern const size_t embedded_guest_count;

#endif
