/* SPDX-License-Identifier: MIT */
/* cli/progress.h - one line on a terminal that says how far something is.
 *
 * For commands whose guest has no console there: only these begin it. It
 * appears when a command has been silent for two seconds, is written over,
 * and is gone at the end. Nothing is said where nobody looks.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

/* From here on. who: "umbra compare"; stays the caller's. */
void progress_begin(const char *who);
/* The line's text, if it is time for one. */
void progress_say(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* The line goes away, and others may be printed. */
void progress_clear(void);

#endif
