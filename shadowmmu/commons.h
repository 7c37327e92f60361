/* SPDX-License-Identifier: MIT */
/* shadowmmu/commons.h - the machine's memory, which its VMs have in common.
 *
 * A machine has one allocator of frames, one swap and one search for equal
 * pages. Each VM has a PMap of its own, which joins when it is created. What
 * is not one VM's alone is decided here:
 *
 *   - which frame goes when there is none left: a clock's hand over all machine
 *     frames, so that the memory of a VM that stands still goes to one that
 *     works;
 *   - which pages are equal, within a VM and across VMs. A frame that several
 *     VMs have belongs to none of them (FRAME_COMMON), and each may only read
 *     it; who writes gets a copy;
 *   - whether all books agree: no frame is in the maps of two VMs otherwise.
 *
 * A PMap's client may be called while another VM runs: its frame is taken away,
 * or shared, for the other's sake. What it takes from its tables must leave the
 * processor's TLB, under its own tag.
 *
 * Reference: Waldspurger, "Memory Resource Management in VMware ESX Server",
 * "Sharing Memory".
 */
#ifndef SHADOWMMU_COMMONS_H
#define SHADOWMMU_COMMONS_H

#include "shadowmmu/frames.h"

enum { COMMONS_VMS = 16 }; /* PMaps at the same time */

struct commons;
struct swap;

/* Before the first PMap, and after the last. The frames are the caller's. NULL:
 * no host memory. */
struct commons *commons_create(const struct memory *memory,
                               struct frames *frames);
void commons_destroy(struct commons *c);

/* Where the pages of all VMs go that have fewer frames than their guests
 * believe. Once; the swap is the commons' from here on. */
void commons_set_swap(struct commons *c, struct swap *swap);

/* So many free frames no guest gets: they are for the VMM's own tables. */
void commons_reserve(struct commons *c, uint64_t frames);

/* Begin to look for equal pages; once. False: no host memory. */
bool commons_share(struct commons *c);
/* Look at the next so many guest frames, of one VM after the other, and let
 * those that are equal to others, and have not changed for a round, have one
 * machine frame. */
void commons_scan(struct commons *c, unsigned frames);

/* Check all maps against each other, the allocator and their limits: NULL, or
 * what is wrong. */
const char *commons_audit(const struct commons *c);

/* Save and restore what is here, the swap's pages included (NULL buffer: the
 * bytes needed). Each PMap and the frames are saved for themselves, and
 * restored together with it. 0, and false: unreadable, or not of such. */
size_t commons_save(const struct commons *c, void *buffer, size_t bytes);
bool commons_restore(struct commons *c, const void *buffer, size_t bytes);

#endif
