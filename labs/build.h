/* SPDX-License-Identifier: MIT */
/* labs/build.h - the student's file compiled in a folder of our own.
 *
 * Only that one file is taken; all else is what the program carries. The
 * student's folder is only read.
 */
#ifndef LABS_BUILD_H
#define LABS_BUILD_H

#include "labs/catalogue.h"

struct build {
    char folder[256];
    bool reachable; /* for a user without rights */
};

/* Names in the folder. */
#define BUILD_RUNNER "./runner"
#define BUILD_CODE   "./student.so"

/* Sets report->build. False: it did not come to a program. */
bool build_make(struct build *b, const char *folder, struct lab_report *report);
void build_remove(struct build *b);

/* Where an offset in the student's code is: "decide.c:31", or "". */
void build_place(const struct build *b, uint64_t offset, char *place,
                 size_t bytes);

#endif
