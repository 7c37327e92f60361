/* SPDX-License-Identifier: MIT */
/* vmm/firmware.h - what a PC's firmware leaves in memory for an operating
 * system: no BIOS runs, its results are written down.
 *
 * The interrupt table of real mode, the BIOS data area and its extension, the
 * reset entry, and the multiprocessor tables (one CPU, one IO APIC). BIOS
 * services have only guests that boot from a disk (load_disk.c); there is no
 * ACPI.
 *
 * Reference: Intel MultiProcessor Specification 1.4, "MP Configuration Table".
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include "vmm/load.h"

/* False: guest memory cannot be written. */
bool firmware_install(const struct load_memory *memory, unsigned disks,
                      bool diskette);

#endif
