/* SPDX-License-Identifier: MIT */
/* visualizer/plain.c - the inspector as lines. */
#include "visualizer/plain.h"

#include <string.h>

#include "visualizer/event_text.h"

enum { VMCS_TEXT = 1 << 14 };

static const char *const mark_text[] = {
    [MARK_NONE] = "",
    [MARK_TRAPS] = " It will trap.",
    [MARK_SILENT] = " It is sensitive and will not trap.",
    [MARK_DEVICE] = " It goes to a device.",
    [MARK_PATCHED] = " It was patched and will trap.",
    [MARK_INLINE] = " Emitted code does it.",
    [MARK_CALLOUT] = " Translated code calls the VMM.",
};

/* Events with a number above since, one sentence each. */
static void tell_events(const struct session *s, uint64_t since, FILE *out)
{
    char sentence[400], number[28];
    const struct inspection *in = s->in;
    uint64_t first = in->event_count ? in->events[0].seq : 0;

    if (in->event_count && first > since + 1)
        fprintf(out, "... %llu events are not shown ...\n",
                (unsigned long long)(first - since - 1));
    for (unsigned i = 0; i < in->event_count; i++) {
        const struct event *e = &in->events[i];
        if (e->seq <= since || !event_passes(e, s->ui.filter))
            continue;
        event_sentence(e, sentence, sizeof sentence);
        fprintf(out, "#%llu at cycle %s, EIP %08X: %s.\n",
                (unsigned long long)e->seq, number_text(e->cycles, number),
                e->eip, sentence);
    }
}

void plain_where(const struct session *s, FILE *out)
{
    const struct inspection *in = s->in;
    char number[28];
    if (in->stop != VM_RUNNING) {
        fprintf(out, "The guest has ended after event #%llu.\n",
                (unsigned long long)in->seq);
        return;
    }
    if (in->code_count == 0) {
        fprintf(out, "Next: EIP %08X, where no memory can be read.\n",
                in->guest.eip);
        return;
    }
    const struct inspect_line *line = &in->code[in->current];
    fprintf(out, "Cycle %s. Next, at %08X%s%s%s: %s.%s\n",
            number_text(in->cycles, number), line->address,
            in->place[0] ? " (" : "", in->place, in->place[0] ? ")" : "",
            line->text,
            (unsigned)line->mark <= MARK_CALLOUT ? mark_text[line->mark] : "");
    fprintf(out, "Why: %s\n", in->why);
}

static void tell_registers(const struct inspection *in, FILE *out)
{
    static const char *const names[GPR_COUNT] = {
        "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI",
    };
    const struct cpu_state *g = &in->guest, *m = &in->real;
    for (unsigned i = 0; i < GPR_COUNT; i++)
        fprintf(out, "%s %08X%s%s", names[i], g->gpr[i],
                in->has_before && g->gpr[i] != in->before.gpr[i] ? " changed"
                                                                 : "",
                i + 1 < GPR_COUNT ? ", " : ".\n");
    if (in->cpu && strcmp(in->cpu, "bare") == 0) {
        fprintf(out, "CPL %u, IF %u, IOPL %u, CR3 %08X.\n", g->cpl,
                !!(g->eflags & EFL_IF), state_iopl(g), g->cr3);
        return;
    }
    fprintf(out,
            "The guest believes: CPL %u, IF %u, IOPL %u, CR3 %08X.\n"
            "The real processor has: CPL %u, IF %u, IOPL %u, CR3 %08X.\n",
            g->cpl, !!(g->eflags & EFL_IF), state_iopl(g), g->cr3, m->cpl,
            !!(m->eflags & EFL_IF), state_iopl(m), m->cr3);
}

/* The entries of a walk, from the root down. */
static void tell_entries(FILE *out, const char *whose,
                         const struct paging_format *format,
                         const struct paging_walk *w)
{
    static const char *const name[] = {
        [LEVEL_PT] = "table",
        [LEVEL_PD] = "directory",
        [LEVEL_PDPT] = "directory pointer",
        [LEVEL_PML4] = "level-4",
    };
    unsigned level = format ? format->levels : 0;

    for (; level && level >= w->level; level--) {
        char bits[40];
        entry_text(w->entry[level], bits, sizeof bits);
        fprintf(out, "%s %s entry is %0*llX: %s.\n", whose, name[level],
                2 * format->entry_bytes, (unsigned long long)w->entry[level],
                bits);
    }
}

static void tell_verdict(const struct inspection *in, FILE *out)
{
    const struct mmu_view *v = &in->view;
    if (!v->walk.allowed)
        fprintf(out,
                "The guest's own tables do not allow it: class T true, "
                "error code %04X.\n",
                v->walk.error);
    else if (!in->mmu || strcmp(in->mmu, "-") == 0 || v->same_table)
        fprintf(out, "The tables allow it, and the processor walks them "
                     "itself: no trap.\n");
    else if (v->would >= FC_COUNT)
        fprintf(out, "The guest's tables and the VMM's table allow it: no "
                     "trap.\n");
    else
        fprintf(out,
                "The guest's tables allow it, the VMM's do not yet: "
                "class %c %s.\n",
                fault_class_letter(v->would), fault_class_name(v->would));
}

static void tell_translation(const struct inspection *in, FILE *out)
{
    const struct mmu_view *v = &in->view;
    fprintf(out, "A %s at %08X.\n", access_text(in->access), in->gva);
    if (!v->format)
        fprintf(out, "The guest's paging is off.\n");
    tell_entries(out, "The guest's", v->format, &v->walk);
    if (v->walk.allowed)
        fprintf(out, "The guest-physical address is %08llX.\n",
                (unsigned long long)v->walk.address);
    if (in->mmu && strcmp(in->mmu, "-") != 0) {
        if (pmap_readable(v->pmap))
            fprintf(out, "The machine address is %08llX.\n",
                    (unsigned long long)v->ma.v);
        if (!v->same_table)
            tell_entries(out, v->nested ? "The nested" : "The VMM's",
                         v->own_format, &v->own);
    }
    if (v->frame_type)
        fprintf(out, "The machine frame is %s (%u uses, %u references%s).\n",
                v->frame_type, v->frame_uses, v->frame_references,
                v->frame_pinned ? ", pinned" : "");
    tell_verdict(in, out);
}

static void tell_console(const struct inspection *in, FILE *out)
{
    if (in->console_rows == 0)
        fprintf(out, "The guest has written nothing yet.\n");
    for (unsigned i = 0; i < in->console_rows; i++)
        fprintf(out, "%s\n", in->console[i]);
}

static void tell_vga(const struct text_screen *screen, FILE *out)
{
    if (text_screen_is_blank(screen))
        fprintf(out, "Nothing stands on the guest's text screen.\n");
    text_screen_print(screen, out);
}

static void tell_screen(const struct session *s, FILE *out)
{
    switch (s->ui.screen) {
    case SCREEN_STEP:
        tell_registers(s->in, out);
        plain_where(s, out);
        break;
    case SCREEN_TRANSLATION: tell_translation(s->in, out); break;
    case SCREEN_CONSOLE: tell_console(s->in, out); break;
    case SCREEN_VGA: tell_vga(&s->in->vga, out); break;
    case SCREEN_COUNT: break;
    }
}

static void tell_vmcs(const struct session *s, FILE *out)
{
    static char text[VMCS_TEXT];

    s->target->ops->vmcs(s->target->ctx, s->ui.vmcs_area, text, sizeof text);
    fputs(text, out);
}

/* What a line changed, told. */
static void tell(struct session *s, uint64_t seq, uint64_t cycles,
                 const struct ui *before, FILE *out)
{
    struct inspection *in = s->in;
    if (s->ui.help) {
        fprintf(out, "One line is one key, with a count before it if wanted, "
                     "or one command.\n");
        key_list(out);
        command_list(out);
        s->ui.help = false;
    } else if (s->ui.vmcs) {
        tell_vmcs(s, out);
        s->ui.vmcs = false;
    } else if (in->cycles != cycles || in->seq != seq) {
        if (in->seq > seq)
            tell_events(s, seq, out);
        plain_where(s, out);
    } else if (s->ui.screen != before->screen ||
               memcmp(&s->ui.request, &before->request, sizeof s->ui.request) !=
                   0) {
        tell_screen(s, out);
    }
    if (s->ui.prompt != PROMPT_NONE)
        fprintf(out, "The next line: %s\n", prompt_text[s->ui.prompt]);
    if (s->ui.status[0])
        fprintf(out, "%s\n", s->ui.status);
    s->ui.status[0] = '\0';
    fflush(out);
}

bool plain_play(struct session *s, FILE *in, FILE *out, bool prompt,
                const char *name)
{
    char line[UI_TEXT * 2];
    for (int number = 1; !s->quit; number++) {
        if (prompt) {
            fputs("umbra> ", out);
            fflush(out);
        }
        if (!fgets(line, sizeof line, in))
            break;
        struct ui before = s->ui;
        uint64_t seq = s->in->seq, cycles = s->in->cycles;
        bool understood = session_script_line(s, line);
        if (!understood && name) {
            fprintf(stderr, "umbra: %s:%d: %s\n", name, number, s->ui.status);
            s->status = 1;
            return false;
        }
        bool digit = line[0] >= '1' && line[0] <= '0' + SCREEN_COUNT;
        if (digit && (line[1] == '\n' || !line[1]))
            before.screen = SCREEN_COUNT; /* asked for: tell it again */
        tell(s, seq, cycles, &before, out);
    }
    return true;
}
