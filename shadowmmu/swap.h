/* SPDX-License-Identifier: MIT */
/* shadowmmu/swap.h - a host file that holds pages of guests.
 *
 * The file is a row of slots of one page each; slot 0 holds a line that says
 * what the file is. What is in the file means nothing after the run: where
 * each page is only the PMap knows.
 *
 * A slot is counted like a machine frame: pages that shared one are one in the
 * file too.
 */
#ifndef SHADOWMMU_SWAP_H
#define SHADOWMMU_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SWAP_NONE = 0, SWAP_SLOTS_MOST = (1 << 20) - 1 };

struct swap;

/* A swap file for so many pages. path NULL: an unnamed temporary file.
 * Otherwise the file is made, or, if it is an older swap file of ours, used
 * again; any other is refused and left alone. NULL and one line in *error, to
 * be free()d. */
struct swap *swap_open(const char *path, uint32_t slots, char **error);
void swap_close(struct swap *s);

/* Write a page to a free slot, which has one reference then. SWAP_NONE: full,
 * or an error (swap_error). */
uint32_t swap_store(struct swap *s, const void *page);
/* Read a page; false: an error. */
bool swap_load(struct swap *s, uint32_t slot, void *page);
/* One more reference to a slot, one less; with the last one it is free. */
void swap_share(struct swap *s, uint32_t slot);
void swap_drop(struct swap *s, uint32_t slot);

uint32_t swap_used(const struct swap *s);
uint32_t swap_references(const struct swap *s, uint32_t slot);
/* Why the last store or load failed, one line; "" if none did. */
const char *swap_error(const struct swap *s);

/* Save and restore, with the pages' contents (NULL buffer: the bytes needed).
 * 0, and false: an error of the file. */
size_t swap_save(struct swap *s, void *buffer, size_t bytes);
bool swap_restore(struct swap *s, const void *buffer, size_t bytes);

#endif
