/* SPDX-License-Identifier: MIT */
/* lib.h - what a program can call: the system calls, and a little C library. */
#ifndef LUMEN_LIB_H
#define LUMEN_LIB_H

#include "abi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096

/* See abi.h. All but the first return -1 on failure. */
_Noreturn void exit(int status);
int fork(void);
int exec(const char *path, char *const argv[]);
int wait(int pid, int *status);
int wait_nohang(int pid, int *status);
int getpid(void);
int yield(void);
int sleep(int ticks);
int pipe(int fds[2]);
int dup2(int from, int to);
int read(int fd, void *buffer, size_t bytes);
int write(int fd, const void *buffer, size_t bytes);
int open(const char *path);
int close(int fd);
int seek(int fd, int offset, int whence);
void *sbrk(int bytes);
int discard(void *pages, size_t bytes);
int protect(void *pages, size_t bytes, bool writable);
int psinfo(int slot, struct ps_info *info);
int file_name(int index, char name[NAME_BYTES]);
int power(int how);

void *memset(void *to, int byte, size_t bytes);
void *memcpy(void *to, const void *from, size_t bytes);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* Decimal; `otherwise` if there is no such argument. */
int number_argument(int argc, char **argv, int index, int otherwise);

/* %s %c %d %u %x with a width, as in %5d or %08x. One write() a call, so
 * that lines of two processes do not mix. */
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A program's own random numbers: the same in each run. */
uint32_t random_next(uint32_t *state);

#endif
