/* SPDX-License-Identifier: MIT */
/* vmm/vm.c - a guest and its machine: create, run, stop. */
#include "cpu/ept.h"
#include "shadowmmu/nested.h"
#include "vmm/vm_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/emit.h"
#include "traps/bt.h"
#include "traps/pv_abi.h"
#include "vmm/firmware.h"

enum {
    STATUS_USAGE = 2,
    STATUS_TRIPLE_FAULT = 4,
    STATUS_INTERNAL = 70,
    MEMORY_MIN = 1 << 20,
};
#define MEMORY_MAX (3ull << 30)

void vm_finish(struct vm *vm, enum vm_stop stop, int status)
{
    if (vm->stop != VM_RUNNING)
        return;
    vm->stop = stop;
    vm->status = status;
    if (vm->machine)
        machine_stop(vm->machine);
}

void vm_say(struct vm *vm, const char *format, ...)
{
    char *line = NULL, *all = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&line, format, args);
    va_end(args);
    if (n < 0)
        return;
    if (asprintf(&all, "%s%s\n", vm->report ? vm->report : "", line) >= 0) {
        free(vm->report);
        vm->report = all;
    }
    free(line);
}

/* ---- the platform's wires ------------------------------------------------ */

static struct event_site site_of(struct vm *vm)
{
    struct cpu_state s;

    vm_guest_state(vm, &s);
    return (struct event_site){s.eip, s.cpl};
}

static uint64_t now_ns(void *ctx)
{
    return machine_now(((struct vm *)ctx)->machine);
}

static void wait_ns(void *ctx, uint64_t ns)
{
    struct machine *machine = ((struct vm *)ctx)->machine;

    machine_skip_to(machine, machine_now(machine) + ns);
}

static void set_deadline(struct vm *vm)
{
    uint64_t at = bus_deadline(pc_bus(vm->pc));

    if (vm->input.waiting && vm->input.next < at)
        at = vm->input.next;
    if (vm->next_scan < at)
        at = vm->next_scan;
    if (vm->limit && vm->limit->cycles && vm->limit->cycles < at)
        at = vm->limit->cycles;
    machine_set_deadline(vm->machine, at);
}

static void deadline_changed(void *ctx)
{
    struct vm *vm = ctx;

    if (vm->pc)
        set_deadline(vm);
}

static void unclaimed(void *ctx, bool port, uint64_t address, unsigned size,
                      bool write, uint32_t value)
{
    struct vm *vm = ctx;

    vm->trace.count.unclaimed++;
    if (!port && write && address >= vm->config.memory_bytes &&
        address < MEMORY_MAX && vm->beyond.writes++ == 0)
        vm->beyond.first = (uint32_t)address;
    trace_unclaimed(&vm->trace, site_of(vm), (uint32_t)address, size, value,
                    write, !port);
}

static void serial_output(void *ctx, uint8_t byte)
{
    struct vm *vm = ctx;

    if (vm->config.serial_output)
        vm->config.serial_output(vm->config.ctx, byte);
}

static void irq_changed(void *ctx)
{
    struct vm *vm = ctx;

    if (!vm->pc)
        return;
    if (pc_nmi_take(vm->pc)) {
        if (vm->monitor)
            monitor_raise_nmi(vm->monitor);
        else
            machine_raise_nmi(vm->machine);
    }
    if (vm->monitor)
        monitor_intr_changed(vm->monitor);
    else
        machine_set_intr(vm->machine, pc_intr(vm->pc));
}

static void platform_stop(void *ctx, enum pc_stop why, uint32_t value)
{
    struct vm *vm = ctx;

    switch (why) {
    case PC_DEBUG_EXIT:
        vm_finish(vm, VM_DEBUG_EXIT, (int)(value << 1 | 1) & 0xFF);
        break;
    case PC_POWER_OFF: vm_finish(vm, VM_POWER_OFF, 0); break;
    case PC_RESET: vm_finish(vm, VM_RESET, 0); break;
    case PC_RUNNING: break;
    }
}

void vm_tick(struct vm *vm)
{
    bus_run_timers(pc_bus(vm->pc));
    vm_offer_input(vm);
    vm_scan_memory(vm);
    if (vm->limit && vm->limit->cycles &&
        machine_now(vm->machine) >= vm->limit->cycles)
        machine_stop(vm->machine);
    if (vm->limit && vm->limit->interrupted && *vm->limit->interrupted)
        machine_stop(vm->machine);
    set_deadline(vm);
}

/* ---- the bare machine's client ------------------------------------------- */

static void bare_attend(void *ctx)
{
    vm_tick(ctx);
}

static int bare_acknowledge(void *ctx)
{
    return pc_intr_ack(((struct vm *)ctx)->pc);
}

static uint32_t port_read(void *ctx, uint16_t port, unsigned size)
{
    struct vm *vm = ctx;
    uint32_t value = bus_port_read(pc_bus(vm->pc), port, size);

    vm->trace.count.io_reads++;
    if (vm->trace.sinks)
        trace_io(&vm->trace, site_of(vm), bus_port_name(pc_bus(vm->pc), port),
                 port, size, value, false);
    else
        vm->trace.seq++;
    return value;
}

static void port_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct vm *vm = ctx;

    vm->trace.count.io_writes++;
    if (vm->trace.sinks)
        trace_io(&vm->trace, site_of(vm), bus_port_name(pc_bus(vm->pc), port),
                 port, size, value, true);
    else
        vm->trace.seq++;
    bus_port_write(pc_bus(vm->pc), port, size, value);
}

static uint32_t mmio_read(void *ctx, ma_t ma, unsigned size)
{
    struct vm *vm = ctx;

    vm->trace.count.mmio_accesses++;
    return bus_memory_read(pc_bus(vm->pc), ma.v, size);
}

static void mmio_write(void *ctx, ma_t ma, unsigned size, uint32_t value)
{
    struct vm *vm = ctx;

    vm->trace.count.mmio_accesses++;
    bus_memory_write(pc_bus(vm->pc), ma.v, size, value);
}

static uint64_t apicbase(void *ctx)
{
    return pc_apicbase(((struct vm *)ctx)->pc);
}

static bool set_apicbase(void *ctx, uint64_t value)
{
    return pc_set_apicbase(((struct vm *)ctx)->pc, value);
}

/* ---- creation ------------------------------------------------------------ */

bool vm_write_physical(struct vm *vm, uint64_t gpa, const void *data,
                       uint64_t bytes)
{
    const struct memory *memory = machine_memory(vm->machine);

    if (vm->pmap)
        return pmap_write(vm->pmap, GPA(gpa), data, bytes);
    if (!memory_has(memory, MA(gpa), bytes))
        return false;
    memcpy(memory_at(memory, MA(gpa)), data, bytes);
    machine_memory_written(vm->machine, MA(gpa), bytes);
    return true;
}

static bool load_write(void *ctx, uint64_t gpa, const void *data,
                       uint64_t bytes)
{
    return vm_write_physical(ctx, gpa, data, bytes);
}

/* What the tables of a guest under direct paging hold. */
static uint64_t load_machine(void *ctx, uint64_t gpa)
{
    ma_t ma = MA(0);

    pmap_lookup(((struct vm *)ctx)->pmap, GPA(gpa), &ma);
    return ma.v;
}

/* What a device reads of the guest's page tables. */
static bool read_entry(void *ctx, uint64_t address, unsigned bytes,
                       uint64_t *entry, unsigned *references)
{
    struct vm *vm = ctx;

    if (vm->monitor)
        *references +=
            nested_references(monitor_mmu(vm->monitor), GPA(address));
    *entry = 0;
    return vm_read_physical(vm, GPA(address), entry, bytes);
}

static bool create_platform(struct vm *vm, char **error)
{
    const struct vm_config *c = &vm->config;
    struct pc_config platform = {
        .memory_bytes = c->memory_bytes,
        .testdev = c->testdev,
        .walker = c->walker,
        .memory = {read_entry, vm},
        .disks = c->disks,
        .disk_count = c->disk_count,
        .diskette = c->diskette,
        .serial_output = serial_output,
        .irq_changed = irq_changed,
        .stop = platform_stop,
        .ctx = vm,
    };
    struct pc_balloon balloon = vm_balloon;
    struct bus_owner owner = {now_ns, wait_ns, deadline_changed, unclaimed, vm};

    balloon.ctx = vm;
    if (vm->monitor && (c->balloon_bytes || c->balloon_auto))
        platform.balloon = &balloon;
    vm->pc = pc_create(&platform, &owner, error);
    return vm->pc != NULL;
}

static bool create_machine(struct vm *vm, char **error)
{
    struct machine_config config = {
        .memory_bytes = vm->config.memory_bytes,
        .client =
            {
                .attend = bare_attend,
                .acknowledge = bare_acknowledge,
                .port_read = port_read,
                .port_write = port_write,
                .mmio_read = mmio_read,
                .mmio_write = mmio_write,
                .apicbase = apicbase,
                .set_apicbase = set_apicbase,
                .owner = vm,
                .ctx = vm,
            },
        .trace = &vm->trace,
        .plain_clock = vm->config.plain_clock,
        .tlb_entries = vm->config.tlb_entries,
        .tlb_ways = vm->config.tlb_ways,
    };

    if (vm->config.cpu != CPU_BARE) {
        config.memory_bytes = vm_machine_bytes(&vm->config);
        vm->monitor = monitor_new(&config.client, error);
        if (!vm->monitor)
            return false;
    }
    vm->machine = machine_create(&config, error);
    if (vm->machine)
        trace_init(&vm->trace, machine_clock(vm->machine));
    return vm->machine != NULL;
}

static void monitor_ticks(void *ctx)
{
    vm_tick(ctx);
}

static void monitor_stops(void *ctx, enum monitor_stop why)
{
    struct vm *vm = ctx;

    switch (why) {
    case MONITOR_TRIPLE_FAULT:
        vm_finish(vm, VM_TRIPLE_FAULT, STATUS_TRIPLE_FAULT);
        break;
    case MONITOR_UNSUPPORTED:
        vm_finish(vm, VM_UNSUPPORTED, STATUS_USAGE);
        break;
    case MONITOR_NO_MEMORY:
    case MONITOR_BROKEN: vm_finish(vm, VM_INTERNAL, STATUS_INTERNAL); break;
    }
}

/* For every technique but bare. */
static bool create_monitor(struct vm *vm, char **error)
{
    struct monitor_config config;

    config = (struct monitor_config){
        .machine = vm->machine,
        .trace = &vm->trace,
        .pc = vm->pc,
        .pmap = vm->pmap,
        .frames = vm->frames,
        .technique = cpu_technique_monitor(vm->config.cpu),
        .mmu = vm->config.mmu,
        .table_limit_bytes = vm->config.table_limit_bytes,
        .mmu_without = vm->config.mmu_without,
        .nested_levels = vm->config.nested_levels ? vm->config.nested_levels
                                                  : EPT_LEVELS_MOST,
        .iopl1 = vm->config.iopl1,
        .audit = vm->config.audit,
        .tick = monitor_ticks,
        .stop = monitor_stops,
        .ctx = vm,
    };
    if (!monitor_start(vm->monitor, &config, error))
        return false;
    if (vm->config.cpu == CPU_BT) {
        const struct bt_config bt = {.off = vm->config.bt_without,
                                     .unit_limit = vm->config.bt_unit,
                                     .cache_bytes = vm->config.bt_cache_bytes};

        bt_configure(vm->monitor, &bt);
    }
    return true;
}

/* The entry point is physical; the scanner wants it as linked. */
static uint32_t linked_entry(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->image.range_count; i++) {
        const struct load_range *r = &vm->image.range[i];

        if (vm->image.entry - r->gpa < r->size)
            return vm->image.entry - r->gpa + r->linear;
    }
    return vm->image.entry;
}

static void translate_ahead(struct vm *vm)
{
    struct monitor_code code[LOAD_RANGES];
    unsigned n = 0;

    for (unsigned i = 0; i < vm->image.range_count; i++)
        if (vm->image.range[i].executable)
            code[n++] = (struct monitor_code){vm->image.range[i].linear,
                                              vm->image.range[i].gpa,
                                              vm->image.range[i].size};
    {
        size_t count = symbols_count(vm->symbols), starts = 0;
        uint32_t *start = calloc(count + 1, sizeof *start);

        for (size_t i = 0; start && i < count; i++) {
            const struct symbol *s = symbols_at(vm->symbols, i);
            if (s->code)
                start[starts++] = s->address;
        }
        monitor_patch(vm->monitor, code, n, start, starts, linked_entry(vm));
        free(start);
    }
}

/* A paravirtual kernel runs under its own technique and no other does. */
static bool check_kind(const struct vm *vm, char **error)
{
    const char *kind = load_kind(&vm->config.kernel);
    const char *name = vm->config.kernel.name;
    bool paravirtual = kind && strcmp(kind, "pv") == 0;

    if (paravirtual == (vm->config.cpu == CPU_PV) || !kind)
        return true;
    if (asprintf(error,
                 paravirtual
                     ? "%s: a paravirtual kernel: it needs --cpu pv"
                     : "%s: not a paravirtual kernel (no \"" PV_NOTE_OWNER
                       "\" note): --cpu pv runs ported kernels, such as "
                       "@lumen-pv",
                 name ? name : "kernel") < 0)
        *error = NULL;
    return false;
}

/* For want of machine memory, maybe: then that is what to say. */
static bool loading_failed(const struct vm *vm, char **error)
{
    char *trouble = NULL;

    if (vm->stop == VM_NO_MEMORY &&
        asprintf(&trouble, "the guest cannot be loaded: %s",
                 pmap_trouble(vm->pmap)) >= 0) {
        free(*error);
        *error = trouble;
    }
    return false;
}

static bool load(struct vm *vm, char **error)
{
    struct load_memory memory = {
        .write = load_write, .ctx = vm, .ram_bytes = vm->config.memory_bytes};
    struct load_request request = {vm->config.kernel, vm->config.append,
                                   vm->config.initrd, vm->config.initrd_count};

    if (vm->monitor && vm->config.mmu == &mmu_direct) {
        memory.machine = load_machine;
        memory.machine_bytes = machine_memory(vm->machine)->bytes;
    }
    if (!check_kind(vm, error))
        return false;
    if (vm->config.cpu != CPU_PV &&
        !firmware_install(&memory, (unsigned)vm->config.disk_count,
                          vm->config.diskette)) {
        if (asprintf(error, "not enough memory for a PC's low 1 MiB") < 0)
            *error = NULL;
        return false;
    }
    if (!load_guest(&request, &memory, &vm->image, error))
        return loading_failed(vm, error);
    vm->symbols = symbols_load(vm->config.kernel);
    if (vm->monitor) {
        if (vm->config.cpu == CPU_BT_STATIC)
            translate_ahead(vm);
        monitor_enter(vm->monitor, &vm->image.state);
    } else {
        machine_set_state(vm->machine, &vm->image.state);
    }
    return true;
}

struct vm *vm_create(const struct vm_config *config, char **error, int *status)
{
    struct vm *vm = calloc(1, sizeof *vm);

    *error = NULL;
    *status = STATUS_INTERNAL;
    if (!vm)
        return NULL;
    vm->config = *config;
    vm->next_scan = DEVICE_NEVER;
    vm->input.kept = -1;
    trace_init(&vm->trace, NULL);
    if (config->memory_bytes < MEMORY_MIN ||
        config->memory_bytes > MEMORY_MAX ||
        config->memory_bytes % PAGE_BYTES) {
        *status = STATUS_USAGE;
        if (asprintf(error, "guest memory must be 1 to 3072 MiB") < 0)
            *error = NULL;
        goto fail;
    }
    if (!create_machine(vm, error))
        goto fail;
    if (vm->monitor && !vm_create_memory(vm, error, status))
        goto fail;
    *status = STATUS_USAGE; /* from here on: files that cannot be used */
    if (!create_platform(vm, error))
        goto fail;
    if (vm->monitor && !create_monitor(vm, error))
        goto fail;
    if (!load(vm, error))
        goto fail;
    if (vm->stop != VM_RUNNING) /* where it was to begin */
        vm_write_report(vm);
    vm_tick(vm);
    return vm;

fail:
    vm_destroy(vm);
    return NULL;
}

void vm_destroy(struct vm *vm)
{
    if (!vm)
        return;
    monitor_destroy(vm->monitor);
    vm_destroy_memory(vm);
    pc_destroy(vm->pc);
    symbols_free(vm->symbols);
    machine_destroy(vm->machine);
    free(vm->report);
    free(vm);
}

/* ---- running --------------------------------------------------------------
 */

/* HLT: let virtual time pass until something happens. */
static void idle(struct vm *vm)
{
    uint64_t now = machine_now(vm->machine), at;
    struct cpu_state s;

    vm_guest_state(vm, &s);
    if (!(s.eflags & EFL_IF)) {
        vm_finish(vm, VM_DEAD, STATUS_TRIPLE_FAULT);
        return;
    }
    at = bus_deadline(pc_bus(vm->pc));
    if (vm->input.waiting && vm->input.next < at)
        at = vm->input.next;
    if (vm->limit && vm->limit->cycles && vm->limit->cycles < at)
        at = vm->limit->cycles;
    if (at == DEVICE_NEVER) {
        vm_finish(vm, VM_DEAD, STATUS_TRIPLE_FAULT);
        return;
    }
    if (vm->next_scan < at)
        at = vm->next_scan;
    if (vm->config.idle && at > now)
        vm->config.idle(vm->config.ctx, at - now);
    machine_skip_to(vm->machine, at);
    machine_attend(vm->machine);
}

static bool limited(struct vm *vm, uint64_t seq_before)
{
    const struct vm_limit *l = vm->limit;

    (void)seq_before;
    if (!l)
        return false;
    if (l->cycles && machine_now(vm->machine) >= l->cycles)
        return true;
    if (l->events && vm->trace.seq >= l->events)
        return true;
    return l->interrupted && *l->interrupted;
}

/* Stops the machine after an event that the limit names. */
struct event_limit {
    struct trace_sink sink;
    struct vm *vm;
    bool hit;
};

static void limit_event(void *ctx, const struct event *e)
{
    struct event_limit *l = ctx;

    if ((l->vm->limit->event_mask >> e->kind & 1) ||
        (l->vm->limit->events && e->seq >= l->vm->limit->events)) {
        l->hit = true;
        machine_stop(l->vm->machine);
    }
}

static void machine_ended(struct vm *vm, enum machine_stop why)
{
    switch (why) {
    case MACHINE_TRIPLE_FAULT:
        vm_finish(vm, VM_TRIPLE_FAULT, STATUS_TRIPLE_FAULT);
        break;
    case MACHINE_BROKEN: vm_finish(vm, VM_INTERNAL, STATUS_INTERNAL); break;
    case MACHINE_HALTED: idle(vm); break;
    case MACHINE_STOPPED:
    case MACHINE_STEPPED:
    case MACHINE_FAULTED: break;
    }
}

/* The processor's instructions that one of the guest's may become, with the
 * monitor's work between them. */
enum { STEPS_MOST = 4096 };

/* One instruction of the guest: it retired, or an event was delivered in its
 * place. */
static enum machine_stop step_guest(struct vm *vm)
{
    uint64_t start = machine_now(vm->machine);
    struct cpu_state before, now;
    enum machine_stop why;

    vm_guest_state(vm, &before);
    for (unsigned i = 0; i < STEPS_MOST; i++) {
        why = machine_step(vm->machine);
        if ((why != MACHINE_STEPPED && why != MACHINE_FAULTED) ||
            vm->stop != VM_RUNNING)
            break;
        if (!monitor_between(vm->monitor))
            continue;
        vm_guest_state(vm, &now);
        if (machine_now(vm->machine) != start || now.eip != before.eip)
            break;
    }
    return why;
}

enum vm_stop vm_run(struct vm *vm, const struct vm_limit *limit)
{
    uint64_t before = vm->trace.seq;
    struct event_limit events = {.sink = {limit_event, &events, NULL},
                                 .vm = vm};
    bool watch = limit && (limit->event_mask || limit->events);

    if (vm->stop != VM_RUNNING)
        return vm->stop;
    vm->limit = limit;
    machine_set_interrupted(vm->machine, limit ? limit->interrupted : NULL);
    if (watch)
        trace_attach(&vm->trace, &events.sink);
    vm_tick(vm);
    while (vm->stop == VM_RUNNING && !events.hit) {
        if (limit && limit->one_instruction) {
            machine_ended(vm, vm->config.cpu == CPU_BT
                                  ? step_guest(vm)
                                  : machine_step(vm->machine));
            break;
        }
        if (limited(vm, before))
            break;
        machine_ended(vm, machine_run(vm->machine));
    }
    if (watch)
        trace_detach(&vm->trace, &events.sink);
    vm->limit = NULL;
    machine_set_interrupted(vm->machine, NULL);
    if (vm->stop != VM_RUNNING)
        vm_write_report(vm);
    else
        set_deadline(vm);
    return vm->stop;
}
