/* SPDX-License-Identifier: MIT */
/* multiboot.c - what a multiboot loader tells.
 *
 * Reference: Multiboot Specification 0.6.96, "Boot information format".
 */
#include "kernel.h"
#include "machine.h"
#include "trap.h"

#define MULTIBOOT_MAGIC   0x2BADB002u
#define MULTIBOOT_MEMORY  0x1u
#define MULTIBOOT_CMDLINE 0x4u

struct multiboot_info {
    uint32_t flags;
    uint32_t lower_kib, upper_kib; /* below 640 KiB, above 1 MiB       */
    uint32_t boot_device;
    uint32_t cmdline; /* physical address of a string     */
};

extern pte_t boot_directory[]; /* boot.S                          */
uint32_t boot_mapped = BIG_PAGE;
extern char kernel_end[]; /* lumen.ld                        */

uint32_t boot_end;

/* Read what the loader left, while nobody can have written over it. Only the
 * first 4 MiB are mapped yet. */
uint32_t boot_read(uint32_t magic, uint32_t info)
{
    const struct multiboot_info *boot = phys_to_virt(info);
    uint32_t kib;

    if (magic != MULTIBOOT_MAGIC)
        panic(NULL, "not started by a multiboot loader (EAX = %x)", magic);
    if (info >= BIG_PAGE || boot->cmdline >= BIG_PAGE)
        panic(NULL, "boot information above 4 MiB");
    if (!(boot->flags & MULTIBOOT_MEMORY))
        panic(NULL, "the boot loader does not say how much memory there is");

    kernel_directory = boot_directory;
    boot_end = ((uint32_t)kernel_end + PAGE_SIZE - 1) & PAGE_MASK;
    if (boot->flags & MULTIBOOT_CMDLINE)
        cmdline_init(phys_to_virt(boot->cmdline));

    kib = boot->upper_kib + 1024;
    if (kib > MEMORY_MAX / 1024)
        kib = MEMORY_MAX / 1024;
    if (kib < 4096)
        panic(NULL, "%u KiB of memory are too few", kib);
    return kib * 1024 & PAGE_MASK;
}
