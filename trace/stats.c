/* SPDX-License-Identifier: MIT */
/* trace/stats.c - the counters as JSON. */
#include "trace/stats.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "trace/cost.h"
#include "trace/kvm.h"

struct number {
    const char *key;
    uint64_t value;
};

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static void add_numbers(json_t *object, const struct number *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, list[i].key, integer(list[i].value));
}

/* An object of numbers under a key. */
static void add_group(json_t *root, const char *key, const struct number *list,
                      size_t n)
{
    json_t *group = json_object();

    add_numbers(group, list, n);
    json_object_set_new(root, key, group);
}

#define GROUP(root, key, list)                                                 \
    add_group(root, key, list, sizeof(list) / sizeof((list)[0]))

/* One more number of a group, to three digits. */
static void add_ratio(json_t *root, const char *group, const char *key,
                      uint64_t value, uint64_t of)
{
    double ratio = of ? (double)value / (double)of : 0;

    json_object_set_new(json_object_get(root, group), key,
                        json_real((double)(uint64_t)(ratio * 1e3 + 0.5) / 1e3));
}

static void add_exits(json_t *root, const struct counters *c)
{
    struct number list[EXIT_COUNT];

    for (unsigned i = 0; i < EXIT_COUNT; i++) {
        list[i].key = exit_reason_name((enum exit_reason)i);
        list[i].value = c->exits[i];
    }
    GROUP(root, "exits", list);
}

static void add_faults(json_t *root, const struct counters *c)
{
    struct number list[FC_COUNT + 1];
    uint64_t total = 0;

    for (unsigned i = 0; i < FC_COUNT; i++) {
        list[i + 1].key = fault_class_name((enum fault_class)i);
        list[i + 1].value = c->page_faults[i];
        total += c->page_faults[i];
    }
    list[0].key = "total";
    list[0].value = total;
    GROUP(root, "page_faults", list);
}

static void add_memory(json_t *root, const struct counters *c)
{
    const struct number tlb[] = {
        {"fills", c->tlb_fills},
        {"flushes", c->tlb_flushes},
        {"page_flushes", c->tlb_page_flushes},
        {"evictions", c->tlb_evictions},
        {"refills", c->tlb_refills},
    };
    const struct number walk[] = {
        {"walks", c->walks},
        {"references", c->walk_references},
        {"nested_references", c->nested_references},
        {"vmm_references", c->vmm_references},
    };
    const struct number shadow[] = {
        {"tables", c->mmu_tables},
        {"bytes", c->mmu_tables * 4096},
        {"tables_peak", c->mmu_tables_peak},
        {"bytes_peak", c->mmu_tables_peak * 4096},
        {"fills", c->mmu_fills},
        {"prefetched", c->mmu_prefetched},
        {"mmio_remembered", c->mmio_remembered},
        {"large", c->mmu_large},
        {"split", c->mmu_split},
        {"recycled_dead", c->mmu_recycled_dead},
        {"recycled_idle", c->mmu_recycled_idle},
        {"remade", c->mmu_remade},
        {"flushes", c->mmu_flushes},
        {"cr3_writes", c->cr3_writes},
        {"typed", c->mmu_typed},
    };

    const struct number memory[] = {
        {"ram_bytes", c->pmap_ram * 4096},
        {"resident", c->pmap_resident},
        {"resident_peak", c->pmap_resident_peak},
        {"swapped", c->pmap_swapped},
        {"zero_fills", c->pmap_zero_fills},
        {"swap_ins", c->pmap_swap_ins},
        {"swap_outs", c->pmap_swap_outs},
        {"zero_outs", c->pmap_zero_outs},
        {"balloon", c->pmap_ballooned},
        {"sharing", c->pmap_sharing},
        {"shared", c->pmap_shared},
        {"merges", c->pmap_merges},
        {"cow_breaks", c->pmap_cow_breaks},
        {"scanned", c->pmap_scanned},
    };

    GROUP(root, "memory", memory);
    GROUP(root, "tlb", tlb);
    GROUP(root, "walk", walk);
    add_ratio(root, "walk", "references_per_walk", c->walk_references,
              c->walks);
    GROUP(root, "shadow", shadow);
}

static void add_kvm(json_t *root, const struct counters *c)
{
    struct number list[KVM_COUNTERS];

    for (unsigned i = 0; i < KVM_COUNTERS; i++) {
        list[i].key = kvm_counters[i].name;
        list[i].value = kvm_counters[i].value(c);
    }
    GROUP(root, "kvm", list);
}

static void add_interrupts(json_t *root, const struct counters *c)
{
    json_t *group = json_object();
    char key[8];

    for (unsigned i = 0; i < 256; i++) {
        if (!c->interrupts[i])
            continue;
        snprintf(key, sizeof key, "%u", i);
        json_object_set_new(group, key, integer(c->interrupts[i]));
    }
    json_object_set_new(root, "interrupts", group);
}

static void add_hypercalls(json_t *root, const struct counters *c)
{
    json_t *group = json_object();
    uint64_t total = 0;

    for (unsigned i = 0; i < HYPERCALLS; i++) {
        total += c->hypercalls[i];
        if (c->hypercalls[i])
            json_object_set_new(group, hypercall_name(i),
                                integer(c->hypercalls[i]));
    }
    json_object_set_new(group, "total", integer(total));
    json_object_set_new(group, "multicall_entries",
                        integer(c->multicall_entries));
    json_object_set_new(group, "mmu_updates", integer(c->mmu_updates));
    json_object_set_new(group, "upcalls", integer(c->upcalls));
    json_object_set_new(root, "hypercalls", group);
}

static void add_refusals(json_t *root, const struct counters *c)
{
    json_t *group = json_object();
    uint64_t total = 0;

    for (unsigned i = REFUSAL_NONE + 1; i < REFUSALS; i++) {
        total += c->refusals[i];
        if (c->refusals[i])
            json_object_set_new(group, refusal_name((enum table_refusal)i),
                                integer(c->refusals[i]));
    }
    json_object_set_new(group, "total", integer(total));
    json_object_set_new(root, "refusals", group);
}

static void add_rest(json_t *root, const struct counters *c)
{
    const struct number emulation[] = {
        {"emulated", c->emulated},
        {"silent", c->silent},
    };
    const struct number io[] = {
        {"reads", c->io_reads},
        {"writes", c->io_writes},
        {"mmio", c->mmio_accesses},
        {"unclaimed", c->unclaimed},
    };
    const struct number bt[] = {
        {"blocks", c->bt_units},
        {"bytes", c->bt_bytes},
        {"instructions", c->bt_guest_insns},
        {"links", c->bt_links},
        {"flushes", c->bt_flushes},
        {"rewrites", c->bt_rewrites},
        {"adapted", c->bt_adapted},
        {"unadapted", c->bt_unadapted},
    };
    const struct number machine[] = {
        {"code_pages", c->code_pages},
        {"code_rewritten", c->code_rewritten},
        {"intercepts", c->intercepts},
    };

    GROUP(root, "emulation", emulation);
    GROUP(root, "io", io);
    GROUP(root, "bt", bt);
    GROUP(root, "machine", machine);
}

static void add_cost(json_t *root, const struct counters *c)
{
    struct model_cost cost = trace_model_cost(c);
    struct number list[COST_COUNT + 1];

    list[0].key = "total";
    list[0].value = cost.total;
    for (unsigned i = 0; i < COST_COUNT; i++) {
        list[i + 1].key = cost_describe((enum cost_part)i)->name;
        list[i + 1].value = cost.part[i];
    }
    GROUP(root, "model_cost", list);
}

char *stats_text(const struct stats_run *run, const struct counters *c)
{
    json_t *root = json_object();
    char *text;

    if (!root)
        return NULL;
    if (run->cpu)
        json_object_set_new(root, "cpu", json_string(run->cpu));
    if (run->mmu)
        json_object_set_new(root, "mmu", json_string(run->mmu));
    json_object_set_new(root, "virtual_cycles", integer(run->virtual_cycles));
    json_object_set_new(root, "host_seconds", json_real(run->host_seconds));
    json_object_set_new(root, "exit_status", json_integer(run->exit_status));
    json_object_set_new(root, "blocks", integer(c->blocks));
    add_exits(root, c);
    add_faults(root, c);
    add_memory(root, c);
    add_kvm(root, c);
    add_interrupts(root, c);
    add_hypercalls(root, c);
    add_refusals(root, c);
    add_rest(root, c);
    add_cost(root, c);
    text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    return text;
}

int stats_write(const char *path, const struct stats_run *run,
                const struct counters *c)
{
    bool standard = strcmp(path, "-") == 0;
    char *text = stats_text(run, c);
    FILE *out;
    int error = 0;

    if (!text)
        return ENOMEM;
    errno = 0;
    out = standard ? stdout : fopen(path, "we");
    if (!out) {
        free(text);
        return errno;
    }
    if (fprintf(out, "%s\n", text) < 0 || fflush(out) != 0)
        error = errno ? errno : EIO;
    if (!standard && fclose(out) != 0 && !error)
        error = errno ? errno : EIO;
    free(text);
    return error;
}
