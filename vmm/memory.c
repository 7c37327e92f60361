/* SPDX-License-Identifier: MIT */
/* vmm/memory.c - the guest's memory on the machine.
 *
 * Without limits every guest frame gets its machine frame at the start. With
 * --machine-memory a frame gets one when it is used, and the rest of what the
 * guest believes to have is in the host's swap.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shadowmmu/swap.h"
#include "vmm/vm_priv.h"

enum {
    STATUS_USAGE = 2,
    VMM_EXTRA = 32 << 20,  /* machine memory for the VMM's own tables */
    SCAN_PERIOD = 1000000, /* cycles: a millisecond */
    LARGE_RUN = 1024,      /* frames: 4 MiB */
};

static uint64_t guest_share(const struct vm_config *c)
{
    return c->machine_bytes && c->machine_bytes < c->memory_bytes
               ? c->machine_bytes
               : c->memory_bytes;
}

uint64_t vm_machine_bytes(const struct vm_config *config)
{
    uint64_t tables = config->table_limit_bytes + PAGE_MASK;

    return guest_share(config) + VMM_EXTRA + (tables & ~(uint64_t)PAGE_MASK);
}

/* The PMap needs a frame and has none. */
static void failed(void *ctx)
{
    vm_finish(ctx, VM_NO_MEMORY, STATUS_USAGE);
}

static bool start_overcommit(struct vm *vm, char **error)
{
    const struct vm_config *c = &vm->config;
    uint64_t bytes = c->swap_bytes ? c->swap_bytes : c->memory_bytes;
    struct swap *swap;

    if (c->machine_bytes < VM_MACHINE_BYTES_LEAST) {
        if (asprintf(error, "machine memory must be %d KiB or more",
                     VM_MACHINE_BYTES_LEAST >> 10) < 0)
            *error = NULL;
        return false;
    }
    swap = swap_open(c->swap_path, (uint32_t)(bytes >> PAGE_SHIFT), error);
    if (!swap)
        return false;
    commons_set_swap(vm->commons, swap);
    pmap_overcommit(vm->pmap, guest_share(c) >> PAGE_SHIFT);
    return true;
}

/* A guest that knows the machine addresses of its frames has them until it
 * gives them away. */
static bool check_direct(const struct vm_config *c, char **error)
{
    const char *option = c->machine_bytes ? "--machine-memory"
                         : c->share       ? "--share"
                                          : NULL;

    if (c->mmu != &mmu_direct || !option)
        return true;
    if (asprintf(error,
                 "%s does not go with --mmu direct: the guest's own tables "
                 "name its machine frames, so that none can be taken away",
                 option) < 0)
        *error = NULL;
    return false;
}

bool vm_create_memory(struct vm *vm, char **error, int *status)
{
    const struct memory *memory = machine_memory(vm->machine);
    const struct vm_config *c = &vm->config;

    if (!check_direct(c, error)) {
        *status = STATUS_USAGE;
        return false;
    }
    /* Frame 0 stays out: a wild zero must not look like a frame. */
    vm->frames =
        frames_create(memory, MA(PAGE_BYTES), memory->bytes - PAGE_BYTES);
    if (vm->frames && c->large_frames)
        frames_in_runs(vm->frames, LARGE_RUN);
    vm->commons = vm->frames ? commons_create(memory, vm->frames) : NULL;
    vm->pmap = vm->commons ? pmap_create(vm->commons) : NULL;
    if (vm->pmap && c->machine_bytes && !start_overcommit(vm, error)) {
        *status = STATUS_USAGE;
        return false;
    }
    if (!vm->pmap || (c->share && !commons_share(vm->commons)) ||
        !pmap_add(vm->pmap, GPA(0), c->memory_bytes,
                  c->machine_bytes ? PMAP_PAGED_OUT : PMAP_RAM)) {
        if (asprintf(error, "no memory for the guest") < 0)
            *error = NULL;
        return false;
    }
    pmap_set_failed(vm->pmap, failed, vm);
    if (c->share)
        vm->next_scan = SCAN_PERIOD;
    return true;
}

void vm_destroy_memory(struct vm *vm)
{
    pmap_destroy(vm->pmap);
    commons_destroy(vm->commons);
    frames_destroy(vm->frames);
}

/* ---- the balloon --------------------------------------------------------- */

/* By itself the VMM wishes for what the guest has more than the machine gives
 * it, as soon as that has begun to hurt. */
static uint32_t balloon_target(void *ctx)
{
    const struct vm *vm = ctx;
    const struct vm_config *c = &vm->config;

    if (!c->balloon_auto)
        return (uint32_t)(c->balloon_bytes >> PAGE_SHIFT);
    if (!vm->trace.count.pmap_swap_outs)
        return 0;
    return (uint32_t)((c->memory_bytes - guest_share(c)) >> PAGE_SHIFT);
}

static uint32_t balloon_held(void *ctx)
{
    return (uint32_t)pmap_ballooned(((struct vm *)ctx)->pmap);
}

static bool balloon_give(void *ctx, uint32_t frame)
{
    return mmu_balloon(vm_mmu(ctx), GPA((uint64_t)frame << PAGE_SHIFT));
}

static bool balloon_take(void *ctx, uint32_t frame)
{
    return pmap_unballoon(((struct vm *)ctx)->pmap,
                          GPA((uint64_t)frame << PAGE_SHIFT));
}

const struct pc_balloon vm_balloon = {.target = balloon_target,
                                      .held = balloon_held,
                                      .give = balloon_give,
                                      .take = balloon_take};

/* ---- sharing ------------------------------------------------------------- */

void vm_scan_memory(struct vm *vm)
{
    if (machine_now(vm->machine) < vm->next_scan)
        return;
    commons_scan(vm->commons, vm->config.share);
    vm->next_scan += SCAN_PERIOD;
}
