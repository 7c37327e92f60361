/* SPDX-License-Identifier: MIT */
/* labs/fault_ask.c - one page fault, put to the student's code and judged. */
#include "labs/05-hidden-faults/support/question.h"
#include "labs/fault_lab.h"

#include <string.h>

enum { ANSWER_WORDS = SAID_ERROR + 1, QUESTION_WORDS = ASK_PSE + 1 };

/* What is wrong, or NULL. */
static const char *difference(const struct paging_walk *truth,
                              const uint32_t *said)
{
    bool fill = said[SAID_VERDICT] == VERDICT_FILL;

    if (said[SAID_VERDICT] == VERDICT_UNDECIDED)
        return "does not decide";
    if (!fill && said[SAID_VERDICT] != VERDICT_REFLECT)
        return "gives a verdict that there is not";
    if (truth->allowed && !fill)
        return "reflects a hidden fault";
    if (!truth->allowed && fill)
        return "fills a true fault";
    if (!fill)
        return said[SAID_ERROR] == truth->error
                   ? NULL
                   : "reflects the wrong error code";
    if (((said[SAID_PAGE] ^ (uint32_t)truth->address) & PTE_FRAME) != 0)
        return "fills the wrong page";
    if ((said[SAID_WRITABLE] != 0) != truth->writable ||
        (said[SAID_USER] != 0) != truth->user)
        return "fills with the wrong rights";
    return NULL;
}

/* ---- In words ------------------------------------------------------------ */

static void verdict_text(char *text, size_t bytes, uint32_t verdict,
                         uint32_t page, bool writable, bool user,
                         uint32_t error)
{
    if (verdict == VERDICT_FILL)
        snprintf(text, bytes, "FILL, page 0x%08x, %s, %s", page & PTE_FRAME,
                 writable ? "writable" : "read-only",
                 user ? "user" : "supervisor");
    else if (verdict == VERDICT_REFLECT)
        snprintf(text, bytes, "REFLECT, error code 0x%x", error);
    else if (verdict == VERDICT_UNDECIDED)
        snprintf(text, bytes, "UNDECIDED");
    else
        snprintf(text, bytes, "verdict %u", verdict);
}

static void bits_text(char *text, uint32_t entry)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {PTE_P, " P"}, {PTE_W, " W"},   {PTE_U, " U"}, {PTE_A, " A"},
        {PTE_D, " D"}, {PTE_PS, " PS"}, {PTE_G, " G"},
    };
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (entry & names[i].bit)
            strcat(text, names[i].name);
    if (!text[0])
        strcat(text, " -");
}

static void show_entry(struct lab_outcome *o, const char *name,
                       const char *key_gpa, const char *key,
                       const struct paging_walk *w, unsigned level)
{
    uint32_t gpa = (uint32_t)w->at[level], entry = (uint32_t)w->entry[level];
    char bits[32];

    if (level < w->level)
        return;
    bits_text(bits, entry);
    lab_line(o, name, "0x%08x at 0x%08x, bits:%s", entry, gpa, bits);
    lab_field(o, key_gpa, false, "0x%08x", gpa);
    lab_field(o, key, false, "0x%08x", entry);
}

static void show_case(struct lab_outcome *o, const struct fault_case *c)
{
    const struct paging_walk *w = c->walk;

    lab_line(o, "fault",
             "%s 0x%08x by %s code; the processor's error code 0x%x",
             c->write ? "write to" : "read of", c->address,
             c->user ? "user" : "supervisor", c->real_error);
    lab_line(o, "guest", "CR3 0x%08x, CR0.WP %d, CR4.PSE %d", c->cr3,
             c->write_protect, c->large_pages);
    lab_field(o, "address", false, "0x%08x", c->address);
    lab_field(o, "access", false, "%s %s", c->user ? "user" : "supervisor",
              c->write ? "write" : "read");
    lab_field(o, "real_error", false, "0x%x", c->real_error);
    lab_field(o, "cr3", false, "0x%08x", c->cr3);
    lab_field(o, "wp", true, "%d", c->write_protect);
    lab_field(o, "pse", true, "%d", c->large_pages);
    show_entry(o, "PDE", "pde_at", "pde", w, LEVEL_PD);
    show_entry(o, "PTE", "pte_at", "pte", w, LEVEL_PT);
}

static void show_reads(struct lab_outcome *o, const struct child *child)
{
    char text[LAB_TEXT] = "";
    size_t used = 0;

    for (unsigned i = 0; i < child->reads && used + 40 < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s0x%08x",
                                 i ? ", " : "", child->read_address[i]);
    lab_line(o, "", "after reading %s", child->reads ? text : "nothing");
}

static void show_difference(struct lab_outcome *o, const struct fault_case *c,
                            const uint32_t *said, const struct child *child)
{
    const struct paging_walk *w = c->walk;
    char text[80];

    show_case(o, c);
    verdict_text(text, sizeof text, w->allowed ? VERDICT_FILL : VERDICT_REFLECT,
                 (uint32_t)w->address, w->writable, w->user, w->error);
    lab_line(o, "wanted", "%s", text);
    lab_field(o, "wanted", false, "%s", text);
    verdict_text(text, sizeof text, said[SAID_VERDICT], said[SAID_PAGE],
                 said[SAID_WRITABLE] != 0, said[SAID_USER] != 0,
                 said[SAID_ERROR]);
    lab_line(o, "got", "%s", text);
    lab_field(o, "got", false, "%s", text);
    show_reads(o, child);
}

/* ---- Asking -------------------------------------------------------------- */

bool fault_ask(const struct lab_run *run, const struct fault_case *c,
               const char *where, child_read_fn *read, void *ctx,
               struct lab_outcome *outcome)
{
    const uint32_t question[QUESTION_WORDS] = {
        [ASK_ADDRESS] = c->address, [ASK_WRITE] = c->write,
        [ASK_USER] = c->user,       [ASK_ERROR] = c->real_error,
        [ASK_CR3] = c->cr3,         [ASK_WP] = c->write_protect,
        [ASK_PSE] = c->large_pages,
    };
    uint32_t said[ANSWER_WORDS];

    if (!child_ask(run->child, question, QUESTION_WORDS, said, ANSWER_WORDS,
                   read, ctx)) {
        show_case(outcome, c);
        return false;
    }
    const char *wrong = difference(c->walk, said);
    if (!wrong)
        return true;
    outcome->status = LAB_FAILED;
    lab_say(outcome, "first difference at %s: %s", where, wrong);
    show_difference(outcome, c, said, run->child);
    return false;
}

void fault_passed(const struct lab_test *test, const struct fault_counts *count,
                  struct lab_outcome *outcome)
{
    outcome->status = LAB_PASSED;
    outcome->points = test->points;
    lab_say(outcome, "%llu hidden, %llu true",
            (unsigned long long)count->hidden,
            (unsigned long long)count->reflected);
}
