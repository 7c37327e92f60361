/* SPDX-License-Identifier: MIT */
/* trace/sentence.c - an event in words. */
#include <inttypes.h>

#include "trace/trace.h"

/* The bits of a page-fault error code, as in the SDM. */
enum { ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_USER = 4, ERROR_FETCH = 16 };

typedef int sentence_fn(const struct event *e, char *buffer, size_t bytes);

static const char *text_or(const struct event *e, const char *otherwise)
{
    return e->text ? e->text : otherwise;
}

static int exit_sentence(const struct event *e, char *b, size_t n)
{
    if (e->text) /* by VMX */
        return snprintf(
            b, n, "VM exit, reason %" PRIu32 " (%s), qualification %08" PRIX32,
            e->arg[3], e->text, e->arg[4]);
    return snprintf(
        b, n, "left the guest: %s (vector %" PRIu32 ", error %04" PRIX32 ")",
        exit_reason_name((enum exit_reason)e->cls), e->arg[0], e->arg[1]);
}

static int emulate_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n,
                    "%s done for the guest (operand %08" PRIX32
                    ", value %08" PRIX32 ")",
                    text_or(e, "an instruction"), e->arg[1], e->arg[2]);
}

static int silent_sentence(const struct event *e, char *b, size_t n)
{
    if (e->arg[3])
        return snprintf(b, n,
                        "%s did not trap: the guest got %08" PRIX32
                        " where fault %" PRIu32 " was right",
                        text_or(e, "a sensitive instruction"), e->arg[1],
                        e->arg[3]);
    if (e->arg[1] == e->arg[2])
        return snprintf(b, n,
                        "%s did not trap, and the guest got the right "
                        "%08" PRIX32,
                        text_or(e, "a sensitive instruction"), e->arg[1]);
    return snprintf(b, n,
                    "%s did not trap: the guest got %08" PRIX32
                    " where %08" PRIX32 " was right",
                    text_or(e, "a sensitive instruction"), e->arg[1],
                    e->arg[2]);
}

static const char *class_reason(unsigned cls)
{
    static const char *const why[FC_COUNT] = {
        [FC_TRUE] = "the guest's own tables do not allow it",
        [FC_HIDDEN] = "the guest's tables allow it, the VMM's had no entry",
        [FC_DIRTY] = "the VMM withheld a right to see the first use",
        [FC_TRACE] = "the VMM watches this page",
        [FC_MMIO] = "no memory is behind it, a device answers",
        [FC_PAGED_OUT] = "the PMap had no machine frame for it",
        [FC_SPURIOUS] = "nothing stands in the way any more",
    };

    return cls < FC_COUNT ? why[cls] : "unclassified";
}

static int fault_sentence(const struct event *e, char *b, size_t n)
{
    const char *what = e->arg[3] & ERROR_FETCH   ? "fetch from"
                       : e->arg[3] & ERROR_WRITE ? "write to"
                                                 : "read of";
    const char *who = e->arg[3] & ERROR_USER ? "user" : "supervisor";
    enum fault_class cls = (enum fault_class)e->cls;

    if (cls == FC_TRUE)
        return snprintf(b, n,
                        "%s %08" PRIX32
                        " by %s code faulted: %c %s, %s (guest's error "
                        "%04" PRIX32 ")",
                        what, e->arg[0], who, fault_class_letter(cls),
                        fault_class_name(cls), class_reason(cls), e->arg[4]);
    return snprintf(
        b, n,
        "%s %08" PRIX32 " by %s code faulted: %c %s, %s (gpa %08" PRIX32
        ", ma %08" PRIX32 ")",
        what, e->arg[0], who, fault_class_letter(cls), fault_class_name(cls),
        class_reason(cls), e->arg[1], e->arg[2]);
}

static int fill_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n,
                    "entry %0*" PRIX64 " for %08" PRIX32
                    " put into the VMM's table at ma %08" PRIX32,
                    entry_digits(e->entry), e->entry, e->arg[0], e->arg[3]);
}

static int table_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n,
                    "%s at ma %08" PRIX32 " for the guest's gpa %08" PRIX32
                    " %s; %" PRIu32 " tables now",
                    e->arg[2] == 2 ? "directory" : "table", e->arg[0],
                    e->arg[1], text_or(e, "changed"), e->arg[3]);
}

static int flush_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n, "%" PRIu32 " entries removed: %s", e->arg[0],
                    text_or(e, "flush"));
}

static int delivery_sentence(const struct event *e, char *b, size_t n)
{
    const char *who = e->kind == EV_INJECT ? "the VMM" : "the processor";

    if (e->arg[5])
        return snprintf(b, n,
                        "%s delivered vector %" PRIu32 " (error %04" PRIX32
                        ", %s) to %04" PRIX32 ":%08" PRIX32,
                        who, e->arg[0], e->arg[1], text_or(e, "event"),
                        e->arg[3], e->arg[4]);
    return snprintf(b, n,
                    "%s delivered vector %" PRIu32 " (%s) to %04" PRIX32
                    ":%08" PRIX32,
                    who, e->arg[0], text_or(e, "event"), e->arg[3], e->arg[4]);
}

static int io_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n, "%s: port %04" PRIX32 " %s %0*" PRIX32,
                    text_or(e, "nobody"), e->arg[0], e->arg[3] ? "<-" : "->",
                    (int)e->arg[1] * 2, e->arg[2]);
}

static int mmio_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n, "%s: gpa %08" PRIX32 " %s %0*" PRIX32,
                    text_or(e, "nobody"), e->arg[0], e->arg[3] ? "<-" : "->",
                    (int)e->arg[1] * 2, e->arg[2]);
}

static int unclaimed_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(
        b, n, "%s of %" PRIu32 " bytes at %s %08" PRIX32 ": nobody answers",
        e->arg[3] ? "write" : "read", e->arg[1], e->arg[4] ? "gpa" : "port",
        e->arg[0]);
}

static int halt_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n, "halted with interrupts %s",
                    e->arg[0] ? "enabled" : "disabled: nothing can wake it");
}

static int mode_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n,
                    "%s: CR0 %08" PRIX32 " -> %08" PRIX32 ", CR4 %08" PRIX32
                    " -> %08" PRIX32 ", CR3 %08" PRIX32,
                    text_or(e, "mode changed"), e->arg[3], e->arg[0], e->arg[4],
                    e->arg[2], e->arg[1]);
}

static int translate_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n,
                    "%" PRIu32 " instructions translated to %" PRIu32
                    " bytes at %08" PRIX32,
                    e->arg[0], e->arg[2], e->arg[1]);
}

static int relocate_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(
        b, n, "the VMM moved from %08" PRIX32 " to %08" PRIX32 ": %s",
        e->arg[0], e->arg[1], text_or(e, "the guest wants its place"));
}

static int hypercall_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(
        b, n,
        "%s %s (%08" PRIX32 ", %08" PRIX32 ", %08" PRIX32 "): result %" PRId32,
        e->arg[5] ? "multicall entry" : "hypercall", text_or(e, "unknown"),
        e->arg[1], e->arg[2], e->arg[3], (int32_t)e->arg[4]);
}

static int frame_sentence(const struct event *e, char *b, size_t n)
{
    char slot[32] = "";

    if (e->arg[2])
        snprintf(slot, sizeof slot, ", swap slot %" PRIu32, e->arg[2]);
    return snprintf(b, n,
                    "guest frame %08" PRIX32 " %s (machine frame %08" PRIX32
                    "%s); the VM has %" PRIu32 " machine frames now",
                    e->arg[0], text_or(e, "changed"), e->arg[1], slot,
                    e->arg[3]);
}

static int refuse_sentence(const struct event *e, char *b, size_t n)
{
    const char *why = text_or(e, "not allowed");

    if (e->arg[1])
        return snprintf(b, n,
                        "refused to put %08" PRIX32
                        " into the table entry at ma %08" PRIX32 ": %s",
                        e->arg[2], e->arg[1], why);
    return snprintf(b, n, "refused for %08" PRIX32 ": %s", e->arg[2], why);
}

static int stop_sentence(const struct event *e, char *b, size_t n)
{
    return snprintf(b, n, "stopped with status %" PRIu32 ": %s", e->arg[0],
                    text_or(e, "end of the run"));
}

static sentence_fn *const sentences[EV_COUNT] = {
    [EV_EXIT] = exit_sentence,           [EV_EMULATE] = emulate_sentence,
    [EV_SILENT] = silent_sentence,       [EV_FAULT] = fault_sentence,
    [EV_FILL] = fill_sentence,           [EV_TABLE] = table_sentence,
    [EV_FLUSH] = flush_sentence,         [EV_INJECT] = delivery_sentence,
    [EV_DELIVER] = delivery_sentence,    [EV_IO] = io_sentence,
    [EV_MMIO] = mmio_sentence,           [EV_UNCLAIMED] = unclaimed_sentence,
    [EV_HALT] = halt_sentence,           [EV_MODE] = mode_sentence,
    [EV_TRANSLATE] = translate_sentence, [EV_RELOCATE] = relocate_sentence,
    [EV_HYPERCALL] = hypercall_sentence, [EV_FRAME] = frame_sentence,
    [EV_REFUSE] = refuse_sentence,       [EV_STOP] = stop_sentence,
};

int event_sentence(const struct event *e, char *buffer, size_t bytes)
{
    if (e->kind >= EV_COUNT || !sentences[e->kind])
        return snprintf(buffer, bytes, "event %u", (unsigned)e->kind);
    return sentences[e->kind](e, buffer, bytes);
}
