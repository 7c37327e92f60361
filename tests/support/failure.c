/* SPDX-License-Identifier: MIT */
/* tests/support/failure.c - a case that differs, as small as it gets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "tests/support/batch.h"

enum { OP_NOP = 0x90, INSNS_MOST = 64 };

/* ---- in words ---------------------------------------------------------------
 */

/* NOPs say nothing: what was dropped has become them. */
static void describe_code(const uint8_t *code, uint32_t eip, char *out,
                          size_t size)
{
    size_t n = 0, at = 0;

    out[0] = '\0';
    while (at < PROBE_ENTRY_BYTES && n + 80 < size) {
        char text[64];
        int length = decode_format(code + at, PROBE_ENTRY_BYTES - at, true,
                                   eip + (uint32_t)at, text, sizeof text);

        if (code[at] != OP_NOP)
            n += (size_t)snprintf(out + n, size - n, "%s; ", text);
        if (length <= 0 || strstr(text, "int 0x40"))
            break;
        at += (size_t)length;
    }
    n += (size_t)snprintf(out + n, size - n, "bytes");
    for (size_t k = 0;
         k < at + INSN_MAX_LENGTH && k < PROBE_ENTRY_BYTES && n + 8 < size; k++)
        n += (size_t)snprintf(out + n, size - n, " %02x", code[k]);
}

void failure_describe(const struct batch *b, uint32_t i, char *out, size_t size)
{
    describe_code(b->code[batch_sequence(b, i)], b->cases[i].eip, out, size);
}

void failure_print_case(const struct batch *b, uint32_t i)
{
    const struct probe_case *c = &b->cases[i];
    char text[600];

    failure_describe(b, i, text, sizeof text);
    fprintf(stderr,
            "seed %llu: %s\n  %-10s EIP %08x EFLAGS %08x flags %x\n"
            "             ",
            (unsigned long long)(b->first + i), text, "start", c->eip,
            c->eflags, c->flags);
    for (unsigned k = 0; k < 8; k++)
        fprintf(stderr, "%08x ", c->gpr[k]);
    fprintf(stderr, "\n");
}

static void print_outcome(const char *name, const struct outcome *o)
{
    const struct probe_result *r = &o->result;

    if (o->stop != VM_RUNNING) {
        fprintf(stderr, "  %-10s the guest stopped (%d)\n", name, o->stop);
        return;
    }
    fprintf(stderr,
            "  %-10s vector %u error %x EIP %08x EFLAGS %08x CS %04x CR2 %08x "
            "SS:ESP %04x:%08x\n             ",
            name, r->vector, r->error, r->eip, r->eflags, r->cs & 0xFFFF,
            r->cr2, r->ss & 0xFFFF, r->esp);
    for (unsigned k = 0; k < 8; k++)
        fprintf(stderr, "%08x ", r->gpr[k]);
    fprintf(stderr, "\n             segments %04x %04x %04x %04x sum %08x\n",
            r->segment[0] & 0xFFFF, r->segment[1] & 0xFFFF,
            r->segment[2] & 0xFFFF, r->segment[3] & 0xFFFF, r->sum);
}

static void print_command(const struct batch *b, uint32_t i, uint32_t count,
                          const struct way *way)
{
    fprintf(stderr,
            "  again:     UMBRA_FUZZ_SEED=%llu UMBRA_FUZZ_CASES=%u "
            "UMBRA_FUZZ_CPU=%s build/tests/test_instructions_in_vmm "
            "--filter instructions/at_ring_%d\n",
            (unsigned long long)(b->first + i), (unsigned)count,
            cpu_technique_name(way->cpu), b->user ? 3 : 0);
}

/* ---- as little as is enough -------------------------------------------------
 */

static bool differs(const struct batch *b, const struct way *way)
{
    struct outcome bare, other;

    batch_run(b, &ways[WAY_BARE], NULL, 1, &bare);
    batch_run(b, way, NULL, 1, &other);
    return outcome_difference(&bare, &other) != NULL;
}

/* Make NOPs of each instruction that is not needed, the last first. */
static void drop_instructions(struct batch *b, const struct way *way)
{
    size_t start[INSNS_MOST], n = 0, at = 0;
    uint8_t *code = b->code[0];
    struct insn in;

    while (n < INSNS_MOST && at < PROBE_ENTRY_BYTES && code[at] != 0xCC &&
           decode(code + at, PROBE_ENTRY_BYTES - at, true, &in)) {
        start[n++] = at;
        at += in.length;
    }
    while (n--) {
        uint8_t kept[PROBE_ENTRY_BYTES];

        memcpy(kept, code, sizeof kept);
        decode(code + start[n], PROBE_ENTRY_BYTES - start[n], true, &in);
        if (code[start[n]] == 0xCD && code[start[n] + 1] == PROBE_DONE)
            continue;
        memset(code + start[n], OP_NOP, in.length);
        if (!differs(b, way))
            memcpy(code, kept, sizeof kept);
    }
}

/* Does case i still differ behind case `first`, with those between the two or
 * without? */
static bool differs_behind(const struct batch *b, const struct way *way,
                           uint32_t first, uint32_t i, bool between)
{
    uint32_t count = between ? i - first + 1 : 2;
    uint32_t *chosen = calloc(count, sizeof *chosen);
    struct outcome *bare = calloc(i + 1, sizeof *bare);
    struct outcome *other = calloc(i + 1, sizeof *other);
    bool differs = false;

    if (chosen && bare && other) {
        for (uint32_t k = 0; k < count; k++)
            chosen[k] = first + k;
        chosen[count - 1] = i;
        batch_run(b, &ways[WAY_BARE], chosen, count, bare);
        batch_run(b, way, chosen, count, other);
        differs = outcome_difference(&bare[i], &other[i]) != NULL;
    }
    free(chosen);
    free(bare);
    free(other);
    return differs;
}

/* The last case that must come before it. */
static void print_cause(const struct batch *b, uint32_t i,
                        const struct way *way)
{
    uint32_t differs = 0, equal = i;

    if (!differs_behind(b, way, 0, i, true)) {
        fprintf(stderr, "  not again: it depends on what is compared\n");
        return;
    }
    while (equal - differs > 1) {
        uint32_t middle = differs + (equal - differs) / 2;

        if (differs_behind(b, way, middle, i, true))
            differs = middle;
        else
            equal = middle;
    }
    fprintf(stderr, "  behind this one%s:\n",
            differs_behind(b, way, differs, i, false) ? " alone" : "");
    failure_print_case(b, differs);
    print_command(b, differs, i - differs + 1, way);
}

/* The case alone, at the place where it would be alone. */
static void print_smallest(const struct batch *b, uint32_t i,
                           const struct way *way)
{
    struct batch alone;
    char text[600];

    batch_make(&alone, b->first + i, 1, b->user);
    if (differs(&alone, way)) {
        drop_instructions(&alone, way);
        failure_describe(&alone, 0, text, sizeof text);
        fprintf(stderr, "  enough:    %s\n", text);
        print_command(b, i, 1, way);
    } else {
        print_cause(b, i, way);
    }
    batch_free(&alone);
}

void failure_print(const struct batch *b, uint32_t i, const struct way *way,
                   const struct outcome *bare, const struct outcome *other)
{
    failure_print_case(b, i);
    print_outcome("bare", bare);
    print_outcome(way->name, other);
    print_smallest(b, i, way);
}
