/* SPDX-License-Identifier: MIT */
/* vmm/state.c - looking at a guest, and keeping it: views, digest, save. */
#include <stdlib.h>
#include <xxhash.h>

#include "vmm/vm_priv.h"

int vm_exit_status(const struct vm *vm)
{
    return vm->status;
}

const char *vm_report(struct vm *vm)
{
    if (vm->stop == VM_RUNNING) { /* as it stands: written anew each time */
        free(vm->report);
        vm->report = NULL;
        vm_write_report(vm);
    }
    return vm->report ? vm->report : "";
}

struct trace *vm_trace(struct vm *vm)
{
    return &vm->trace;
}

uint64_t vm_cycles(const struct vm *vm)
{
    return machine_now(vm->machine);
}

const struct vm_config *vm_configuration(const struct vm *vm)
{
    return &vm->config;
}

void vm_guest_state(struct vm *vm, struct cpu_state *out)
{
    if (vm->monitor)
        monitor_guest_state(vm->monitor, out);
    else
        machine_get_state(vm->machine, out);
    out->apicbase = pc_apicbase(vm->pc);
}

void vm_real_state(struct vm *vm, struct cpu_state *out)
{
    machine_get_state(vm->machine, out);
}

struct mmu *vm_mmu(struct vm *vm)
{
    return vm->monitor ? monitor_mmu(vm->monitor) : NULL;
}

struct pmap *vm_pmap(struct vm *vm)
{
    return vm->pmap;
}

struct pc *vm_pc(struct vm *vm)
{
    return vm->pc;
}

/* Bytes at linear addresses on the bare machine. */
static size_t peek_bare(struct vm *vm, uint32_t linear, uint8_t *out,
                        size_t bytes)
{
    const struct memory *memory = machine_memory(vm->machine);
    size_t done = 0;

    while (done < bytes) {
        uint32_t at = linear + (uint32_t)done;
        size_t part = PAGE_BYTES - (at & PAGE_MASK);
        struct hw_walk walk;

        if (part > bytes - done)
            part = bytes - done;
        machine_walk(vm->machine, at, &walk);
        if (!walk.present || !memory_has(memory, walk.ma, part))
            break;
        memcpy(out + done, memory_at(memory, walk.ma), part);
        done += part;
    }
    return done;
}

size_t vm_peek(struct vm *vm, uint32_t linear, void *out, size_t bytes)
{
    return vm->monitor ? monitor_peek(vm->monitor, linear, out, bytes)
                       : peek_bare(vm, linear, out, bytes);
}

bool vm_read_physical(struct vm *vm, gpa_t gpa, void *out, size_t bytes)
{
    const struct memory *memory = machine_memory(vm->machine);

    if (vm->pmap)
        return pmap_read(vm->pmap, gpa, out, bytes);
    if (!memory_has(memory, MA(gpa.v), bytes))
        return false;
    memcpy(out, memory_at(memory, MA(gpa.v)), bytes);
    return true;
}

bool vm_patched(struct vm *vm, gpa_t gpa, uint8_t *original)
{
    return vm->monitor && monitor_patched(vm->monitor, gpa, original);
}

const char *vm_symbol(struct vm *vm, uint32_t address, uint32_t *offset)
{
    const struct symbol *s =
        vm->symbols ? symbols_find(vm->symbols, address, offset) : NULL;

    return s ? s->name : NULL;
}

uint64_t vm_digest(struct vm *vm, bool registers)
{
    XXH3_state_t *hash = XXH3_createState();
    uint8_t page[PAGE_BYTES];
    struct cpu_state s;
    uint64_t value;

    if (!hash)
        return 0;
    XXH3_64bits_reset(hash);
    for (uint64_t at = 0; at < vm->config.memory_bytes; at += PAGE_BYTES)
        if (vm_read_physical(vm, GPA(at), page, sizeof page))
            XXH3_64bits_update(hash, page, sizeof page);
    if (registers) {
        vm_guest_state(vm, &s);
        XXH3_64bits_update(hash, s.gpr, sizeof s.gpr);
        XXH3_64bits_update(hash, &s.eip, sizeof s.eip);
        XXH3_64bits_update(hash, &s.eflags, sizeof s.eflags);
        XXH3_64bits_update(hash, &s.cr3, sizeof s.cr3);
    }
    value = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    return value;
}

void vm_observe_faults(struct vm *vm, vm_fault_observer *observer, void *ctx)
{
    if (vm->monitor)
        monitor_observe(vm->monitor, observer, ctx);
}

/* ---- save and restore -----------------------------------------------------
 */

/* Parts in this order, each with its length. */
enum {
    PART_MEMORY,
    PART_MACHINE,
    PART_DEVICES,
    PART_FRAMES,
    PART_COMMONS,
    PART_PMAP,
    PART_MONITOR,
    PARTS
};

struct vm_saved {
    void *part[PARTS];
    size_t bytes[PARTS];
    struct counters count;
    uint64_t seq, next_scan;
    struct vm_input input;
    struct vm_beyond beyond;
    enum vm_stop stop;
    int status;
};

static size_t part_bytes(struct vm *vm, int part, void *out, size_t bytes)
{
    switch (part) {
    case PART_MEMORY:
        if (out)
            memcpy(out, machine_memory(vm->machine)->host, bytes);
        return machine_memory(vm->machine)->bytes;
    case PART_MACHINE: return machine_save(vm->machine, out, bytes);
    case PART_DEVICES: return bus_save(pc_bus(vm->pc), out, bytes);
    case PART_FRAMES:
        return vm->frames ? frames_save(vm->frames, out, bytes) : 0;
    case PART_COMMONS:
        return vm->commons ? commons_save(vm->commons, out, bytes) : 0;
    case PART_PMAP: return vm->pmap ? pmap_save(vm->pmap, out, bytes) : 0;
    case PART_MONITOR:
        return vm->monitor ? monitor_save(vm->monitor, out, bytes) : 0;
    default: return 0;
    }
}

static bool part_restore(struct vm *vm, int part, const void *from,
                         size_t bytes)
{
    switch (part) {
    case PART_MEMORY:
        memcpy(machine_memory(vm->machine)->host, from, bytes);
        return true;
    case PART_MACHINE: return machine_restore(vm->machine, from, bytes);
    case PART_DEVICES: return bus_restore(pc_bus(vm->pc), from, bytes);
    case PART_FRAMES:
        return !vm->frames || frames_restore(vm->frames, from, bytes);
    case PART_COMMONS:
        return !vm->commons || commons_restore(vm->commons, from, bytes);
    case PART_PMAP: return !vm->pmap || pmap_restore(vm->pmap, from, bytes);
    case PART_MONITOR:
        return !vm->monitor || monitor_restore(vm->monitor, from, bytes);
    default: return false;
    }
}

struct vm_saved *vm_save(struct vm *vm)
{
    struct vm_saved *saved = calloc(1, sizeof *saved);

    if (!saved)
        return NULL;
    for (int i = 0; i < PARTS; i++) {
        saved->bytes[i] = part_bytes(vm, i, NULL, 0);
        if (!saved->bytes[i])
            continue;
        saved->part[i] = malloc(saved->bytes[i]);
        if (!saved->part[i] || part_bytes(vm, i, saved->part[i],
                                          saved->bytes[i]) != saved->bytes[i]) {
            vm_saved_free(saved);
            return NULL;
        }
    }
    saved->count = vm->trace.count;
    saved->seq = vm->trace.seq;
    saved->input = vm->input;
    saved->beyond = vm->beyond;
    saved->next_scan = vm->next_scan;
    saved->stop = vm->stop;
    saved->status = vm->status;
    return saved;
}

bool vm_restore(struct vm *vm, const struct vm_saved *saved)
{
    for (int i = 0; i < PARTS; i++)
        if (saved->bytes[i] &&
            !part_restore(vm, i, saved->part[i], saved->bytes[i]))
            return false;
    vm->trace.count = saved->count;
    vm->trace.seq = saved->seq;
    vm->input = saved->input;
    vm->beyond = saved->beyond;
    vm->next_scan = saved->next_scan;
    vm->stop = saved->stop;
    vm->status = saved->status;
    free(vm->report);
    vm->report = NULL;
    return true;
}

void vm_saved_free(struct vm_saved *saved)
{
    if (!saved)
        return;
    for (int i = 0; i < PARTS; i++)
        free(saved->part[i]);
    free(saved);
}

size_t vm_saved_bytes(const struct vm_saved *saved)
{
    size_t sum = sizeof *saved;

    for (int i = 0; i < PARTS; i++)
        sum += saved->bytes[i];
    return sum;
}
