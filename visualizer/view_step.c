/* SPDX-License-Identifier: MIT */
/* visualizer/view_step.c - screen 1: code, both processors, the trap log.
 *
 * What an instruction will do ("E traps", "S silent!") is printed before it is
 * executed.
 */
#include <string.h>

#include "visualizer/event_text.h"
#include "visualizer/view.h"

static const struct {
    const char *text;
    enum style style;
} marks[] = {
    [MARK_NONE] = {"", STYLE_TEXT},
    [MARK_TRAPS] = {"E traps", STYLE_EMULATE},
    [MARK_SILENT] = {"S silent!", STYLE_SILENT},
    [MARK_DEVICE] = {"M device", STYLE_DEVICE},
    [MARK_PATCHED] = {"E patched", STYLE_EMULATE},
    [MARK_INLINE] = {"I in line", STYLE_EMULATE},
    [MARK_CALLOUT] = {"C callout", STYLE_EMULATE},
};

static bool has_breakpoint(const struct ui *ui, uint32_t address)
{
    for (unsigned i = 0; i < ui->breakpoint_count; i++)
        if (ui->breakpoints[i] == address)
            return true;
    return false;
}

static void draw_code_row(struct canvas *c, int row, int column, int width,
                          const struct inspect_line *line, bool current,
                          bool selected, const struct ui *ui)
{
    enum style style = current ? STYLE_CURRENT : STYLE_TEXT;
    int mark = width - 10;
    int text_end = mark;

    canvas_put(c, row, column, style, current ? '>' : ' ');
    if (has_breakpoint(ui, line->address))
        canvas_put(c, row, column + 1, STYLE_CHANGED, 'b');
    int at =
        canvas_printf(c, row, column + 2, 10, style, "%08X ", line->address);
    if (line->symbol[0] && width >= 56)
        text_end -= 18;
    char text[sizeof line->text];
    view_short_text(line->text, text, sizeof text);
    canvas_text(c, row, at, column + text_end - at - 1, style, text);
    if (line->symbol[0] && width >= 56)
        canvas_printf(c, row, column + text_end, 17, STYLE_DIM, "<%s>",
                      line->symbol);
    if ((unsigned)line->mark < sizeof marks / sizeof marks[0])
        canvas_text(c, row, column + mark, 10, marks[line->mark].style,
                    marks[line->mark].text);
    if (selected) {
        canvas_style(c, row, column, width, STYLE_SELECT);
        c->cursor_row = row;
        c->cursor_column = column;
    }
}

static void draw_code(struct canvas *c, struct rect r,
                      const struct inspection *in, const struct ui *ui)
{
    char title[100];
    int rows = r.height - 2, count = (int)in->code_count;
    int current = (int)in->current, cursor = current + ui->code_cursor;

    snprintf(title, sizeof title, "Code  %.30s", in->place);
    canvas_box(c, r, title);
    if (cursor < 0)
        cursor = 0;
    if (cursor >= count)
        cursor = count - 1;
    int first = view_first_row(current, count, rows);
    if (cursor < first)
        first = cursor;
    if (cursor >= first + rows)
        first = cursor - rows + 1;
    for (int i = 0; i < rows && first + i < count && first + i >= 0; i++) {
        int at = first + i;
        bool selected = ui->pane == PANE_CODE && at == cursor;
        draw_code_row(c, r.row + 1 + i, r.column + 1, r.width - 2,
                      &in->code[at], at == current, selected, ui);
    }
    if (count == 0)
        canvas_text(c, r.row + 1, r.column + 2, r.width - 4, STYLE_TEXT,
                    "(no memory can be read here)");
}

static void draw_register(struct canvas *c, int row, int column,
                          const char *name, uint32_t value, bool changed)
{
    enum style style = changed ? STYLE_CHANGED : STYLE_TEXT;
    canvas_printf(c, row, column, 13, style, "%-3s%c%08X", name,
                  changed ? '*' : ' ', value);
}

/* Returns the rows used. */
static int draw_registers(struct canvas *c, struct rect r,
                          const struct inspection *in)
{
    static const struct {
        const char *name;
        unsigned gpr, row, column;
    } table[] = {
        {"EAX", GPR_EAX, 0, 0}, {"EBX", GPR_EBX, 1, 0}, {"ECX", GPR_ECX, 2, 0},
        {"EDX", GPR_EDX, 3, 0}, {"ESI", GPR_ESI, 0, 1}, {"EDI", GPR_EDI, 1, 1},
        {"EBP", GPR_EBP, 2, 1}, {"ESP", GPR_ESP, 3, 1},
    };
    const struct cpu_state *g = &in->guest, *b = &in->before;
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned n = table[i].gpr;
        draw_register(c, r.row + (int)table[i].row,
                      r.column + 1 + 17 * (int)table[i].column, table[i].name,
                      g->gpr[n], in->has_before && g->gpr[n] != b->gpr[n]);
    }
    draw_register(c, r.row + 4, r.column + 1, "EIP", g->eip,
                  in->has_before && g->eip != b->eip);
    draw_register(c, r.row + 4, r.column + 18, "EFL", g->eflags,
                  in->has_before && g->eflags != b->eflags);
    return 5;
}

struct both {
    const char *name;
    uint32_t guest, real;
    int digits; /* hexadecimal ones; 0: decimal */
};

static void draw_both_row(struct canvas *c, int row, int column,
                          const struct both *b, bool bare)
{
    char guest[12], real[12];
    snprintf(guest, sizeof guest, b->digits ? "%0*X" : "%*u", b->digits,
             b->guest);
    snprintf(real, sizeof real, b->digits ? "%0*X" : "%*u", b->digits, b->real);
    canvas_printf(c, row, column, 34, STYLE_TEXT, " %-7s %-9s %-9s", b->name,
                  guest, bare ? "" : real);
    if (!bare && b->guest != b->real)
        canvas_text(c, row, column + 29, 2, STYLE_DIFFERS, "!=");
}

/* The virtual processor that the guest believes in against the real one. */
static void draw_both(struct canvas *c, struct rect r,
                      const struct inspection *in)
{
    const struct cpu_state *g = &in->guest, *m = &in->real;
    bool bare = in->cpu && strcmp(in->cpu, "bare") == 0;
    const struct both table[] = {
        {"CPL", g->cpl, m->cpl, 0},
        {"IF", !!(g->eflags & EFL_IF), !!(m->eflags & EFL_IF), 0},
        {"IOPL", state_iopl(g), state_iopl(m), 0},
        {"CR3", g->cr3, m->cr3, 8},
        {"CS", g->seg[SEG_CS].selector, m->seg[SEG_CS].selector, 4},
        {"SS", g->seg[SEG_SS].selector, m->seg[SEG_SS].selector, 4},
        {"CR0", g->cr0, m->cr0, 8},
        {"CR2", g->cr2, m->cr2, 8},
        {"CR4", g->cr4, m->cr4, 8},
        {"IDTR", g->idtr.base, m->idtr.base, 8},
        {"GDTR", g->gdtr.base, m->gdtr.base, 8},
    };
    canvas_text(c, r.row, r.column, r.width, STYLE_DIM,
                bare ? "         the only processor"
                     : "         virtual   real CPU");
    int rows = (int)(sizeof table / sizeof table[0]);
    for (int i = 0; i < rows && i + 1 < r.height; i++)
        draw_both_row(c, r.row + 1 + i, r.column, &table[i], bare);
}

static void draw_processors(struct canvas *c, struct rect r,
                            const struct inspection *in)
{
    bool bare = in->cpu && strcmp(in->cpu, "bare") == 0;
    canvas_box(c, (struct rect){r.row, r.column, 7, r.width},
               "Registers (* = changed)");
    int used = draw_registers(
        c, (struct rect){r.row + 1, r.column + 1, 5, r.width - 2}, in);
    struct rect lower = {r.row + 1 + used, r.column, r.height - 1 - used,
                         r.width};
    canvas_box(c, lower,
               bare ? "Bare machine: no VMM" : "Virtual against real");
    draw_both(c,
              (struct rect){lower.row + 1, lower.column + 1, lower.height - 2,
                            lower.width - 2},
              in);
}

static void draw_log_row(struct canvas *c, struct rect r, int row,
                         const struct event *e, bool selected)
{
    char text[300];
    event_row(e, text, sizeof text);
    int column = r.column + 1;
    canvas_text(c, row, column + 1, r.width - 3, STYLE_TEXT, text);
    /* The letter and its word: after the numbers, see event_row(). */
    canvas_style(c, row, column + 33, 11, style_of_letter(event_letter(e)));
    if (selected) {
        canvas_put(c, row, column, STYLE_SELECT, '>');
        canvas_style(c, row, column, r.width - 2, STYLE_SELECT);
        c->cursor_row = row;
        c->cursor_column = column;
    }
}

static void draw_log(struct canvas *c, struct rect r,
                     const struct inspection *in, const struct ui *ui)
{
    unsigned index[INSPECT_EVENTS];
    int count = (int)events_filtered(in, ui->filter, index);
    int rows = r.height - 3, cursor = count - 1 - (int)ui->log_cursor;
    char title[220];

    if (ui->filter[0])
        snprintf(title, sizeof title, "Traps  only %s  (f: filter)",
                 ui->filter);
    else if (in->next[0])
        snprintf(title, sizeof title, "Traps  next: %.60s", in->next);
    else
        snprintf(title, sizeof title, "Traps");
    canvas_box(c, r, title);
    canvas_text(c, r.row + 1, r.column + 2, r.width - 4, STYLE_DIM,
                "     #        cycles  EIP       class       what");
    if (cursor < 0)
        cursor = 0;
    int first = view_first_row(cursor, count, rows);
    for (int i = 0; i < rows && first + i < count; i++) {
        bool selected = ui->pane == PANE_LOG && first + i == cursor;
        draw_log_row(c, r, r.row + 2 + i, &in->events[index[first + i]],
                     selected);
    }
    if (count == 0)
        canvas_text(c, r.row + 2, r.column + 2, r.width - 4, STYLE_TEXT,
                    ui->filter[0] ? "(none of these classes yet)"
                                  : "(nothing has trapped yet: press t)");
}

enum { NOTE = 44 }; /* column of what is to be said of a row */

/* The translation of the code above, in the place of the log. */
static void draw_cached(struct canvas *c, struct rect r,
                        const struct inspection *in)
{
    int rows = r.height - 3, count = (int)in->cached_count, current = 0;

    canvas_box(c, r, "Translated  x: back to the traps");
    canvas_text(c, r.row + 1, r.column + 2, r.width - 4, STYLE_DIM,
                "guest    is       cache    instruction");
    while (current < count && !in->cached[current].current)
        current++;
    int first = current > 2 ? current - 2 : 0;
    for (int i = 0; i < rows && first + i < count; i++) {
        const struct inspect_cached *p = &in->cached[first + i];
        enum style style = p->current ? STYLE_CURRENT : STYLE_TEXT;
        char guest[12] = "", text[sizeof p->text];
        if (p->first)
            snprintf(guest, sizeof guest, "%08X", p->guest);
        view_short_text(p->text, text, sizeof text);
        int row = r.row + 2 + i, at = r.column + 2;
        at = canvas_printf(c, row, at, r.width - 4, style, "%-8s %-8s %08X %s",
                           guest, p->kind, p->cache, text) +
             2;
        if (at < r.column + NOTE)
            at = r.column + NOTE;
        canvas_text(c, row, at, r.column + r.width - 1 - at, STYLE_DIM,
                    p->note);
    }
    if (count == 0)
        canvas_text(c, r.row + 2, r.column + 2, r.width - 4, STYLE_TEXT,
                    "(this code has no translation now)");
}

static void draw_stack(struct canvas *c, struct rect r,
                       const struct inspection *in)
{
    uint32_t esp = in->guest.seg[SEG_SS].base + in->guest.gpr[GPR_ESP];
    canvas_box(c, r, "Stack  words at SS:ESP");
    for (int i = 0; i < r.height - 2 && i < (int)in->stack_count; i++)
        canvas_printf(c, r.row + 1 + i, r.column + 2, r.width - 4, STYLE_TEXT,
                      "%08X  %08X", esp + 4 * (uint32_t)i, in->stack[i]);
}

/* Totals since the guest's first instruction. */
static void draw_totals(struct canvas *c, struct rect r,
                        const struct inspection *in)
{
    int rows = r.height - 2, half = (r.width - 2) / 2;
    char number[28];
    canvas_box(c, r, "Page faults by class; exits");
    for (int i = 0; i < FC_COUNT && i < rows; i++) {
        char letter = fault_class_letter((enum fault_class)i);
        int at = canvas_printf(c, r.row + 1 + i, r.column + 2, half,
                               style_of_letter(letter), "%c %-10s", letter,
                               fault_class_name((enum fault_class)i));
        canvas_printf(c, r.row + 1 + i, at, half - 14, STYLE_TEXT, "%13s",
                      number_text(in->count.page_faults[i], number));
    }
    for (int i = 0, row = 0; i < EXIT_COUNT && row < rows; i++) {
        if (!in->count.exits[i])
            continue;
        canvas_printf(c, r.row + 1 + row, r.column + half + 1, half, STYLE_TEXT,
                      "%-12s %13s", exit_reason_name((enum exit_reason)i),
                      number_text(in->count.exits[i], number));
        row++;
    }
}

void view_step(struct canvas *c, struct rect where, const struct inspection *in,
               const struct ui *ui)
{
    bool wide = where.width >= 110 && where.height >= 34;
    int code_width = where.width - (wide ? 44 : 34);
    int extra = wide ? 9 : 0; /* the lowest panes */
    int top = (where.height - extra) * 13 / 20;
    if (top > 20)
        top = 20;
    struct rect code = {where.row, where.column, top, code_width};
    struct rect right = {where.row, where.column + code_width, top,
                         where.width - code_width};
    struct rect log = {where.row + top - 1, where.column,
                       where.height - extra - top + 1, where.width};

    draw_code(c, code, in, ui);
    draw_processors(c, right, in);
    if (ui->cache)
        draw_cached(c, log, in);
    else
        draw_log(c, log, in, ui);
    if (wide) {
        int row = log.row + log.height - 1, height = extra + 1;
        draw_stack(c, (struct rect){row, where.column, height, 40}, in);
        draw_totals(
            c, (struct rect){row, where.column + 40, height, where.width - 40},
            in);
    }
}
