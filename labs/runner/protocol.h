/* SPDX-License-Identifier: MIT */
/* labs/runner/protocol.h - what the grader and the student's process say.
 *
 * One packet is one message. The runner first gets two seccomp programs, one
 * packet each (empty: none), then says SAY_HELLO, loads the student's code and
 * says SAY_READY. From then on: questions, until SAY_END.
 *
 * The student's code can write any message. All it can reach by that is an
 * answer of its own.
 */
#ifndef LABS_RUNNER_PROTOCOL_H
#define LABS_RUNNER_PROTOCOL_H

#include <stdint.h>

enum { RUNNER_SOCKET = 3, SAY_WORDS = 15, FILTER_BYTES = 4096 };

enum say {
    SAY_HELLO = 1, /* seccomp on, no new privileges, user id */
    SAY_READY,
    SAY_READ,   /* an address: the code wants to read a word */
    SAY_ANSWER, /* the lab's words */
    SAY_CRASH,  /* signal; address and offset in the code, low and high words */
    SAY_FORBIDDEN, /* number of the system call */
    SAY_UNLOADABLE,

    SAY_ASK = 64, /* from here on the grader: the lab's words */
    SAY_VALUE,    /* the answer to SAY_READ */
    SAY_END,
};

struct message {
    uint32_t say;
    uint32_t word[SAY_WORDS];
};

/* What a lab's support file puts around the student's function. */
typedef void lab_answer_fn(const uint32_t *question, uint32_t *answer,
                           uint32_t (*read)(uint32_t address));

#endif
