/* SPDX-License-Identifier: MIT */
/* visualizer/event_text.c - events, accesses and numbers in few columns. */
#include "visualizer/event_text.h"

#include <stdio.h>
#include <string.h>

char event_letter(const struct event *e)
{
    if (e->kind == EV_FAULT && e->cls < FC_COUNT)
        return fault_class_letter((enum fault_class)e->cls);
    if (e->kind >= EV_COUNT)
        return '?';
    return event_describe((enum event_kind)e->kind)->letter;
}

const char *event_word(const struct event *e)
{
    if (e->kind == EV_FAULT && e->cls < FC_COUNT)
        return fault_class_name((enum fault_class)e->cls);
    if (e->kind >= EV_COUNT)
        return "?";
    return event_describe((enum event_kind)e->kind)->name;
}

/* Which arg is what: trace/describe.c. */
static void fault_detail(const struct event *e, char *buffer, size_t bytes)
{
    const char *who = e->arg[3] & PF_USER ? "user" : "kernel";
    const char *what = e->arg[3] & PF_FETCH   ? "fetch"
                       : e->arg[3] & PF_WRITE ? "write"
                                              : "read";
    if (e->cls == FC_TRUE)
        snprintf(buffer, bytes, "%s %s %08X, error %04X", who, what, e->arg[0],
                 e->arg[4]);
    else
        snprintf(buffer, bytes, "%s %s %08X -> %08X", who, what, e->arg[0],
                 e->cls == FC_MMIO ? e->arg[1] : e->arg[2]);
}

static void access_detail(const struct event *e, char *buffer, size_t bytes)
{
    snprintf(buffer, bytes, "%s %0*X %s %0*X", e->text ? e->text : "nobody",
             e->kind == EV_IO ? 4 : 8, e->arg[0], e->arg[3] ? "<-" : "->",
             (int)(e->arg[1] < 4 ? e->arg[1] : 4) * 2, e->arg[2]);
}

static void delivery_detail(const struct event *e, char *buffer, size_t bytes)
{
    char error[20] = "";
    if (e->arg[5])
        snprintf(error, sizeof error, " error %04X", e->arg[1]);
    snprintf(buffer, bytes, "vector %u%s -> %08X", e->arg[0], error, e->arg[4]);
}

static void vm_exit_detail(const struct event *e, char *buffer, size_t bytes)
{
    snprintf(buffer, bytes, "%s, qualification %X", e->text, e->arg[4]);
}

static void hypercall_detail(const struct event *e, char *buffer, size_t bytes)
{
    snprintf(buffer, bytes, "%s%s(%X, %X, %X) = %d",
             e->arg[5] ? "in a batch: " : "", e->text ? e->text : "?",
             e->arg[1], e->arg[2], e->arg[3], (int)e->arg[4]);
}

/* What the kind's description names, but for lengths. */
static void fields_detail(const struct event *e, char *buffer, size_t bytes)
{
    const struct event_description *d =
        event_describe((enum event_kind)e->kind);
    size_t used = 0;

    if (e->kind == EV_EXIT)
        used += (size_t)snprintf(buffer, bytes, "%s ",
                                 exit_reason_name((enum exit_reason)e->cls));
    if (e->text && used < bytes)
        used += (size_t)snprintf(buffer + used, bytes - used, "%s ", e->text);
    for (unsigned i = 0; i < EVENT_ARGS && used < bytes; i++) {
        const struct event_field *f = &d->field[i];
        if (!f->name || f->format == FIELD_NONE ||
            strcmp(f->name, "bytes") == 0)
            continue;
        if (e->kind == EV_EMULATE && e->arg[i] == 0)
            continue;
        used +=
            (size_t)snprintf(buffer + used, bytes - used,
                             f->format == FIELD_DEC ? "%s %llu " : "%s %llX ",
                             f->name, (unsigned long long)event_value(e, i));
    }
    size_t length = strlen(buffer);
    if (length && buffer[length - 1] == ' ')
        buffer[length - 1] = '\0';
}

void event_detail(const struct event *e, char *buffer, size_t bytes)
{
    buffer[0] = '\0';
    if (e->kind == EV_FAULT)
        fault_detail(e, buffer, bytes);
    else if (e->kind == EV_IO || e->kind == EV_MMIO)
        access_detail(e, buffer, bytes);
    else if (e->kind == EV_INJECT || e->kind == EV_DELIVER)
        delivery_detail(e, buffer, bytes);
    else if (e->kind == EV_EXIT && e->text)
        vm_exit_detail(e, buffer, bytes);
    else if (e->kind == EV_HYPERCALL)
        hypercall_detail(e, buffer, bytes);
    else
        fields_detail(e, buffer, bytes);
}

void event_row(const struct event *e, char *buffer, size_t bytes)
{
    char number[28], detail[200];
    event_detail(e, detail, sizeof detail);
    snprintf(buffer, bytes, "%6llu %13s  %08X  %c %-9s %s",
             (unsigned long long)e->seq, number_text(e->cycles, number), e->eip,
             event_letter(e), event_word(e), detail);
}

/* What the log shows when no filter is set: neither how the VMM keeps its
 * tables, which follows from the rest, nor the exits that another event of the
 * same moment tells more about. */
static const uint32_t consequences =
    1u << EV_FILL | 1u << EV_TABLE | 1u << EV_FLUSH;
static const uint32_t told_twice =
    1u << EXIT_HYPERCALL | 1u << EXIT_PAGE_FAULT | 1u << EXIT_PRIVILEGED |
    1u << EXIT_PATCHED | 1u << EXIT_IO;

static bool letter_passes(char letter, const char *filter)
{
    return strchr(filter, letter) != NULL;
}

bool event_passes(const struct event *e, const char *filter)
{
    if (e->kind >= EV_COUNT)
        return false;
    if (!filter[0] && e->kind == EV_EXIT)
        return e->cls < EXIT_COUNT && !(told_twice >> e->cls & 1);
    if (!filter[0])
        return !(consequences >> e->kind & 1);
    return letter_passes(event_letter(e), filter);
}

uint32_t event_filter_mask(const char *filter)
{
    uint32_t all = (1u << EV_COUNT) - 1, mask = 0;
    if (!filter[0])
        return all & ~consequences;
    for (unsigned kind = 0; kind < EV_COUNT; kind++) {
        struct event e = {.kind = (uint8_t)kind};
        unsigned classes = kind == EV_FAULT ? FC_COUNT : 1;
        for (unsigned cls = 0; cls < classes; cls++) {
            e.cls = (uint8_t)cls;
            if (letter_passes(event_letter(&e), filter))
                mask |= 1u << kind;
        }
    }
    return mask;
}

unsigned events_filtered(const struct inspection *in, const char *filter,
                         unsigned index[INSPECT_EVENTS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < in->event_count && i < INSPECT_EVENTS; i++)
        if (event_passes(&in->events[i], filter))
            index[count++] = i;
    return count;
}

const char *access_text(unsigned access)
{
    static const char *const text[8] = {
        [0] = "supervisor read",          [ACC_WRITE] = "supervisor write",
        [ACC_USER] = "user read",         [ACC_USER | ACC_WRITE] = "user write",
        [ACC_FETCH] = "supervisor fetch", [ACC_FETCH | ACC_USER] = "user fetch",
    };
    return access < 8 && text[access] ? text[access] : "access";
}

const char *number_text(uint64_t value, char buffer[28])
{
    char digits[24];
    int length =
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *out = buffer;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return buffer;
}

void entry_text(uint64_t entry, char *buffer, size_t bytes)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } bits[] = {
        {PTE_P, "P"},   {PTE_W, "W"},     {PTE_U, "U"}, {PTE_A, "A"},
        {PTE_D, "D"},   {PTE_PS, "PS"},   {PTE_G, "G"}, {PTE_PWT, "PWT"},
        {PTE_NX, "NX"}, {PTE_PCD, "PCD"},
    };
    size_t used = 0;
    buffer[0] = '\0';
    if (!(entry & PTE_P)) {
        snprintf(buffer, bytes, "not present");
        return;
    }
    for (unsigned i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (entry & bits[i].bit && used < bytes)
            used += (size_t)snprintf(buffer + used, bytes - used, "%s%s",
                                     used ? " " : "", bits[i].name);
}
