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

/* What is the VMM's, where there is none. */
static bool check_bare(const struct run_options *o)
{
    const char *option = o->mmu_without   ? "--mmu-without"
                         : o->table_bytes ? "--table-memory"
                         : o->audit_mmu   ? "--audit mmu"
                                          : NULL;
    if (!option || o->cpu != CPU_BARE)
        return true;
    options_fail(o, "--cpu bare does not go with %s: there is no VMM", option);
    return false;
}

static bool check_trap(const struct run_options *o)
{
    const char *option = o->audit   ? "--audit silent"
                         : o->iopl1 ? "--what-if iopl1"
                                    : NULL;
    if (!option || o->cpu == CPU_TRAP)
        return true;
    options_fail(o, "%s goes with --cpu trap only", option);
    return false;
}

static bool check_tables(const struct run_options *o)
{
    if (o->nested_levels && o->mmu != &mmu_nested) {
        options_fail(o, "--nested-levels goes with --mmu nested only");
        return false;
    }
    if (o->table_bytes && o->mmu == &mmu_direct) {
        options_fail(o, "--table-memory does not go with --mmu direct: the "
                        "VMM has no tables of its own");
        return false;
    }
    return true;
}

static void refuse_switch(const struct run_options *o,
                          const struct mmu_optimization_name *switched)
{
    if (switched->bit & MMU_PIECES & o->mmu->optimizations)
        options_fail(o, "--mmu-without %s goes with --large-frames only",
                     switched->name);
    else
        options_fail(o,
                     "--mmu-without %s does not go with --cpu %s --mmu %s, "
                     "which have no such optimization",
                     switched->name, cpu_technique_name(o->cpu), o->mmu->name);
}

/* To switch off what is not there would be to compare equals. ("all" is
 * whatever is there.) */
static bool check_mmu_without(const struct run_options *o)
{
    const struct mmu_optimization_name *at = mmu_optimizations;
    unsigned there = o->mmu->optimizations;

    if (o->cpu != CPU_HVM)
        there &= ~(unsigned)MMU_TAGS;
    if (!o->large_frames)
        there &= ~(unsigned)MMU_PIECES;
    if (o->mmu_without == MMU_OPTIMIZATIONS)
        return true;
    for (; at->name; at++)
        if (at->bit & o->mmu_without & ~there) {
            refuse_switch(o, at);
            return false;
        }
    return true;
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
    return check_bare(o) && check_bt(o) && check_trap(o) && check_tables(o) &&
           check_mmu_without(o);
}
