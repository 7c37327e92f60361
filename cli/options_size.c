/* SPDX-License-Identifier: MIT */
/* cli/options_size.c - see cli/options_size.h. */
#include "cli/options_size.h"

#include "cpu/ept.h"
#include "cpu/tlb.h"
#include "traps/bt.h"

#include <stdio.h>

enum {
    KEY_TLB = 640, /* behind those of cli/options_memory.c */
    KEY_TABLE_MEMORY,
    KEY_NESTED_LEVELS,
    KEY_BT_UNIT,
    KEY_BT_CACHE,

    TABLE_MIN_KIB = 64,
    TABLE_MAX_KIB = 1 << 20,
    CACHE_MIN_KIB = BT_CACHE_MIN >> 10,
    CACHE_MAX_KIB = BT_CACHE_MAX >> 10,
};

static const struct argp_option size_options[] = {
    {NULL, 0, NULL, 0, "Sizes:", 4},
    {"tlb", KEY_TLB, "ENTRIES[,WAYS]", 0,
     "The processor's TLB: how many entries, and how many of them in a set "
     "(2048,16)",
     0},
    {"table-memory", KEY_TABLE_MEMORY, "KIB", 0,
     "A limit for the page tables of the VMM", 0},
    {"nested-levels", KEY_NESTED_LEVELS, "2|3|4", 0,
     "Levels of the nested tables (4); fewer reach 1 GiB, 512 GiB", 0},
    {"bt-unit", KEY_BT_UNIT, "N", 0,
     "Instructions of a translation unit of bt at most, 1 to 64 (48)", 0},
    {"bt-cache", KEY_BT_CACHE, "KIB", 0,
     "Size of the translation cache of bt; it is emptied when full", 0},
    {0},
};

/* "ENTRIES" or "ENTRIES,WAYS". */
static error_t parse_tlb(struct run_options *o, const char *arg)
{
    unsigned entries = 0, ways = TLB_WAYS;
    int end = 0;

    sscanf(arg, "%u%n,%u%n", &entries, &end, &ways, &end);
    if (!*arg || arg[end] || !tlb_shape_valid(entries, ways))
        return options_fail(o,
                            "--tlb %s: ENTRIES[,WAYS] is wanted, powers of "
                            "two, %d to %d entries, at most %d ways",
                            arg, TLB_ENTRIES_LEAST, TLB_ENTRIES_MOST,
                            TLB_WAYS_MOST);
    o->tlb_entries = entries;
    o->tlb_ways = ways;
    return 0;
}

static error_t parse_size(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    uint64_t n = 0;
    bool good;

    switch (key) {
    case KEY_TLB: return parse_tlb(o, arg);
    case KEY_TABLE_MEMORY:
        good = options_number(o, "--table-memory", arg, TABLE_MIN_KIB,
                              TABLE_MAX_KIB, &n);
        o->table_bytes = n << 10;
        break;
    case KEY_NESTED_LEVELS:
        good = options_number(o, "--nested-levels", arg, EPT_LEVELS_LEAST,
                              EPT_LEVELS_MOST, &n);
        o->nested_levels = (unsigned)n;
        break;
    case KEY_BT_UNIT:
        good = options_number(o, "--bt-unit", arg, 1, BT_UNIT_MAX, &n);
        o->bt_unit = (unsigned)n;
        break;
    case KEY_BT_CACHE:
        good = options_number(o, "--bt-cache", arg, CACHE_MIN_KIB,
                              CACHE_MAX_KIB, &n);
        o->bt_cache_bytes = (uint32_t)n << 10;
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return good ? 0 : EINVAL;
}

const struct argp options_sizes = {size_options, parse_size, NULL, NULL,
                                   NULL,         NULL,       NULL};

void options_keep_sizes(struct run_options *o)
{
    if (o->mmu != &mmu_nested || o->cpu == CPU_BARE)
        o->nested_levels = 0;
    if (o->mmu == &mmu_direct || o->cpu == CPU_BARE)
        o->table_bytes = 0;
    if (o->cpu != CPU_BT)
        o->bt_unit = o->bt_cache_bytes = 0;
}
