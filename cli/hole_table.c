/* SPDX-License-Identifier: MIT */
/* What the guest of umbra hole saw: the table, the reasons, the JSON. */
#include "cli/hole.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { NAME_WIDTH = 6, GROUP_WIDTH = 10, ANSWER_WIDTH = 27 };

static uint32_t site(const struct hole *h, int row)
{
    char name[32];
    uint32_t address = 0;
    snprintf(name, sizeof name, "try_%s", hole_rows[row].name);
    symbols_address(h->symbols, name, &address);
    return address;
}

static const char *cell(const struct hole_answer *a)
{
    return !a->equal                 ? "DIFFERS"
           : a->exit == EXIT_COUNT   ? "="
           : a->exit == EXIT_CALLOUT ? "= callout"
                                     : "= exit";
}

/* A column as wide as the widest in it; the last is not filled. */
static void print_cell(const struct hole *h, size_t t, const char *text)
{
    size_t width = strlen(cpu_technique_name(h->cpu[t]));
    for (int row = 0; row < HOLE_ROWS; row++) {
        size_t n = strlen(cell(&h->answer[t][row]));
        width = n > width ? n : width;
    }
    printf(" %-*s", t + 1 < h->techniques ? (int)width : 0, text);
}

static void print_head(const struct hole *h)
{
    printf("%-*s %-*s %-*s", NAME_WIDTH, "", GROUP_WIDTH, "group", ANSWER_WIDTH,
           "bare");
    for (size_t t = 1; t < h->techniques; t++)
        print_cell(h, t, cpu_technique_name(h->cpu[t]));
    putchar('\n');
}

static void print_row(const struct hole *h, int row)
{
    const struct hole_row *r = &hole_rows[row];
    printf("%-*s %-*s %-*s", NAME_WIDTH, r->name, GROUP_WIDTH, r->group,
           ANSWER_WIDTH, h->answer[0][row].text);
    for (size_t t = 1; t < h->techniques; t++)
        print_cell(h, t, cell(&h->answer[t][row]));
    putchar('\n');
}

/* Words, in lines of 80 columns that begin with blanks. */
static void print_wrapped(const char *text)
{
    const size_t indent = 8, width = 80;
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column == 0 || column + 1 + word > width) {
            printf("%s%*s", column ? "\n" : "", (int)indent, "");
            column = indent;
        } else {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, text);
        column += word;
        text += word + (text[word] == ' ');
    }
    putchar('\n');
}

static void print_reason(const struct hole *h, size_t technique, int row)
{
    const struct hole_row *r = &hole_rows[row];
    const struct hole_answer *a = &h->answer[technique][row];
    char text[400];
    printf("%-7s %s at %08x (try_%s)\n", r->name,
           *a->text ? a->text : "no answer", site(h, row), r->name);
    snprintf(text, sizeof text, "%s %s%s.", r->why, r->source,
             strcmp(r->group, "-") == 0 ? "" : "; Robin & Irvine 2000");
    print_wrapped(text);
}

/* Why `trap` differs, and where it need not though nothing trapped. */
static void print_reasons(const struct hole *h, size_t technique)
{
    const char *name = cpu_technique_name(h->cpu[technique]);
    bool explained = h->cpu[technique] == CPU_TRAP;
    for (int equal = 0; equal <= explained; equal++) {
        bool any = false;
        for (int row = 0; row < HOLE_ROWS; row++) {
            const struct hole_answer *a = &h->answer[technique][row];
            if (a->equal != equal || (equal && a->exit != EXIT_COUNT))
                continue;
            if (!any)
                printf("\nUnder %s, %s:\n", name,
                       equal ? "no trap, and nothing to see"
                             : "another answer");
            any = true;
            if (explained)
                print_reason(h, technique, row);
            else
                printf("%-7s %s at %08x (try_%s)\n", hole_rows[row].name,
                       a->text, site(h, row), hole_rows[row].name);
        }
    }
}

void hole_print(const struct hole *h)
{
    print_head(h);
    for (int row = 0; row < HOLE_ROWS; row++)
        print_row(h, row);
    puts(
        "\n=: what bare shows. exit: it trapped to the VMM, or was made to. "
        "callout: its\ntranslation asks the VMM. Groups: the paper's sensitive "
        "register instructions\nand protection system references.");
    for (size_t t = 1; t < h->techniques; t++)
        print_reasons(h, t);
}

static const char *exit_text(const struct hole_answer *a)
{
    return a->exit == EXIT_COUNT ? ""
                                 : exit_reason_name((enum exit_reason)a->exit);
}

bool hole_print_json(const struct hole *h)
{
    json_t *rows = json_array();
    char address[12];
    for (int row = 0; row < HOLE_ROWS; row++) {
        const struct hole_row *r = &hole_rows[row];
        json_t *list = json_array();
        for (size_t t = 0; t < h->techniques; t++) {
            const struct hole_answer *a = &h->answer[t][row];
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:b, s:b, s:s}", "technique",
                                cpu_technique_name(h->cpu[t]), "answer",
                                a->text, "equal", a->equal, "trapped",
                                a->exit != EXIT_COUNT, "exit", exit_text(a)));
        }
        snprintf(address, sizeof address, "0x%08x", site(h, row));
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", r->name,
                            "group", r->group, "site", address, "why", r->why,
                            "source", r->source, "techniques", list));
    }
    json_t *root = json_pack("{s:s, s:o}", "mmu", h->options.mmu->name,
                             "instructions", rows);
    if (!root)
        return false;
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return true;
}
