/* SPDX-License-Identifier: MIT */
/* traps/bt_priv.h - inside the translator (traps/bt*.c only).
 *
 *   bt.c            the technique: which engine runs the guest, and where
 *   bt_cache.c      the cache's memory, its units, and finding both ways
 *   bt_translate.c  guest code to units
 *   bt_emit.c       the code that one guest instruction becomes
 *   bt_exit.c       callouts and traps out of the cache
 *   bt_pages.c      the guest pages that were translated: kept honest
 *   bt_view.c       units to look at
 */
#ifndef TRAPS_BT_PRIV_H
#define TRAPS_BT_PRIV_H

#include "traps/bt.h"
#include "traps/monitor_priv.h"

/* The monitor's 4 MiB, behind the descriptor tables (monitor_priv.h). */
enum {
    BT_PAGE_STATE = OVERLAY_PAGES, /* read-only: what emitted code loads */
    BT_PAGE_FLAG,    /* the virtual IF; not writable while an interrupt waits */
    BT_PAGE_SCRATCH, /* where emitted code keeps registers */
    BT_PAGE_TABLE = 64,       /* guest address -> translation */
    BT_TABLE_SLOTS = 1 << 16, /* by the low 16 bits of the address */
    BT_TABLE_PAGES = BT_TABLE_SLOTS * 8 / PAGE_BYTES,
    BT_PAGE_CACHE = BT_PAGE_TABLE + BT_TABLE_PAGES,
    BT_CACHE_PAGES_MAX = 1024 - BT_PAGE_CACHE,
    BT_PAGES = 1024,
};

_Static_assert(BT_CACHE_MAX == BT_CACHE_PAGES_MAX * PAGE_BYTES,
               "the cache is what the tables leave of 4 MiB");

/* Words of the state page. */
enum bt_state_word {
    STATE_CR0,
    STATE_CR3,
    STATE_CR4,
    STATE_ODD,  /* guest EFLAGS bits that the fast POPF does not handle */
    STATE_BIAS, /* added to a pushed image: the virtual IOPL, less real IF */
    STATE_CS,   /* the guest's selectors */
    STATE_SS,
    STATE_RETURN_CS, /* the selector that an in-line IRET may return to */
    STATE_RPL = 64,  /* 256 bytes: 1 where a selector's low byte has RPL 1, 2 */
};

/* Words of the scratch page. */
enum bt_scratch {
    SCRATCH_EAX,
    SCRATCH_ECX,
    SCRATCH_TARGET, /* of an indirect jump that was not found */
    SCRATCH_CACHE,  /* where the translation is of one that was */
    SCRATCH_CR2,    /* the guest's: writing it has no effect beyond its value */
    SCRATCH_IMAGE,  /* of PUSHF */
};

/* What is known of an emitted instruction. */
enum {
    NOTE_START = 1,      /* the guest is between two instructions here */
    NOTE_COUNT = 2,      /* the clock counts a guest instruction here */
    NOTE_EAX = 4,        /* the guest's EAX is in scratch */
    NOTE_ECX = 8,        /* likewise */
    NOTE_PUSHED = 16,    /* ESP is 4 below the guest's */
    NOTE_SHADOW = 32,    /* behind STI: no interrupt here */
    NOTE_KIND_SHIFT = 6, /* enum bt_kind */
};

struct bt_point {
    uint16_t cache; /* from the unit's start */
    uint16_t guest;
    uint16_t note;
};

struct bt_unit {
    uint32_t eip, guest_bytes;
    uint32_t cache, cache_bytes; /* offset in the cache */
    uint32_t first_point, points;
    uint32_t page[2]; /* index of the guest pages it is from, or NONE */
    uint32_t next[2]; /* of the same page */
    uint32_t back;    /* behind the call that led here first, or NONE */
    uint16_t instructions;
    bool dead;
};
#define NONE UINT32_MAX

/* Why an emitted INT3 calls out. A 4-byte site number follows it. */
enum bt_callout {
    CALLOUT_EMULATE, /* the guest's instruction, by the monitor */
    CALLOUT_STEP,    /* the guest's instruction, alone, where it lies */
    CALLOUT_LINK,    /* to a direct target not translated so far */
    CALLOUT_STALE,   /* entry of a unit whose guest code changed */
    CALLOUT_MISS,    /* an indirect target that the table has not */
};

struct bt_site {
    uint8_t callout;
    uint8_t known;    /* enum bt_callout, decoded */
    uint16_t tripped; /* adaptation: callouts in a row that met no trace */
    uint32_t eip;
    uint32_t unit;
    uint32_t resume; /* cache offset behind it, for straight instructions */
    uint32_t patch;  /* cache offset of the jump's displacement, or NONE */
    struct insn insn;
    uint8_t bytes[INSN_MAX_LENGTH + 1];
};

/* A linear page of the guest that was translated. */
struct bt_page {
    uint32_t page; /* linear page number */
    uint32_t gfn;
    uint32_t first_unit;
    uint32_t same_gfn; /* next page of the same frame */
    uint32_t rewrites;
    bool watched;
    bool global;
    /* The guest's entries that mapped it, to see whether they still do. */
    uint8_t level; /* of the entry that maps it; 0: paging was off */
    uint64_t pde, pte;
    gpa_t pte_gpa;
};

enum {
    PAGE_SLOTS = 1 << 13,
    EIP_SLOTS = 1 << 17,
    TRIP_SLOTS = 1 << 10,
    PLACES = 256,
    RETURN_SLOTS = 1 << 12,
};

/* From a guest address to its unit (number + 1; 0: end of the search). */
struct bt_slot {
    uint32_t eip, unit;
};

/* The look-ups that indirect jumps share: one copy at the start of every page
 * of the cache, as the processor links jumps within a page only. Offsets in the
 * page. */
struct bt_glue {
    uint16_t ret, jump, end;
    uint16_t back[2];         /* EAX is the guest's again: RET's, the others' */
    uint16_t miss[2], hit[2]; /* the callout and the jump that end them, RET's
                                 first */
};

/* An offset in the cache (0, where no unit is: empty), and the unit and point
 * that it belongs to. */
struct bt_place {
    uint32_t cache, unit, point;
};

/* A store that met a watched page. */
struct bt_trip {
    uint32_t eip;
    uint16_t count;
    bool callout;
};

/* A place behind a call, and where the procedure that it is in returns to. */
struct bt_return {
    uint32_t eip, back;
};

struct bt {
    struct bt_config config;
    ma_t frame[BT_PAGES];
    uint32_t base; /* linear, of the 4 MiB, when the cache was filled */
    uint32_t cache_bytes, used;
    struct bt_glue glue;
    struct bt_emit *emit; /* the unit in the making */

    struct bt_unit *units;
    uint32_t unit_count, unit_room;
    struct bt_point *points;
    uint32_t point_count, point_room;
    struct bt_site *sites;
    uint32_t site_count, site_room;
    struct bt_page *pages;
    uint32_t page_count, page_room;
    struct bt_slot *by_eip; /* EIP_SLOTS */
    /* By the low 16 bits of an address: may a unit begin there? Asked for every
     * instruction that is translated. */
    uint64_t begins[(1 << 16) / 64];
    /* By cache offset: does an instruction begin there that reaches the
     * monitor's data? */
    uint64_t own[BT_CACHE_MAX / 64];
    uint32_t last; /* the unit that was located last */
    struct bt_place places[PLACES];
    uint32_t *by_page; /* PAGE_SLOTS: page + 1 */
    uint32_t *by_gfn;  /* 1 << 20: page + 1 */
    struct bt_trip trips[TRIP_SLOTS];
    struct bt_return returns[RETURN_SLOTS];

    /* Where the processor is. */
    enum { ENGINE_DIRECT, ENGINE_CACHE, ENGINE_STEP } engine;
    uint32_t at;      /* cache offset, as captured */
    uint32_t at_unit; /* or NONE: in shared code */
    uint32_t at_point;
    unsigned at_note;
    bool step_once; /* the next instruction runs alone, where it lies */
    /* What the dispatcher fills in when it has the unit. */
    uint32_t pending_patch; /* cache offset, or NONE */
    bool pending_stale, pending_table;
    bool flag_withheld;
    uint32_t shadow_eip; /* behind STI, until an instruction retires */
    uint64_t shadow_clock;
};

static inline struct bt *bt_of(const struct monitor *mon)
{
    return mon->own;
}

static inline uint32_t bt_linear(const struct bt *bt, unsigned page,
                                 unsigned offset)
{
    return bt->base + page * PAGE_BYTES + offset;
}

static inline bool bt_has(const struct bt *bt, enum bt_option o)
{
    return !(bt->config.off >> o & 1);
}

/* bt_cache.c */
bool bt_cache_create(struct monitor *mon, char **error);
void bt_cache_destroy(struct bt *bt);
void bt_cache_flush(struct monitor *mon);
uint32_t bt_word(struct monitor *mon, unsigned page, unsigned word);
void bt_set_word(struct monitor *mon, unsigned page, unsigned word,
                 uint32_t value);
/* All words of a page of data. */
uint32_t *bt_words(struct monitor *mon, unsigned page);
void bt_cache_write(struct monitor *mon, uint32_t offset, const void *bytes,
                    uint32_t count);
void bt_cache_patch(struct monitor *mon, uint32_t offset, const void *bytes,
                    uint32_t count);
/* What was emitted, behind what is used. */
void bt_cache_append(struct monitor *mon, const struct bt_emit *e);
bool bt_owns(struct monitor *mon, uint32_t linear);
/* Page i is where the processor finds it; the pages of data by their rights. */
void bt_cache_map(struct monitor *mon, unsigned page, bool writable);
bool bt_cache_room(struct monitor *mon, uint32_t bytes);
bool bt_cache_fits(const struct bt *bt, uint32_t bytes);
uint32_t bt_find(const struct bt *bt, uint32_t eip); /* unit or NONE */
void bt_index(struct monitor *mon, uint32_t unit);
void bt_unindex(struct monitor *mon, uint32_t unit);
void bt_table_set(struct monitor *mon, uint32_t eip, uint32_t cache);
/* A word of a page of the cache, by its offset there; NONE: outside. */
uint32_t bt_cache_word(struct monitor *mon, uint32_t offset);
/* The unit and point at or before a cache offset; false: shared code. */
bool bt_locate(struct bt *bt, uint32_t cache, uint32_t *unit, uint32_t *point);
/* The cache offset where a guest instruction of this unit starts, or NONE. */
uint32_t bt_start_in(const struct bt *bt, uint32_t unit, uint32_t eip);
uint32_t bt_site_new(struct bt *bt, enum bt_callout callout, uint32_t eip);
size_t bt_save(const struct monitor *mon, void *buffer, size_t bytes);
bool bt_restore(struct monitor *mon, const void *buffer, size_t bytes);

/* bt_translate.c */
enum bt_result { BT_OK, BT_FAULT, BT_NO_ROOM };
/* back: where a RET that ends the procedure probably goes, or NONE. */
enum bt_result bt_translate(struct monitor *mon, uint32_t eip, uint32_t back,
                            uint32_t *unit, struct fault *f);

/* bt_emit.c: code for one guest instruction is gathered here. */
enum {
    EMIT_MAX = 16384,
    EMIT_POINTS = BT_UNIT_MAX * 24,
    EMIT_REFS = 2 * BT_UNIT_MAX,
    EMIT_OWN = EMIT_MAX / 6, /* none is shorter */
};
struct bt_ref {
    uint16_t at;     /* of the displacement, from the unit's start */
    uint32_t target; /* guest address */
    uint32_t back;   /* of the unit there */
};
struct bt_emit {
    struct monitor *mon;
    uint32_t eip; /* of the unit */
    uint32_t back;
    uint32_t unit;
    uint32_t cache; /* where it will be */
    uint8_t code[EMIT_MAX];
    unsigned bytes;
    struct bt_point point[EMIT_POINTS];
    unsigned points;
    struct bt_ref ref[EMIT_REFS];
    unsigned refs;
    uint16_t own[EMIT_OWN]; /* where instructions reach the monitor's data */
    unsigned owns;
    bool shadow; /* the next instruction is in STI's shadow */
};
/* One guest instruction; false: nothing follows it in this unit. */
bool bt_emit_insn(struct bt_emit *e, const struct insn *insn,
                  const uint8_t *bytes, uint32_t at);
void bt_emit_jump(struct bt_emit *e, uint32_t at, uint32_t target);
/* The shared look-ups at the start of the page where the cache goes on. */
void bt_emit_glue(struct monitor *mon);

/* bt_exit.c */
bool bt_exit(struct monitor *mon, const struct machine_exit *e);
bool bt_quick(struct monitor *mon, const struct machine_exit *e);
void bt_tripped(struct monitor *mon);

/* bt_pages.c */
/* The page to translate from, watched. NONE: it cannot be fetched now (f, if
 * the access is real), or, where it is only a guess, is not used yet. */
uint32_t bt_page_fetch(struct monitor *mon, uint32_t linear, bool real,
                       struct fault *f);
uint8_t *bt_page_bytes(struct monitor *mon, uint32_t page);
void bt_page_add(struct bt *bt, uint32_t page, uint32_t unit, unsigned which);
void bt_pages_written(struct monitor *mon, gpa_t gpa, uint32_t bytes);
void bt_pages_remapped(struct monitor *mon, int n, uint32_t linear);
void bt_pages_forget(struct monitor *mon);
void bt_pages_unindex(struct bt *bt); /* before pages change wholesale */
void bt_pages_index(struct bt *bt);
void bt_unit_kill(struct monitor *mon, uint32_t unit);

/* bt.c */
void bt_resume_lost(struct monitor *mon);
/* Is the guest in a state that runs in the cache? */
bool bt_in_cache(const struct monitor *mon);

#endif
