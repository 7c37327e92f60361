/* SPDX-License-Identifier: MIT */
/* labs/commands.h - the commands below umbra lab. */
#ifndef LABS_COMMANDS_H
#define LABS_COMMANDS_H

#include "labs/catalogue.h"

enum { LAB_NOT_PASSED = 1, LAB_USAGE = 2, LAB_INTERNAL = 70 };

/* argv[0] is the command's name. Exit statuses. */
int lab_list(int argc, char **argv);
int lab_start(int argc, char **argv);
int lab_test(int argc, char **argv, const struct lab_host *host);

/* "umbra lab: message" on standard error. */
void lab_complain(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Or a complaint and NULL. */
const struct lab *lab_named(const char *name);
unsigned lab_points(const struct lab *lab);

#endif
