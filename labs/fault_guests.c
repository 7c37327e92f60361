/* SPDX-License-Identifier: MIT */
/* labs/fault_guests.c - the page faults of a guest that really runs.
 *
 * The monitor handles every fault as it always does; the student's code is
 * asked about the same one. Whatever lies behind the guest-physical address (a
 * frame, a watched table, a device), the question is only what the guest's own
 * tables say, so every class but "true" is to be filled. Faults with the
 * guest's paging off are not asked about: there are no tables.
 *
 * The monitor has set the guest's accessed and dirty bits by then.
 */
#include "labs/fault_lab.h"

#include <stdlib.h>
#include <string.h>

enum { MEMORY_MIB = 64 }; /* as umbra step: its events have the same numbers */

#define CYCLES_MOST 4000000000ull

struct watch {
    const struct lab_run *run;
    const struct fault_guest *guest;
    struct lab_outcome *outcome;
    struct vm *vm;
    struct trace_sink sink;
    struct event fault; /* the latest */
    struct fault_counts count;
    volatile bool over; /* a difference, or no answer */
};

static void on_event(void *ctx, const struct event *e)
{
    struct watch *w = ctx;
    if (e->kind == EV_FAULT)
        w->fault = *e;
}

static uint32_t read_guest(void *ctx, uint32_t gpa)
{
    struct watch *w = ctx;
    uint32_t value;
    return vm_read_physical(w->vm, GPA(gpa), &value, sizeof value) ? value
                                                                   : UINT32_MAX;
}

/* Which event it was, and how to see it. */
static void show_event(struct watch *w)
{
    const struct fault_guest *g = w->guest;
    const struct event *e = &w->fault;
    struct lab_outcome *o = w->outcome;
    uint32_t offset = 0;
    const char *symbol = vm_symbol(w->vm, e->eip, &offset);
    const char *class = fault_class_name((enum fault_class)e->cls);
    unsigned long long seq = e->seq, cycles = e->cycles;
    char place[80] = "";

    if (symbol)
        snprintf(place, sizeof place, "%s+0x%x", symbol, offset);
    lab_line(o, "event", "#%llu at cycle %llu, EIP 0x%08x%s%s%s, class %s", seq,
             cycles, e->eip, symbol ? " (" : "", place, symbol ? ")" : "",
             class);
    lab_line(o, "look", "umbra step --cpu %s --mmu %s --append '%s' %s",
             cpu_technique_name(g->cpu), g->mmu->name, g->append, g->kernel);
    lab_line(o, "", "and there  :goto #%llu", seq);
    lab_field(o, "event", true, "%llu", seq);
    lab_field(o, "cycle", true, "%llu", cycles);
    lab_field(o, "eip", false, "0x%08x", e->eip);
    if (symbol)
        lab_field(o, "symbol", false, "%s", place);
    lab_field(o, "class", false, "%s", class);
    lab_field(o, "look", false,
              "umbra step --cpu %s --mmu %s --append '%s' %s; :goto #%llu",
              cpu_technique_name(g->cpu), g->mmu->name, g->append, g->kernel,
              seq);
}

static void on_fault(void *ctx, uint32_t linear, uint32_t error,
                     const struct mmu_result *result)
{
    struct watch *w = ctx;
    struct cpu_state state;
    char where[40];

    if (w->over || !walk_paged(&result->walk))
        return;
    vm_guest_state(w->vm, &state);
    const struct fault_case c = {
        .address = linear,
        .real_error = error,
        .cr3 = state.cr3,
        .write = (error & PF_WRITE) != 0,
        .user = (error & PF_USER) != 0,
        .write_protect = (state.cr0 & CR0_WP) != 0,
        .large_pages = (state.cr4 & CR4_PSE) != 0,
        .walk = &result->walk,
    };
    snprintf(where, sizeof where, "event #%llu",
             (unsigned long long)w->fault.seq);
    if (fault_ask(w->run, &c, where, read_guest, w, w->outcome)) {
        w->count.hidden += result->walk.allowed;
        w->count.reflected += !result->walk.allowed;
        return;
    }
    show_event(w);
    w->over = true;
}

/* ---- The run ------------------------------------------------------------- */

static void ignore_output(void *ctx, uint8_t byte)
{
    (void)ctx;
    (void)byte;
}

/* Nobody types; but that there is somebody who could is as in umbra step. */
static int no_input(void *ctx)
{
    (void)ctx;
    return -1;
}

static void judge(struct watch *w, const struct lab_test *test,
                  enum vm_stop stop)
{
    if (w->over)
        return;
    if (stop == VM_DEBUG_EXIT || stop == VM_POWER_OFF) {
        fault_passed(test, &w->count, w->outcome);
        return;
    }
    w->outcome->status = LAB_ERROR;
    lab_say(w->outcome, "the guest did not come to its end: %.120s",
            stop == VM_RUNNING ? "it takes too long" : vm_report(w->vm));
}

static void run_guest(struct watch *w, const struct lab_test *test,
                      const struct blob *kernel)
{
    const struct fault_guest *g = w->guest;
    const struct vm_config config = {
        .cpu = g->cpu,
        .mmu = g->mmu,
        .memory_bytes = (uint64_t)MEMORY_MIB << 20,
        .kernel = *kernel,
        .append = g->append,
        .serial_output = ignore_output,
        .serial_input = no_input,
    };
    const struct vm_limit limit = {.cycles = CYCLES_MOST,
                                   .interrupted = &w->over};
    char *error = NULL;
    int status;
    enum vm_stop stop = VM_RUNNING;

    w->vm = vm_create(&config, &error, &status);
    if (!w->vm) {
        w->outcome->status = LAB_ERROR;
        lab_say(w->outcome, "%s", error ? error : "out of memory");
        free(error);
        return;
    }
    w->sink = (struct trace_sink){.event = on_event, .ctx = w};
    trace_attach(vm_trace(w->vm), &w->sink);
    vm_observe_faults(w->vm, on_fault, w);
    while (stop == VM_RUNNING && !w->over && vm_cycles(w->vm) < CYCLES_MOST)
        stop = vm_run(w->vm, &limit);
    judge(w, test, stop);
    trace_detach(vm_trace(w->vm), &w->sink);
    vm_destroy(w->vm);
}

void fault_test_guest(const struct lab_run *run, const struct lab_test *test,
                      struct lab_outcome *outcome)
{
    struct watch w = {.run = run, .guest = test->data, .outcome = outcome};
    struct blob kernel;
    void *data = NULL;

    if (!run->host->guest("umbra lab", w.guest->kernel, &kernel, &data)) {
        outcome->status = LAB_ERROR;
        lab_say(outcome, "no guest %s in this program", w.guest->kernel);
        return;
    }
    run_guest(&w, test, &kernel);
    free(data);
}
