/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap.h - PMap: a VM's map from guest-physical to machine frames.
 *
 * What the guest takes for its physical memory is scattered over the machine.
 * A guest frame has memory (RAM, or ROM the guest cannot write), is paged out
 * (the VMM promised memory and has none there at the moment), or is none at
 * all: a device or a hole.
 */
#ifndef SHADOWMMU_PMAP_H
#define SHADOWMMU_PMAP_H

#include "shadowmmu/frames.h"

enum pmap_kind {
    PMAP_NONE, /* no memory: a device answers, or nobody */
    PMAP_RAM,
    PMAP_ROM,
    PMAP_PAGED_OUT,
};

struct pmap;

/* A PMap for guest-physical addresses [0, 4 GiB). Owns the frames it takes.
 * NULL: no host memory. */
struct pmap *pmap_create(const struct memory *memory, struct frames *frames);
void pmap_destroy(struct pmap *p);

/* Give [first, first + bytes) memory of a kind; PMAP_PAGED_OUT takes no frame
 * yet. False when the machine has no frame left. */
bool pmap_add(struct pmap *p, gpa_t first, uint64_t bytes, enum pmap_kind kind);

/* Where is this guest-physical address? ma is set for RAM and ROM. */
enum pmap_kind pmap_lookup(const struct pmap *p, gpa_t gpa, ma_t *ma);

/* Back a paged-out frame with a machine frame. False: none left. */
bool pmap_page_in(struct pmap *p, gpa_t gpa);

/* Copy between host and guest-physical memory, across frames; pages in what
 * is paged out. False when a part is no memory (what came before is copied).
 * pmap_write also writes ROM: it is the loader's and the devices' way. */
bool pmap_read(struct pmap *p, gpa_t gpa, void *out, uint64_t bytes);
bool pmap_write(struct pmap *p, gpa_t gpa, const void *data, uint64_t bytes);

/* The inverse: which guest frame has this machine frame (false: none). */
bool pmap_inverse(const struct pmap *p, ma_t ma, gpa_t *gpa);

/* A number that is another one after every change of the map; for those who
 * keep answers of pmap_lookup(). Lives as long as the PMap. */
const uint64_t *pmap_generation(const struct pmap *p);

uint64_t pmap_ram_bytes(const struct pmap *p);

size_t pmap_save(const struct pmap *p, void *buffer, size_t bytes);
bool pmap_restore(struct pmap *p, const void *buffer, size_t bytes);

#endif
