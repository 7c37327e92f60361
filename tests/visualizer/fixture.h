/* SPDX-License-Identifier: MIT */
/* tests/visualizer/fixture.h - pictures of a guest that never was, and a
 * target that pretends to run.
 *
 * 32-bit two-level paging: VA 08049A34 is directory entry 020, table entry
 * 049, offset A34.
 */
#ifndef TESTS_VISUALIZER_FIXTURE_H
#define TESTS_VISUALIZER_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "visualizer/target.h"

static inline void fixture_code(struct inspection *in)
{
    static const struct inspect_line lines[] = {
        {0x00100130, 2, {0x89, 0xE5}, MARK_NONE, "mov ebp, esp", "irq", NULL},
        {0x00100132,
         3,
         {0x83, 0xEC, 0x18},
         MARK_NONE,
         "sub esp, 0x18",
         "",
         NULL},
        {0x00100135, 5, {0xE8}, MARK_NONE, "call 0x00100020", "", NULL},
        {0x0010013A, 1, {0x53}, MARK_NONE, "push ebx", "", NULL},
        {0x0010013B,
         5,
         {0xA1},
         MARK_NONE,
         "mov eax, dword ptr [0x20F0]",
         "",
         NULL},
        {0x00100140, 2, {0x85, 0xC0}, MARK_NONE, "test eax, eax", "", NULL},
        {0x00100142, 2, {0x74, 0x0C}, MARK_NONE, "jz 0x00100150", "", NULL},
        {0x00100144, 1, {0xFA}, MARK_TRAPS, "cli", "lock", NULL},
        {0x00100145,
         5,
         {0xA3},
         MARK_NONE,
         "mov dword ptr [0x20F4], eax",
         "",
         NULL},
        {0x0010014A, 1, {0x9D}, MARK_SILENT, "popfd", "", NULL},
        {0x0010014B, 1, {0xEE}, MARK_DEVICE, "out dx, al", "", NULL},
        {0x0010014C, 1, {0x9C}, MARK_PATCHED, "pushfd", "", NULL},
        {0x0010014D, 1, {0xC3}, MARK_NONE, "ret", "", NULL},
    };
    in->code_count = sizeof lines / sizeof lines[0];
    memcpy(in->code, lines, sizeof lines);
    in->current = 7;
    snprintf(in->place, sizeof in->place, "lock");
    snprintf(in->next, sizeof in->next, "emulate cli");
    snprintf(in->why, sizeof in->why,
             "cli needs CPL <= IOPL. The virtual CPL 0 may; the real CPL 1 "
             "may not, so it will trap. [SDM 2, CLI - Clear Interrupt Flag]");
}

static inline void fixture_events(struct inspection *in)
{
    const struct event events[] = {
        {.seq = 418,
         .cycles = 48158,
         .eip = 0x00100A10,
         .kind = EV_IO,
         .arg = {0x3F8, 1, 0x69, 1},
         .text = "uart"},
        {.seq = 419,
         .cycles = 48171,
         .eip = 0x0010011E,
         .kind = EV_FAULT,
         .cls = FC_TRACE,
         .arg = {0x5124, 0x5124, 0x405124, 3, 0, 0x405025}},
        {.seq = 420,
         .cycles = 48180,
         .eip = 0x0010013B,
         .kind = EV_FAULT,
         .cls = FC_PAGED_OUT,
         .arg = {0x20F0, 0x20F0, 0x4080F0, 0}},
        {.seq = 421,
         .cycles = 48190,
         .eip = 0x0010002C,
         .kind = EV_EMULATE,
         .arg = {1, 0, 0x1B},
         .text = "iret"},
        {.seq = 422,
         .cycles = 48211,
         .eip = 0x08048123,
         .kind = EV_FAULT,
         .cls = FC_HIDDEN,
         .cpl = 3,
         .arg = {0x08049A34, 0xCA34, 0x41CA34, 6, 0, 0x41C067}},
        {.seq = 423,
         .cycles = 48229,
         .eip = 0x08048140,
         .kind = EV_FAULT,
         .cls = FC_TRUE,
         .cpl = 3,
         .arg = {0xC0000000, 0, 0, 5, 5, 0}},
        {.seq = 424,
         .cycles = 48229,
         .eip = 0x08048140,
         .kind = EV_INJECT,
         .cpl = 3,
         .arg = {14, 5, 0xC0000000, 8, 0x100200, 1},
         .text = "fault"},
        {.seq = 425,
         .cycles = 48240,
         .eip = 0x00100118,
         .kind = EV_EMULATE,
         .arg = {1, 0, 0},
         .text = "sti"},
    };
    in->event_count = sizeof events / sizeof events[0];
    memcpy(in->events, events, sizeof events);
    in->last_fault = events[4];
    in->has_fault = true;
    in->count.page_faults[FC_HIDDEN] = 112;
    in->count.page_faults[FC_TRUE] = 30;
    in->count.page_faults[FC_TRACE] = 83;
    in->count.exits[EXIT_PAGE_FAULT] = 225;
    in->count.exits[EXIT_PRIVILEGED] = 1040;
}

static inline void fixture_translation(struct inspection *in)
{
    in->gva = 0x08049A34;
    in->access = ACC_USER | ACC_WRITE;
    in->view = (struct mmu_view){
        .format = &paging_32bit,
        .walk = {.allowed = true,
                 .translated = true,
                 .level = LEVEL_PT,
                 .page_shift = PAGE_SHIFT,
                 .at = {[LEVEL_PD] = 0x3080, [LEVEL_PT] = 0x5124},
                 .entry = {[LEVEL_PD] = 0x5027, [LEVEL_PT] = 0xC067},
                 .address = 0xCA34,
                 .writable = true,
                 .user = true},
        .pmap = PMAP_RAM,
        .ma = MA(0x41CA34),
        .root = MA(0x510000),
        .own_format = &paging_32bit,
        .own = {.level = LEVEL_PT,
                .page_shift = PAGE_SHIFT,
                .at = {[LEVEL_PD] = 0x510080, [LEVEL_PT] = 0x513124},
                .entry = {[LEVEL_PD] = 0x513027}},
        .would = FC_HIDDEN,
    };
}

enum { FIXTURE_PLAIN = 0x07, FIXTURE_REVERSED = 0x70 };

static inline void fixture_vga_row(struct inspection *in, unsigned row,
                                   uint8_t attribute, const char *text)
{
    for (unsigned i = 0; i < TEXT_COLUMNS && text[i]; i++)
        in->vga.cell[row][i] = (struct text_cell){(uint8_t)text[i], attribute};
}

/* A menu, the cursor in its last row. */
static inline void fixture_vga(struct inspection *in)
{
    for (unsigned row = 0; row < TEXT_ROWS; row++)
        for (unsigned i = 0; i < TEXT_COLUMNS; i++)
            in->vga.cell[row][i] = (struct text_cell){' ', FIXTURE_PLAIN};
    fixture_vga_row(in, 0, FIXTURE_PLAIN, "the first row");
    fixture_vga_row(in, 1, FIXTURE_PLAIN, "\xDA\xC4\xC4\xC4\xC4\xC4\xC4\xBF");
    fixture_vga_row(in, 12, FIXTURE_REVERSED, "Linux");
    fixture_vga_row(in, 24, FIXTURE_PLAIN, "boot: ");
    in->vga.row = 24;
    in->vga.column = 6;
}

static inline void fixture_fill(struct inspection *in)
{
    memset(in, 0, sizeof *in);
    in->seq = 425;
    in->cycles = 48260;
    in->cpu = "trap";
    in->mmu = "shadow";
    snprintf(in->guest_name, sizeof in->guest_name, "toy.elf");
    in->guest = (struct cpu_state){
        .gpr = {[GPR_EBX] = 9,
                [GPR_ECX] = 0x400,
                [GPR_EDX] = 0x3F8,
                [GPR_ESP] = 0x7BDC,
                [GPR_EBP] = 0x7BF8,
                [GPR_EDI] = 0x103F00},
        .eip = 0x100144,
        .eflags = 0x246,
        .cr0 = 0x80000011,
        .cr3 = 0x3000,
        .seg = {[SEG_CS] = {.selector = 8}, [SEG_SS] = {.selector = 16}},
    };
    in->before = in->guest;
    in->before.gpr[GPR_EBX] = 8;
    in->before.gpr[GPR_ESP] = 0x7BE0;
    in->before.eip = 0x100142;
    in->has_before = true;
    in->real = in->guest;
    in->real.cpl = 1;
    in->real.cr3 = 0x510000;
    in->real.seg[SEG_CS].selector = 9;
    in->real.seg[SEG_SS].selector = 17;
    fixture_code(in);
    fixture_events(in);
    fixture_translation(in);
    in->stack[0] = 9;
    in->stack[1] = 0x10012B;
    in->stack[3] = 0x7BF8;
    in->stack_count = 4;
    snprintf(in->console[0], sizeof in->console[0], "toy kernel up");
    snprintf(in->console[1], sizeof in->console[1], "$ Hi");
    in->console_rows = 2;
    fixture_vga(in);
}

static inline void fixture_bare(struct inspection *in)
{
    fixture_fill(in);
    in->cpu = "bare";
    in->mmu = "-";
    in->real = in->guest;
    in->view.own_format = NULL;
    in->view.would = FC_COUNT;
    for (unsigned i = 0; i < in->code_count; i++)
        if (in->code[i].mark != MARK_DEVICE)
            in->code[i].mark = MARK_NONE;
    in->next[0] = '\0';
    snprintf(in->why, sizeof in->why,
             "There is no VMM: cli runs at CPL 0, as the guest believes.");
}

/* ---- A target that pretends ------------------------------------------------
 * An instruction takes 10 cycles and one byte; every eighth one is an event,
 * in turn a hidden fault and an emulated instruction. */

struct pretended {
    uint64_t cycles, seq, end; /* end: it stops there; 0: never */
    uint64_t typed;
    char text[64];
    unsigned runs;
    volatile bool *interrupt_at_slice; /* set after each slice, if not NULL */
};

struct target_saved {
    struct pretended state;
};

static inline struct event pretended_event(uint64_t seq)
{
    struct event e = {
        .seq = seq,
        .cycles = seq * 80,
        .eip = 0x1000 + (uint32_t)seq * 8,
        .kind = seq % 2 ? EV_FAULT : EV_EMULATE,
        .cls = seq % 2 ? FC_HIDDEN : 0,
        .text = seq % 2 ? NULL : "cli",
    };
    if (seq % 2)
        e.arg[0] = 0x08000000 + (uint32_t)seq * 4096;
    return e;
}

static inline enum vm_stop pretended_run(void *ctx, const struct vm_limit *l)
{
    struct pretended *p = ctx;
    p->runs++;
    for (;;) {
        if (p->end && p->cycles >= p->end)
            return VM_POWER_OFF;
        if (l->cycles && p->cycles >= l->cycles)
            break;
        if (l->events && p->seq >= l->events)
            break;
        p->cycles += 10;
        bool event = p->cycles % 80 == 0;
        if (event)
            p->seq++;
        if (l->one_instruction)
            break;
        struct event e = pretended_event(p->seq);
        if (event && (l->event_mask >> e.kind & 1))
            break;
    }
    if (p->interrupt_at_slice)
        *p->interrupt_at_slice = true;
    return VM_RUNNING;
}

static inline uint32_t pretended_here(void *ctx)
{
    return 0x1000 + (uint32_t)(((struct pretended *)ctx)->cycles / 10);
}

static inline size_t pretended_latest(void *ctx, struct event *out, size_t n)
{
    struct pretended *p = ctx;
    if (n > p->seq)
        n = (size_t)p->seq;
    for (size_t i = 0; i < n; i++)
        out[i] = pretended_event(p->seq - n + 1 + i);
    return n;
}

static inline void pretended_take(void *ctx, const struct inspect_request *r,
                                  struct inspection *out)
{
    struct pretended *p = ctx;
    fixture_fill(out);
    out->cycles = p->cycles;
    out->seq = p->seq;
    out->guest.eip = pretended_here(ctx);
    for (unsigned i = 0; i < out->code_count; i++)
        out->code[i].address = out->guest.eip + i - out->current;
    out->event_count = (unsigned)pretended_latest(ctx, out->events, 100);
    out->stop = p->end && p->cycles >= p->end ? VM_POWER_OFF : VM_RUNNING;
    if (r->has_gva) {
        out->gva = r->gva;
        out->access = r->access;
    }
}

static inline uint64_t pretended_cycles(void *ctx)
{
    return ((struct pretended *)ctx)->cycles;
}

static inline bool pretended_find(void *ctx, const char *name,
                                  uint32_t *address)
{
    (void)ctx;
    *address = 0x1020;
    return strcmp(name, "irq_save") == 0;
}

static inline bool pretended_type(void *ctx, uint8_t byte)
{
    struct pretended *p = ctx;
    if (p->typed + 1 >= sizeof p->text)
        return false;
    p->text[p->typed++] = (char)byte;
    return true;
}

static inline void pretended_live(void *ctx, bool on)
{
    (void)ctx;
    (void)on;
}

static inline const char *pretended_report(void *ctx)
{
    (void)ctx;
    return "It powered off.";
}

static inline struct target_saved *pretended_save(void *ctx)
{
    struct target_saved *saved = malloc(sizeof *saved);
    if (saved)
        saved->state = *(struct pretended *)ctx;
    return saved;
}

static inline bool pretended_restore(void *ctx, const struct target_saved *s)
{
    struct pretended *p = ctx;
    unsigned runs = p->runs;
    *p = s->state;
    p->runs = runs;
    return true;
}

static inline void pretended_forget(void *ctx, struct target_saved *saved)
{
    (void)ctx;
    free(saved);
}

static inline size_t pretended_bytes(void *ctx, const struct target_saved *s)
{
    (void)ctx;
    return sizeof *s;
}

static const struct target_ops pretended_ops = {
    .run = pretended_run,
    .take = pretended_take,
    .latest = pretended_latest,
    .here = pretended_here,
    .cycles = pretended_cycles,
    .find = pretended_find,
    .type = pretended_type,
    .live = pretended_live,
    .report = pretended_report,
    .save = pretended_save,
    .restore = pretended_restore,
    .forget = pretended_forget,
    .saved_bytes = pretended_bytes,
};

#endif
