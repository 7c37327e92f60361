/* SPDX-License-Identifier: MIT */
/* labs/sandbox.h - what the student's process is kept from.
 *
 * Layers, each of use without the others, none of which needs privileges: a
 * session of its own that dies with this process, no files, no environment,
 * resource limits, no new privileges, seccomp. As root another user id comes
 * on top, for root is above some limits. A layer that this host does not have
 * is left out; the report says which were in force.
 */
#ifndef LABS_SANDBOX_H
#define LABS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* While the code is loaded (constructors run), and when it is called. */
enum sandbox_stage { SANDBOX_LOADING, SANDBOX_RUNNING };

/* The seccomp program for a process, as the kernel takes it. Its size; 0: not
 * on this host. */
size_t sandbox_filter(enum sandbox_stage stage, pid_t pid, void *out,
                      size_t bytes);

/* The name of a system call: "openat", or its number. */
void sandbox_call_name(int number, char *name, size_t bytes);

/* In the new process, before exec: everything but seccomp. reachable: another
 * user can get at the program. Only calls that are safe after fork. */
void sandbox_enter(bool reachable);

/* Can a user without rights reach what is in this folder? */
bool sandbox_reachable(const char *folder);

/* The layers in words, from what the runner said in SAY_HELLO. */
void sandbox_describe(const uint32_t *hello, char *text, size_t bytes);

#endif
