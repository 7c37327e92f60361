/* SPDX-License-Identifier: MIT */
#include "vmm/load_image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool load_error(char **error, const struct blob *image, const char *format, ...)
{
    char *message;
    va_list args;
    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        message = NULL;
    va_end(args);
    if (asprintf(error, "%s: %s", image->name ? image->name : "kernel",
                 message ? message : "out of memory") < 0)
        *error = NULL;
    free(message);
    return false;
}

bool load_refuse(const struct loading *in, const char *what)
{
    return load_error(in->error, &in->request->kernel, "%s", what);
}

bool load_put(const struct loading *in, uint64_t gpa, const void *data,
              uint64_t bytes)
{
    return in->memory->write(in->memory->ctx, gpa, data, bytes) ||
           load_refuse(in, "guest memory cannot be written");
}

bool load_fits(const struct load_memory *memory, uint64_t gpa, uint64_t bytes)
{
    if (gpa >= LOW_END)
        return gpa <= memory->ram_bytes && bytes <= memory->ram_bytes - gpa;
    return gpa >= LOW_FREE && gpa <= LOW_EBDA && bytes <= LOW_EBDA - gpa;
}

void load_memory_map(const struct load_memory *memory,
                     struct load_area area[LOAD_AREAS])
{
    uint64_t high = memory->ram_bytes > LOW_END ? memory->ram_bytes : LOW_END;
    area[0] = (struct load_area){0, LOW_EBDA, 1};
    area[1] = (struct load_area){LOW_EBDA, LOW_VIDEO - LOW_EBDA, 2};
    area[2] = (struct load_area){LOW_ROM, LOW_END - LOW_ROM, 2};
    area[3] = (struct load_area){LOW_END, high - LOW_END, 1};
}

static struct segment flat_segment(uint16_t selector, unsigned type)
{
    return (struct segment){
        .limit = 0xFFFFFFFFu,
        .selector = selector,
        .attr = (uint16_t)(SEG_G | SEG_D | SEG_P | SEG_S | SEG_ACCESSED | type),
    };
}

/* The eight bytes of a flat descriptor (base 0, limit 4 GiB - 1). */
static uint64_t flat_descriptor(const struct segment *s)
{
    uint64_t high = (uint64_t)s->attr << 8 | 0xF0000u;
    return high << 32 | 0xFFFFu;
}

struct cpu_state load_reset_state(void)
{
    return (struct cpu_state){
        .eflags = EFL_FIXED,
        .ldtr = {.limit = 0xFFFF, .attr = SEG_P | SYS_LDT},
        .tr = {.limit = 0xFFFF, .attr = SEG_P | SYS_TSS32_BUSY},
        .cr0 = CR0_ET,
        .dr = {[6] = 0xFFFF0FF0u, [7] = 0x400u},
        .pat = 0x0007040600070406u,
        .misc_enable = 1, /* fast strings */
    };
}

bool load_flat_state(const struct load_memory *memory, uint16_t code,
                     struct cpu_state *state)
{
    uint16_t data = (uint16_t)(code + 8);
    struct segment cs = flat_segment(code, SEG_CODE | SEG_READABLE);
    struct segment ds = flat_segment(data, SEG_WRITABLE);
    uint64_t gdt[4] = {0};

    *state = load_reset_state();
    state->gdtr.base = LOW_GDT;
    state->gdtr.limit = (uint16_t)(data + 7);
    state->cr0 |= CR0_PE;
    for (int i = 0; i < SEG_COUNT; i++)
        state->seg[i] = ds;
    state->seg[SEG_CS] = cs;
    state->gpr[GPR_ESP] = LOW_STACK;

    gdt[code / 8] = flat_descriptor(&cs);
    gdt[data / 8] = flat_descriptor(&ds);
    return memory->write(memory->ctx, LOW_GDT, gdt, data + 8u);
}

/* What a file that is no kernel seems to be. */
static const char *foreign_kind(const struct blob *image)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *kind;
    } known[] = {
        {"\x7f"
         "ELF\1",
         5, "ELF, but no multiboot header in its first 8192 bytes"},
        {"\x7f"
         "ELF\2",
         5, "a 64-bit ELF without a multiboot header"},
        {"\x7f"
         "ELF",
         4, "a damaged ELF"},
        {"\x1f\x8b", 2, "gzip: unpack it first"},
        {"\xfd"
         "7zXZ",
         5, "xz: unpack it first"},
        {"\x28\xb5\x2f\xfd", 4, "zstd: unpack it first"},
        {"BZh", 3, "bzip2: unpack it first"},
        {"070701", 6, "a cpio archive: did you mean --initrd?"},
        {"#!", 2, "a script"},
        {"MZ", 2, "a DOS or EFI program"},
        {"QFI\xfb", 4, "a qcow2 disk: use --disk with a raw image"},
    };
    const uint8_t *bytes = image->data;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (image->size >= known[i].size &&
            memcmp(bytes, known[i].magic, known[i].size) == 0)
            return known[i].kind;
    return NULL;
}

static bool refuse_foreign(const struct blob *image, char **error)
{
    if (image->size == 0)
        return load_error(error, image, "the file is empty");
    const uint8_t *bytes = image->data;
    char starts[4 * 3 + 1] = "";
    for (size_t i = 0; i < 4 && i < image->size; i++)
        snprintf(starts + 3 * i, 4, " %02x", bytes[i]);
    const char *kind = foreign_kind(image);
    return load_error(
        error, image,
        "not a multiboot ELF, a Linux bzImage or a disk with a boot sector "
        "(starts with%s%s%s)",
        starts, kind ? "; " : "", kind ? kind : "");
}

const char *load_kind(const struct blob *image)
{
    if (linux_recognized(image))
        return "linux";
    if (disk_recognized(image))
        return "disk";
    if (multiboot_find(image) >= 0)
        return "multiboot";
    if (pv_recognized(image))
        return "pv";
    return NULL;
}

bool load_guest(const struct load_request *request,
                const struct load_memory *memory, struct load_result *result,
                char **error)
{
    const struct blob *image = &request->kernel;
    *error = NULL;
    *result = (struct load_result){.kind = load_kind(image)};
    if (!result->kind)
        return refuse_foreign(image, error);
    if (memory->ram_bytes < 2 * LOW_END)
        return load_error(error, image,
                          "a guest needs 2 MiB of memory at least");
    bool loaded;
    if (strcmp(result->kind, "linux") == 0 && setup_recognized(image))
        loaded = setup_load(request, memory, result, error);
    else if (strcmp(result->kind, "linux") == 0)
        loaded = linux_load(request, memory, result, error);
    else if (strcmp(result->kind, "pv") == 0)
        loaded = pv_load(request, memory, result, error);
    else if (strcmp(result->kind, "disk") == 0)
        loaded = disk_load(request, memory, result, error);
    else
        loaded = multiboot_load(request, memory, result, error);
    result->state.eip = result->entry;
    return loaded;
}
