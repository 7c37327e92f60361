/* SPDX-License-Identifier: MIT */
/* Are the guest's results equal? */
#include "cli/compare.h"

#include "trace/stats.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *compare_stop_name(const struct outcome *r)
{
    static const char *const names[] = {
        [VM_RUNNING] = "limit",         [VM_DEBUG_EXIT] = "exit port",
        [VM_POWER_OFF] = "power-off",   [VM_RESET] = "reset",
        [VM_TRIPLE_FAULT] = "3x fault", [VM_DEAD] = "dead halt",
        [VM_NO_MEMORY] = "no memory",   [VM_UNSUPPORTED] = "cannot",
        [VM_INTERNAL] = "our error",
    };
    return r->limited ? "limit" : names[r->stop];
}

const char *compare_state_name(enum state_verdict verdict)
{
    static const char *const names[] = {
        [STATE_ALONE] = "not compared",
        [STATE_EQUAL] = "equal",
        [STATE_SHIFTED] = "shifted",
        [STATE_DIFFERS] = "differs",
    };
    return names[verdict];
}

void compare_copy_printable(char *to, size_t size, const char *from)
{
    size_t n = 0;

    for (; n + 1 < size && from[n]; n++)
        to[n] =
            from[n] == ' ' || isgraph((unsigned char)from[n]) ? from[n] : '?';
    to[n] = '\0';
}

/* ---- Numbers ------------------------------------------------------------- */

/* Table memory means something beside what the guest uses. */
static void add_working_set(const struct comparison *c, struct outcome *r)
{
    uint64_t pages = 0;
    double tables = (double)r->count.mmu_tables_peak;

    for (size_t i = 0; i < c->outcome[0].sample_count; i++)
        if (c->outcome[0].samples[i].working_set_pages > pages)
            pages = c->outcome[0].samples[i].working_set_pages;
    json_object_set_new(
        r->stats, "working_set",
        json_pack("{s:I, s:I, s:f}", "pages", (json_int_t)pages, "bytes",
                  (json_int_t)(pages * PAGE_BYTES), "tables_to_it",
                  pages ? (double)(uint64_t)(tables / (double)pages * 1e3) / 1e3
                        : 0));
}

static bool measure(const struct comparison *c, struct outcome *r)
{
    const struct technique *t = r->technique;
    struct stats_run run = {
        .cpu = cpu_technique_name(t->cpu),
        .mmu = t->cpu == CPU_BARE ? NULL : t->mmu->name,
        .virtual_cycles = r->cycles,
        .host_seconds = r->seconds,
        .exit_status = r->status,
    };
    char *text = stats_text(&run, &r->count);

    r->stats = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (r->stats)
        add_working_set(c, r);
    return r->stats != NULL;
}

bool compare_measure(struct comparison *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (!measure(c, &c->outcome[i]))
            return false;
    return true;
}

/* ---- Consoles ------------------------------------------------------------ */

/* The line around an offset, printable. */
static void copy_line(const struct outcome *r, size_t start, char *out,
                      size_t size)
{
    size_t used = 0;
    for (size_t i = start; i < r->console_bytes && used + 1 < size; i++) {
        unsigned char byte = (unsigned char)r->console[i];
        if (byte == '\n')
            break;
        out[used++] = isprint(byte) ? (char)byte : '.';
    }
    out[used] = '\0';
}

static void find_difference(const struct outcome *first, struct outcome *r)
{
    size_t common = first->console_bytes < r->console_bytes
                        ? first->console_bytes
                        : r->console_bytes;
    size_t at = 0, line = 1, start = 0;
    while (at < common && first->console[at] == r->console[at])
        if (first->console[at++] == '\n') {
            line++;
            start = at;
        }
    /* A run that a limit cut off may be behind. */
    bool same_length = first->console_bytes == r->console_bytes;
    if (at == common && (same_length || first->limited || r->limited))
        return;
    r->line = line;
    r->byte = at;
    copy_line(first, start, r->expected, sizeof r->expected);
    copy_line(r, start, r->found, sizeof r->found);
}

/* ---- Where interrupts came elsewhere ------------------------------------- */

/* One line without its end; false: there is none. */
static bool next_line(const struct outcome *r, size_t *at, const char **line,
                      size_t *length)
{
    const char *end;

    if (*at >= r->console_bytes)
        return false;
    *line = r->console + *at;
    end = memchr(*line, '\n', r->console_bytes - *at);
    *length = end ? (size_t)(end - *line) : r->console_bytes - *at;
    *at += *length + 1;
    return true;
}

static size_t digits(const char *text, size_t length)
{
    size_t n = 0;

    while (n < length && isdigit((unsigned char)text[n]))
        n++;
    return n;
}

/* Equal, whatever the decimal numbers in them are? */
static bool same_but_numbers(const char *a, size_t m, const char *b, size_t n)
{
    while (m > 0 && n > 0) {
        size_t i = digits(a, m), k = digits(b, n);

        if ((i == 0) != (k == 0) || (i == 0 && *a != *b))
            return false;
        i = i ? i : 1;
        k = k ? k : 1;
        a += i;
        b += k;
        m -= i;
        n -= k;
    }
    return m == n;
}

/* A guest that tells the time prints other numbers, and nothing else may
 * differ. Counts such lines. */
static bool same_but_times(const struct outcome *first, struct outcome *r)
{
    size_t at[2] = {0, 0}, m, n;
    const char *a, *b;

    r->time_lines = 0;
    while (next_line(first, &at[0], &a, &m) && next_line(r, &at[1], &b, &n)) {
        bool last = at[0] > first->console_bytes || at[1] > r->console_bytes;

        if (m == n && memcmp(a, b, m) == 0)
            continue;
        if (last && r->limited)
            break; /* it was cut off */
        if (!same_but_numbers(a, m, b, n))
            return false;
        r->time_lines++;
    }
    return r->limited ||
           (at[0] >= first->console_bytes && at[1] >= r->console_bytes);
}

static bool same_result(const struct outcome *first, struct outcome *r)
{
    find_difference(first, r);
    if (r->line && r->state.verdict == STATE_SHIFTED &&
        same_but_times(first, r))
        r->line = 0;
    if (r->line)
        return false;
    if (first->limited || r->limited)
        return true; /* as far as it goes */
    return r->stop == first->stop && r->status == first->status &&
           !r->disk_differs;
}

void compare_judge(struct comparison *c)
{
    const struct outcome *first = &c->outcome[0];
    c->equal = true;
    c->limited = false;
    for (size_t i = 0; i < c->count; i++) {
        struct outcome *r = &c->outcome[i];
        r->equal = same_result(first, r) && r->state.verdict != STATE_DIFFERS;
        c->equal = c->equal && r->equal;
        c->limited = c->limited || r->limited;
    }
}

void compare_free(struct comparison *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->outcome[i].console);
        free(c->outcome[i].report);
        free(c->outcome[i].samples);
        json_decref(c->outcome[i].stats);
    }
}

const char *compare_verdict(const struct comparison *c)
{
    return !c->equal    ? "The guest's results DIFFER."
           : c->limited ? "The guest's results are equal as far as they go "
                          "(a limit was reached)."
                        : "The guest's results are equal.";
}
