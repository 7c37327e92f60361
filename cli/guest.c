/* SPDX-License-Identifier: MIT */
#include "cli/guest.h"

#include "cli/cli.h"
#include "cli/files.h"
#include "guests/embedded.h"
#include "vmm/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Disks: as much as xv6 believes to have, and JOS can map. */
enum { MEMORY_MIB = 64, MEMORY_LINUX_MIB = 256, MEMORY_DISK_MIB = 256 };

static bool find_builtin(const char *who, const char *name, struct blob *kernel)
{
    for (size_t i = 0; i < embedded_guest_count; i++) {
        const struct embedded_guest *e = &embedded_guests[i];
        if (strcmp(e->name, name) == 0) {
            *kernel = (struct blob){e->data, e->size, e->name};
            return true;
        }
    }
    fprintf(stderr, "%s: no built-in guest '@%s'; there are", who, name);
    for (size_t i = 0; i < embedded_guest_count; i++)
        fprintf(stderr, "%s @%s", i ? "," : "", embedded_guests[i].name);
    fputs(embedded_guest_count ? "\n" : " none in this build\n", stderr);
    return false;
}

bool guest_kernel(const char *who, const char *name, struct blob *kernel,
                  void **data)
{
    *data = NULL;
    if (!name || name[0] == '@')
        return find_builtin(who, name ? name + 1 : "lumen", kernel);
    const char *error;
    if (!file_read(name, kernel, &error)) {
        cli_error(who, "%s: %s", name, error);
        return false;
    }
    *data = (void *)(uintptr_t)kernel->data;
    return true;
}

bool guest_is_builtin(const struct guest *g, const char *name)
{
    return !g->kernel_data && strcmp(g->config.kernel.name, name) == 0;
}

bool guest_port(const struct guest *g, const char *who, enum cpu_technique cpu,
                struct blob *kernel)
{
    if (cpu == CPU_PV &&
        (guest_is_builtin(g, "lumen") || guest_is_builtin(g, "lumen-trap")))
        return find_builtin(who, "lumen-pv", kernel);
    if (cpu != CPU_PV && guest_is_builtin(g, "lumen-pv"))
        return find_builtin(who, "lumen", kernel);
    return true;
}

static bool read_initrds(struct guest *g, const struct run_options *o)
{
    for (size_t i = 0; i < o->initrd_count; i++) {
        const char *error;
        if (!file_read(o->initrd[i], &g->initrd[i], &error)) {
            cli_error(o->who, "%s: %s", o->initrd[i], error);
            return false;
        }
        g->config.initrd_count = i + 1;
    }
    return true;
}

/* The image that is booted is the first disk; or, if it is a diskette and there
 * are disks, the diskette drive's, which comes last. */
static bool insert_boot_disk(struct run_options *o, const struct blob *image)
{
    char *path = strdup(o->kernel);
    struct pc_disk *place = o->disk;
    if (!path || o->disk_count == OPTIONS_DISKS) {
        cli_error(o->who,
                  path ? "%s: a disk to boot from, and more than three "
                         "others (--disk)"
                       : "%s: out of memory",
                  o->kernel);
        free(path);
        return false;
    }
    o->diskette = o->disk_count > 0 && load_is_diskette(image);
    if (o->diskette)
        place += o->disk_count;
    else
        memmove(o->disk + 1, o->disk, o->disk_count * sizeof *o->disk);
    *place =
        (struct pc_disk){.path = path, .read_only = access(path, W_OK) != 0};
    o->disk_count++;
    return true;
}

static uint64_t default_memory(const char *kind)
{
    uint64_t mib = MEMORY_MIB;
    if (kind && strcmp(kind, "linux") == 0)
        mib = MEMORY_LINUX_MIB;
    if (kind && strcmp(kind, "disk") == 0)
        mib = MEMORY_DISK_MIB;
    return mib << 20;
}

bool guest_open(struct guest *g, struct run_options *o)
{
    *g = (struct guest){.config = {
                            .cpu = o->cpu,
                            .mmu = o->mmu,
                            .iopl1 = o->iopl1,
                            .audit = o->audit,
                            .memory_bytes = o->memory_bytes,
                            .tlb_entries = o->tlb_entries,
                            .tlb_ways = o->tlb_ways,
                            .table_limit_bytes = o->table_bytes,
                            .mmu_without = o->mmu_without,
                            .nested_levels = o->nested_levels,
                            .bt_without = o->bt_without,
                            .bt_unit = o->bt_unit,
                            .bt_cache_bytes = o->bt_cache_bytes,
                            .machine_bytes = o->machine_bytes,
                            .large_frames = o->large_frames,
                            .swap_path = o->swap_path,
                            .swap_bytes = o->swap_bytes,
                            .balloon_bytes = o->balloon_bytes,
                            .balloon_auto = o->balloon_auto,
                            .share = o->share,
                            .append = o->append,
                            .disks = o->disk,
                            .disk_count = o->disk_count,
                            .testdev = o->testdev,
                            .walker = o->walker,
                        }};
    const char *kernel = o->kernel;
    if (!kernel && o->cpu == CPU_PV)
        kernel = "@lumen-pv";
    if (!guest_kernel(o->who, kernel, &g->config.kernel, &g->kernel_data))
        return false;
    if (!read_initrds(g, o)) {
        guest_close(g);
        return false;
    }
    g->config.initrd = g->initrd;
    const char *kind = load_kind(&g->config.kernel);
    if (kind && strcmp(kind, "disk") == 0) {
        if (!insert_boot_disk(o, &g->config.kernel)) {
            guest_close(g);
            return false;
        }
        g->config.disk_count = o->disk_count;
        g->config.diskette = o->diskette;
    }
    if (!g->config.memory_bytes)
        g->config.memory_bytes = default_memory(kind);
    return true;
}

void guest_close(struct guest *g)
{
    for (size_t i = 0; i < g->config.initrd_count; i++)
        free((void *)(uintptr_t)g->initrd[i].data);
    free(g->kernel_data);
    *g = (struct guest){0};
}
