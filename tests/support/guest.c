/* SPDX-License-Identifier: MIT */
#include "tests/support/guest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/embedded.h"

const struct way ways[WAYS] = {
    [WAY_BARE] = {CPU_BARE, NULL, "bare"},
    [WAY_TRAP_TLB] = {CPU_TRAP, &mmu_tlb_emulation, "trap, tlb"},
    [WAY_TRAP_SHADOW] = {CPU_TRAP, &mmu_shadow, "trap, shadow"},
    [WAY_STATIC_TLB] = {CPU_BT_STATIC, &mmu_tlb_emulation, "bt-static, tlb"},
    [WAY_STATIC_SHADOW] = {CPU_BT_STATIC, &mmu_shadow, "bt-static, shadow"},
    [WAY_BT_TLB] = {CPU_BT, &mmu_tlb_emulation, "bt, tlb"},
    [WAY_BT_SHADOW] = {CPU_BT, &mmu_shadow, "bt, shadow"},
    [WAY_PV_TLB] = {CPU_PV, &mmu_tlb_emulation, "pv, tlb"},
    [WAY_PV_SHADOW] = {CPU_PV, &mmu_shadow, "pv, shadow"},
    [WAY_PV_DIRECT] = {CPU_PV, &mmu_direct, "pv, direct"},
    [WAY_HVM_TLB] = {CPU_HVM, &mmu_tlb_emulation, "hvm, tlb"},
    [WAY_HVM_SHADOW] = {CPU_HVM, &mmu_shadow, "hvm, shadow"},
    [WAY_HVM_NESTED] = {CPU_HVM, &mmu_nested, "hvm, nested"},
};

const char *const way_lumen[WAYS] = {
    [WAY_BARE] = "lumen",
    [WAY_TRAP_TLB] = "lumen-trap",
    [WAY_TRAP_SHADOW] = "lumen-trap",
    [WAY_STATIC_TLB] = "lumen",
    [WAY_STATIC_SHADOW] = "lumen",
    [WAY_BT_TLB] = "lumen",
    [WAY_BT_SHADOW] = "lumen",
    [WAY_PV_TLB] = "lumen-pv",
    [WAY_PV_SHADOW] = "lumen-pv",
    [WAY_PV_DIRECT] = "lumen-pv",
    [WAY_HVM_TLB] = "lumen",
    [WAY_HVM_SHADOW] = "lumen",
    [WAY_HVM_NESTED] = "lumen",
};

bool guest_way(unsigned number, struct way *way)
{
    for (unsigned i = 0; i < WAYS; i++) {
        if (ways[i].cpu == CPU_BARE || ways[i].cpu == CPU_PV || number--)
            continue;
        *way = ways[i];
        return true;
    }
    return false;
}

/* ---- what is seen ---------------------------------------------------------
 */

static void mix(struct seen *s, uint64_t value)
{
    s->hash = (s->hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    s->hash ^= s->hash >> 29;
}

static void hash_event(void *ctx, const struct event *e)
{
    struct seen *s = ctx;

    if (s->until && e->seq > s->until)
        return;
    mix(s, e->seq);
    mix(s, e->cycles);
    mix(s, (uint64_t)e->eip << 32 | (uint32_t)e->kind << 24 |
               (uint32_t)e->vm << 16 | (uint32_t)e->cls << 8 | e->cpl);
    for (unsigned i = 0; i < EVENT_ARGS; i++)
        mix(s, e->arg[i]);
    mix(s, e->entry);
    for (const char *p = e->text ? e->text : ""; *p; p++)
        mix(s, (uint8_t)*p);
    s->events++;
}

void guest_watch(struct guest *g, uint64_t until)
{
    guest_forget(g);
    g->seen = (struct seen){.hash = 1, .until = until};
    g->sink = (struct trace_sink){hash_event, &g->seen, NULL};
    trace_attach(vm_trace(g->vm), &g->sink);
    g->watched = true;
}

void guest_forget(struct guest *g)
{
    if (g->watched)
        trace_detach(vm_trace(g->vm), &g->sink);
    g->watched = false;
}

static void console_byte(void *ctx, uint8_t byte)
{
    struct guest *g = ctx;

    if (g->console_bytes + 1 >= g->console_room) {
        g->console_room = 2 * g->console_room + 4096;
        g->console = realloc(g->console, g->console_room);
        cr_assert_not_null(g->console);
    }
    g->console[g->console_bytes++] = (char)byte;
    g->console[g->console_bytes] = '\0';
}

/* ---- the guest ------------------------------------------------------------
 */

struct blob guest_embedded(const char *name)
{
    for (size_t i = 0; i < embedded_guest_count; i++) {
        const struct embedded_guest *e = &embedded_guests[i];

        if (strcmp(e->name, name) == 0)
            return (struct blob){e->data, e->size, e->name};
    }
    cr_assert_fail("no guest named %s", name);
    return (struct blob){NULL, 0, name};
}

struct blob guest_built(const char *name)
{
    const char *build = getenv("UMBRA_BUILD");
    uint8_t *data = malloc(1 << 20);
    char path[512];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s/guests/%s", build ? build : "build", name);
    f = fopen(path, "rb");
    cr_assert(f && data, "%s", path);
    n = fread(data, 1, 1 << 20, f);
    fclose(f);
    return (struct blob){data, n, name};
}

void guest_open(struct guest *g, const struct way *way, struct blob kernel,
                const char *append, uint64_t memory_bytes,
                void (*change)(struct vm_config *config))
{
    struct vm_config config = {
        .cpu = way->cpu,
        .mmu = way->mmu,
        .memory_bytes = memory_bytes,
        .kernel = kernel,
        .append = append,
        .serial_output = console_byte,
        .ctx = g,
    };
    char *error = NULL;
    int status;

    *g = (struct guest){.console = NULL};
    if (change)
        change(&config);
    g->vm = vm_create(&config, &error, &status);
    cr_assert_not_null(g->vm, "%s: %s", way->name, error ? error : "?");
}

void guest_close(struct guest *g)
{
    guest_forget(g);
    vm_destroy(g->vm);
    free(g->console);
    *g = (struct guest){.vm = NULL};
}

enum vm_stop guest_run(struct guest *g, uint64_t cycles)
{
    struct vm_limit limit = {.cycles = cycles};
    enum vm_stop stop;

    do
        stop = vm_run(g->vm, &limit);
    while (stop == VM_RUNNING && vm_cycles(g->vm) < cycles);
    return stop;
}

enum vm_stop guest_run_to_event(struct guest *g, uint64_t seq)
{
    struct vm_limit limit = {.events = seq};
    enum vm_stop stop;

    do
        stop = vm_run(g->vm, &limit);
    while (stop == VM_RUNNING && vm_trace(g->vm)->seq < seq);
    return stop;
}

/* ---- counters --------------------------------------------------------------
 */

const char *counters_difference(const struct counters *a,
                                const struct counters *b)
{
#define FIELD(name)                                                            \
    {                                                                          \
#name, offsetof(struct counters, name), sizeof a->name                 \
    }
    static const struct {
        const char *name;
        size_t at, bytes;
    } fields[] = {
        FIELD(exits),
        FIELD(page_faults),
        FIELD(interrupts),
        FIELD(emulated),
        FIELD(silent),
        FIELD(mmu_flushes),
        FIELD(mmu_fills),
        FIELD(mmu_invlpg),
        FIELD(mmu_pte_write),
        FIELD(mmu_tables),
        FIELD(mmu_recycled),
        FIELD(mmu_large),
        FIELD(mmu_split),
        FIELD(mmu_recycled_dead),
        FIELD(mmu_recycled_idle),
        FIELD(mmu_remade),
        FIELD(mmu_prefetched),
        FIELD(mmio_entries),
        FIELD(mmio_remembered),
        FIELD(mmu_unsync),
        FIELD(mmu_flooded),
        FIELD(traces_opened),
        FIELD(mmu_cache_miss),
        FIELD(mmu_shadow_zapped),
        FIELD(mmu_tables_peak),
        FIELD(cr3_writes),
        FIELD(io_reads),
        FIELD(io_writes),
        FIELD(unclaimed),
        FIELD(mmio_accesses),
        FIELD(model_cost),
        FIELD(tlb_flushes),
        FIELD(tlb_page_flushes),
        FIELD(bt_units),
        FIELD(bt_guest_insns),
        FIELD(bt_bytes),
        FIELD(bt_links),
        FIELD(bt_flushes),
        FIELD(bt_rewrites),
        FIELD(bt_adapted),
        FIELD(bt_unadapted),
        FIELD(hypercalls),
        FIELD(multicall_entries),
        FIELD(mmu_updates),
        FIELD(upcalls),
        FIELD(refusals),
        FIELD(mmu_typed),
    };
#undef FIELD

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (memcmp((const char *)a + fields[i].at,
                   (const char *)b + fields[i].at, fields[i].bytes) != 0)
            return fields[i].name;
    return NULL;
}
