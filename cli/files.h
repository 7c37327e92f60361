/* SPDX-License-Identifier: MIT */
/* cli/files.h - the host's files. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/vm.h"

/* Read a whole file; free() the data. False: *error says why, without the
 * name (static or strerror's). */
bool file_read(const char *path, struct blob *out, const char **error);

/* Are these one regular file, by whatever names? Two that are not there are by
 * their names. */
bool file_is_same(const char *a, const char *b);

/* Can this file be written? Creates it when missing. 0 or an errno. */
int file_check_writable(const char *path);

/* Write a new file, or one in place of an old one, that is there only when all
 * of it is: it has another name until then. What is no regular file (a device,
 * a FIFO) is written to as it is. print's false means no host memory. 0 or an
 * errno. */
typedef bool file_print_fn(const void *ctx, FILE *out);
int file_replace(const char *path, file_print_fn *print, const void *ctx);
/* Would that do? Creates nothing. 0 or an errno. */
int file_check_replaceable(const char *path);

/* Write everything, whatever the descriptor is. 0 or an errno. */
int file_write_all(int fd, const void *data, size_t bytes);

#endif
