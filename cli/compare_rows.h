/* SPDX-License-Identifier: MIT */
/* cli/compare_rows.h - everything that was counted, row by row.
 *
 * The rows are the numbers of --stats and have its names, so that a counter
 * which is new there is here, too.
 */
#ifndef CLI_COMPARE_ROWS_H
#define CLI_COMPARE_ROWS_H

#include "cli/compare.h"

struct compare_row {
    char group[24]; /* "page_faults"; "" for the document's own numbers */
    char name[40];  /* "hidden" */
};

struct compare_rows {
    struct compare_row *row; /* groups stand together, in --stats' order */
    size_t count, room;
};

/* False: no host memory. Free it in any case. */
bool compare_rows_build(struct compare_rows *rows, const struct comparison *c);
void compare_rows_free(struct compare_rows *rows);

/* What cannot be summed up in a number: how it ended, what is equal. */
enum { RESULT_TEXT = 40 };
struct compare_result {
    const char *label;
    void (*cell)(const struct outcome *r, char *text, size_t size);
};
extern const struct compare_result compare_results[]; /* compare_table.c */
extern const size_t compare_result_count;

/* compare_short.c: what one looks at first. */
struct compare_short {
    const char *label, *meaning;
    void (*cell)(const struct comparison *c, const struct outcome *r,
                 char text[RESULT_TEXT]);
};
extern const struct compare_short compare_short[];
extern const size_t compare_short_count;

/* As a decimal number: "1234", "2.013"; "0" for what was not counted. */
enum { ROW_TEXT = 32 };
const char *compare_row_text(const struct outcome *r,
                             const struct compare_row *row,
                             char text[ROW_TEXT]);

/* The sum of a group over all its names; for one that has a total, that. */
uint64_t compare_group_sum(const struct outcome *r, const char *group);

/* Is it 0 for every technique? */
bool compare_row_empty(const struct comparison *c,
                       const struct compare_row *row);

/* The letter of a fault class; '\0': the row is none. */
char compare_row_letter(const struct compare_row *row);

#endif
