/* SPDX-License-Identifier: MIT */
/* io/ide.h - one ATA channel, shared by its three files: ide.c has the ports
 * and moves the data, ata.c runs the commands, ata_identify.c describes the
 * drive. Internal to io/.
 *
 * A command goes through these steps, each a short virtual time after what
 * caused it, with BSY set meanwhile:
 *
 *   command written -> ata_execute
 *     no data:  done, interrupt
 *     data in:  block ready, interrupt; guest empties it -> ata_next_block ...
 *     data out: block wanted; guest fills it -> ata_next_block, interrupt ...
 */
#ifndef IO_IDE_H
#define IO_IDE_H

#include "io/devices.h"

enum {
    IDE_DRIVES = 2,
    MULTIPLE_MAX = 16, /* sectors a block of READ/WRITE MULTIPLE */
    SECTOR_WORDS = SECTOR_BYTES / 2,
    DEFAULT_HEADS = 16,
    DEFAULT_SECTORS = 63,

    STATUS_ERROR = 0x01,
    STATUS_DATA = 0x08,
    STATUS_SEEK_DONE = 0x10,
    STATUS_FAULT = 0x20,
    STATUS_READY = 0x40,
    STATUS_BUSY = 0x80,
    STATUS_IDLE = STATUS_READY | STATUS_SEEK_DONE,

    ERROR_ABORT = 0x04,
    ERROR_NOT_FOUND = 0x10, /* no such sector */
    ERROR_UNCORRECTABLE = 0x40,
    DIAGNOSTIC_PASSED = 0x01,

    DEVICE_HEAD = 0x0F, /* or the upper bits of an LBA28 */
    DEVICE_SECOND = 0x10,
    DEVICE_LBA = 0x40,
    DEVICE_ALWAYS = 0xA0, /* obsolete bits that read as one */
};

/* What to do when the deadline comes. */
enum ide_action { ACT_NONE, ACT_EXECUTE, ACT_NEXT_BLOCK, ACT_RESET };
enum ide_transfer { TRANSFER_NONE, TRANSFER_IN, TRANSFER_OUT };

/* A register that takes two writes for 48-bit commands. */
struct ide_register {
    uint8_t now;
    uint8_t before;
};

/* What each drive has: its task file and settings. */
struct ide_drive {
    struct ide_register feature, count, low, middle, high;
    uint8_t device, status, error;
    uint8_t multiple;       /* sectors a block; 0: not set */
    uint8_t heads, sectors; /* the current CHS translation */
    bool write_cache;
};

struct ide {
    struct device dev;
    struct irq_line irq;
    struct disk disks[IDE_DRIVES];
    struct ide_state {
        struct ide_drive drives[IDE_DRIVES];
        uint8_t selected;
        uint8_t control;
        bool interrupt; /* pending, whether nIEN lets it out or not */
        uint8_t command;
        uint8_t action;   /* enum ide_action */
        uint8_t transfer; /* enum ide_transfer */
        bool to_disk;     /* the block is sectors, not a data structure */
        bool wide;        /* a 48-bit command */
        uint64_t sector;  /* of the block in the buffer */
        uint32_t left;    /* sectors, the block's included */
        uint32_t block;   /* sectors a block of this command */
        uint32_t position, length; /* of the buffer, in bytes */
        uint8_t buffer[MULTIPLE_MAX * SECTOR_BYTES];
    } state;
};

static inline struct ide_drive *ide_selected(struct ide *ide)
{
    return &ide->state.drives[ide->state.selected];
}

static inline struct disk *ide_disk(struct ide *ide)
{
    return &ide->disks[ide->state.selected];
}

/* ide.c: end a step. Done without error is error 0. */
void ide_done(struct ide *ide, uint8_t error);
void ide_data_ready(struct ide *ide, uint32_t bytes);
void ide_data_wanted(struct ide *ide, uint32_t bytes, bool interrupt);
void ide_signature(struct ide *ide);

/* ata.c */
/* Does the command begin with data from the processor? */
bool ata_takes_data(uint8_t opcode);
void ata_execute(struct ide *ide);
void ata_next_block(struct ide *ide);
void ata_default_geometry(struct ide *ide, unsigned drive);

/* ata_identify.c */
void ata_identify(struct ide *ide);

#endif
