/* SPDX-License-Identifier: MIT */
/* vmm/inspect_why.c - one or two sentences: why it traps, or does not.
 *
 * A table of sentences by instruction and situation, with the levels filled
 * in. Each must be true for every guest; the manual is cited by title.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/inspect_parts.h"

/* What an instruction is, for the table: the reason behind its behaviour. */
enum why {
    WHY_IF,   /* CLI, STI: by IOPL */
    WHY_CPL0, /* privileged */
    WHY_POPF,
    WHY_PUSHF,
    WHY_IRET,
    WHY_TABLE, /* SGDT and its like */
    WHY_SMSW,
    WHY_DESCRIPTOR,
    WHY_SEG_READ,
    WHY_SEG_LOAD,
    WHY_FAR,
    WHY_INT,
    WHY_SYSENTER,
    WHY_IO,
    WHY_CPUID,
    WHY_CLOCK, /* RDTSC, RDPMC */
    WHY_ORDINARY,
    WHY_COUNT,
};

/* In the sentences: %n the instruction, %v the virtual CPL, %r the real CPL,
 * %i the real IOPL, %f what the guest believes of interrupts. A NULL: the
 * sentence of WHY_ORDINARY. */
struct why_row {
    const char *bare;  /* no VMM */
    const char *traps; /* the guest's kernel; the processor says no */
    const char *user;  /* the same, and the guest's rules say no too */
    const char *runs;  /* nothing trapped */
    const char *cite;
};

#define CPL0_BARE                                                              \
    "There is no VMM, nothing traps to one. %n needs CPL 0; the CPL is %v."

static const struct why_row table[WHY_COUNT] = {
    [WHY_IF] =
        {"There is no VMM, nothing traps to one. %n needs CPL <= IOPL: CPL %v, "
         "IOPL %i.",
         "%n needs CPL <= IOPL (%i). The virtual CPL %v may; the real CPL %r "
         "may not, so it will trap, and the VMM changes the virtual IF only.",
         "%n needs CPL <= IOPL. The real CPL %r may not, so it will trap; the "
         "virtual CPL %v may not either: the guest gets its own #GP(0).",
         "%n needs CPL <= IOPL, and the real IOPL is %i: it runs, and changes "
         "the real IF where the VMM does not see it.",
         "SDM 2, CLI - Clear Interrupt Flag"},
    [WHY_CPL0] =
        {CPL0_BARE,
         "%n needs CPL 0. The guest's kernel believes it has CPL %v; the real "
         "CPL %r may not, so it will trap (#GP) and the VMM does it on the "
         "virtual processor.",
         "%n needs CPL 0. The real CPL is %r, so it will trap; the virtual CPL "
         "%v may not either: the guest gets its own #GP(0).",
         "%n needs CPL 0 and has it.", "SDM 3A, Privileged Instructions"},
    [WHY_POPF] =
        {"There is no VMM. popf changes IF only at CPL <= IOPL: CPL %v, IOPL "
         "%i. Elsewhere the change is dropped, without a trap.",
         NULL, NULL,
         "popf at real CPL %r > IOPL %i: the processor drops the IF change "
         "without a trap. The guest will believe that interrupts are %f.",
         "SDM 2, POPF/POPFD - Pop Stack into EFLAGS Register"},
    [WHY_PUSHF] =
        {"There is no VMM: pushf shows the flags as they are.", NULL, NULL,
         "pushf needs no privilege, so it does not trap: the guest is shown "
         "the real IF and IOPL (%i), not the virtual ones.",
         "SDM 2, PUSHF/PUSHFD - Push EFLAGS Register onto the Stack"},
    [WHY_IRET] =
        {"There is no VMM: iret returns by the guest's own frame and tables.",
         NULL, NULL,
         "iret needs no privilege. At real CPL %r > IOPL %i it drops the IF "
         "change without a trap; only a frame that the real CPL may not return "
         "to makes it fault.",
         "SDM 2, IRET/IRETD - Interrupt Return"},
    [WHY_TABLE] =
        {"There is no VMM: %n shows the guest its own table register.", NULL,
         NULL,
         "%n is sensitive and needs no privilege: it does not trap, and shows "
         "the guest the real table register, which is the VMM's.",
         "SDM 2, SGDT - Store Global Descriptor Table Register"},
    [WHY_SMSW] =
        {"There is no VMM: smsw shows the guest its own CR0.", NULL, NULL,
         "smsw is sensitive and needs no privilege: it does not trap, and "
         "shows the guest the real CR0.",
         "SDM 2, SMSW - Store Machine Status Word"},
    [WHY_DESCRIPTOR] =
        {"There is no VMM: %n asks the guest's own descriptor tables.", NULL,
         NULL,
         "%n does not trap: it answers for the real CPL %r and the real "
         "descriptor tables, where the guest believes in CPL %v.",
         "SDM 3A, Protection"},
    [WHY_SEG_READ] =
        {"There is no VMM: the selector is the guest's own.", NULL, NULL,
         "%n does not trap. The two low bits of the selector are the real CPL "
         "%r: a guest that looks sees that it is not at CPL %v.",
         "SDM 3A, Segment Selectors"},
    [WHY_SEG_LOAD] =
        {"There is no VMM: the segment comes from the guest's own table.", NULL,
         NULL,
         "Loading a segment does not trap if the descriptor allows it: it is "
         "checked against the real CPL %r, not the virtual CPL %v.",
         "SDM 3A, Privilege Level Checking When Accessing Data Segments"},
    [WHY_FAR] =
        {"There is no VMM: the transfer goes by the guest's own tables.", NULL,
         NULL,
         "A far transfer does not trap if it is allowed: it is checked against "
         "the real CPL %r, not the virtual CPL %v.",
         "SDM 3A, Privilege Level Checking When Transferring Program Control"},
    [WHY_INT] =
        {"There is no VMM: %n goes through the guest's own IDT.",
         "%n goes through the real IDT, which is the VMM's: so it will trap, "
         "and the VMM delivers it through the guest's own IDT.",
         NULL, NULL, "SDM 3A, Exception and Interrupt Handling"},
    [WHY_SYSENTER] =
        {"There is no VMM: %n goes where the guest's own MSRs say.", NULL, NULL,
         "%n goes where the real MSRs say.",
         "SDM 3A, Performing Fast Calls to System Procedures"},
    [WHY_IO] =
        {"There is no VMM: %n goes straight to the machine's device.",
         "%n needs CPL <= IOPL, or the I/O permission bitmap. The real CPL %r "
         "> IOPL %i, so it will trap; the VMM asks its own device.",
         NULL, "%n is allowed here: CPL %r <= IOPL %i.",
         "SDM 1, I/O Privilege Level"},
    [WHY_CPUID] =
        {"There is no VMM: cpuid tells of the machine's processor.",
         "cpuid shows the processor to anybody. This machine lets the VMM "
         "answer it, so it will trap.",
         NULL, NULL, "SDM 2, CPUID - CPU Identification"},
    [WHY_CLOCK] = {"There is no VMM: %n reads the machine's own counter.", NULL,
                   NULL, "%n needs no privilege while CR4 allows it: it runs.",
                   "SDM 3B, Time-Stamp Counter"},
    [WHY_ORDINARY] =
        {"There is no VMM. %n is not sensitive in any case.", NULL, NULL,
         "%n is not sensitive: it runs natively, as fast as on the bare "
         "machine.",
         NULL},
};

static enum why why_of(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_CLI:
    case INSN_STI: return WHY_IF;
    case INSN_POPF: return WHY_POPF;
    case INSN_PUSHF: return WHY_PUSHF;
    case INSN_IRET: return WHY_IRET;
    case INSN_SMSW: return WHY_SMSW;
    case INSN_PUSH_SEG:
    case INSN_MOV_FROM_SEG:
        return insn->cls == CLASS_NONE ? WHY_ORDINARY : WHY_SEG_READ;
    case INSN_INT:
    case INSN_INT1:
    case INSN_INT3:
    case INSN_INTO: return WHY_INT;
    case INSN_SYSENTER:
    case INSN_SYSCALL: return WHY_SYSENTER;
    case INSN_CPUID: return WHY_CPUID;
    default: break;
    }
    switch ((enum insn_class)insn->cls) {
    case CLASS_PRIVILEGED: return WHY_CPL0;
    case CLASS_TABLE: return WHY_TABLE;
    case CLASS_DESCRIPTOR: return WHY_DESCRIPTOR;
    case CLASS_SEGMENT: return WHY_SEG_LOAD;
    case CLASS_TRANSFER: return WHY_FAR;
    case CLASS_IO: return WHY_IO;
    case CLASS_VISIBLE: return WHY_CLOCK;
    default: return WHY_ORDINARY;
    }
}

/* ---- Filling in -----------------------------------------------------------*/

struct text {
    char *buffer;
    size_t bytes, used;
};

static void add(struct text *t, const char *text)
{
    if (t->used < t->bytes)
        t->used += (size_t)snprintf(t->buffer + t->used, t->bytes - t->used,
                                    "%s", text);
}

static void add_number(struct text *t, unsigned value)
{
    char digits[12];
    snprintf(digits, sizeof digits, "%u", value);
    add(t, digits);
}

/* The instruction as its row shows it, without operands. */
static const char *short_name(const struct insn *insn,
                              const struct inspection *in, char buffer[24])
{
    if (insn->id != INSN_OTHER && insn->cls != CLASS_NONE)
        return insn_name((enum insn_id)insn->id);
    const char *text = in->code[in->current].text;
    snprintf(buffer, 24, "%.*s", (int)strcspn(text, " "), text);
    return buffer;
}

static void fill_in(struct text *t, const char *sentence,
                    const struct insn *insn, const struct inspection *in)
{
    char name[24];
    for (; *sentence; sentence++) {
        char one[2] = {*sentence, 0};
        if (*sentence != '%') {
            add(t, one);
            continue;
        }
        switch (*++sentence) {
        case 'n': add(t, short_name(insn, in, name)); break;
        case 'v': add_number(t, in->guest.cpl); break;
        case 'r': add_number(t, in->real.cpl); break;
        case 'i': add_number(t, state_iopl(&in->real)); break;
        case 'f': /* the image that POPF will pop */
            add(t, in->stack_count && in->stack[0] & EFL_IF ? "on" : "off");
            break;
        default: return;
        }
    }
}

static bool guest_says_no(enum why why, const struct cpu_state *g)
{
    return why == WHY_IF ? g->cpl > state_iopl(g)
                         : why == WHY_CPL0 && g->cpl > 0;
}

static const char *sentence_of(enum why why, enum code_mark mark,
                               const struct inspection *in,
                               enum cpu_technique technique)
{
    const struct why_row *row = &table[why], *plain = &table[WHY_ORDINARY];
    bool traps = mark == MARK_TRAPS;
    if (technique == CPU_BARE)
        return row->bare;
    if (why == WHY_IO)
        traps = in->real.cpl > state_iopl(&in->real);
    if (traps && row->user && guest_says_no(why, &in->guest))
        return row->user;
    if (traps && row->traps)
        return row->traps;
    if (mark == MARK_NONE && !row->traps) /* nothing differs at these levels */
        return plain->runs;
    return row->runs ? row->runs : plain->runs;
}

/* Was the last fault the last thing that happened? Other events belong to it:
 * its exit, its fill, its delivery. */
static bool fault_just_now(const struct inspection *in)
{
    const struct event *f = &in->last_fault;
    const unsigned later = 1u << EV_EMULATE | 1u << EV_SILENT | 1u << EV_IO;

    if (!in->has_fault || f->kind != EV_FAULT || f->cls >= FC_COUNT ||
        f->cycles + 1 < in->cycles)
        return false;
    for (unsigned i = in->event_count; i > 0; i--) {
        const struct event *e = &in->events[i - 1];
        if (e->seq <= f->seq)
            break;
        if (f->cls != FC_MMIO && later >> e->kind & 1)
            return false;
    }
    return true;
}

/* It explains itself. */
static void add_last_fault(struct text *t, const struct inspection *in)
{
    static const char *const reason[FC_COUNT] = {
        [FC_TRUE] = "the guest's own tables do not allow the access, so the "
                    "guest got it",
        [FC_HIDDEN] = "the guest's tables allow the access, the VMM's had no "
                      "entry; the guest never knew",
        [FC_DIRTY] = "the VMM had withheld a right to see the first use",
        [FC_TRACE] = "the guest wrote a page table that the VMM watches",
        [FC_MMIO] = "there is a device, not memory",
        [FC_PAGED_OUT] = "the PMap had no machine frame",
        [FC_SPURIOUS] = "nothing stood in the way any more",
    };
    const struct event *e = &in->last_fault;
    char text[200];

    if (!fault_just_now(in))
        return;
    snprintf(text, sizeof text, "%sJust now, #%llu, %s fault: %s.",
             t->used ? " " : "", (unsigned long long)e->seq,
             fault_class_name((enum fault_class)e->cls), reason[e->cls]);
    add(t, text);
}

static void tell_next(const struct insn *insn, enum why why,
                      enum code_mark mark, struct inspection *out)
{
    char name[24];
    const char *what = short_name(insn, out, name);
    bool on = insn->id == INSN_STI;
    unsigned flag = (out->guest.eflags & EFL_IF) != 0;

    if (mark == MARK_TRAPS && why == WHY_IF && !guest_says_no(why, &out->guest))
        snprintf(out->next, sizeof out->next,
                 "emulate %s: virtual IF %u -> %u, EIP +%u", what, flag, on,
                 insn->length);
    else if (mark == MARK_TRAPS && guest_says_no(why, &out->guest))
        snprintf(out->next, sizeof out->next, "%s traps, #GP to the guest",
                 what);
    else if (mark == MARK_TRAPS)
        snprintf(out->next, sizeof out->next, "emulate %s", what);
    else if (mark == MARK_DEVICE)
        snprintf(out->next, sizeof out->next, "%s, a device access", what);
    else if (mark == MARK_PATCHED)
        snprintf(out->next, sizeof out->next, "%s was patched: emulate it",
                 what);
    else if (mark == MARK_INLINE)
        snprintf(out->next, sizeof out->next, "%s in line, without the VMM",
                 what);
    else if (mark == MARK_CALLOUT)
        snprintf(out->next, sizeof out->next, "call out: emulate %s", what);
    else if (mark == MARK_SILENT)
        snprintf(out->next, sizeof out->next, "%s will NOT trap", what);
}

void inspect_why(const struct insn *insn, enum cpu_technique technique,
                 struct inspection *out)
{
    struct text t = {out->why, sizeof out->why, 0};

    if (out->code_count == 0) {
        add(&t, "No code can be read at EIP: the fetch itself will fault.");
        add_last_fault(&t, out);
        return;
    }
    enum code_mark mark = out->code[out->current].mark;
    enum why why = why_of(insn);
    const struct why_row *row = &table[why];
    const char *sentence = technique == CPU_PV   ? inspect_pv_why(insn, out)
                           : technique == CPU_BT ? inspect_bt_why(insn, out)
                                                 : NULL;
    const char *cite = mark == MARK_NONE && !row->traps ? NULL : row->cite;
    if (technique == CPU_HVM) {
        cite = NULL;
        sentence = inspect_hvm_why(insn, mark, &out->guest, &cite);
        if (!sentence)
            sentence = table[WHY_ORDINARY].runs;
    }
    if (!sentence)
        sentence = sentence_of(why, mark, out, technique);
    if (sentence == table[WHY_ORDINARY].runs && fault_just_now(out)) {
        add_last_fault(&t, out); /* more to the point */
        return;
    }
    if (mark == MARK_PATCHED)
        add(&t, "It was found ahead of time and replaced by an instruction "
                "that traps: the VMM does it instead. As written: ");
    fill_in(&t, sentence, insn, out);
    if (cite) {
        add(&t, " [");
        add(&t, cite);
        add(&t, "]");
    }
    add_last_fault(&t, out);
    if (technique != CPU_PV ||
        !inspect_pv_next(insn, out, out->next, sizeof out->next))
        tell_next(insn, why, mark, out);
}
