/* SPDX-License-Identifier: MIT */
/* vmm/inspect.c - taking a picture of a guest. */
#include "vmm/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/inspect_parts.h"
#include "vmm/vm_priv.h"

enum { KEPT_EVENTS = 256, TAB_COLUMNS = 8 };

struct inspector {
    struct vm *vm; /* NULL in a copy */
    struct trace_sink sink;
    struct event events[KEPT_EVENTS]; /* a ring */
    uint64_t event_total;
    bool has_fault;
    struct event last_fault;
    uint32_t fault_gva, fault_error;

    /* The lines of a terminal that only knows how to go down. */
    char console[INSPECT_CONSOLE_ROWS][INSPECT_CONSOLE_COLUMNS + 1];
    unsigned row, column, rows; /* row: where the next character goes */
    unsigned escape; /* inside an escape sequence, which is left out */

    struct cpu_state before; /* the guest's when it last stood elsewhere */
    struct cpu_state now;
    uint64_t now_cycles;
    bool has_before, has_now;
};

static void keep_event(void *ctx, const struct event *e)
{
    struct inspector *i = ctx;
    bool bare_fault = e->kind == EV_DELIVER && e->arg[0] == VEC_PF;

    i->events[i->event_total++ % KEPT_EVENTS] = *e;
    if (e->kind != EV_FAULT && !bare_fault)
        return;
    i->has_fault = true;
    i->last_fault = *e;
    /* Which arg is what: trace/describe.c. */
    i->fault_gva = bare_fault ? e->arg[2] : e->arg[0];
    i->fault_error = bare_fault ? e->arg[1] : e->arg[3];
}

struct inspector *inspector_create(struct vm *vm)
{
    struct inspector *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->vm = vm;
    i->sink = (struct trace_sink){.event = keep_event, .ctx = i};
    trace_attach(vm_trace(vm), &i->sink);
    return i;
}

void inspector_destroy(struct inspector *i)
{
    if (i && i->vm)
        trace_detach(vm_trace(i->vm), &i->sink);
    free(i);
}

struct inspector *inspector_copy(const struct inspector *i)
{
    struct inspector *copy = malloc(sizeof *copy);
    if (copy) {
        *copy = *i;
        copy->vm = NULL;
    }
    return copy;
}

void inspector_return(struct inspector *i, const struct inspector *copy)
{
    struct vm *vm = i->vm;
    struct trace_sink sink = i->sink;
    *i = *copy;
    i->vm = vm;
    i->sink = sink;
}

size_t inspector_events(const struct inspector *i, struct event *out, size_t n)
{
    uint64_t kept = i->event_total < KEPT_EVENTS ? i->event_total : KEPT_EVENTS;
    if (n > kept)
        n = (size_t)kept;
    for (size_t k = 0; k < n; k++)
        out[k] = i->events[(i->event_total - n + k) % KEPT_EVENTS];
    return n;
}

bool inspector_find(const struct inspector *i, const char *name,
                    uint32_t *address)
{
    return i->vm && i->vm->symbols &&
           symbols_address(i->vm->symbols, name, address);
}

/* ---- The console ----------------------------------------------------------*/

static void console_new_line(struct inspector *i)
{
    i->column = 0;
    i->row++;
    if (i->row == INSPECT_CONSOLE_ROWS) {
        memmove(i->console[0], i->console[1],
                sizeof i->console - sizeof i->console[0]);
        i->row--;
    }
    memset(i->console[i->row], 0, sizeof i->console[i->row]);
    if (i->rows < i->row + 1)
        i->rows = i->row + 1;
}

static void console_character(struct inspector *i, char c)
{
    if (i->column == INSPECT_CONSOLE_COLUMNS)
        console_new_line(i);
    char *line = i->console[i->row];
    for (unsigned k = 0; k < i->column; k++)
        if (!line[k])
            line[k] = ' ';
    line[i->column++] = c;
    if (i->rows == 0)
        i->rows = 1;
}

/* ESC alone is 1, inside "ESC [" is 2. True: the byte was part of one. */
static bool console_escape(struct inspector *i, uint8_t byte)
{
    if (i->escape == 0 && byte != 0x1B)
        return false;
    if (i->escape == 0 || byte == 0x1B)
        i->escape = 1;
    else if (i->escape == 1)
        i->escape = byte == '[' ? 2 : 0;
    else if (byte >= 0x40 && byte <= 0x7E)
        i->escape = 0;
    return true;
}

void inspector_console(struct inspector *i, uint8_t byte)
{
    if (console_escape(i, byte))
        return;
    switch (byte) {
    case '\n': console_new_line(i); break;
    case '\r': i->column = 0; break;
    case '\b':
        if (i->column > 0)
            i->column--;
        break;
    case '\t':
        do
            console_character(i, ' ');
        while (i->column % TAB_COLUMNS != 0);
        break;
    default:
        if (byte >= ' ')
            console_character(i, byte < 0x7F ? (char)byte : '?');
    }
}

/* ---- The picture ----------------------------------------------------------*/

static void take_processors(struct inspector *i, struct inspection *out)
{
    vm_guest_state(i->vm, &out->guest);
    vm_real_state(i->vm, &out->real);
    /* "Before" is the last moment that was another one. */
    if (!i->has_now || i->now_cycles != out->cycles ||
        memcmp(&i->now, &out->guest, sizeof i->now) != 0) {
        i->has_before = i->has_now;
        i->before = i->now;
        i->now = out->guest;
        i->now_cycles = out->cycles;
        i->has_now = true;
    }
    out->before = i->before;
    out->has_before = i->has_before;
}

static void take_place(struct vm *vm, struct inspection *out)
{
    const struct cpu_state *g = &out->guest;
    uint32_t offset = 0;
    const char *symbol = vm_symbol(vm, g->seg[SEG_CS].base + g->eip, &offset);
    if (!symbol)
        return;
    if (offset)
        snprintf(out->place, sizeof out->place, "%.50s+0x%X", symbol, offset);
    else
        snprintf(out->place, sizeof out->place, "%.60s", symbol);
}

static void take_stack(struct vm *vm, struct inspection *out)
{
    const struct segment *ss = &out->guest.seg[SEG_SS];
    uint32_t esp = out->guest.gpr[GPR_ESP];
    if (!(ss->attr & SEG_D))
        esp &= 0xFFFF;
    size_t bytes = vm_peek(vm, ss->base + esp, out->stack, sizeof out->stack);
    out->stack_count = (unsigned)(bytes / sizeof out->stack[0]);
}

static void choose_address(const struct inspector *i,
                           const struct inspect_request *request,
                           struct inspection *out)
{
    unsigned user = out->guest.cpl == 3 ? ACC_USER : 0;
    if (request && request->has_gva) {
        out->gva = request->gva;
        out->access = request->access;
    } else if (i->has_fault) {
        out->gva = i->fault_gva;
        out->access = (i->fault_error & PF_WRITE ? ACC_WRITE : 0u) |
                      (i->fault_error & PF_USER ? ACC_USER : 0u) |
                      (i->fault_error & PF_FETCH ? ACC_FETCH : 0u);
    } else {
        out->gva = out->guest.seg[SEG_CS].base + out->guest.eip;
        out->access = user | ACC_FETCH;
    }
}

static void take_translation(const struct inspector *i, struct inspection *out)
{
    struct mmu *mmu = vm_mmu(i->vm);
    if (mmu) {
        mmu_inspect(mmu, out->gva, out->access, &out->view);
        return;
    }
    inspect_bare_walk(i->vm, &out->guest, out->gva, out->access, &out->view);
    out->view.pmap = PMAP_RAM;
    out->view.root = MA(out->guest.cr3);
    out->view.ma = MA(out->view.walk.address);
    out->view.would = FC_COUNT;
}

void inspector_take(struct inspector *i, const struct inspect_request *request,
                    struct inspection *out)
{
    const struct vm_config *config = vm_configuration(i->vm);
    const struct trace *trace = vm_trace(i->vm);

    memset(out, 0, sizeof *out);
    out->seq = trace->seq;
    out->cycles = vm_cycles(i->vm);
    out->count = trace->count;
    out->cpu = cpu_technique_name(config->cpu);
    out->mmu =
        config->cpu == CPU_BARE || !config->mmu ? "-" : config->mmu->name;
    snprintf(out->guest_name, sizeof out->guest_name, "%s",
             config->kernel.name ? config->kernel.name : "");
    out->event_count =
        (unsigned)inspector_events(i, out->events, INSPECT_EVENTS);
    out->has_fault = i->has_fault;
    out->last_fault = i->last_fault;
    take_processors(i, out);
    take_place(i->vm, out);
    take_stack(i->vm, out);
    struct insn insn = inspect_code(i->vm, out);
    inspect_why(&insn, config->cpu, out);
    inspect_bt_cached(i->vm, out);
    choose_address(i, request, out);
    take_translation(i, out);
    memcpy(out->console, i->console, sizeof out->console);
    out->console_rows = i->rows;
    vm_text_screen(i->vm, &out->vga);
}
