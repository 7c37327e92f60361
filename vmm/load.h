/* SPDX-License-Identifier: MIT */
/* vmm/load.h - kernel images into guest-physical memory, as a boot loader does.
 *
 * Multiboot 1 (ELF, or the header's own addresses), Linux bzImage (by the
 * 32-bit boot protocol; what is entered in real mode only, by the BIOS),
 * paravirtual kernels, and disk images with a boot sector, which the
 * BIOS boots. Every other image, and every damaged one, is refused with one
 * clear line; nothing in an image is trusted.
 *
 * Guest memory must be zero before: what an image leaves uninitialised is not
 * written.
 *
 * Reference: Multiboot Specification 0.6.96; Linux, "The Linux/x86 Boot
 * Protocol"; both describe the machine's state at entry.
 */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include "cpu/state.h"
#include "vmm/vm.h"

/* Where the parts of low memory are that a PC's firmware and a boot loader
 * use. RAM that images may occupy: [LOW_FREE, EBDA) and from 1 MiB up. */
enum {
    LOW_GDT = 0x600,      /* the boot loader's descriptor table */
    LOW_INFO = 0x800,     /* multiboot information, memory map, modules */
    LOW_STRINGS = 0x1000, /* command lines */
    LOW_STRINGS_END = 0x3000,
    LOW_STACK = 0x4000, /* top of the scratch stack */
    LOW_FREE = 0x4000,  /* the lowest kernels are linked here */
    LOW_EBDA = 0x9FC00, /* extended BIOS data: the end of base memory */
    LOW_VIDEO = 0xA0000,
    LOW_ROM = 0xF0000,
    LOW_END = 0x100000,
};

/* How loaders reach guest-physical memory. */
struct load_memory {
    bool (*write)(void *ctx, uint64_t gpa, const void *data, uint64_t bytes);
    void *ctx;
    uint64_t ram_bytes;
    /* The machine address behind a page of the guest's, for a guest whose page
     * tables hold those; NULL: they hold guest-physical ones. */
    uint64_t (*machine)(void *ctx, uint64_t gpa);
    uint64_t machine_bytes; /* of memory in the machine; with machine() */
};

struct load_request {
    struct blob kernel;
    const char *append; /* may be NULL */
    const struct blob *initrd;
    size_t initrd_count;
};

/* A part of the image in memory, for a static scanner. gpa differs from linear
 * when the kernel is linked where it will map itself later. */
enum { LOAD_RANGES = 16 };
struct load_range {
    uint32_t linear;
    uint32_t gpa;
    uint32_t size; /* bytes that come from the image */
    bool executable;
};

struct load_result {
    const char *kind;       /* "multiboot", "linux", "pv", "disk" */
    struct cpu_state state; /* complete, but for apicbase */
    uint32_t entry;         /* = state.eip */
    struct load_range range[LOAD_RANGES];
    unsigned range_count;
};

/* Load a guest. False: *error is one line (to be free()d) that begins with the
 * name of the file that is to blame. */
/* Is this disk image a diskette's: small enough and without partitions? */
bool load_is_diskette(const struct blob *image);

bool load_guest(const struct load_request *request,
                const struct load_memory *memory, struct load_result *result,
                char **error);

/* What an image is, without loading it: "multiboot", "linux", "pv" (a
 * paravirtual kernel, traps/pv_abi.h), "disk" (a boot sector and what follows;
 * it is to be the first disk as well) or NULL. */
const char *load_kind(const struct blob *image);

#endif
