/* SPDX-License-Identifier: MIT */
/* disk.c - the first disk on the first IDE channel: programmed I/O, 28-bit
 * sector numbers, IRQ 14.
 *
 * Every wait ends: by the disk, or after so many polls or ticks.
 *
 * Reference: ATA/ATAPI-4 (T13/1153D), "PIO data in/out command protocol".
 */
#include "irq.h"
#include "kernel.h"
#include "proc.h"
#include "x86.h"

#define DATA         0x1F0
#define SECTOR_COUNT 0x1F2
#define LBA_LOW      0x1F3
#define LBA_MIDDLE   0x1F4
#define LBA_HIGH     0x1F5
#define DRIVE        0x1F6 /* and sector number bits 24-27            */
#define COMMAND      0x1F7
#define STATUS       0x1F7 /* reading it ends the interrupt request   */

#define DRIVE_MASTER 0xE0 /* sector numbers, not cylinders and heads */
#define CMD_READ     0x20
#define CMD_WRITE    0x30
#define CMD_IDENTIFY 0xEC

#define ST_ERROR 0x01
#define ST_DATA  0x08
#define ST_FAULT 0x20
#define ST_BUSY  0x80
#define FLOATING 0xFF /* nobody drives the bus                   */

#define POLLS         100000u
#define TIMEOUT_TICKS 300u
#define SECTOR_WORDS  (SECTOR_BYTES / 2)
#define MAX_SECTORS   0x3FFFFFu /* offsets within a program's int          */

static uint32_t sectors;
static volatile bool interrupted;

uint32_t disk_sectors(void)
{
    return sectors;
}

static bool wait_not_busy(uint8_t *status)
{
    for (uint32_t i = 0; i < POLLS; i++) {
        *status = port_in8(STATUS);
        if (*status == 0 || *status == FLOATING)
            return false;
        if (!(*status & ST_BUSY))
            return true;
    }
    return false;
}

/* The outcome of a command, or of a part of one. */
static bool succeeded(uint8_t wanted_bits)
{
    uint8_t status;

    return wait_not_busy(&status) && !(status & (ST_ERROR | ST_FAULT)) &&
           (status & wanted_bits) == wanted_bits;
}

void disk_init(void)
{
    uint16_t identity[SECTOR_WORDS];

    port_out8(DRIVE, DRIVE_MASTER);
    if (port_in8(STATUS) == FLOATING)
        return;
    port_out8(SECTOR_COUNT, 0);
    port_out8(LBA_LOW, 0);
    port_out8(LBA_MIDDLE, 0);
    port_out8(LBA_HIGH, 0);
    port_out8(COMMAND, CMD_IDENTIFY);
    if (!succeeded(ST_DATA))
        return;

    port_in_words(DATA, identity, SECTOR_WORDS);
    sectors = identity[60] | (uint32_t)identity[61] << 16;
    if (sectors > MAX_SECTORS)
        sectors = MAX_SECTORS;
}

void disk_interrupt(void)
{
    port_in8(STATUS);
    interrupted = true;
    sched_wake(&sectors);
}

static bool wait_interrupt(void)
{
    uint32_t state = irq_save();
    uint32_t deadline = timer_ticks() + TIMEOUT_TICKS;
    bool in_time = true;

    while (!interrupted && in_time)
        in_time = sched_sleep_until(&sectors, deadline);
    irq_restore(state);
    return in_time;
}

/* One sector; the calling process sleeps. One call at a time (cache.c). */
bool disk_transfer(uint32_t sector, void *buffer, bool write)
{
    uint8_t status;

    if (sector >= sectors)
        return false;

    port_out8(DRIVE, (uint8_t)(DRIVE_MASTER | sector >> 24));
    if (!wait_not_busy(&status))
        return false;
    interrupted = false;
    port_out8(SECTOR_COUNT, 1);
    port_out8(LBA_LOW, (uint8_t)sector);
    port_out8(LBA_MIDDLE, (uint8_t)(sector >> 8));
    port_out8(LBA_HIGH, (uint8_t)(sector >> 16));
    port_out8(COMMAND, write ? CMD_WRITE : CMD_READ);

    if (write) { /* data first, then the interrupt: done    */
        if (!succeeded(ST_DATA))
            return false;
        port_out_words(DATA, buffer, SECTOR_WORDS);
        return wait_interrupt() && succeeded(0);
    }
    if (!wait_interrupt() || !succeeded(ST_DATA))
        return false;
    port_in_words(DATA, buffer, SECTOR_WORDS);
    return true;
}
