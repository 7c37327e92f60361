/* SPDX-License-Identifier: MIT */
/* labs/child.h - the student's process, as the grader sees it: it is asked, it
 * answers, or it comes to an end of some kind.
 *
 * An endless loop is told by the processor time of one answer, which a busy
 * host does not change, and by the number of words it reads. The wall clock is
 * only the last net.
 */
#ifndef LABS_CHILD_H
#define LABS_CHILD_H

#include "labs/build.h"
#include "labs/runner/protocol.h"

#include <sys/types.h>

enum {
    CHILD_READS = 64,      /* words that one answer may read */
    CHILD_CPU_SECONDS = 2, /* of processor time for one answer */
    CHILD_WALL_SECONDS = 15,
    CHILD_PRINTED = 2048, /* bytes of what it prints that are kept */
};

/* Memory of the guest, for SAY_READ. */
typedef uint32_t child_read_fn(void *ctx, uint32_t address);

struct child {
    const struct build *build;
    pid_t pid, group;   /* 0: gone */
    int socket, output; /* -1: closed */
    char printed[CHILD_PRINTED];
    size_t printed_used;
    bool printed_more;
    uint32_t hello[3];   /* of SAY_HELLO */
    enum lab_status end; /* LAB_PASSED: alive */
    char message[LAB_TEXT];
    uint64_t questions;
    uint32_t read_address[CHILD_READS]; /* by the latest question */
    uint32_t read_value[CHILD_READS];
    unsigned reads;
};

/* Start it and load the code. False: end and message say why. child_stop() is
 * due in any case. */
bool child_start(struct child *c, const struct build *b);

/* One question. False: it came to an end instead. */
bool child_ask(struct child *c, const uint32_t *question, unsigned words,
               uint32_t *answer, unsigned answer_words, child_read_fn *read,
               void *ctx);

/* End it if it has not ended, and everything it started. */
void child_stop(struct child *c);

/* What it printed, harmless; free(). NULL: nothing. */
char *child_printed(const struct child *c);

#endif
