/* SPDX-License-Identifier: MIT */
/* cpu/calibrate.h - finding the engine's live state. */
#ifndef CPU_CALIBRATE_H
#define CPU_CALIBRATE_H

#include "cpu/engine.h"

enum { CC_OP_EFLAGS = 1 }; /* the engine's "flags are in cc_src" */

/* Fill in e->live of an engine that has just been opened, and give it the
 * memory that the search needs (e->probe_memory). NULL, or what is wrong. */
const char *engine_calibrate(struct engine *e);

#endif
