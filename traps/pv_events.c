/* SPDX-License-Identifier: MIT */
/* traps/pv_events.c - events for a paravirtual guest: ports, timer, console,
 * waiting.
 *
 * An event sets a bit in the page that both see. If its port is not masked the
 * upcall becomes pending, and comes when the guest's own mask is clear.
 */
#include "traps/pv.h"

#include <stdlib.h>

/* ---- ports ----------------------------------------------------------------
 */

/* Port p's bits as they stand: tell the guest if it wants to be told. */
static void notice(struct monitor *mon, struct pv_shared_info *shared,
                   unsigned port)
{
    uint32_t word = port / 32, bit = 1u << port % 32;

    if ((shared->port_pending[word] & bit) &&
        !(shared->port_mask[word] & bit)) {
        shared->ports_waiting |= 1u << word;
        shared->upcall_pending = 1;
        machine_set_intr(mon->machine, true); /* looked at more closely there */
    }
}

static void raise_port(struct monitor *mon, unsigned port)
{
    struct pv_shared_info *shared = pv_shared(mon);

    if (!shared)
        return;
    shared->port_pending[port / 32] |= 1u << port % 32;
    notice(mon, shared, port);
    pv_shared_wrote(mon);
}

static unsigned port_of(const struct monitor *mon, unsigned kind)
{
    unsigned port = 1;

    while (port < PV_PORTS && pv_of(mon)->s.port[port] != kind)
        port++;
    return port;
}

void pv_raise_virq(struct monitor *mon, unsigned virq)
{
    unsigned port = port_of(mon, PORT_VIRQ + virq);

    if (port < PV_PORTS)
        raise_port(mon, port);
}

static int32_t bind(struct monitor *mon, unsigned kind)
{
    unsigned port = port_of(mon, PORT_FREE);
    struct pv_shared_info *shared = pv_shared(mon);
    uint32_t word = port / 32, bit = 1u << port % 32;

    if (port == PV_PORTS || !shared)
        return PV_ENOSPC;
    pv_of(mon)->s.port[port] = (uint8_t)kind;
    shared->port_pending[word] &= ~bit;
    shared->port_mask[word] |= bit;
    pv_shared_wrote(mon);
    return (int32_t)port;
}

static int32_t bind_virq(struct monitor *mon, uint32_t virq)
{
    if (virq >= PV_VIRQS)
        return PV_EINVAL;
    if (port_of(mon, PORT_VIRQ + virq) < PV_PORTS)
        return PV_EEXIST;
    return bind(mon, PORT_VIRQ + virq);
}

static void set_mask(struct monitor *mon, unsigned port, bool mask)
{
    struct pv_shared_info *shared = pv_shared(mon);
    uint32_t *word;

    if (!shared)
        return;
    word = &shared->port_mask[port / 32];
    *word = (*word & ~(1u << port % 32)) | (uint32_t)mask << port % 32;
    notice(mon, shared, port);
    pv_shared_wrote(mon);
}

static void close_port(struct monitor *mon, unsigned port)
{
    set_mask(mon, port, true);
    pv_of(mon)->s.port[port] = PORT_FREE;
}

/* Commands about one port that exists. */
static int32_t port_command(struct monitor *mon, uint32_t command,
                            uint32_t port)
{
    unsigned kind;

    if (port == 0 || port >= PV_PORTS)
        return PV_EINVAL;
    kind = pv_of(mon)->s.port[port];
    if (command == PV_EVENT_STATUS)
        return (int32_t)kind;
    if (kind == PORT_FREE)
        return PV_ENOENT;
    switch (command) {
    case PV_EVENT_SEND:
        if (kind != PORT_IPI)
            return PV_EINVAL;
        raise_port(mon, port);
        break;
    case PV_EVENT_UNMASK: set_mask(mon, port, false); break;
    case PV_EVENT_MASK: set_mask(mon, port, true); break;
    case PV_EVENT_CLOSE: close_port(mon, port); break;
    default: return PV_ENOSYS;
    }
    return 0;
}

int32_t pv_event_op(struct monitor *mon, const uint32_t arg[5])
{
    switch (arg[0]) {
    case PV_EVENT_BIND_VIRQ: return bind_virq(mon, arg[1]);
    case PV_EVENT_BIND_IPI: return arg[1] ? PV_EINVAL : bind(mon, PORT_IPI);
    case PV_EVENT_UPCALL: /* every hypercall ends in it */
        return arg[1] ? PV_EINVAL : 0;
    default: return port_command(mon, arg[0], arg[1]);
    }
}

/* ---- timer ------------------------------------------------------------------
 */

/* A clock on the platform's bus, so that it is run and saved like the others.
 */
struct pv_timer {
    struct device dev;
    struct monitor *mon;
};

static void timer_reset(struct device *dev)
{
    device_set_deadline(dev, DEVICE_NEVER);
}

static void timer_due(struct device *dev, uint64_t now_ns)
{
    (void)now_ns;
    device_set_deadline(dev, DEVICE_NEVER);
    pv_raise_virq(((struct pv_timer *)dev)->mon, PV_VIRQ_TIMER);
}

bool pv_timer_create(struct monitor *mon)
{
    static const struct device_ops ops = {
        .name = "pv-timer",
        .cite = "traps/pv_abi.h",
        .reset = timer_reset,
        .timer = timer_due,
    };
    struct pv_timer *timer = calloc(1, sizeof *timer);

    if (!timer)
        return false;
    timer->mon = mon;
    bus_attach(pc_bus(mon->config.pc), &timer->dev, &ops);
    pv_of(mon)->timer = timer;
    return true;
}

int32_t pv_set_timer(struct monitor *mon, const uint32_t arg[5])
{
    uint64_t at = arg[0] | (uint64_t)arg[1] << 32;
    struct device *dev = &pv_of(mon)->timer->dev;

    if (at && at <= machine_now(mon->machine)) {
        device_set_deadline(dev, DEVICE_NEVER);
        pv_raise_virq(mon, PV_VIRQ_TIMER);
        return 0;
    }
    device_set_deadline(dev, at ? at : DEVICE_NEVER);
    return 0;
}

/* ---- console ----------------------------------------------------------------
 */

/* It takes input when somebody is there to hear of it, a byte at a time. */
bool pv_console_ready(const struct monitor *mon)
{
    const struct pv_state *s = &pv_of(mon)->s;

    return s->input_written - s->input_read < PV_INPUT_BYTES &&
           port_of(mon, PORT_VIRQ + PV_VIRQ_CONSOLE) < PV_PORTS;
}

void pv_console_input(struct monitor *mon, uint8_t byte)
{
    struct pv_state *s = &pv_of(mon)->s;

    s->input[s->input_written++ % PV_INPUT_BYTES] = byte;
    pv_raise_virq(mon, PV_VIRQ_CONSOLE);
}

static int32_t console_write(struct monitor *mon, uint32_t linear,
                             uint32_t bytes)
{
    uint8_t buffer[PV_CONSOLE_MAX];

    if (!pv_read(mon, linear, buffer, bytes))
        return PV_EFAULT;
    for (uint32_t i = 0; i < bytes; i++)
        pc_console_output(mon->config.pc, buffer[i]);
    return (int32_t)bytes;
}

/* A byte is taken only when the guest has it. */
static int32_t console_read(struct monitor *mon, uint32_t linear,
                            uint32_t bytes)
{
    struct pv_state *s = &pv_of(mon)->s;
    uint32_t done = 0;

    while (done < bytes && s->input_read != s->input_written) {
        if (!pv_write(mon, linear + done,
                      &s->input[s->input_read % PV_INPUT_BYTES], 1))
            return done ? (int32_t)done : PV_EFAULT;
        s->input_read++;
        done++;
    }
    return (int32_t)done;
}

int32_t pv_console_io(struct monitor *mon, const uint32_t arg[5])
{
    if (arg[2] > PV_CONSOLE_MAX)
        return PV_E2BIG;
    switch (arg[0]) {
    case PV_CONSOLE_WRITE: return console_write(mon, arg[1], arg[2]);
    case PV_CONSOLE_READ: return console_read(mon, arg[1], arg[2]);
    default: return PV_ENOSYS;
    }
}

/* ---- waiting and ending
 * ------------------------------------------------------
 */

static int32_t block(struct monitor *mon)
{
    struct pv_shared_info *shared = pv_shared(mon);

    if (!shared)
        return PV_EINVAL;
    shared->upcall_mask = 0;
    pv_shared_wrote(mon);
    if (shared->upcall_pending)
        return 0; /* comes at once */
    trace_halt(mon->trace, monitor_site(mon), true);
    mon->v.halted = true;
    machine_set_halted(mon->machine, true);
    return 0;
}

static int32_t shut_down(struct monitor *mon, uint32_t reason, uint32_t value)
{
    switch (reason) {
    case PV_SHUTDOWN_POWER_OFF:
        pc_end(mon->config.pc, PC_POWER_OFF, 0);
        return 0;
    case PV_SHUTDOWN_REBOOT: pc_end(mon->config.pc, PC_RESET, 0); return 0;
    case PV_SHUTDOWN_CRASH:
        exits_stop(mon, MONITOR_TRIPLE_FAULT,
                   "the guest's kernel has given up (value %u)", value);
        return 0;
    case PV_SHUTDOWN_EXIT:
        if (value > 0xFF)
            return PV_EINVAL;
        pc_end(mon->config.pc, PC_DEBUG_EXIT, value);
        return 0;
    default: return PV_EINVAL;
    }
}

int32_t pv_sched_op(struct monitor *mon, const uint32_t arg[5])
{
    switch (arg[0]) {
    case PV_SCHED_YIELD: return 0; /* one VM: nobody else wants it */
    case PV_SCHED_BLOCK: return block(mon);
    case PV_SCHED_SHUTDOWN: return shut_down(mon, arg[1], arg[2]);
    default: return PV_ENOSYS;
    }
}
