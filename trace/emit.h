/* SPDX-License-Identifier: MIT */
/* trace/emit.h - one constructor for each kind of event.
 *
 * They keep the order of the args in one place. Each returns at once when
 * nobody listens, after taking the event's number: numbers do not depend on
 * who reads. Counting stays the caller's.
 */
#ifndef TRACE_EMIT_H
#define TRACE_EMIT_H

#include "trace/trace.h"

/* Whose event it is. */
struct event_site {
    uint32_t eip;
    uint8_t cpl;
};

static inline struct event event_make(enum event_kind kind,
                                      struct event_site at, const char *text)
{
    struct event e = {0};

    e.kind = (uint8_t)kind;
    e.eip = at.eip;
    e.cpl = at.cpl;
    e.text = text;
    return e;
}

/* True (and the event has its number) when nobody listens. */
static inline bool trace_quiet(struct trace *t)
{
    if (t->sinks)
        return false;
    t->seq++;
    return true;
}

static inline void trace_emit_all(struct trace *t, enum event_kind kind,
                                  struct event_site at, unsigned cls,
                                  const char *text, uint32_t a0, uint32_t a1,
                                  uint32_t a2, uint32_t a3, uint32_t a4,
                                  uint32_t a5, uint64_t entry)
{
    struct event e;

    if (trace_quiet(t))
        return;
    e = event_make(kind, at, text);
    e.cls = (uint8_t)cls;
    e.arg[0] = a0;
    e.arg[1] = a1;
    e.arg[2] = a2;
    e.arg[3] = a3;
    e.arg[4] = a4;
    e.arg[5] = a5;
    e.entry = entry;
    trace_emit(t, &e);
}

static inline void trace_emit6(struct trace *t, enum event_kind kind,
                               struct event_site at, unsigned cls,
                               const char *text, uint32_t a0, uint32_t a1,
                               uint32_t a2, uint32_t a3, uint32_t a4,
                               uint32_t a5)
{
    trace_emit_all(t, kind, at, cls, text, a0, a1, a2, a3, a4, a5, 0);
}

/* Of a fault or a fill: with the VMM's table entry. */
static inline void trace_emit_entry(struct trace *t, enum event_kind kind,
                                    struct event_site at, unsigned cls,
                                    uint32_t a0, uint32_t a1, uint32_t a2,
                                    uint32_t a3, uint32_t a4, uint64_t entry)
{
    trace_emit_all(t, kind, at, cls, NULL, a0, a1, a2, a3, a4, 0, entry);
}

static inline void trace_exit(struct trace *t, struct event_site at,
                              enum exit_reason reason, uint32_t vector,
                              uint32_t error, uint32_t gva)
{
    trace_emit6(t, EV_EXIT, at, reason, NULL, vector, error, gva, 0, 0, 0);
}

/* The same in VMX terms; text: the reason's name. */
static inline void trace_vm_exit(struct trace *t, struct event_site at,
                                 enum exit_reason reason, const char *text,
                                 uint32_t vector, uint32_t error, uint32_t vmx,
                                 uint32_t qualification)
{
    trace_emit6(t, EV_EXIT, at, reason, text, vector, error,
                vector == 14 ? qualification : 0, vmx, qualification, 0);
}

static inline void trace_emulate(struct trace *t, struct event_site at,
                                 const char *mnemonic, uint32_t bytes,
                                 uint32_t operand, uint32_t value)
{
    trace_emit6(t, EV_EMULATE, at, 0, mnemonic, bytes, operand, value, 0, 0, 0);
}

static inline void trace_silent(struct trace *t, struct event_site at,
                                const char *mnemonic, uint32_t bytes,
                                uint32_t got, uint32_t expected, uint32_t fault)
{
    trace_emit6(t, EV_SILENT, at, 0, mnemonic, bytes, got, expected, fault, 0,
                0);
}

static inline void trace_fault(struct trace *t, struct event_site at,
                               enum fault_class cls, uint32_t gva, uint32_t gpa,
                               uint32_t ma, uint32_t error,
                               uint32_t guest_error, uint64_t entry)
{
    trace_emit_entry(t, EV_FAULT, at, cls, gva, gpa, ma, error, guest_error,
                     entry);
}

static inline void trace_fill(struct trace *t, struct event_site at,
                              uint32_t gva, uint32_t gpa, uint32_t ma,
                              uint32_t entry_ma, uint32_t error, uint64_t entry)
{
    trace_emit_entry(t, EV_FILL, at, 0, gva, gpa, ma, entry_ma, error, entry);
}

static inline void trace_table(struct trace *t, struct event_site at,
                               const char *cause, uint32_t table_ma,
                               uint32_t gpa, uint32_t level, uint32_t tables)
{
    trace_emit6(t, EV_TABLE, at, 0, cause, table_ma, gpa, level, tables, 0, 0);
}

static inline void trace_flush(struct trace *t, struct event_site at,
                               const char *cause, uint32_t entries,
                               uint32_t gva, uint32_t cr3)
{
    trace_emit6(t, EV_FLUSH, at, 0, cause, entries, gva, cr3, 0, 0, 0);
}

/* kind: EV_INJECT or EV_DELIVER. cs:target is the handler that runs next. */
static inline void trace_event_delivered(struct trace *t, enum event_kind kind,
                                         struct event_site at,
                                         const char *cause, uint32_t vector,
                                         bool has_error, uint32_t error,
                                         uint32_t cr2, uint32_t cs,
                                         uint32_t target)
{
    trace_emit6(t, kind, at, 0, cause, vector, error, cr2, cs, target,
                has_error);
}

static inline void trace_io(struct trace *t, struct event_site at,
                            const char *device, uint32_t port, uint32_t bytes,
                            uint32_t value, bool write)
{
    trace_emit6(t, EV_IO, at, 0, device, port, bytes, value, write, 0, 0);
}

static inline void trace_mmio(struct trace *t, struct event_site at,
                              const char *device, uint32_t gpa, uint32_t bytes,
                              uint32_t value, bool write, uint32_t gva)
{
    trace_emit6(t, EV_MMIO, at, 0, device, gpa, bytes, value, write, gva, 0);
}

static inline void trace_unclaimed(struct trace *t, struct event_site at,
                                   uint32_t address, uint32_t bytes,
                                   uint32_t value, bool write, bool memory)
{
    trace_emit6(t, EV_UNCLAIMED, at, 0, NULL, address, bytes, value, write,
                memory, 0);
}

static inline void trace_halt(struct trace *t, struct event_site at,
                              bool interrupts)
{
    trace_emit6(t, EV_HALT, at, 0, NULL, interrupts, 0, 0, 0, 0, 0);
}

static inline void trace_mode(struct trace *t, struct event_site at,
                              const char *cause, uint32_t cr0, uint32_t cr3,
                              uint32_t cr4, uint32_t old_cr0, uint32_t old_cr4)
{
    trace_emit6(t, EV_MODE, at, 0, cause, cr0, cr3, cr4, old_cr0, old_cr4, 0);
}

static inline void trace_translate(struct trace *t, struct event_site at,
                                   uint32_t instructions, uint32_t cache,
                                   uint32_t bytes)
{
    trace_emit6(t, EV_TRANSLATE, at, 0, NULL, instructions, cache, bytes, 0, 0,
                0);
}

static inline void trace_relocate(struct trace *t, struct event_site at,
                                  const char *cause, uint32_t from, uint32_t to,
                                  uint32_t cr3)
{
    trace_emit6(t, EV_RELOCATE, at, 0, cause, from, to, cr3, 0, 0, 0);
}

static inline void trace_hypercall(struct trace *t, struct event_site at,
                                   uint32_t number, const uint32_t *arg,
                                   int32_t result, bool batched)
{
    trace_emit6(t, EV_HYPERCALL, at, 0, hypercall_name(number), number, arg[0],
                arg[1], arg[2], (uint32_t)result, batched);
}

static inline void trace_frame(struct trace *t, struct event_site at,
                               const char *cause, uint32_t gpa, uint32_t ma,
                               uint32_t slot, uint32_t resident)
{
    trace_emit6(t, EV_FRAME, at, 0, cause, gpa, ma, slot, resident, 0, 0);
}

static inline void trace_refuse(struct trace *t, struct event_site at,
                                enum table_refusal why, uint32_t entry_ma,
                                uint32_t value, uint32_t gpa)
{
    trace_emit6(t, EV_REFUSE, at, 0, refusal_reason(why), why, entry_ma, value,
                gpa, 0, 0);
}

static inline void trace_stop(struct trace *t, struct event_site at,
                              const char *reason, uint32_t status,
                              uint32_t address)
{
    trace_emit6(t, EV_STOP, at, 0, reason, status, address, 0, 0, 0, 0);
}

#endif
