/* SPDX-License-Identifier: MIT */
/* kernel.h - small things that every file uses: text, memory, the end. */
#ifndef LUMEN_KERNEL_H
#define LUMEN_KERNEL_H

#include "abi.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* string.c */
void *memset(void *to, int byte, size_t bytes);
void *memcpy(void *to, const void *from, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
void name_copy(char to[NAME_BYTES], const char *from);

/* print.c: %s %c %d %u %x, with a width and leading zeros as in %08x */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vkprintf(const char *format, va_list list);
/* The same, unless the command line says "quiet". */
#define boot_message(...)                                                      \
    (cmdline_has("quiet") ? (void)0 : kprintf(__VA_ARGS__))

/* cmdline.c */
void cmdline_init(const char *line);
bool cmdline_has(const char *word);
const char *cmdline_value(const char *key); /* "run=": rest of the word */

/* console.c */
void console_init(void);
void console_put(char c);
void console_flush(void);
int32_t console_read(void *buffer, uint32_t bytes);
void console_interrupt(void);

/* power.c */
_Noreturn void machine_exit(uint32_t value); /* through the debug port  */
_Noreturn void machine_power_off(void);
_Noreturn void machine_reboot(void);
_Noreturn void machine_stop(void); /* no way out: CLI, HLT    */

/* selftest.c */
struct test_score {
    uint32_t passed, failed;
};
void selftest_run(struct test_score *score);

#endif
