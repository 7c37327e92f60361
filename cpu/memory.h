/* SPDX-License-Identifier: MIT */
/* cpu/memory.h - the machine's real memory, as the host sees it.
 *
 * One contiguous host mapping: the CPU, the VMM's walks and device DMA all
 * read and write the same bytes through it. Offsets are machine addresses.
 */
#ifndef CPU_MEMORY_H
#define CPU_MEMORY_H

#include <string.h>

#include "cpu/addr.h"

struct memory {
    uint8_t *host;
    uint64_t bytes; /* a multiple of PAGE_BYTES */
};

/* Is [ma, ma + bytes) inside? */
static inline bool memory_has(const struct memory *m, ma_t ma, uint64_t bytes)
{
    return ma.v <= m->bytes && bytes <= m->bytes - ma.v;
}

/* The host address of a machine address that memory_has() accepts. */
static inline uint8_t *memory_at(const struct memory *m, ma_t ma)
{
    return m->host + ma.v;
}

static inline uint32_t memory_read32(const struct memory *m, ma_t ma)
{
    uint32_t value;
    memcpy(&value, memory_at(m, ma), sizeof value);
    return value;
}

static inline void memory_write32(const struct memory *m, ma_t ma,
                                  uint32_t value)
{
    memcpy(memory_at(m, ma), &value, sizeof value);
}

static inline uint64_t memory_read64(const struct memory *m, ma_t ma)
{
    uint64_t value;
    memcpy(&value, memory_at(m, ma), sizeof value);
    return value;
}

static inline void memory_write64(const struct memory *m, ma_t ma,
                                  uint64_t value)
{
    memcpy(memory_at(m, ma), &value, sizeof value);
}

#endif
