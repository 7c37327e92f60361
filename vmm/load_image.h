/* SPDX-License-Identifier: MIT */
/* vmm/load_image.h - what the loaders share. Private to vmm/load*.c. */
#ifndef VMM_LOAD_IMAGE_H
#define VMM_LOAD_IMAGE_H

#include "vmm/load.h"

#include <string.h>

/* *error = "NAME: message"; returns false. */
bool load_error(char **error, const struct blob *image, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An image on its way into memory. Both helpers set *error and return false
 * where it is not to be. */
struct loading {
    const struct load_request *request;
    const struct load_memory *memory;
    char **error;
};
bool load_refuse(const struct loading *in, const char *what);
bool load_put(const struct loading *in, uint64_t gpa, const void *data,
              uint64_t bytes);

/* Little-endian fields of an image; the caller has checked the bounds. */
static inline uint16_t load_get16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t load_get32(const void *p)
{
    return load_get16(p) | (uint32_t)load_get16((const uint8_t *)p + 2) << 16;
}

static inline void load_put16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v); /* the host is little-endian, as the guest */
}

static inline void load_put32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void load_put64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

/* Is [gpa, gpa + bytes) RAM that an image may occupy? */
bool load_fits(const struct load_memory *memory, uint64_t gpa, uint64_t bytes);

/* The memory map both protocols report. type: 1 RAM, 2 reserved. */
struct load_area {
    uint64_t base, bytes;
    uint32_t type;
};
enum { LOAD_AREAS = 4 };
void load_memory_map(const struct load_memory *memory,
                     struct load_area area[LOAD_AREAS]);

/* The processor after a reset, as firmware leaves it; segments and EIP are to
 * be set. */
struct cpu_state load_reset_state(void);

/* Protected mode, paging off, flat segments: code in GDT entry code / 8, data
 * in the next one. Writes that GDT too. */
bool load_flat_state(const struct load_memory *memory, uint16_t code,
                     struct cpu_state *state);

/* multiboot: offset of the header, or -1. Each loader assumes that its format
 * was recognized. */
long multiboot_find(const struct blob *image);
bool multiboot_load(const struct load_request *request,
                    const struct load_memory *memory,
                    struct load_result *result, char **error);

bool pv_recognized(const struct blob *image);
bool pv_load(const struct load_request *request,
             const struct load_memory *memory, struct load_result *result,
             char **error);

/* The processor begins in the BIOS, which begins with one of these. */
enum bios_entry {
    BIOS_BOOTS_DISK = 0x2000,
    BIOS_ENTERS_SETUP = 0x2010, /* Linux's, at 9020:0000 */
};
bool load_bios(const struct load_memory *memory, enum bios_entry entry,
               struct load_result *result);

/* The initial RAM disks behind each other, as high as below `top` they go but
 * not below `bottom`; where they begin and how long they are (0: none). */
bool linux_put_initrd(const struct load_request *request,
                      const struct load_memory *memory, uint64_t bottom,
                      uint64_t top, uint32_t *start, uint32_t *bytes,
                      char **error);

/* An image to be entered in real mode only. */
bool setup_recognized(const struct blob *image);
bool setup_load(const struct load_request *request,
                const struct load_memory *memory, struct load_result *result,
                char **error);

bool linux_recognized(const struct blob *image);
bool linux_load(const struct load_request *request,
                const struct load_memory *memory, struct load_result *result,
                char **error);

bool disk_recognized(const struct blob *image);
bool disk_load(const struct load_request *request,
               const struct load_memory *memory, struct load_result *result,
               char **error);

#endif
