/* SPDX-License-Identifier: MIT */
/* io/ata_identify.c - what a disk says of itself: the 256 words of IDENTIFY
 * DEVICE. They promise only what ata.c keeps: PIO, CHS and LBA in 28 and 48
 * bits, multiple sectors, flush; no DMA, no SMART.
 *
 * Reference: INCITS T13, "AT Attachment with Packet Interface - 6"
 * (ATA/ATAPI-6), IDENTIFY DEVICE.
 */
#include "io/ide.h"

#include <string.h>

enum {
    MAX_CYLINDERS = 16383,
    MAX_LBA28 = 0x0FFFFFFF,
};

/* Words of IDENTIFY DEVICE, then the bits in them. */
enum {
    ID_CONFIGURATION = 0,
    ID_CYLINDERS = 1,
    ID_HEADS = 3,
    ID_SECTORS = 6,
    ID_SERIAL = 10,
    ID_SERIAL_WORDS = 10,
    ID_FIRMWARE = 23,
    ID_FIRMWARE_WORDS = 4,
    ID_MODEL = 27,
    ID_MODEL_WORDS = 20,
    ID_MULTIPLE_MAX = 47,
    ID_CAPABILITIES = 49,
    ID_CAPABILITIES2 = 50,
    ID_PIO_TIMING = 51,
    ID_VALID = 53,
    ID_CURRENT_CYLINDERS = 54,
    ID_CURRENT_HEADS = 55,
    ID_CURRENT_SECTORS = 56,
    ID_CURRENT_CAPACITY = 57,
    ID_MULTIPLE = 59,
    ID_LBA28_SECTORS = 60,
    ID_PIO_MODES = 64,
    ID_PIO_CYCLE = 67,
    ID_PIO_CYCLE_FLOW = 68,
    ID_MAJOR_VERSION = 80,
    ID_SUPPORTED = 82, /* three words */
    ID_ENABLED = 85,   /* three words */
    ID_LBA48_SECTORS = 100,
    ID_INTEGRITY = 255,

    FIXED_DRIVE = 0x0040,
    MULTIPLE_MAGIC = 0x8000,
    CAN_LBA = 0x0200,
    CAN_IORDY = 0x0800,
    CAPABILITIES2_MAGIC = 0x4000,
    PIO_TIMING_2 = 0x0200,
    VALID_54_AND_64 = 0x0003,
    MULTIPLE_SET = 0x0100,
    PIO_3_AND_4 = 0x0003,
    PIO_CYCLE_NS = 120,
    ATA_4_TO_6 = 0x0070,
    HAS_WRITE_CACHE = 0x0020,
    HAS_LOOK_AHEAD = 0x0040,
    HAS_POWER_MANAGEMENT = 0x0008,
    HAS_LBA48 = 0x0400,
    HAS_FLUSH = 0x1000,
    HAS_FLUSH_EXT = 0x2000,
    WORD_VALID = 0x4000,
    INTEGRITY_MAGIC = 0xA5,
};

static uint32_t cylinders(const struct disk *disk, unsigned heads,
                          unsigned sectors)
{
    uint64_t n = disk->sectors / (heads * sectors);
    if (n > MAX_CYLINDERS)
        return MAX_CYLINDERS;
    return n ? (uint32_t)n : 1;
}

static void put_string(uint16_t *words, size_t count, const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < count; i++) {
        /* The first character is in the upper byte. */
        uint8_t first = (uint8_t)(2 * i < length ? text[2 * i] : ' ');
        uint8_t second = (uint8_t)(2 * i + 1 < length ? text[2 * i + 1] : ' ');
        words[i] = (uint16_t)(first << 8 | second);
    }
}

static void put_number(uint16_t *words, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++)
        words[i] = (uint16_t)(value >> (16 * i));
}

static void identify_capacity(struct ide *ide, uint16_t *id)
{
    const struct ide_drive *d = ide_selected(ide);
    const struct disk *disk = ide_disk(ide);
    uint32_t current = cylinders(disk, d->heads, d->sectors);
    uint64_t lba28 = disk->sectors < MAX_LBA28 ? disk->sectors : MAX_LBA28;
    id[ID_CYLINDERS] =
        (uint16_t)cylinders(disk, DEFAULT_HEADS, DEFAULT_SECTORS);
    id[ID_HEADS] = DEFAULT_HEADS;
    id[ID_SECTORS] = DEFAULT_SECTORS;
    id[ID_CURRENT_CYLINDERS] = (uint16_t)current;
    id[ID_CURRENT_HEADS] = d->heads;
    id[ID_CURRENT_SECTORS] = d->sectors;
    put_number(&id[ID_CURRENT_CAPACITY], 2,
               (uint64_t)current * d->heads * d->sectors);
    put_number(&id[ID_LBA28_SECTORS], 2, lba28);
    put_number(&id[ID_LBA48_SECTORS], 4, disk->sectors);
}

static void identify_features(struct ide *ide, uint16_t *id)
{
    const struct ide_drive *d = ide_selected(ide);
    id[ID_SUPPORTED] = HAS_WRITE_CACHE | HAS_LOOK_AHEAD | HAS_POWER_MANAGEMENT;
    id[ID_SUPPORTED + 1] = WORD_VALID | HAS_LBA48 | HAS_FLUSH | HAS_FLUSH_EXT;
    id[ID_SUPPORTED + 2] = WORD_VALID;
    id[ID_ENABLED] = HAS_LOOK_AHEAD | HAS_POWER_MANAGEMENT;
    if (d->write_cache)
        id[ID_ENABLED] |= HAS_WRITE_CACHE;
    id[ID_ENABLED + 1] = HAS_LBA48 | HAS_FLUSH | HAS_FLUSH_EXT;
    id[ID_ENABLED + 2] = WORD_VALID;
}

void ata_identify(struct ide *ide)
{
    struct ide_state *s = &ide->state;
    uint16_t id[SECTOR_WORDS] = {
        [ID_CONFIGURATION] = FIXED_DRIVE,
        [ID_MULTIPLE_MAX] = MULTIPLE_MAGIC | MULTIPLE_MAX,
        [ID_CAPABILITIES] = CAN_LBA | CAN_IORDY,
        [ID_CAPABILITIES2] = CAPABILITIES2_MAGIC,
        [ID_PIO_TIMING] = PIO_TIMING_2,
        [ID_VALID] = VALID_54_AND_64,
        [ID_PIO_MODES] = PIO_3_AND_4,
        [ID_PIO_CYCLE] = PIO_CYCLE_NS,
        [ID_PIO_CYCLE_FLOW] = PIO_CYCLE_NS,
        [ID_MAJOR_VERSION] = ATA_4_TO_6,
    };
    if (ide_selected(ide)->multiple)
        id[ID_MULTIPLE] = MULTIPLE_SET | ide_selected(ide)->multiple;
    put_string(&id[ID_SERIAL], ID_SERIAL_WORDS,
               s->selected ? "UMBRA-1" : "UMBRA-0");
    put_string(&id[ID_FIRMWARE], ID_FIRMWARE_WORDS, "1.0");
    put_string(&id[ID_MODEL], ID_MODEL_WORDS, "Umbra disk image");
    identify_capacity(ide, id);
    identify_features(ide, id);

    uint8_t sum = INTEGRITY_MAGIC;
    for (unsigned i = 0; i < SECTOR_WORDS; i++) {
        s->buffer[2 * i] = (uint8_t)id[i];
        s->buffer[2 * i + 1] = (uint8_t)(id[i] >> 8);
        sum = (uint8_t)(sum + id[i] + (id[i] >> 8));
    }
    s->buffer[2 * ID_INTEGRITY] = INTEGRITY_MAGIC;
    s->buffer[2 * ID_INTEGRITY + 1] = (uint8_t)-sum;
    s->left = 1;
    ide_data_ready(ide, SECTOR_BYTES);
}
