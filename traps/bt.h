/* SPDX-License-Identifier: MIT */
/* traps/bt.h - dynamic binary translation of the guest's kernel.
 *
 * Programs run directly. Kernel code is translated when it is first reached,
 * unit by unit, into the translation cache in the monitor's own memory, where
 * the processor executes it at ring 1. Most instructions are copied; what is
 * sensitive becomes code on the virtual processor's state, or a call out to
 * the monitor; direct jumps lead from translation to translation, indirect
 * ones look their target up in a table.
 *
 * Reference: Adams & Agesen, "A Comparison of Software and Hardware Techniques
 * for x86 Virtualization", ASPLOS 2006; Bugnion et al., "Bringing
 * Virtualization to the x86 Architecture with the Original VMware
 * Workstation", TOCS 2012.
 */
#ifndef TRAPS_BT_H
#define TRAPS_BT_H

#include "traps/monitor.h"

extern const struct technique technique_bt;

/* What can be switched off, to see what it buys. */
enum bt_option {
    BT_CHAIN,  /* link direct jumps to their translations */
    BT_INLINE, /* sensitive instructions in line where they can be */
    BT_LOOKUP, /* indirect targets looked up by emitted code */
    BT_ADAPT,  /* a store that keeps tripping a trace becomes a callout */
    BT_AHEAD,  /* translate what a unit leads to along with it */
    BT_OPTIONS,
};
const char *bt_option_name(enum bt_option o);
const char *bt_option_blurb(enum bt_option o);

struct bt_config {
    unsigned off;         /* bits of 1 << enum bt_option */
    unsigned unit_limit;  /* instructions of a unit; 0: BT_UNIT_LIMIT */
    uint32_t cache_bytes; /* of the translation cache; 0: as much as fits */
};
enum {
    BT_UNIT_LIMIT = 48,
    BT_UNIT_MAX = 64,
    BT_CACHE_MIN = 64 << 10, /* bytes */
    BT_CACHE_MAX = 3328 << 10,
};
/* Before the guest is entered. */
void bt_configure(struct monitor *mon, const struct bt_config *config);

/* How an instruction was translated. */
enum bt_kind {
    BT_IDENT,    /* copied */
    BT_CONTROL,  /* a direct jump or call, to another translation */
    BT_INDIRECT, /* a look-up */
    BT_INLINED,  /* on the virtual processor's state, in line */
    BT_CALLOUT,  /* the monitor does it */
    BT_LINK,     /* the translator's own: the way to another unit */
};
const char *bt_kind_name(enum bt_kind kind);

/* ---- to look at (bt_view.c) ---- */

/* Where an emitted branch leads. */
enum bt_to {
    BT_TO_NEXT,    /* no branch */
    BT_TO_UNIT,    /* to a translation, of target_guest */
    BT_TO_NOTHING, /* target_guest, not translated so far: the translator */
    BT_TO_LOOKUP,  /* the shared look-up of indirect targets */
    BT_TO_HERE,    /* over a part of the same instruction's translation */
    BT_TO_MONITOR, /* a call of the monitor */
};

/* One instruction of the cache. */
struct bt_piece {
    uint32_t guest; /* address of the guest's instruction */
    uint32_t cache; /* linear address of the emitted one */
    uint8_t length;
    uint8_t bytes[15]; /* behind length: whatever follows */
    uint8_t kind;      /* enum bt_kind */
    uint8_t target;    /* enum bt_to */
    bool first;        /* the first one for this guest instruction */
    uint32_t target_guest;
};

struct bt_unit_view {
    uint32_t unit; /* number, until the cache is emptied */
    uint32_t guest, guest_bytes;
    uint32_t cache, cache_bytes; /* linear */
    unsigned instructions;
};

/* The unit that begins at a guest linear address, else the newest that contains
 * it; false: none. */
bool bt_unit_at(struct monitor *mon, uint32_t linear,
                struct bt_unit_view *view);
/* The first unit, by guest address, that begins in [from, end). */
bool bt_unit_next(struct monitor *mon, uint32_t from, uint32_t end,
                  struct bt_unit_view *view);
/* A unit's emitted instructions in the cache's order; how many. */
size_t bt_unit_pieces(struct monitor *mon, uint32_t unit, struct bt_piece *out,
                      size_t count);
enum { BT_PIECES_MAX = BT_UNIT_MAX * 24 };
/* What emitted code finds at a linear address ("virtual IF"); NULL: nothing
 * of ours. A static string. */
const char *bt_word_name(struct monitor *mon, uint32_t linear);
/* How this instruction would be translated if it were reached in the state that
 * the guest is in: enum bt_kind; -1: not at all, it is executed where it lies.
 * Only while the machine stands still. */
int bt_kind_of(struct monitor *mon, const struct insn *insn,
               const uint8_t *bytes, uint32_t at);
/* Bytes of the cache; how many could be read. */
size_t bt_cache_read(struct monitor *mon, uint32_t linear, void *out,
                     size_t bytes);
/* Translate what begins here, without executing it (which sets accessed bits
 * as if it were). Only while the machine stands still. False: not fetchable,
 * no room, or the guest's kernel is not in a state that is translated. */
bool bt_translate_only(struct monitor *mon, uint32_t eip);

#endif
