/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap.h - PMap: a VM's map from guest-physical to machine frames.
 *
 * What the guest takes for its physical memory is scattered over the machine.
 * A guest frame has memory (RAM, or ROM the guest cannot write), is paged out
 * (the VMM promised memory and has none there at the moment), or is none at
 * all: a device or a hole.
 *
 * A VM may have less machine memory than its guest believes (pmap_overcommit):
 * frames are found when they are wanted, and then others go to the host's
 * swap. Equal frames may be one in the machine: read-only, until somebody
 * writes and gets a copy. And the guest may give frames back (pmap_balloon).
 * What VMs have in common is in shadowmmu/commons.h.
 *
 * Reference: Waldspurger, "Memory Resource Management in VMware ESX Server".
 */
#ifndef SHADOWMMU_PMAP_H
#define SHADOWMMU_PMAP_H

#include "shadowmmu/commons.h"

enum pmap_kind {
    PMAP_NONE, /* no memory: a device answers, or nobody */
    PMAP_RAM,
    PMAP_ROM,
    PMAP_PAGED_OUT,
    PMAP_SHARED, /* RAM whose machine frame has others too: only to be read */
};

/* May what is behind it be read at its machine address? */
static inline bool pmap_readable(enum pmap_kind kind)
{
    return kind == PMAP_RAM || kind == PMAP_ROM || kind == PMAP_SHARED;
}

/* Is it memory that the guest can write, wherever it is now? */
static inline bool pmap_writable(enum pmap_kind kind)
{
    return kind == PMAP_RAM || kind == PMAP_SHARED || kind == PMAP_PAGED_OUT;
}

struct pmap;
struct trace;

/* Who derives something from the map (the VMM's tables). Any may be NULL. */
struct pmap_client {
    /* Must the frame stay where it is, and as it is? */
    bool (*busy)(void *ctx, gpa_t page);
    /* Has the processor used it since the last question? */
    bool (*used)(void *ctx, gpa_t page);
    /* It goes, or moves: nothing may lead there any more. Its contents stay. */
    void (*moved)(void *ctx, gpa_t page);
    /* From now on it is only to be read. */
    void (*protect)(void *ctx, gpa_t page);
    /* The VMM has written the machine frame. */
    void (*written)(void *ctx, ma_t frame, uint64_t bytes);
    /* An event: what happened to the guest frame, which machine frame and
     * which slot of the swap it concerns (0: none). cause is static. */
    void (*tell)(void *ctx, const char *cause, gpa_t page, ma_t frame,
                 uint32_t slot);
    void *ctx;
};

/* A PMap of one more VM, for guest-physical addresses [0, 4 GiB). Owns the
 * frames it takes. NULL: no host memory, or too many VMs. */
struct pmap *pmap_create(struct commons *commons);
void pmap_destroy(struct pmap *p);

void pmap_set_client(struct pmap *p, const struct pmap_client *client);
/* Where to count; NULL: nowhere. */
void pmap_set_trace(struct pmap *p, struct trace *trace);
/* To be called once when a frame that the guest needs cannot be found: the VM
 * cannot go on. pmap_trouble() says why. */
void pmap_set_failed(struct pmap *p, void (*failed)(void *ctx), void *ctx);
const char *pmap_trouble(const struct pmap *p); /* one line; "": none */

/* Give [first, first + bytes) memory of a kind; PMAP_PAGED_OUT takes no frame
 * yet. False when the machine has no frame left. */
bool pmap_add(struct pmap *p, gpa_t first, uint64_t bytes, enum pmap_kind kind);

/* From now on this VM has so many machine frames at most, and the commons' swap
 * for the rest. They may become fewer while other VMs need theirs. */
enum {
    /* Frames that are safe from being taken away: the latest that were held.
     * The most that one instruction of the guest, and the VMM in its place, can
     * need at once: some ten pages, each with two tables of the guest's. */
    PMAP_HELD = 32,
    PMAP_FRAMES_LEAST = 2 * PMAP_HELD,
};
void pmap_overcommit(struct pmap *p, uint64_t frames);

/* Where is this guest-physical address? ma is set where there is a machine
 * frame. Changes nothing. */
enum pmap_kind pmap_lookup(const struct pmap *p, gpa_t gpa, ma_t *ma);

/* The same for an access that is about to be done: what is paged out gets a
 * frame, what is shared and will be written a frame of its own; the frame stays
 * for the next PMAP_HELD calls. PMAP_PAGED_OUT (or PMAP_SHARED for a write):
 * none could be found. */
enum pmap_kind pmap_hold(struct pmap *p, gpa_t gpa, bool write, ma_t *ma);

/* Give a guest frame a machine frame for good. False: there is no RAM, or no
 * frame could be found. */
bool pmap_pin(struct pmap *p, gpa_t page);

/* Copy from guest-physical to host memory, across frames, without changing
 * where anything is. False when a part is no memory (what came before is
 * copied). */
bool pmap_read(const struct pmap *p, gpa_t gpa, void *out, uint64_t bytes);
/* The other way; holds the frames. Also writes ROM: it is the loader's and the
 * devices' way. */
bool pmap_write(struct pmap *p, gpa_t gpa, const void *data, uint64_t bytes);

/* The inverse: which guest frame has this machine frame (false: none). Of a
 * shared one the one that came last. */
bool pmap_inverse(const struct pmap *p, ma_t ma, gpa_t *gpa);

/* A number that is another one after every change of the map; for those who
 * keep answers of pmap_lookup(). Lives as long as the PMap. */
const uint64_t *pmap_generation(const struct pmap *p);

uint64_t pmap_ram_bytes(const struct pmap *p);
uint64_t pmap_resident(const struct pmap *p); /* machine frames */

/* Put a guest frame into the balloon: its contents and its machine frame go.
 * Where the guest touches it again, it is out of the balloon and full of
 * zeros. False: there is no RAM. The caller tells who derives something from
 * the contents. */
bool pmap_balloon(struct pmap *p, gpa_t page);
/* Out again; false: it is not in there. */
bool pmap_unballoon(struct pmap *p, gpa_t page);
uint64_t pmap_ballooned(const struct pmap *p); /* guest frames */

/* Is this machine frame one that an entry of this VM may lead to? For a write
 * it must be its alone. */
bool pmap_gives(const struct pmap *p, ma_t frame, bool write);
/* Check the map against the allocator and the other VMs' maps: NULL, or what is
 * wrong. */
const char *pmap_audit(const struct pmap *p);

/* Save and restore (NULL buffer: the bytes needed). False: unreadable, or not
 * of such a PMap. */
size_t pmap_save(const struct pmap *p, void *buffer, size_t bytes);
bool pmap_restore(struct pmap *p, const void *buffer, size_t bytes);

#endif
