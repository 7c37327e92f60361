/* SPDX-License-Identifier: MIT */
/* cache.c - the last few sectors used, kept in memory. Writes go through to
 * the disk at once.
 */
#include "irq.h"
#include "kernel.h"
#include "proc.h"

#define BUFFERS 8

struct buffer {
    bool valid;
    uint32_t sector;
    uint32_t last_use;
    uint8_t data[SECTOR_BYTES];
};

static struct buffer buffers[BUFFERS];
static uint32_t uses;
static bool busy; /* a process is in here, perhaps asleep    */

static void lock(void)
{
    uint32_t state = irq_save();

    while (busy)
        sched_sleep(buffers);
    busy = true;
    irq_restore(state);
}

static void unlock(void)
{
    busy = false;
    sched_wake(buffers);
}

/* The sector's buffer, or else the one that was not used for longest. */
static struct buffer *choose(uint32_t sector)
{
    struct buffer *oldest = buffers;

    for (struct buffer *b = buffers; b < buffers + BUFFERS; b++) {
        if (b->valid && b->sector == sector)
            return b;
        if (!b->valid || b->last_use < oldest->last_use)
            oldest = b;
    }
    oldest->valid = false;
    oldest->sector = sector;
    return oldest;
}

bool cache_read(uint32_t sector, void *to)
{
    struct buffer *b;
    bool valid;

    lock();
    b = choose(sector);
    if (!b->valid)
        b->valid = disk_transfer(sector, b->data, false);
    b->last_use = ++uses;
    valid = b->valid;
    if (valid)
        memcpy(to, b->data, SECTOR_BYTES);
    unlock();
    return valid;
}

bool cache_write(uint32_t sector, const void *from)
{
    struct buffer *b;
    bool written;

    lock();
    b = choose(sector);
    memcpy(b->data, from, SECTOR_BYTES);
    written = disk_transfer(sector, b->data, true);
    b->valid = written;
    b->last_use = ++uses;
    unlock();
    return written;
}
