/* SPDX-License-Identifier: MIT */
/* labs/catalogue.h - the labs there are, and the files they are made of.
 *
 * The files are inside the program (embed.cmake), so that a lab can be started
 * anywhere.
 */
#ifndef LABS_CATALOGUE_H
#define LABS_CATALOGUE_H

#include "labs/lab.h"
#include "labs/results.h"

struct child;

/* What a test can use. The child is started and ready. */
struct lab_run {
    const struct lab_host *host;
    struct child *child;
    uint64_t seed;
};

/* Ask the child, judge, and set the outcome's status, points and message. */
typedef void lab_test_fn(const struct lab_run *run, const struct lab_test *test,
                         struct lab_outcome *outcome);

struct lab_test {
    const char *name, *title;
    unsigned points;
    lab_test_fn *run;
    const void *data;
};

struct lab {
    const char *name; /* "05-hidden-faults": the folder of its files */
    const char *title;
    const char *file; /* what the student writes: "decide.c" */
    const struct lab_test *tests;
    size_t test_count;
};

extern const struct lab lab_hidden_faults; /* fault_lab.c */

extern const struct lab *const lab_all[];
extern const size_t lab_count;

/* By its name, its number ("5") or its words ("hidden-faults"). */
const struct lab *lab_find(const char *name);
/* By the student's file, which is in this folder. */
const struct lab *lab_in_folder(const char *folder);

struct lab_file {
    const char *path; /* "05-hidden-faults/starter/decide.c" */
    const unsigned char *data;
    size_t size;
};

extern const struct lab_file lab_files[];
extern const size_t lab_file_count;

/* The file's name when it is right below lab/folder, or NULL. */
const char *lab_file_below(const struct lab_file *file, const char *lab,
                           const char *folder);
/* Write every file right below lab/folder into a directory, by openat, never
 * over an existing one. 0 or an errno; *name is the file it is about. */
int lab_files_write(int directory, const char *lab, const char *folder,
                    const char **name);

#endif
