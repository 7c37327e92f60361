/* SPDX-License-Identifier: MIT */
/* traps/monitor.c - the monitor put together. */
#include "traps/monitor_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what the memory side needs of the hardware ---------------------------
 */

static void set_root(void *ctx, const struct mmu_root *root)
{
    struct monitor *mon = ctx;

    mon->root = *root;
    mon->dirty = true;
    mon->frame_only = false;
}

/* The tables are there before the technique is. */
static void withdrawn(void *ctx)
{
    struct monitor *mon = ctx;

    if (mon->own && mon->technique->withdrawn)
        mon->technique->withdrawn(mon);
}

static void flush_all(void *ctx)
{
    machine_flush_tlb(((struct monitor *)ctx)->machine);
    withdrawn(ctx);
}

static void flush_page(void *ctx, uint32_t linear)
{
    machine_flush_page(((struct monitor *)ctx)->machine, linear);
    withdrawn(ctx);
}

static void memory_written(void *ctx, ma_t ma, uint64_t bytes)
{
    machine_memory_written(((struct monitor *)ctx)->machine, ma, bytes);
}

static void watched_written(void *ctx, gpa_t gpa, uint32_t bytes)
{
    struct monitor *mon = ctx;

    descriptors_written(mon, gpa, bytes);
    if (mon->technique->written)
        mon->technique->written(mon, gpa, bytes);
}

static void overlay_wanted(void *ctx)
{
    descriptors_place(ctx);
}

/* ---- life -------------------------------------------------------------------
 */

struct monitor *monitor_new(struct machine_client *client, char **error)
{
    struct monitor *mon = calloc(1, sizeof *mon);

    if (!mon) {
        if (asprintf(error, "out of memory") < 0)
            *error = NULL;
        return NULL;
    }
    client->exit = exits_handle;
    client->attend = exits_attend;
    client->stepped = exits_stepped;
    client->vm_exit = exits_vm_exit;
    client->watched = exits_watched;
    client->weight = exits_weight;
    client->owns = exits_owns;
    client->mmio_read = emulation_mmio_read;
    client->mmio_write = emulation_mmio_write;
    client->owner = mon;
    return mon;
}

bool monitor_start(struct monitor *mon, const struct monitor_config *config,
                   char **error)
{
    struct mmu_config mmu = {
        .memory = machine_memory(config->machine),
        .frames = config->frames,
        .pmap = config->pmap,
        .vcpu = &mon->v,
        .hardware = {.set_root = set_root,
                     .flush_all = flush_all,
                     .flush_page = flush_page,
                     .withdrawn = withdrawn,
                     .memory_written = memory_written,
                     .ctx = mon},
        .trace = config->trace,
        .table_limit_bytes = config->table_limit_bytes,
        .without = config->mmu_without,
        .nested_levels = config->nested_levels,
        .watched = watched_written,
        .overlay_wanted = overlay_wanted,
        .ctx = mon,
    };

    mon->config = *config;
    mon->technique = config->technique;
    mon->machine = config->machine;
    mon->trace = config->trace;
    arch_reset(&mon->v);
    mon->mmu = config->mmu->create(&mmu);
    if (!mon->mmu || !descriptors_create(mon)) {
        if (asprintf(error, "no machine memory for the monitor's tables") < 0)
            *error = NULL;
        return false;
    }
    return !mon->technique->start || mon->technique->start(mon, error);
}

void monitor_destroy(struct monitor *mon)
{
    if (!mon)
        return;
    if (mon->technique && mon->technique->destroy)
        mon->technique->destroy(mon);
    mmu_destroy(mon->mmu);
    free(mon->patches);
    free(mon);
}

void monitor_enter(struct monitor *mon, const struct cpu_state *state)
{
    mon->v = *state;
    mmu_mode_changed(mon->mmu, CR0_PE, 0);
    descriptors_place(mon);
    descriptors_tables_changed(mon);
    silent_flag_changed(mon, state->eflags | EFL_IF, state->eip, "reset");
    if (mon->technique->enter)
        mon->technique->enter(mon);
    if (mon->dirty || !mon->technique->vm_exit)
        monitor_install(mon);
}

/* ---- wires
 * -------------------------------------------------------------------- */

void monitor_intr_changed(struct monitor *mon)
{
    if (mon->mmu)
        exits_update_pin(mon);
}

void monitor_raise_nmi(struct monitor *mon)
{
    mon->nmi = true;
    exits_update_pin(mon);
}

bool monitor_has_console(const struct monitor *mon)
{
    return mon->technique->console_ready != NULL;
}

bool monitor_console_ready(const struct monitor *mon)
{
    return mon->technique->console_ready(mon);
}

void monitor_console_input(struct monitor *mon, uint8_t byte)
{
    mon->technique->console_input(mon, byte);
}

/* ---- looking at it
 * -------------------------------------------------------------- */

void monitor_guest_state(struct monitor *mon, struct cpu_state *out)
{
    if (!mon->dirty)
        monitor_capture(mon);
    monitor_need_rest(mon);
    *out = mon->v;
}

bool monitor_between(struct monitor *mon)
{
    if (!mon->technique->between)
        return true;
    if (!mon->dirty)
        monitor_capture(mon);
    return mon->technique->between(mon);
}

struct mmu *monitor_mmu(struct monitor *mon)
{
    return mon->mmu;
}

static void undo_patches(const struct monitor *mon, gpa_t gpa, uint8_t *bytes,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] == 0xCC)
            monitor_patched(mon, GPA(gpa.v + i), &bytes[i]);
}

size_t monitor_peek(struct monitor *mon, uint32_t linear, void *out,
                    size_t bytes)
{
    size_t done = 0;

    while (done < bytes) {
        uint32_t at = linear + (uint32_t)done;
        gpa_t gpa;
        size_t part =
            mmu_peek(mon->mmu, at, (uint8_t *)out + done, bytes - done, &gpa);

        if (!part)
            break;
        if (mon->patch_count)
            undo_patches(mon, gpa, (uint8_t *)out + done, part);
        done += part;
    }
    return done;
}

const struct monitor_audit *monitor_audit(const struct monitor *mon)
{
    return &mon->audit;
}

const struct arch_chain *monitor_triple_fault(const struct monitor *mon)
{
    return &mon->chain;
}

const char *monitor_message(const struct monitor *mon)
{
    return mon->message;
}

void monitor_observe(struct monitor *mon,
                     void (*observer)(void *ctx, uint32_t linear,
                                      uint32_t error,
                                      const struct mmu_result *result),
                     void *ctx)
{
    mon->observer = observer;
    mon->observer_ctx = ctx;
}

/* ---- save and restore
 * ------------------------------------------------------------ */

/* The plain part of the monitor; then the memory side's. */
struct saved {
    struct cpu_state v;
    struct segment installed[SEG_COUNT];
    struct mmu_root root;
    bool dirty, rest_live, nmi;
    uint32_t overlay;
    struct shadow_table gdt, ldt;
    struct monitor_audit audit;
    size_t mmu_bytes, own_bytes;
};

/* What follows the plain part: the memory side's and the technique's, each
 * behind its size. */
static size_t own_bytes(const struct monitor *mon)
{
    return mon->technique->save ? mon->technique->save(mon, NULL, 0) : 0;
}

size_t monitor_save(const struct monitor *mon, void *buffer, size_t bytes)
{
    struct saved s = {.v = mon->v,
                      .root = mon->root,
                      .dirty = mon->dirty,
                      .rest_live = mon->rest_live,
                      .nmi = mon->nmi,
                      .overlay = mon->overlay,
                      .gdt = mon->gdt,
                      .ldt = mon->ldt,
                      .audit = mon->audit,
                      .mmu_bytes = mmu_save(mon->mmu, NULL, 0),
                      .own_bytes = own_bytes(mon)};
    size_t all = sizeof s + s.mmu_bytes + s.own_bytes;
    uint8_t *at = buffer;

    if (!buffer)
        return all;
    if (bytes < all)
        return 0;
    memcpy(s.installed, mon->installed, sizeof s.installed);
    memcpy(at, &s, sizeof s);
    at += sizeof s;
    if (!mmu_save(mon->mmu, at, s.mmu_bytes))
        return 0;
    if (s.own_bytes)
        mon->technique->save(mon, at + s.mmu_bytes, s.own_bytes);
    return all;
}

bool monitor_restore(struct monitor *mon, const void *buffer, size_t bytes)
{
    const uint8_t *at = buffer;
    struct saved s;

    if (bytes < sizeof s)
        return false;
    memcpy(&s, buffer, sizeof s);
    if (bytes < sizeof s + s.mmu_bytes + s.own_bytes)
        return false;
    mon->v = s.v;
    memcpy(mon->installed, s.installed, sizeof s.installed);
    mon->put.valid = false;
    mon->root = s.root;
    mon->rest_live = s.rest_live;
    mon->nmi = s.nmi;
    mon->overlay = s.overlay;
    mon->gdt = s.gdt;
    mon->ldt = s.ldt;
    descriptors_hide(mon);
    mon->audit = s.audit;
    mon->message[0] = '\0';
    at += sizeof s;
    if (!mmu_restore(mon->mmu, at, s.mmu_bytes))
        return false;
    mon->dirty = s.dirty; /* the root is in place, with the machine's state */
    return !s.own_bytes ||
           mon->technique->restore(mon, at + s.mmu_bytes, s.own_bytes);
}
