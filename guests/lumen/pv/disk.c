/* SPDX-License-Identifier: MIT */
/* pv/disk.c - no disk: the interface has none yet, and a paravirtual guest has
 * no ports. */
#include "proc.h"

void disk_init(void) {}

uint32_t disk_sectors(void)
{
    return 0;
}

bool disk_transfer(uint32_t sector, void *buffer, bool write)
{
    (void)sector;
    (void)buffer;
    (void)write;
    return false;
}

void disk_interrupt(void) {}
