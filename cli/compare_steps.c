/* SPDX-License-Identifier: MIT */
/* All guests in lock step of guest work.
 *
 * Virtual time counts the guest's instructions, whatever a technique does to
 * get them executed. So at one virtual time guests that run the same kernel
 * must be in the same state, to the instruction, as long as interrupts come at
 * the same instruction. A limit stops a guest between two blocks of code, and
 * an interrupt is taken there: where a technique cuts blocks differently it can
 * come an instruction or two elsewhere, and a guest that looks at the clock in
 * its handler sees that. From there on only results are compared.
 */
#include "cli/cli.h"
#include "cli/compare_pages.h"
#include "cli/compare_vm.h"
#include "cli/progress.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_POINT = 100000, /* cycles; the distance grows with the time */
    POINT_GROWTH = 16,
    MEMORY_EVERY = 4, /* points, because memory takes longer */
};

struct race {
    struct comparison *c;
    const struct run_options *o;
    struct compared_vm vm[COMPARE_MAX];
    struct trace_sink sink[COMPARE_MAX];
    unsigned point;
    double start;
};

/* ---- Progress ------------------------------------------------------------ */

static void say_progress(const struct race *race, size_t index, uint64_t cycles)
{
    size_t running = 0;

    for (size_t i = 0; i < race->c->count; i++)
        running += race->c->outcome[i].stop == VM_RUNNING;
    progress_say("%s to %.4g million cycles, %zu of %zu running, %.0f s",
                 race->c->technique[index].name, (double)cycles / 1e6, running,
                 race->c->count, cli_seconds() - race->start);
}

/* ---- What is noted ------------------------------------------------------- */

static void merge_buckets(struct switches *s)
{
    for (size_t i = 0; i < SWITCH_BUCKETS / 2; i++)
        for (unsigned k = 0; k < FC_COUNT; k++)
            s->faults[i][k] = s->faults[2 * i][k] + s->faults[2 * i + 1][k];
    memset(s->faults[SWITCH_BUCKETS / 2], 0, sizeof s->faults / 2);
    s->count = (s->count + 1) / 2;
    s->shift++;
}

static void note_fault(void *ctx, const struct event *e)
{
    struct compared_vm *v = ctx;
    struct switches *s = &v->r->switches;
    uint64_t loads = vm_trace(v->vm)->count.cr3_writes;

    if (e->kind != EV_FAULT || e->cls >= FC_COUNT)
        return;
    compare_note_space(v, loads);
    while (loads >> s->shift >= SWITCH_BUCKETS)
        merge_buckets(s);
    s->faults[loads >> s->shift][e->cls]++;
    if (s->count <= loads >> s->shift)
        s->count = (size_t)(loads >> s->shift) + 1;
}

static uint64_t sum(const uint64_t *list, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += list[i];
    return total;
}

static void take_sample(struct compared_vm *v, bool pages)
{
    struct outcome *r = v->r;
    const struct counters *count = &vm_trace(v->vm)->count;
    struct sample *s;

    if (r->sample_count == r->sample_room) {
        size_t room = r->sample_room ? 2 * r->sample_room : 64;
        struct sample *grown = realloc(r->samples, room * sizeof *grown);

        if (!grown)
            return; /* the curve has a gap */
        r->samples = grown;
        r->sample_room = room;
    }
    s = &r->samples[r->sample_count++];
    *s = (struct sample){
        .cycles = vm_cycles(v->vm),
        .exits = sum(count->exits, EXIT_COUNT),
        .cr3_writes = count->cr3_writes,
        .tables = count->mmu_tables,
        .spaces = r->spaces.count,
        .working_set_pages = pages ? compare_accessed_pages(v->vm) : 0,
    };
    memcpy(s->faults, count->page_faults, sizeof s->faults);
}

/* ---- States -------------------------------------------------------------- */

/* A guest of direct paging sees machine addresses in its tables. */
static bool sees_machine(const struct technique *t)
{
    return t->cpu == CPU_PV && strcmp(t->mmu->name, "direct") == 0;
}

static bool same_guest(const struct compared_vm *a, const struct compared_vm *b)
{
    const char *x = a->config.append ? a->config.append : "";
    const char *y = b->config.append ? b->config.append : "";

    return a->config.kernel.data == b->config.kernel.data &&
           strcmp(x, y) == 0 &&
           sees_machine(a->r->technique) == sees_machine(b->r->technique);
}

static void find_peers(struct race *race)
{
    for (size_t i = 0; i < race->c->count; i++) {
        struct state_check *s = &race->c->outcome[i].state;

        s->verdict = STATE_ALONE;
        for (size_t k = 0; k < i && s->verdict == STATE_ALONE; k++)
            if (same_guest(&race->vm[k], &race->vm[i])) {
                s->verdict = STATE_EQUAL;
                s->peer = k;
            }
    }
}

/* Did they end, and not at the same instruction in the same way? */
static bool ended_apart(const struct compared_vm *a,
                        const struct compared_vm *b)
{
    bool running = a->r->stop == VM_RUNNING && b->r->stop == VM_RUNNING;

    return !running &&
           (a->r->stop != b->r->stop || vm_cycles(a->vm) != vm_cycles(b->vm));
}

/* Up to the nearest time that they have in common. False: there is none. */
static bool bring_together(struct compared_vm *a, struct compared_vm *b)
{
    if (a->r->stop == VM_RUNNING && b->r->stop == VM_RUNNING)
        return compared_align(a, b) || ended_apart(a, b);
    return true;
}

static bool same_state(struct compared_vm *a, struct compared_vm *b,
                       bool memory, struct state_difference *d)
{
    if (ended_apart(a, b))
        return false;
    return memory ? state_everything(a->vm, b->vm, d)
                  : state_registers(a->vm, b->vm, d);
}

static void check_state(struct race *race, size_t index, bool memory)
{
    struct state_check *s = &race->c->outcome[index].state;
    struct compared_vm *mine = &race->vm[index], *peer = &race->vm[s->peer];
    struct state_difference d;

    if (s->verdict != STATE_EQUAL || !bring_together(peer, mine))
        return;
    if (!same_state(peer, mine, memory, &d)) {
        s->verdict = STATE_DIFFERS;
        s->different_cycles = vm_cycles(mine->vm) > vm_cycles(peer->vm)
                                  ? vm_cycles(mine->vm)
                                  : vm_cycles(peer->vm);
        return;
    }
    s->points++;
    if (!memory)
        return;
    s->memory_points++;
    s->equal_cycles = vm_cycles(mine->vm);
    for (unsigned i = 0; i < EXCUSES; i++)
        if (d.excused[i] > s->excused[i])
            s->excused[i] = d.excused[i];
}

/* ---- The race ------------------------------------------------------------ */

static uint64_t next_point(uint64_t now)
{
    uint64_t gap = now / POINT_GROWTH;

    return now + (gap > FIRST_POINT ? gap : FIRST_POINT);
}

/* Everybody to the next point. False: nobody ran. */
static bool advance(struct race *race, uint64_t point)
{
    bool ran = false;

    for (size_t i = 0; i < race->c->count && !cli_interrupted; i++) {
        struct compared_vm *v = &race->vm[i];

        if (v->r->stop != VM_RUNNING)
            continue;
        ran = true;
        say_progress(race, i, point);
        if (vm_cycles(v->vm) < point)
            compared_run(v, point);
        take_sample(v, i == 0);
    }
    return ran;
}

static void run_race(struct race *race)
{
    uint64_t most = race->o->max_cycles, point = 0;

    for (race->point = 1; !cli_interrupted; race->point++) {
        bool last = most && point >= most;

        if (last)
            break;
        point = next_point(point);
        if (most && point > most)
            point = most;
        if (!advance(race, point))
            break;
        for (size_t i = 1; i < race->c->count && !cli_interrupted; i++)
            check_state(race, i,
                        race->point % MEMORY_EVERY == 0 || point == most);
    }
    for (size_t i = 1; i < race->c->count && !cli_interrupted; i++)
        check_state(race, i, true);
}

static void keep_results(struct race *race, size_t index)
{
    struct compared_vm *v = &race->vm[index];
    struct outcome *r = v->r;
    const char *report = vm_report(v->vm);

    r->limited = r->limited || r->stop == VM_RUNNING;
    r->status = r->limited ? STATUS_LIMIT : vm_exit_status(v->vm);
    r->count = vm_trace(v->vm)->count;
    r->cycles = vm_cycles(v->vm);
    r->memory_digest = vm_digest(v->vm, false);
    r->state_digest = vm_digest(v->vm, true);
    r->report = strdup(report ? report : "");
    r->disk_differs =
        compared_disks_differ(&race->vm[0], v, &r->disk, &r->disk_offset);
}

static int open_all(struct race *race, const struct guest *guest)
{
    struct comparison *c = race->c;

    for (size_t i = 0; i < c->count; i++) {
        struct compared_vm *v = &race->vm[i];

        c->outcome[i] = (struct outcome){.technique = &c->technique[i]};
        int status =
            compared_open(v, guest, race->o, &c->technique[i], &c->outcome[i]);
        if (status != STATUS_OK)
            return status;
        race->sink[i] = (struct trace_sink){.event = note_fault, .ctx = v};
        trace_attach(vm_trace(v->vm), &race->sink[i]);
    }
    return STATUS_OK;
}

int compare_run(struct comparison *c, const struct guest *guest,
                const struct run_options *o)
{
    static struct race race;

    race = (struct race){.c = c, .o = o, .start = cli_seconds()};
    int status = open_all(&race, guest);
    if (status == STATUS_OK) {
        find_peers(&race);
        signals_insist(true);
        signals_time_limit(o->max_seconds);
        run_race(&race);
        signals_insist(false);
        for (size_t i = 0; i < c->count; i++)
            keep_results(&race, i);
        if (cli_signal)
            status = STATUS_SIGNAL + cli_signal;
    }
    for (size_t i = 0; i < c->count; i++)
        if (race.vm[i].r)
            compared_close(&race.vm[i]);
    return status;
}
