/* SPDX-License-Identifier: MIT */
/* visualizer/event_text.h - events, accesses and numbers in few columns. */
#ifndef VISUALIZER_EVENT_TEXT_H
#define VISUALIZER_EVENT_TEXT_H

#include "vmm/inspect.h"

/* The class letter of an event: of a fault its class, else its kind's. */
char event_letter(const struct event *e);
/* The word that goes with the letter: "hidden", "emulate". */
const char *event_word(const struct event *e);
/* What happened, without where: "cli", "gva 08049A34 gpa 0000CA34". */
void event_detail(const struct event *e, char *buffer, size_t bytes);
/* One row of the trap log. */
void event_row(const struct event *e, char *buffer, size_t bytes);

/* Does a filter ("": everything) let an event through? And which event kinds
 * can it let through at all, as a mask for struct vm_limit? */
bool event_passes(const struct event *e, const char *filter);
uint32_t event_filter_mask(const char *filter);

/* Indices of the events that pass, oldest first; returns how many. */
unsigned events_filtered(const struct inspection *in, const char *filter,
                         unsigned index[INSPECT_EVENTS]);

/* "user write", "supervisor read". */
const char *access_text(unsigned access);
/* 48260 as "48,260". The buffer is 28 bytes. */
const char *number_text(uint64_t value, char buffer[28]);
/* The set bits of a page-table entry: "P W U A". */
void entry_text(uint64_t entry, char *buffer, size_t bytes);

#endif
