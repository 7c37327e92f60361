/* SPDX-License-Identifier: MIT */
/* visualizer/plain.h - the inspector as lines: for screen readers, dumb
 * terminals, pipes.
 *
 * The same keys and commands, one a line; the answer is whole sentences.
 */
#ifndef VISUALIZER_PLAIN_H
#define VISUALIZER_PLAIN_H

#include "visualizer/session.h"

/* Play lines from in until its end or quit; what happens goes to out. prompt:
 * print one before each line (somebody types). name: of the key script, or
 * NULL: a line that fails is then told to the user and the rest goes on.
 * False: a script's line failed. */
bool plain_play(struct session *s, FILE *in, FILE *out, bool prompt,
                const char *name);

/* The moment in sentences. */
void plain_where(const struct session *s, FILE *out);

#endif
