/* SPDX-License-Identifier: MIT */
/* cli/options_memory.c - how much of the machine a guest's memory may take. */
#include "cli/options_memory.h"

#include <stdio.h>
#include <string.h>

enum {
    KEY_MACHINE_MEMORY = 512, /* behind those of cli/options.c */
    KEY_SWAP,
    KEY_SWAP_LIMIT,
    KEY_BALLOON,
    KEY_SHARE,
    KEY_LARGE_FRAMES,

    SHARE_FRAMES = 64, /* a ms: 256 MiB in a second */
    SHARE_MOST = 65536,
};

static const struct argp_option memory_options[] = {
    {NULL, 0, NULL, 0, "The guest's memory in the machine (not with bare):", 3},
    {"machine-memory", KEY_MACHINE_MEMORY, "MIB", 0,
     "Machine memory for the guest's, in MiB, or in KiB with a K behind it; "
     "the "
     "rest of what the guest believes to have is in the host's swap. The least "
     "is 256K",
     0},
    {"swap", KEY_SWAP, "FILE", 0,
     "The host's swap file, made, or an older one of Umbra's used again (an "
     "unnamed temporary one)",
     0},
    {"swap-limit", KEY_SWAP_LIMIT, "MIB", 0,
     "The size of the swap, in MiB, or in KiB with a K behind it (room for all "
     "of the guest's memory)",
     0},
    {"balloon", KEY_BALLOON, "MIB|auto", 0,
     "Give the guest a balloon, and wish for this much of its memory; auto: "
     "for "
     "what it has more than --machine-memory, once the swap is used. lumen's "
     "driver wants the word balloon in --append",
     0},
    {"share", KEY_SHARE, "N", OPTION_ARG_OPTIONAL,
     "Let equal pages share a machine frame, and copy at the first write; N: "
     "pages looked at in a millisecond of virtual time (64)",
     0},
    {"large-frames", KEY_LARGE_FRAMES, NULL, 0,
     "Give the guest the machine's memory in pieces of 4 MiB, not scattered "
     "page by page: nested tables then map large pages, and so do shadow "
     "tables where the guest's do",
     0},
    {0},
};

/* An amount of memory in MiB, or in KiB: "4", "512K"; at least a page. */
static bool parse_amount(const struct run_options *o, const char *option,
                         const char *text, uint64_t least, uint64_t *bytes)
{
    const uint64_t most = UINT64_C(3) << 30;
    char digits[24];
    size_t n = strlen(text);
    bool kib = n && n < sizeof digits && text[n - 1] == 'K';
    uint64_t unit = kib ? 1u << 10 : 1u << 20;
    uint64_t value;

    memcpy(digits, text, kib ? n - 1 : 0);
    digits[kib ? n - 1 : 0] = '\0';
    if (!options_integer(kib ? digits : text, (least + unit - 1) / unit,
                         most / unit, &value)) {
        options_fail(o, "%s %s: %lluK (KiB) to %llu (MiB) is wanted", option,
                     text, (unsigned long long)(least >> 10),
                     (unsigned long long)(most >> 20));
        return false;
    }
    *bytes = value * unit & ~(uint64_t)PAGE_MASK;
    return true;
}

static error_t parse_share(struct run_options *o, const char *arg)
{
    uint64_t n = SHARE_FRAMES;

    if (arg && !options_number(o, "--share", arg, 1, SHARE_MOST, &n))
        return EINVAL;
    o->share = (unsigned)n;
    return 0;
}

static error_t parse_balloon(struct run_options *o, const char *arg)
{
    o->balloon_auto = strcmp(arg, "auto") == 0;
    o->balloon_bytes = 0;
    return o->balloon_auto || parse_amount(o, "--balloon", arg, PAGE_BYTES,
                                           &o->balloon_bytes)
               ? 0
               : EINVAL;
}

static error_t parse_memory(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;

    switch (key) {
    case KEY_MACHINE_MEMORY:
        return parse_amount(o, "--machine-memory", arg, VM_MACHINE_BYTES_LEAST,
                            &o->machine_bytes)
                   ? 0
                   : EINVAL;
    case KEY_SWAP:
        if (!*arg)
            return options_fail(o, "--swap: the file's name is missing");
        o->swap_path = arg;
        return 0;
    case KEY_SWAP_LIMIT:
        return parse_amount(o, "--swap-limit", arg, PAGE_BYTES, &o->swap_bytes)
                   ? 0
                   : EINVAL;
    case KEY_BALLOON: return parse_balloon(o, arg);
    case KEY_SHARE: return parse_share(o, arg);
    case KEY_LARGE_FRAMES: o->large_frames = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_memory = {memory_options, parse_memory, NULL, NULL,
                                    NULL,           NULL,         NULL};

bool options_check_memory(const struct run_options *o)
{
    const char *given = o->machine_bytes  ? "--machine-memory"
                        : o->share        ? "--share"
                        : o->large_frames ? "--large-frames"
                        : o->balloon_bytes || o->balloon_auto ? "--balloon"
                                                              : NULL;

    if (given && o->cpu_given && o->cpu == CPU_BARE) {
        options_fail(o,
                     "%s does not go with --cpu bare: without a VMM the "
                     "guest's memory is the machine's",
                     given);
        return false;
    }
    if (o->balloon_auto && !o->machine_bytes) {
        options_fail(o, "--balloon auto goes with --machine-memory");
        return false;
    }
    if ((o->swap_path || o->swap_bytes) && !o->machine_bytes) {
        options_fail(o, "--swap and --swap-limit go with --machine-memory");
        return false;
    }
    return true;
}
