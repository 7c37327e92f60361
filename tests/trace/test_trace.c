/* SPDX-License-Identifier: MIT */
/* tests/trace/test_trace.c - the stream, its files, counters and costs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/cost.h"
#include "trace/emit.h"
#include "trace/stats.h"

static const struct event_site here = {0x00100144, 3};

/* A file name of our own with an ending; removed by slurp(). */
static char *temporary(const char *ending)
{
    static char name[64];
    int fd;

    snprintf(name, sizeof name, "/tmp/umbra-trace-XXXXXX%s", ending);
    fd = mkstemps(name, (int)strlen(ending));
    cr_assert(fd >= 0);
    close(fd);
    return name;
}

static char *slurp(const char *name)
{
    FILE *f = fopen(name, "r");
    char *text = calloc(1, 1 << 20);
    size_t n;

    cr_assert_not_null(f);
    n = fread(text, 1, (1 << 20) - 1, f);
    text[n] = '\0';
    fclose(f);
    remove(name);
    return text;
}

static void emit_all(struct trace *t)
{
    trace_exit(t, here, EXIT_PAGE_FAULT, 14, 6, 0x08049A34);
    trace_emulate(t, here, "cli", 1, 0, 0);
    trace_silent(t, here, "popfd", 1, 0x246, 0x046, 0);
    trace_fault(t, here, FC_HIDDEN, 0x08049A34, 0xCA34, 0x41CA34, 6, 0,
                0x41C067);
    trace_fill(t, here, 0x08049A34, 0xCA34, 0x41CA34, 0x513124, 6,
               0x800000000041C067);
    trace_table(t, here, "made", 0x513000, 0x5000, 1, 7);
    trace_flush(t, here, "CR3 write", 20, 0, 0x3000);
    trace_event_delivered(t, EV_INJECT, here, "a \"cause\", quoted", 14, true,
                          5, 0xC0000000, 8, 0x100200);
    trace_event_delivered(t, EV_DELIVER, here, NULL, 32, false, 0, 0, 8,
                          0x100200);
    trace_io(t, here, "uart", 0x3F8, 1, 'A', true);
    trace_mmio(t, here, "vga", 0xB8000, 2, 0x741, true, 0xC00B8000);
    trace_unclaimed(t, here, 0x1234, 1, 0xFF, false, false);
    trace_halt(t, here, true);
    trace_mode(t, here, "paging on", 0x80000011, 0x3000, 0x10, 0x11, 0x10);
    trace_translate(t, here, 12, 0xFF812340, 96);
    trace_relocate(t, here, NULL, 0xFFC00000, 0xFF800000, 0x3000);
    trace_hypercall(t, here, 7, (const uint32_t[]){0xC0200000, 3, 0}, -22,
                    true);
    trace_frame(t, here, "paged out", 0x5000, 0x41C000, 7, 64);
    trace_refuse(t, here, REFUSAL_TABLE, 0x419010, 0x414067, 0x14000);
    trace_stop(t, here, "the guest asked for it", 0, 0);
}

Test(trace, every_kind_has_a_name_a_letter_and_a_sentence)
{
    char letters[EV_COUNT + FC_COUNT + 1] = "";
    char text[256];

    for (unsigned k = 0; k < EV_COUNT; k++) {
        const struct event_description *d = event_describe((enum event_kind)k);
        struct event e = {.kind = (uint8_t)k};
        char letter[2] = {d->letter, '\0'};

        cr_assert_str_neq(d->name, "unknown");
        cr_assert_null(strchr(letters, d->letter), "%c twice", d->letter);
        strcat(letters, letter);
        cr_assert_gt(event_sentence(&e, text, sizeof text), 0);
        cr_assert_lt(event_sentence(&e, text, sizeof text), 200);
    }
    for (unsigned c = 0; c < FC_COUNT; c++) {
        char letter[2] = {fault_class_letter((enum fault_class)c), '\0'};

        cr_assert_null(strchr(letters, letter[0]), "%c twice", letter[0]);
        strcat(letters, letter);
        cr_assert_str_neq(fault_class_name((enum fault_class)c), "none");
    }
    for (unsigned r = 0; r < EXIT_COUNT; r++)
        cr_assert_str_neq(exit_reason_name((enum exit_reason)r), "unknown");
    cr_assert_str_eq(fault_class_name(FC_COUNT), "none");
}

Test(trace, a_sentence_says_what_happened_and_why)
{
    struct event e = {.kind = EV_FAULT,
                      .cls = FC_HIDDEN,
                      .arg = {0x08049A34, 0xCA34, 0x41CA34, 6, 0, 0}};
    char text[256];

    event_sentence(&e, text, sizeof text);
    cr_assert_str_eq(text,
                     "write to 08049A34 by user code faulted: H hidden, the "
                     "guest's tables allow it, the VMM's had no entry (gpa "
                     "0000CA34, ma 0041CA34)");
    cr_assert_eq(
        event_sentence(&e, text, 10),
        (int)strlen(
            "write to 08049A34 by user code faulted: H hidden, the guest's "
            "tables "
            "allow it, the VMM's had no entry (gpa 0000CA34, ma 0041CA34)"));
    cr_assert_eq(strlen(text), 9);
}

Test(trace, a_sentence_shows_all_of_an_entry)
{
    struct event e = {.kind = EV_FILL,
                      .arg = {0x08049A34, 0xCA34, 0x41CA34, 0x513124, 6},
                      .entry = 0x800000000041C067};
    char text[256];

    event_sentence(&e, text, sizeof text);
    cr_assert_str_eq(text, "entry 800000000041C067 for 08049A34 put into the "
                           "VMM's table at ma 00513124");
}

static uint64_t read_clock(const void *ctx)
{
    return *(const uint64_t *)ctx;
}

Test(trace, numbers_do_not_depend_on_readers)
{
    struct trace t;
    struct trace_ring *r;
    struct event e[4];
    uint64_t cycles = 77;
    struct trace_clock clock = {read_clock, &cycles};

    trace_init(&t, &clock);
    t.vm = 2;
    emit_all(&t);
    cr_assert_eq(t.seq, EV_COUNT);
    r = trace_ring_create(3, &t);
    emit_all(&t);
    cr_assert_eq(t.seq, 2 * EV_COUNT);
    cr_assert_eq(trace_ring_latest(r, e, 4), 3);
    cr_assert_eq(e[0].kind, EV_FRAME);
    cr_assert_eq(e[2].kind, EV_STOP);
    cr_assert_eq(e[2].seq, 2 * EV_COUNT);
    cr_assert_eq(e[2].cycles, 77);
    cr_assert_eq(e[2].vm, 2);
    cr_assert_eq(trace_ring_latest(r, e, 1), 1);
    cr_assert_eq(e[0].kind, EV_STOP);
    trace_ring_destroy(r);
    cr_assert_null(t.sinks);
}

Test(trace, json_lines_parse_and_carry_the_fields)
{
    char *name = temporary(".jsonl");
    const char *error = NULL;
    struct trace t;
    struct trace_file *f;
    char *text, *line, *rest;
    unsigned lines = 0;

    trace_init(&t, NULL);
    f = trace_file_open(name, &t, &error);
    cr_assert_not_null(f);
    emit_all(&t);
    cr_assert_eq(trace_file_close(f), 0);
    text = slurp(name);
    for (line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), lines++) {
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

        cr_assert_not_null(o, "%s", line);
        cr_assert_eq(json_integer_value(json_object_get(o, "seq")), lines + 1);
        cr_assert_str_eq(json_string_value(json_object_get(o, "event")),
                         event_describe((enum event_kind)lines)->name);
        if (lines == EV_FAULT) {
            cr_assert_str_eq(json_string_value(json_object_get(o, "class")),
                             "hidden");
            cr_assert_str_eq(json_string_value(json_object_get(o, "ma")),
                             "0x0041ca34");
        }
        if (lines == EV_FILL)
            cr_assert_str_eq(json_string_value(json_object_get(o, "entry")),
                             "0x800000000041c067");
        if (lines == EV_INJECT)
            cr_assert_str_eq(json_string_value(json_object_get(o, "cause")),
                             "a \"cause\", quoted");
        json_decref(o);
    }
    cr_assert_eq(lines, EV_COUNT);
    free(text);
}

/* Commas outside of quotes. */
static unsigned commas(const char *line)
{
    unsigned n = 0;
    bool quoted = false;

    for (; *line; line++) {
        quoted ^= *line == '"';
        n += *line == ',' && !quoted;
    }
    return n;
}

Test(trace, csv_has_the_same_columns_in_every_line)
{
    char *name = temporary(".csv");
    const char *error = NULL;
    struct trace t;
    struct trace_file *f;
    char *text, *line, *rest;
    unsigned lines = 0, columns = 0;

    trace_init(&t, NULL);
    f = trace_file_open(name, &t, &error);
    cr_assert_not_null(f);
    emit_all(&t);
    cr_assert_eq(trace_file_close(f), 0);
    text = slurp(name);
    for (line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), lines++) {
        if (!lines)
            columns = commas(line);
        cr_assert_eq(commas(line), columns, "%s", line);
    }
    cr_assert_eq(lines, EV_COUNT + 1);
    free(text);
}

Test(trace, other_endings_are_refused)
{
    struct trace t;
    const char *error = NULL;

    trace_init(&t, NULL);
    cr_assert_null(trace_file_open("/tmp/trace.txt", &t, &error));
    cr_assert_not_null(error);
    error = NULL;
    cr_assert_null(trace_file_open("/nowhere/at/all.csv", &t, &error));
    cr_assert_not_null(error);
    cr_assert_eq(trace_file_close(NULL), 0);
}

Test(trace, a_full_disk_is_reported_at_the_end)
{
    char *name = temporary(".jsonl");
    const char *error = NULL;
    struct trace t;
    struct trace_file *f;

    trace_init(&t, NULL);
    remove(name);
    cr_assert_eq(symlink("/dev/full", name), 0);
    f = trace_file_open(name, &t, &error);
    cr_assert_not_null(f);
    for (unsigned i = 0; i < 1000; i++)
        emit_all(&t);
    cr_assert_eq(trace_file_close(f), ENOSPC);
    remove(name);
    cr_assert_null(t.sinks);
}

Test(trace, stats_have_the_promised_keys)
{
    static const char *const keys[] = {
        "virtual_cycles", "host_seconds", "blocks",
        "exits",          "page_faults",  "tlb",
        "walk",           "shadow",       "interrupts",
    };
    struct counters c = {.blocks = 5};
    struct stats_run run = {"bt", "shadow", 1000, 0.25, 0};
    char *text;
    json_t *o, *faults;

    c.page_faults[FC_TRUE] = 2;
    c.page_faults[FC_HIDDEN] = 3;
    c.interrupts[32] = 9;
    text = stats_text(&run, &c);
    o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(o);
    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++)
        cr_assert_not_null(json_object_get(o, keys[i]), "%s", keys[i]);
    faults = json_object_get(o, "page_faults");
    cr_assert_eq(json_integer_value(json_object_get(faults, "total")), 5);
    cr_assert_eq(json_integer_value(json_object_get(faults, "hidden")), 3);
    cr_assert_eq(json_object_size(faults), FC_COUNT + 1);
    cr_assert_eq(json_integer_value(
                     json_object_get(json_object_get(o, "interrupts"), "32")),
                 9);
    json_decref(o);
    free(text);
    cr_assert_eq(stats_write("/dev/full", &run, &c), ENOSPC);
    cr_assert_eq(stats_write("/nowhere/at/all", &run, &c), ENOENT);
}

Test(trace, model_cost_is_the_sum_of_its_parts)
{
    struct counters c = {0};
    struct model_cost cost;
    uint64_t sum = 0;

    c.exits[EXIT_PAGE_FAULT] = 3;
    c.exits[EXIT_HALT] = 1;
    c.emulated = 2;
    c.vmm_references = 4;
    cost = trace_model_cost(&c);
    for (unsigned i = 0; i < COST_COUNT; i++)
        sum += cost.part[i];
    cr_assert_eq(cost.total, sum);
    cr_assert_eq(cost.total, 4 * 1000 + 2 * 200 + 4 * 20);
}
