/* SPDX-License-Identifier: MIT */
/* traps/monitor_priv.h - inside the monitor (traps/ only). */
#ifndef TRAPS_MONITOR_PRIV_H
#define TRAPS_MONITOR_PRIV_H

#include "cpu/emulate.h"
#include "trace/emit.h"
#include "traps/technique.h"

/* The monitor's own linear space, the MMU's overlay. First the descriptor
 * tables that the processor really uses. */
enum {
    TABLE_PAGES = 16, /* a full descriptor table: 64 KiB */
    OVERLAY_GDT = 0,  /* pages from the region's start */
    OVERLAY_LDT = TABLE_PAGES,
    OVERLAY_PAGES = 2 * TABLE_PAGES,
    WATCH_MAX = TABLE_PAGES + 1, /* a table need not start on a page */
};

/* A guest descriptor table and its shadow. */
struct shadow_table {
    ma_t frame[TABLE_PAGES];
    gpa_t watched[WATCH_MAX];
    unsigned watched_count;
    uint32_t base; /* of the guest's table, when it was shadowed */
    uint32_t bytes;
    /* A table among busy data is not watched: its shadow's descriptors are not
     * present, so that loads trap and are done by hand. */
    bool unwatched;
    unsigned idle_writes; /* to watched pages, that changed no descriptor */
    unsigned loads;       /* done by hand since it went unwatched */
    unsigned lease;       /* as many are before it is watched again */
};

/* A translated site (bt-static). */
struct patch {
    uint32_t gpa;
    uint8_t original;
};

/* What was put into the processor last, and of what: most of it is the same the
 * next time. */
struct vcpu_put {
    struct cpu_state real;
    struct segment shown[SEG_COUNT]; /* the guest's, installed as real.seg */
    uint8_t cpl;                     /* likewise */
    bool vm86;
    bool valid;
};

struct monitor {
    struct monitor_config config;
    const struct technique *technique;
    void *own; /* the technique's */
    struct machine *machine;
    struct trace *trace;
    struct mmu *mmu;

    struct cpu_state v; /* the virtual processor */
    bool dirty;         /* v must be installed before the guest goes on */
    bool frame_only;    /* but only its frame registers were changed */
    bool rest_live;     /* all but those are the processor's, not captured */
    struct segment installed[SEG_COUNT]; /* as put into the processor */
    struct vcpu_put put;
    struct mmu_root root; /* what the processor walks */
    bool nmi;
    bool attend_later; /* the guest is inside an instruction */
    bool stopped;      /* for good: nothing more is installed */

    uint32_t overlay; /* where it is */
    struct shadow_table gdt, ldt;

    struct patch *patches; /* by gpa */
    size_t patch_count;

    struct monitor_audit audit;
    struct arch_chain chain;
    char message[160];
    void (*observer)(void *ctx, uint32_t linear, uint32_t error,
                     const struct mmu_result *result);
    void *observer_ctx;
};

static inline struct event_site monitor_site(const struct monitor *mon)
{
    return (struct event_site){mon->v.eip, mon->v.cpl};
}

void vcpu_capture_rest(struct monitor *mon);

/* Who looks at more of v than its frame registers asks for that. */
static inline void monitor_need_rest(struct monitor *mon)
{
    if (mon->rest_live)
        vcpu_capture_rest(mon);
}

/* v is about to be changed: everywhere, or in nothing but what
 * machine_set_frame() puts back. */
static inline void monitor_changed(struct monitor *mon)
{
    monitor_need_rest(mon);
    mon->dirty = true;
    mon->frame_only = false;
}

static inline void monitor_frame_changed(struct monitor *mon)
{
    mon->frame_only |= !mon->dirty;
    mon->dirty = true;
}

/* Between the virtual processor and the real one, by the technique. */
static inline void monitor_capture(struct monitor *mon)
{
    mon->technique->capture(mon);
}

static inline void monitor_install(struct monitor *mon)
{
    mon->technique->install(mon);
}

/* vcpu.c: the same by ring compression. */
void vcpu_capture(struct monitor *mon);
/* Of that only the frame registers; the rest when somebody needs it. */
void vcpu_capture_frame(struct monitor *mon);
void vcpu_install(struct monitor *mon);
/* The real processor's state for the virtual one, in mon->put.real; EIP,
 * interrupt shadow and CS may be changed there before it is put in (and is in
 * installed, too). */
struct cpu_state *vcpu_real(struct monitor *mon);
void vcpu_put(struct monitor *mon);
bool vcpu_runs_vm86(const struct cpu_state *v);

/* descriptors.c: the descriptor tables the processor really uses. */
bool descriptors_create(struct monitor *mon);
void descriptors_place(struct monitor *mon);
/* The monitor's own space is where mon->overlay says: nothing for the guest. */
void descriptors_hide(struct monitor *mon);
void descriptors_tables_changed(struct monitor *mon);
void descriptors_remapped(struct monitor *mon);
void descriptors_written(struct monitor *mon, gpa_t gpa, uint32_t bytes);
/* A descriptor was not present. True: only because its table was unwatched; it
 * is not any more, try again. False: do the load by hand. */
bool descriptors_load_trapped(struct monitor *mon);
/* Would a load of what is in CS load the same? */
bool descriptors_hold_cs(const struct monitor *mon);
/* No more shadows of the guest's tables: their frames are the technique's. */
void descriptors_release(struct monitor *mon);
bool descriptors_own_fault(struct monitor *mon, uint32_t linear,
                           uint32_t error);
uint32_t descriptors_linear(const struct monitor *mon, unsigned page);

/* exits.c */
void exits_handle(void *ctx, const struct machine_exit *e);
void exits_attend(void *ctx);
void exits_stepped(void *ctx);
void exits_vm_exit(void *ctx);
void exits_watched(void *ctx, const struct insn *insn);
bool exits_owns(void *ctx, uint32_t linear);
uint32_t exits_weight(void *ctx, uint32_t linear);
void exits_update_pin(struct monitor *mon);
void exits_stop(struct monitor *mon, enum monitor_stop why, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

/* The instruction at CS:EIP as the guest wrote it. */
bool exits_current(struct monitor *mon, struct insn *insn,
                   uint8_t bytes[INSN_MAX_LENGTH]);

/* inject.c */
/* The same by arch_deliver() on the virtual processor, always. */
void inject_by_hand(struct monitor *mon, const struct arch_event *event,
                    const char *cause);
void inject_event(struct monitor *mon, const struct arch_event *event,
                  const char *cause);
void inject_fault(struct monitor *mon, const struct fault *f);
void inject_pending(struct monitor *mon);

/* emulation.c: one instruction in the guest's place. */
void emulation_run(struct monitor *mon, const struct insn *insn,
                   const uint8_t *bytes, bool counted);
struct mem_ops emulation_memory(struct monitor *mon);
/* Where the processor was let through to a device (mmu_open). */
uint32_t emulation_mmio_read(void *mon, ma_t ma, unsigned size);
void emulation_mmio_write(void *mon, ma_t ma, unsigned size, uint32_t value);
/* Ports, as IN and OUT reach them; and what is told of an instruction that was
 * done in another way. */
uint32_t emulation_in(void *mon, uint16_t port, unsigned size);
void emulation_out(void *mon, uint16_t port, unsigned size, uint32_t value);
/* A device's memory, likewise; linear is what the guest named. */
uint32_t emulation_device_read(struct monitor *mon, gpa_t gpa, unsigned size,
                               uint32_t linear);
void emulation_device_write(struct monitor *mon, gpa_t gpa, unsigned size,
                            uint32_t value, uint32_t linear);
void emulation_done(struct monitor *mon, const struct insn *insn,
                    const uint8_t *bytes);

/* silent.c */
void silent_about_to(struct monitor *mon, const struct insn *insn);
void silent_audit(struct monitor *mon, const struct insn *insn);
void silent_flag_changed(struct monitor *mon, uint32_t old_eflags, uint32_t eip,
                         const char *by);

#endif
