/* SPDX-License-Identifier: MIT */
/* The BIOS (guests/bios) comes into memory, and the processor begins in it, in
 * real mode. Of a disk image nothing is loaded here: the BIOS reads the boot
 * sector from the first disk.
 */
#include "vmm/load_image.h"

#include "guests/embedded.h"

enum {
    SECTOR = 512,
    SIGNATURE_AT = 510,
    SIGNATURE = 0xAA55,
    PARTITIONS_AT = 446,
    PARTITIONS = 4,
    PARTITION_BYTES = 16,
    PARTITION_ACTIVE = 0x80, /* in an entry's first byte */
    PARTITION_TYPE = 4,
    DISKETTE_MOST = 2880 << 10,
    BIOS_SEGMENT = 0xF000,
    BIOS_AT = 0x2000, /* in the segment, as it is linked */
};

/* A disk may hold a kernel of another format, which is found in the middle of
 * it; a kernel's file may have the signature by chance. */
bool disk_recognized(const struct blob *image)
{
    const uint8_t *bytes = image->data;

    return image->size >= SECTOR &&
           load_get16(bytes + SIGNATURE_AT) == SIGNATURE &&
           memcmp(bytes,
                  "\x7f"
                  "ELF",
                  4) != 0;
}

bool load_is_diskette(const struct blob *image)
{
    const uint8_t *bytes = image->data, *entry;
    bool table = true, used = false;

    for (unsigned i = 0; i < PARTITIONS; i++) {
        entry = bytes + PARTITIONS_AT + i * PARTITION_BYTES;
        table &= (entry[0] & ~PARTITION_ACTIVE) == 0;
        used |= entry[PARTITION_TYPE] != 0;
    }
    return image->size <= DISKETTE_MOST && !(table && used);
}

static bool put_bios(const struct load_memory *memory)
{
    for (size_t i = 0; i < embedded_guest_count; i++) {
        const struct embedded_guest *e = &embedded_guests[i];

        if (strcmp(e->name, "bios") == 0)
            return memory->write(memory->ctx, BIOS_SEGMENT * 16 + BIOS_AT,
                                 e->data, e->size);
    }
    return false;
}

static struct segment real_segment(uint16_t selector, unsigned type)
{
    return (struct segment){
        .base = (uint32_t)selector * 16,
        .limit = 0xFFFF,
        .selector = selector,
        .attr = (uint16_t)(SEG_P | SEG_S | SEG_ACCESSED | type),
    };
}

bool load_bios(const struct load_memory *memory, enum bios_entry entry,
               struct load_result *result)
{
    struct cpu_state *state = &result->state;

    if (!put_bios(memory))
        return false;
    *state = load_reset_state();
    for (int i = 0; i < SEG_COUNT; i++)
        state->seg[i] = real_segment(0, SEG_WRITABLE);
    state->seg[SEG_CS] = real_segment(BIOS_SEGMENT, SEG_WRITABLE);
    state->gdtr.limit = state->idtr.limit = 0xFFFF;
    result->entry = entry;
    return true;
}

bool disk_load(const struct load_request *request,
               const struct load_memory *memory, struct load_result *result,
               char **error)
{
    return load_bios(memory, BIOS_BOOTS_DISK, result) ||
           load_error(error, &request->kernel,
                      "guest memory cannot be written");
}
