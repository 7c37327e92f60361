/* SPDX-License-Identifier: MIT */
/* Names of techniques, and which go together. */
#include "cli/options.h"
#include "traps/bt.h"

#include <stdio.h>
#include <string.h>

static const struct mmu_technique *const mmus[] = {
    &mmu_tlb_emulation, &mmu_shadow, &mmu_direct, &mmu_nested};
enum { MMUS = sizeof mmus / sizeof mmus[0] };

static const char valid_pairs[] =
    "valid are trap, bt-static, bt, pv or hvm with tlb or shadow; pv with "
    "direct; hvm with nested; bare without --mmu";

/* "bare, trap, bt-static" */
static const char *cpu_list(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < CPU_TECHNIQUES && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                             cpu_technique_name((enum cpu_technique)i));
    return text;
}

static const char *mmu_list(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < MMUS && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i ? ", " : "", mmus[i]->name);
    return text;
}

bool options_find_cpu(struct run_options *o, const char *name)
{
    char list[128];
    int cpu = cpu_technique_find(name);
    if (cpu >= 0) {
        o->cpu = (enum cpu_technique)cpu;
        o->cpu_given = true;
        return true;
    }
    cpu_list(list, sizeof list);
    options_fail(o, "--cpu %s: unknown; there are %s", name, list);
    return false;
}

bool options_find_mmu(struct run_options *o, const char *name)
{
    char list[128];
    for (size_t i = 0; i < MMUS; i++)
        if (strcmp(mmus[i]->name, name) == 0) {
            o->mmu = mmus[i];
            o->mmu_given = true;
            return true;
        }
    mmu_list(list, sizeof list);
    options_fail(o, "--mmu %s: unknown; there are %s", name, list);
    return false;
}

/* The bit of a name of that length; 0: there is none. */
static unsigned mmu_optimization_bit(const char *name, size_t length)
{
    for (size_t i = 0; mmu_optimizations[i].name; i++)
        if (strlen(mmu_optimizations[i].name) == length &&
            strncmp(mmu_optimizations[i].name, name, length) == 0)
            return mmu_optimizations[i].bit;
    return 0;
}

static unsigned bt_option_bit(const char *name, size_t length)
{
    for (unsigned i = 0; i < BT_OPTIONS; i++) {
        const char *known = bt_option_name((enum bt_option)i);
        if (strlen(known) == length && strncmp(known, name, length) == 0)
            return 1u << i;
    }
    return 0;
}

/* Names separated by commas, or "all", into the bits of an option. */
static bool find_optimizations(const struct run_options *o, const char *option,
                               const char *list, unsigned all,
                               unsigned (*find)(const char *name,
                                                size_t length),
                               unsigned *bits)
{
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        bool every = length == 3 && strncmp(at, "all", length) == 0;
        unsigned bit = every ? all : find(at, length);
        if (!bit) {
            options_fail(o,
                         "%s %s: unknown optimization '%.*s'; "
                         "--help lists them",
                         option, list, (int)length, at);
            return false;
        }
        *bits |= bit;
        at += length;
        if (!*at)
            return true;
    }
}

bool options_find_mmu_without(struct run_options *o, const char *list)
{
    unsigned all = 0;
    for (size_t i = 0; mmu_optimizations[i].name; i++)
        all |= mmu_optimizations[i].bit;
    return find_optimizations(o, "--mmu-without", list, all,
                              mmu_optimization_bit, &o->mmu_without);
}

bool options_find_bt_without(struct run_options *o, const char *list)
{
    return find_optimizations(o, "--bt-without", list, (1u << BT_OPTIONS) - 1,
                              bt_option_bit, &o->bt_without);
}

/* What only one technique understands. */
static bool check_bt(const struct run_options *o)
{
    const char *option = o->bt_without       ? "--bt-without"
                         : o->bt_unit        ? "--bt-unit"
                         : o->bt_cache_bytes ? "--bt-cache"
                                             : NULL;
    if (!option || o->cpu == CPU_BT)
        return true;
    options_fail(o, "%s goes with --cpu bt only", option);
    return false;
}

bool options_check_pair(const struct run_options *o)
{
    if (o->cpu_given && o->cpu == CPU_BARE && o->mmu_given) {
        options_fail(o,
                     "--cpu bare does not go with --mmu %s: there is no "
                     "VMM; %s",
                     o->mmu->name, valid_pairs);
        return false;
    }
    if (o->mmu->only_cpu &&
        strcmp(cpu_technique_name(o->cpu), o->mmu->only_cpu) != 0) {
        options_fail(o, "--mmu %s goes with --cpu %s only; %s", o->mmu->name,
                     o->mmu->only_cpu, valid_pairs);
        return false;
    }
    if (o->nested_levels && o->mmu != &mmu_nested) {
        options_fail(o, "--nested-levels goes with --mmu nested only");
        return false;
    }
    if (o->cpu_given && o->cpu == CPU_BARE && o->mmu_without) {
        options_fail(o, "--cpu bare does not go with --mmu-without: there is "
                        "no VMM");
        return false;
    }
    if (o->audit_mmu && o->cpu_given && o->cpu == CPU_BARE) {
        options_fail(o, "--audit mmu does not go with --cpu bare: there is no "
                        "VMM");
        return false;
    }
    if (o->audit && !(o->cpu_given && o->cpu == CPU_TRAP)) {
        options_fail(o, "--audit silent goes with --cpu trap only");
        return false;
    }
    if (o->iopl1 && !(o->cpu_given && o->cpu == CPU_TRAP)) {
        options_fail(o, "--what-if iopl1 goes with --cpu trap only");
        return false;
    }
    return check_bt(o);
}
