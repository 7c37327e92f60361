/* SPDX-License-Identifier: MIT */
/* visualizer/view_translation.c - screen 2: one address through all tables.
 *
 * Left what the guest wrote, right what the processor walks, aligned level by
 * level; then the three questions whose answers are the fault's class.
 */
#include <string.h>

#include "cpu/ept.h"
#include "visualizer/event_text.h"
#include "visualizer/view.h"

static bool is_bare(const struct inspection *in)
{
    return !in->mmu || strcmp(in->mmu, "-") == 0;
}

static const char *vmm_table_name(const struct inspection *in)
{
    if (is_bare(in))
        return "Hardware (no VMM)";
    if (strcmp(in->mmu, "shadow") == 0)
        return "Shadow table (the CPU walks it)";
    if (strcmp(in->mmu, "tlb") == 0)
        return "Emulated TLB (the CPU walks it)";
    if (in->view.same_table)
        return "The same table (the CPU walks it)";
    return "Nested table (the CPU walks both)";
}

/* The rows of a box: its entries are between its root and its result. */
enum { ENTRY_ROW = 3, RESULT_ROW = 9 };

/* Where the entry of a level is drawn: with air between two of them. */
static int entry_row(const struct paging_format *f, unsigned level)
{
    int step = (RESULT_ROW - ENTRY_ROW) / f->levels;

    return ENTRY_ROW + step * (int)(f->levels - level);
}

/* An entry of a nested table: what it lets through. */
static void nested_text(uint64_t entry, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s%s", entry & EPT_READ ? "R" : "-",
             entry & EPT_WRITE ? "W" : "-", entry & EPT_EXECUTE ? "X" : "-",
             entry & EPT_ACCESSED ? " A" : "", entry & EPT_DIRTY ? " D" : "");
}

/* One row, for want of room. */
static void draw_nested_entry(struct canvas *c, struct rect r, uint64_t gpa,
                              const struct paging_format *f,
                              const struct paging_walk *w, unsigned level)
{
    char bits[16];

    nested_text(w->entry[level], bits, sizeof bits);
    canvas_printf(c, r.row + ENTRY_ROW + (int)(f->levels - level), r.column + 2,
                  r.width - 4, STYLE_TEXT, "%u[%03X] = %010llX %s", level,
                  paging_index(f, level, gpa),
                  (unsigned long long)w->entry[level], bits);
}

/* Two rows: which entry, where; then its value. */
static void draw_entry(struct canvas *c, struct rect r, uint32_t linear,
                       const struct paging_format *f,
                       const struct paging_walk *w, unsigned level,
                       const char *space)
{
    static const char *const name[] = {
        [LEVEL_PT] = "PTE",
        [LEVEL_PD] = "PDE",
        [LEVEL_PDPT] = "PDPTE",
        [LEVEL_PML4] = "PML4E",
    };
    int row = r.row + entry_row(f, level), column = r.column + 2;
    char bits[40];

    entry_text(w->entry[level], bits, sizeof bits);
    if (f == &paging_pae && level == LEVEL_PDPT)
        canvas_printf(c, row, column, r.width - 4, STYLE_TEXT,
                      "PDPTE%X, loaded with CR3",
                      paging_index(f, level, linear));
    else
        canvas_printf(c, row, column, r.width - 4, STYLE_TEXT,
                      "%s[%03X] @%s %08llX", name[level],
                      paging_index(f, level, linear), space,
                      (unsigned long long)w->at[level]);
    canvas_printf(c, row + 1, column, r.width - 4, STYLE_TEXT, "  = %0*llX  %s",
                  2 * f->entry_bytes, (unsigned long long)w->entry[level],
                  bits);
}

static void draw_entries(struct canvas *c, struct rect r, uint32_t linear,
                         const struct paging_format *f,
                         const struct paging_walk *w, const char *space)
{
    for (unsigned level = f->levels; level >= w->level; level--)
        draw_entry(c, r, linear, f, w, level, space);
}

static const char *pmap_text(enum pmap_kind kind)
{
    static const char *const text[] = {
        [PMAP_NONE] = "no memory: a device, or nothing",
        [PMAP_RAM] = "RAM",
        [PMAP_ROM] = "ROM",
        [PMAP_PAGED_OUT] = "paged out",
        [PMAP_SHARED] = "RAM, shared",
    };
    return (unsigned)kind < sizeof text / sizeof *text ? text[kind] : "?";
}

static void draw_guest_result(struct canvas *c, struct rect r, int row,
                              const struct inspection *in)
{
    const struct mmu_view *v = &in->view;
    int column = r.column + 2, width = r.width - 4;

    if (!v->walk.translated) {
        canvas_text(c, r.row + row, column, width, STYLE_TEXT,
                    "gPA  none: nothing is mapped here");
        return;
    }
    canvas_printf(c, r.row + row, column, width, STYLE_TEXT, "gPA  %08llX",
                  (unsigned long long)v->walk.address);
    if (is_bare(in)) {
        canvas_text(c, r.row + row + 1, column, width, STYLE_TEXT,
                    "(no PMap: it is the machine's)");
        return;
    }
    canvas_printf(c, r.row + row + 1, column, width, STYLE_TEXT,
                  "PMap frame %05llX -> %s%s",
                  (unsigned long long)(v->walk.address >> PAGE_SHIFT),
                  pmap_text(v->pmap), v->traced ? ", traced" : "");
    if (pmap_readable(v->pmap))
        canvas_printf(c, r.row + row + 2, column, width, STYLE_TEXT,
                      "MA   %08llX", (unsigned long long)v->ma.v);
}

/* The class letter at the level where a walk stops. */
static void draw_arrow(struct canvas *c, struct rect r, int row,
                       enum fault_class would)
{
    char letter = fault_class_letter(would);
    canvas_printf(c, r.row + row, r.column + r.width - 7, 5,
                  style_of_letter(letter), "<== %c", letter);
}

static void draw_guest(struct canvas *c, struct rect r,
                       const struct inspection *in)
{
    const struct paging_format *f = in->view.format;
    const struct paging_walk *w = &in->view.walk;
    int column = r.column + 2, width = r.width - 4;

    canvas_box(c, r, "Guest's page table");
    canvas_printf(c, r.row + 1, column, width, STYLE_TEXT,
                  is_bare(in)           ? "CR3          gPA %08X"
                  : in->view.same_table ? "CR3           MA %08X"
                                        : "CR3 (virtual) gPA %08X",
                  in->guest.cr3);
    if (!f) {
        canvas_text(c, r.row + ENTRY_ROW, column, width, STYLE_TEXT,
                    "Paging is off: gPA = linear address");
    } else {
        draw_entries(c, r, in->gva, f, w, "gPA");
        if (walk_large(w))
            canvas_printf(c, r.row + entry_row(f, LEVEL_PT), column, width,
                          STYLE_TEXT, "(a %u MiB page: no page table)",
                          1u << (w->page_shift - 20));
        if (!w->allowed)
            draw_arrow(c, r, entry_row(f, w->level) + 1, FC_TRUE);
    }
    draw_guest_result(c, r, RESULT_ROW, in);
}

/* Direct paging: why it may or may not be mapped as it is. */
static void draw_frame(struct canvas *c, struct rect r, int row,
                       const struct mmu_view *v)
{
    int column = r.column + 2, width = r.width - 4;

    canvas_printf(c, r.row + row, column, width, STYLE_TEXT,
                  "is   %s, %u use%s%s", v->frame_type, v->frame_uses,
                  v->frame_uses == 1 ? "" : "s",
                  v->frame_pinned ? ", pinned" : "");
    canvas_printf(c, r.row + row + 1, column, width, STYLE_TEXT,
                  "     %u reference%s", v->frame_references,
                  v->frame_references == 1 ? "" : "s");
}

/* How many entries a miss costs: those of the guest's, each behind a nested
 * walk, and the nested walk for the page. */
static void draw_nested(struct canvas *c, struct rect r,
                        const struct inspection *in)
{
    const struct mmu_view *v = &in->view;
    const struct paging_format *f = v->own_format;
    const struct paging_walk *w = &v->own;
    int column = r.column + 2, width = r.width - 4;

    canvas_box(c, r, vmm_table_name(in));
    canvas_printf(c, r.row + 1, column, width, STYLE_TEXT,
                  "EPTP          MA %08llX", (unsigned long long)v->root.v);
    if (!v->walk.translated)
        return;
    for (unsigned level = f->levels; level >= w->level; level--)
        draw_nested_entry(c, r, v->walk.address, f, w, level);
    if (v->would < FC_COUNT && v->would != FC_TRUE && !w->allowed)
        draw_arrow(c, r, ENTRY_ROW + (int)(f->levels - w->level) + 1, v->would);
    if (!w->translated)
        return;
    canvas_printf(c, r.row + RESULT_ROW, column, width, STYLE_TEXT,
                  "MA   %08llX", (unsigned long long)w->address);
    canvas_printf(c, r.row + RESULT_ROW + 1, column, width, STYLE_TEXT,
                  "A walk reads %u entries:",
                  (v->walk.references + 1u) * (w->references + 1u) - 1u);
    canvas_printf(c, r.row + RESULT_ROW + 2, column, width, STYLE_TEXT,
                  "(%u + 1) x (%u + 1) - 1", v->walk.references, w->references);
}

static void draw_vmm(struct canvas *c, struct rect r,
                     const struct inspection *in)
{
    const struct mmu_view *v = &in->view;
    int column = r.column + 2, width = r.width - 4;
    const struct paging_walk *w = &v->own;
    bool faults = v->would < FC_COUNT && v->would != FC_TRUE;

    if (v->nested) {
        draw_nested(c, r, in);
        return;
    }
    canvas_box(c, r, vmm_table_name(in));
    canvas_printf(c, r.row + 1, column, width, STYLE_TEXT,
                  "CR3 (real)    MA %08llX", (unsigned long long)v->root.v);
    if (v->own_format) {
        draw_entries(c, r, in->gva, v->own_format, w, "MA");
        if (faults && !w->allowed)
            draw_arrow(c, r, entry_row(v->own_format, w->level) + 1, v->would);
    }
    if (v->would == FC_HIDDEN && v->walk.allowed)
        canvas_printf(c, r.row + RESULT_ROW - 1, column, width, STYLE_DIM,
                      "    should map MA %08llX",
                      (unsigned long long)(v->ma.v & ~(uint64_t)PAGE_MASK));
    if (w->translated)
        canvas_printf(c, r.row + RESULT_ROW, column, width, STYLE_TEXT,
                      "MA   %08llX", (unsigned long long)w->address);
    if (v->frame_type)
        draw_frame(c, r, RESULT_ROW + 1, v);
}

static void draw_hardware(struct canvas *c, struct rect r,
                          const struct inspection *in)
{
    int column = r.column + 2, width = r.width - 4;
    canvas_box(c, r, vmm_table_name(in));
    canvas_printf(c, r.row + 1, column, width, STYLE_TEXT,
                  "CR3           MA %08X", in->real.cr3);
    struct rect text = {r.row + 3, column, r.height - 5, width};
    canvas_wrap(c, text, STYLE_TEXT,
                in->view.format
                    ? "The processor walks the guest's own table, the one on "
                      "the left. There is no second table, so there are no "
                      "hidden faults."
                    : "Paging is off. The linear address goes to memory as it "
                      "is.");
}

struct answer {
    char text[100];
    char letter; /* the class it decides; 0: go on to the next question */
};

static struct answer guest_answer(const struct inspection *in)
{
    struct answer a = {"yes", 0};
    if (!in->view.walk.allowed) {
        snprintf(a.text, sizeof a.text,
                 "NO -> T true: the guest gets #PF, error %04X",
                 in->view.walk.error);
        a.letter = 'T';
    }
    return a;
}

static struct answer pmap_answer(const struct inspection *in)
{
    const struct mmu_view *v = &in->view;
    struct answer a = {"yes, RAM", 0};
    if (is_bare(in))
        return (struct answer){"there is no PMap", 0};
    if (v->pmap == PMAP_ROM && (in->access & ACC_WRITE))
        return (struct answer){"ROM, not to be written -> M mmio", 'M'};
    if (v->pmap == PMAP_ROM)
        return (struct answer){"yes, ROM", 0};
    if (v->pmap == PMAP_NONE)
        return (struct answer){"NO -> M mmio: the access is emulated", 'M'};
    if (v->pmap == PMAP_SHARED && (in->access & ACC_WRITE))
        return (struct answer){"shared -> P paged_out: the VMM copies it", 'P'};
    if (v->pmap == PMAP_PAGED_OUT)
        return (struct answer){"NO -> P paged_out: the VMM finds a frame", 'P'};
    return a;
}

/* Was it the last fault that put the entry there? */
static bool filled_by_last(const struct inspection *in)
{
    const struct event *e = &in->last_fault;
    return in->has_fault && e->kind == EV_FAULT && e->cls != FC_TRUE &&
           (e->arg[0] ^ in->gva) <= PAGE_MASK;
}

static struct answer vmm_answer(const struct inspection *in)
{
    static const char *const text[FC_COUNT] = {
        [FC_TRUE] = "-",
        [FC_HIDDEN] = "NO -> H hidden: filled, the guest never knows",
        [FC_DIRTY] = "not to write -> D dirty: guest's D bit is set",
        [FC_TRACE] = "write-protected -> W trace: a page table",
        [FC_MMIO] = "NO -> M mmio: the access is emulated",
        [FC_PAGED_OUT] = "NO -> P paged_out: the VMM finds a frame",
        [FC_SPURIOUS] = "yes by now -> X spurious: run on",
    };
    enum fault_class would = in->view.would;
    if (is_bare(in) || in->view.same_table)
        return (struct answer){"it walks this very table: no trap", 0};
    if (would >= FC_COUNT && filled_by_last(in)) {
        struct answer a = {"", 0};
        snprintf(a.text, sizeof a.text, "yes, since #%llu: %c %s -> no trap",
                 (unsigned long long)in->last_fault.seq,
                 event_letter(&in->last_fault), event_word(&in->last_fault));
        return a;
    }
    if (would >= FC_COUNT)
        return (struct answer){"yes -> no trap, the CPU finishes alone", 0};
    struct answer a = {"", fault_class_letter(would)};
    snprintf(a.text, sizeof a.text, "%s", text[would]);
    return a;
}

static void draw_question(struct canvas *c, int row, int column, int width,
                          const char *question, const struct answer *a)
{
    int at =
        canvas_printf(c, row, column, width, STYLE_TEXT, "%-28s ", question);
    canvas_text(c, row, at, column + width - at,
                a->letter ? style_of_letter(a->letter) : STYLE_TEXT, a->text);
}

static void draw_verdict(struct canvas *c, struct rect r,
                         const struct inspection *in)
{
    char question[80];
    int column = r.column + 2, width = r.width - 4, row = r.row + 1;
    struct answer a = guest_answer(in);

    canvas_box(c, r, "Three questions");
    c->cursor_row = row;
    c->cursor_column = column;
    snprintf(question, sizeof question, "1 Guest allows %s?",
             access_text(in->access));
    draw_question(c, row, column, width, question, &a);
    if (!a.letter) {
        snprintf(question, sizeof question, "2 PMap has memory at %05llX?",
                 (unsigned long long)(in->view.walk.address >> PAGE_SHIFT));
        a = pmap_answer(in);
        draw_question(c, row + 1, column, width, question, &a);
    }
    if (!a.letter) {
        a = vmm_answer(in);
        draw_question(c, row + 2, column, width, "3 The CPU's table has it?",
                      &a);
    }
}

static void draw_last_fault(struct canvas *c, int row, int column, int width,
                            const struct inspection *in)
{
    char detail[200];
    if (!in->has_fault) {
        canvas_text(c, row, column, width, STYLE_TEXT,
                    "There was no page fault yet.");
        return;
    }
    const struct event *e = &in->last_fault;
    event_detail(e, detail, sizeof detail);
    int at = canvas_printf(c, row, column, width, STYLE_TEXT,
                           "Last fault #%llu: ", (unsigned long long)e->seq);
    at = canvas_printf(c, row, at, width, style_of_letter(event_letter(e)),
                       "%c %s", event_letter(e), event_word(e));
    canvas_printf(c, row, at, column + width - at, STYLE_TEXT,
                  "  at EIP %08X  %s", e->eip, detail);
}

void view_translation(struct canvas *c, struct rect where,
                      const struct inspection *in, const struct ui *ui)
{
    (void)ui;
    int top = where.row + 1, half = where.width / 2;
    int height = where.height - 1 - 5;
    if (height > 16)
        height = 16;

    canvas_printf(c, where.row, where.column + 1, where.width - 2, STYLE_TEXT,
                  "VA %08X  %s   directory index %03X, table index %03X, "
                  "offset %03X",
                  in->gva, access_text(in->access), in->gva >> 22,
                  in->gva >> 12 & 0x3FF, in->gva & PAGE_MASK);
    draw_guest(c, (struct rect){top, where.column, height, half}, in);
    struct rect right = {top, where.column + half, height, where.width - half};
    if (is_bare(in))
        draw_hardware(c, right, in);
    else
        draw_vmm(c, right, in);
    draw_verdict(
        c, (struct rect){top + height - 1, where.column, 5, where.width}, in);
    draw_last_fault(c, top + height + 4, where.column + 1, where.width - 2, in);
}
