/* SPDX-License-Identifier: MIT */
/* trace/describe.c - the events as data: names, letters, fields.
 *
 * Exporters, screens and tests print from these tables; a new kind of event is
 * a row here and a constructor in trace/emit.h.
 */
#include "trace/trace.h"

#define DEC(n)                                                                 \
    {                                                                          \
        n, FIELD_DEC                                                           \
    }
#define ENTRY(n)                                                               \
    {                                                                          \
        n, FIELD_ENTRY                                                         \
    }
#define HEX(n)                                                                 \
    {                                                                          \
        n, FIELD_HEX                                                           \
    }

static const struct event_description descriptions[EV_COUNT] = {
    [EV_EXIT] = {"exit",
                 'G',
                 "vmx_reason",
                 {DEC("vector"), HEX("error"), HEX("gva"), DEC("vmx"),
                  HEX("qualification")}},
    [EV_EMULATE] = {"emulate",
                    'E',
                    "mnemonic",
                    {DEC("bytes"), HEX("operand"), HEX("value")}},
    [EV_SILENT] = {"silent",
                   'S',
                   "mnemonic",
                   {DEC("bytes"), HEX("got"), HEX("expected"), DEC("fault")}},
    [EV_FAULT] = {"fault",
                  '#',
                  NULL,
                  {HEX("gva"), HEX("gpa"), HEX("ma"), HEX("error"),
                   HEX("guest_error"), ENTRY("entry")}},
    [EV_FILL] = {"fill",
                 'L',
                 NULL,
                 {HEX("gva"), HEX("gpa"), HEX("ma"), HEX("entry_ma"),
                  HEX("error"), ENTRY("entry")}},
    [EV_TABLE] = {"table",
                  'B',
                  "cause",
                  {HEX("table_ma"), HEX("gpa"), DEC("level"), DEC("tables")}},
    [EV_FLUSH] = {"flush",
                  'F',
                  "cause",
                  {DEC("entries"), HEX("gva"), HEX("cr3")}},
    [EV_INJECT] = {"inject",
                   'I',
                   "cause",
                   {DEC("vector"), HEX("error"), HEX("cr2"), HEX("cs"),
                    HEX("target"), DEC("has_error")}},
    [EV_DELIVER] = {"deliver",
                    'V',
                    "cause",
                    {DEC("vector"), HEX("error"), HEX("cr2"), HEX("cs"),
                     HEX("target"), DEC("has_error")}},
    [EV_IO] = {"io",
               'O',
               "device",
               {HEX("port"), DEC("bytes"), HEX("value"), DEC("write")}},
    [EV_MMIO] = {"mmio",
                 'A',
                 "device",
                 {HEX("gpa"), DEC("bytes"), HEX("value"), DEC("write"),
                  HEX("gva")}},
    [EV_UNCLAIMED] = {"unclaimed",
                      'U',
                      NULL,
                      {HEX("address"), DEC("bytes"), HEX("value"), DEC("write"),
                       DEC("memory")}},
    [EV_HALT] = {"halt", 'Z', NULL, {DEC("interrupts")}},
    [EV_MODE] = {"mode",
                 'C',
                 "cause",
                 {HEX("cr0"), HEX("cr3"), HEX("cr4"), HEX("old_cr0"),
                  HEX("old_cr4")}},
    [EV_TRANSLATE] = {"translate",
                      'K',
                      NULL,
                      {DEC("instructions"), HEX("cache"), DEC("bytes")}},
    [EV_RELOCATE] = {"relocate",
                     'R',
                     "cause",
                     {HEX("from"), HEX("to"), HEX("cr3")}},
    [EV_HYPERCALL] = {"hypercall",
                      'Y',
                      "name",
                      {DEC("number"), HEX("arg1"), HEX("arg2"), HEX("arg3"),
                       HEX("result"), DEC("batched")}},
    [EV_FRAME] = {"frame",
                  'N',
                  "cause",
                  {HEX("gpa"), HEX("ma"), DEC("slot"), DEC("resident")}},
    [EV_REFUSE] = {"refuse",
                   'J',
                   "reason",
                   {DEC("refusal"), HEX("entry_ma"), HEX("value"), HEX("gpa")}},
    [EV_STOP] = {"stop", 'Q', "reason", {DEC("status"), HEX("address")}},
};

static const struct {
    const char *name;
    char letter;
} classes[FC_COUNT] = {
    [FC_TRUE] = {"true", 'T'},         [FC_HIDDEN] = {"hidden", 'H'},
    [FC_DIRTY] = {"dirty", 'D'},       [FC_TRACE] = {"trace", 'W'},
    [FC_MMIO] = {"mmio", 'M'},         [FC_PAGED_OUT] = {"paged_out", 'P'},
    [FC_SPURIOUS] = {"spurious", 'X'},
};

static const char *const reasons[EXIT_COUNT] = {
    [EXIT_PAGE_FAULT] = "page_fault",
    [EXIT_PRIVILEGED] = "privileged",
    [EXIT_PATCHED] = "patched",
    [EXIT_IO] = "io",
    [EXIT_SOFTWARE] = "software_interrupt",
    [EXIT_HYPERCALL] = "hypercall",
    [EXIT_EXCEPTION] = "exception",
    [EXIT_CPUID] = "cpuid",
    [EXIT_INTERRUPT] = "interrupt",
    [EXIT_HALT] = "halt",
    [EXIT_STEP] = "step",
    [EXIT_CALLOUT] = "callout",
    [EXIT_TRANSLATE] = "translate",
    [EXIT_WINDOW] = "interrupt_window",
    [EXIT_CR_ACCESS] = "cr_access",
    [EXIT_INVLPG] = "invlpg",
    [EXIT_MSR] = "msr",
    [EXIT_TASK_SWITCH] = "task_switch",
    [EXIT_TRIPLE_FAULT] = "triple_fault",
    [EXIT_EPT_VIOLATION] = "ept_violation",
    [EXIT_EPT_MISCONFIGURATION] = "ept_misconfiguration",
    [EXIT_VMX] = "vmx",
};

static const char *const hypercalls[HYPERCALLS] = {
    "features",          "set_trap_table",    "set_callbacks",
    "stack_switch",      "set_gdt",           "set_ldt",
    "update_descriptor", "mmu_update",        "mmu_op",
    "fpu_taskswitch",    "event_op",          "set_timer",
    "console_io",        "sched_op",          "multicall",
    "memory_op",         "update_va_mapping",
};

static const struct {
    const char *name, *reason;
} refusals[REFUSALS] = {
    [REFUSAL_NONE] = {"none", "nothing stands against it"},
    [REFUSAL_ALIGNMENT] = {"misaligned", "it is not the address of a page"},
    [REFUSAL_FRAME] = {"not_yours", "the frame is not this guest's memory"},
    [REFUSAL_FLAGS] = {"bad_flags", "an entry must not have these flags"},
    [REFUSAL_RESERVED] = {"reserved", "the entry is that of the VMM's own "
                                      "4 MiB"},
    [REFUSAL_TABLE] = {"page_table", "the frame is a page table and would be "
                                     "writable"},
    [REFUSAL_WRITABLE] = {"writable", "the frame is writable somewhere and "
                                      "would be a page table"},
    [REFUSAL_LEVEL] = {"level", "the frame is a page table of the other level"},
    [REFUSAL_PINNED] = {"pinned", "it is pinned already"},
    [REFUSAL_NOT_PINNED] = {"not_pinned", "it is not pinned"},
    [REFUSAL_NO_TABLE] = {"no_table", "no page table covers the address"},
};

static const struct event_description unknown = {
    .name = "unknown",
    .letter = '?',
};

const struct event_description *event_describe(enum event_kind kind)
{
    if ((unsigned)kind >= EV_COUNT || !descriptions[kind].name)
        return &unknown;
    return &descriptions[kind];
}

uint64_t event_value(const struct event *e, unsigned i)
{
    const struct event_description *d =
        event_describe((enum event_kind)e->kind);

    return d->field[i].format == FIELD_ENTRY ? e->entry : e->arg[i];
}

int entry_digits(uint64_t entry)
{
    return entry >> 32 ? 16 : 8;
}

const char *fault_class_name(enum fault_class cls)
{
    return (unsigned)cls < FC_COUNT ? classes[cls].name : "none";
}

char fault_class_letter(enum fault_class cls)
{
    return (unsigned)cls < FC_COUNT ? classes[cls].letter : '-';
}

const char *exit_reason_name(enum exit_reason reason)
{
    const char *name = NULL;

    if ((unsigned)reason < EXIT_COUNT)
        name = reasons[reason];
    return name ? name : "unknown";
}

const char *hypercall_name(unsigned number)
{
    return number < HYPERCALLS ? hypercalls[number] : "unknown";
}

const char *refusal_name(enum table_refusal why)
{
    return refusals[(unsigned)why < REFUSALS ? why : 0].name;
}

const char *refusal_reason(enum table_refusal why)
{
    return refusals[(unsigned)why < REFUSALS ? why : 0].reason;
}
