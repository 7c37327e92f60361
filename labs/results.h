/* SPDX-License-Identifier: MIT */
/* labs/results.h - what came of the tests, and how it is written down.
 *
 * One neutral model; the writers add nothing to it. README.md describes the
 * JSON.
 */
#ifndef LABS_RESULTS_H
#define LABS_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct lab;
struct lab_test;

/* What became of a test. Each is another thing to tell the student. */
enum lab_status {
    LAB_SKIPPED, /* not run: a filter, no build, no guest in this program */
    LAB_PASSED,
    LAB_FAILED,    /* a wrong answer */
    LAB_CRASH,     /* the student's code died of a signal */
    LAB_TIMEOUT,   /* it does not come to an end */
    LAB_EXITED,    /* it ended the process */
    LAB_FORBIDDEN, /* it called what the sandbox does not allow */
    LAB_ERROR,     /* the tests themselves could not go on; nobody's mistake */
    LAB_STATUSES,
};
const char *lab_status_name(enum lab_status status);

enum { LAB_LINES = 10, LAB_FIELDS = 24, LAB_TEXT = 200 };

/* For people: "wanted  FILL, page 0x00123000". */
struct lab_line {
    const char *label;
    char text[LAB_TEXT];
};

/* For programs: "address": "0x00123000". */
struct lab_field {
    const char *key;
    char value[LAB_TEXT];
    bool number;
};

struct lab_outcome {
    const struct lab_test *test;
    enum lab_status status;
    unsigned points;
    char message[LAB_TEXT]; /* one line */
    uint64_t questions;     /* put to the student's code */
    struct lab_line line[LAB_LINES];
    unsigned lines;
    struct lab_field field[LAB_FIELDS]; /* the first event that differs */
    unsigned fields;
    char *printed; /* by the student's code, made harmless; or NULL */
};

struct lab_report {
    const struct lab *lab;
    const char *engine;
    uint64_t seed;
    char sandbox[LAB_TEXT];
    struct {
        enum lab_status status; /* passed, failed, error */
        char message[LAB_TEXT];
        unsigned warnings;
        char *output; /* the compiler's words, or NULL */
    } build;
    bool complete; /* every test had its turn */
    bool filtered; /* some were left out on demand: there is no score */
    struct lab_outcome *outcomes;
    size_t count;
};

void lab_say(struct lab_outcome *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void lab_line(struct lab_outcome *o, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void lab_field(struct lab_outcome *o, const char *key, bool number,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

unsigned report_score(const struct lab_report *r);
unsigned report_max(const struct lab_report *r);
bool report_passed(const struct lab_report *r);

/* Bytes from elsewhere as one line of printable ASCII per line. free(). */
char *lab_harmless(const char *text, size_t size);

/* The writers. Text and TAP come piece by piece, in this order. */
void report_text_start(const struct lab_report *r, FILE *out);
void report_text_test(const struct lab_report *r, size_t index, FILE *out);
void report_text_end(const struct lab_report *r, FILE *out);

void report_tap_start(const struct lab_report *r, FILE *out);
void report_tap_test(const struct lab_report *r, size_t index, FILE *out);
void report_tap_end(const struct lab_report *r, FILE *out);

/* The whole as JSON; report is a struct lab_report. False: no memory, or out
 * did not take it. */
bool report_json(const void *report, FILE *out);

#endif
