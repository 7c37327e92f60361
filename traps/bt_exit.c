/* SPDX-License-Identifier: MIT */
/* traps/bt_exit.c - callouts and traps out of the translation cache. */
#include "traps/bt_priv.h"

static void count(struct monitor *mon, enum exit_reason reason,
                  const struct machine_exit *e)
{
    mon->trace->count.exits[reason]++;
    trace_exit(mon->trace, monitor_site(mon), reason, e->vector, e->error,
               e->linear);
}

/* The site number behind an INT3 of ours. */
static struct bt_site *site_at(struct monitor *mon, uint32_t cache)
{
    struct bt *bt = bt_of(mon);
    uint32_t n = bt_cache_word(mon, cache + 1);

    return n < bt->site_count ? &bt->sites[n] : NULL;
}

/* ---- adaptation -------------------------------------------------------------
 */

enum {
    TRIPS = 8,      /* traces an instruction may trip before it calls out */
    INNOCENT = 256, /* callouts in a row that met none: copied again */
};

static void retranslate(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);

    if (bt->at_unit != NONE)
        bt_unit_kill(mon, bt->at_unit);
}

void bt_tripped(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    struct bt_trip *t = &bt->trips[mon->v.eip % TRIP_SLOTS];

    if (bt->engine != ENGINE_CACHE || !bt_has(bt, BT_ADAPT))
        return;
    if (t->eip != mon->v.eip)
        *t = (struct bt_trip){.eip = mon->v.eip};
    if (t->callout || ++t->count < TRIPS)
        return;
    t->callout = true;
    mon->trace->count.bt_adapted++;
    retranslate(mon);
}

/* A store that calls out because it used to trip a trace. */
static void still_guilty(struct monitor *mon, uint32_t site, bool traced)
{
    struct bt *bt = bt_of(mon);
    struct bt_site *s = &bt->sites[site];
    struct bt_trip *t = &bt->trips[s->eip % TRIP_SLOTS];

    if (traced) {
        s->tripped = 0;
        return;
    }
    if (++s->tripped < INNOCENT)
        return;
    if (t->eip == s->eip)
        *t = (struct bt_trip){.eip = s->eip};
    mon->trace->count.bt_unadapted++;
    if (s->unit != NONE)
        bt_unit_kill(mon, s->unit);
}

/* ---- callouts
 * ---------------------------------------------------------------- */

/* Traces tripped and device accesses made so far. */
static uint64_t hidden_work(const struct monitor *mon)
{
    return mon->trace->count.mmu_pte_write + mon->trace->count.mmio_accesses;
}

static void emulate_site(struct monitor *mon, uint32_t site,
                         const struct machine_exit *e)
{
    /* (Emulation may make other sites, which moves them all.) */
    struct bt_site s = bt_of(mon)->sites[site];
    uint64_t before = hidden_work(mon);

    count(mon, EXIT_CALLOUT, e);
    emulation_run(mon, &s.insn, s.bytes, true);
    if (s.insn.cls == CLASS_NONE)
        still_guilty(mon, site, hidden_work(mon) != before);
}

static void link_site(struct monitor *mon, const struct bt_site *s)
{
    struct bt *bt = bt_of(mon);

    bt->pending_patch = s->patch;
    bt->pending_stale = s->callout == CALLOUT_STALE;
    mon->v.eip = s->eip;
    monitor_frame_changed(mon);
}

static bool called_out(struct monitor *mon, const struct machine_exit *e)
{
    struct bt *bt = bt_of(mon);
    struct bt_site *s = site_at(mon, bt->at);

    if (!s) {
        exits_stop(mon, MONITOR_BROKEN, "a callout at %08x is none of ours",
                   bt->at);
        return true;
    }
    switch ((enum bt_callout)s->callout) {
    case CALLOUT_EMULATE:
        emulate_site(mon, (uint32_t)(s - bt->sites), e);
        break;
    case CALLOUT_STEP:
        count(mon, EXIT_CALLOUT, e);
        machine_retire(mon->machine, -1); /* it will count itself */
        bt->step_once = true;
        monitor_frame_changed(mon);
        break;
    case CALLOUT_LINK:
    case CALLOUT_STALE:
        count(mon, EXIT_TRANSLATE, e);
        link_site(mon, s);
        break;
    case CALLOUT_MISS:
        mon->v.eip = bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_TARGET);
        count(mon, EXIT_TRANSLATE, e);
        bt->pending_table = true;
        monitor_frame_changed(mon);
        break;
    }
    return true;
}

/* ---- faults
 * ------------------------------------------------------------------ */

/* The virtual interrupt flag could not be written: an interrupt waits for it.
 * The guest's instruction is done by hand, which lets the interrupt in. */
static bool flag_fault(struct monitor *mon, const struct machine_exit *e)
{
    struct bt *bt = bt_of(mon);
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    size_t n;

    if (e->linear != bt_linear(bt, BT_PAGE_FLAG, 0) || !bt->flag_withheld)
        return false;
    n = monitor_peek(mon, mon->v.seg[SEG_CS].base + mon->v.eip, bytes,
                     sizeof bytes);
    if (!decode(bytes, n, true, &insn) || insn.cls == CLASS_NONE)
        return false; /* not ours: a wild store */
    count(mon, EXIT_WINDOW, e);
    emulation_run(mon, &insn, bytes, false);
    return true;
}

bool bt_exit(struct monitor *mon, const struct machine_exit *e)
{
    if (bt_of(mon)->engine != ENGINE_CACHE)
        return false;
    if (e->kind == MX_SOFTWARE)
        return called_out(mon, e);
    return e->kind == MX_PAGE_FAULT && flag_fault(mon, e);
}

/* ---- the shortest callouts
 * ------------------------------------------------------ */

static void quick_in(struct monitor *mon, const struct insn *insn)
{
    bool by_dx = insn->op[1].kind == OPERAND_GPR;
    unsigned size = insn->operand_size;
    uint32_t eax = machine_reg(mon->machine, GPR_EAX);
    uint32_t mask = size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    uint32_t port =
        by_dx ? machine_reg(mon->machine, GPR_EDX) : insn->op[1].value;
    uint32_t value =
        emulation_in(mon, by_dx ? (uint16_t)port : (uint8_t)port, size);

    machine_set_reg(mon->machine, GPR_EAX, (eax & ~mask) | (value & mask));
}

static void quick_out(struct monitor *mon, const struct insn *insn)
{
    bool by_dx = insn->op[0].kind == OPERAND_GPR;
    unsigned size = insn->operand_size;
    uint32_t eax = machine_reg(mon->machine, GPR_EAX);
    uint32_t mask = size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    uint32_t port =
        by_dx ? machine_reg(mon->machine, GPR_EDX) : insn->op[0].value;

    emulation_out(mon, by_dx ? (uint16_t)port : (uint8_t)port, size,
                  eax & mask);
}

/* A move of a device's register, where its page is remembered. */
static bool quick_device(const struct monitor *mon, const struct insn *insn,
                         uint32_t *linear, gpa_t *gpa)
{
    bool load = insn_plain_load(insn);
    const struct operand *op = &insn->op[load];

    if (!(load || insn_plain_store(insn)) ||
        !machine_flat(mon->machine, op->segment, !load))
        return false;
    *linear = machine_offset(mon->machine, op);
    return mmu_known_device(mon->mmu, *linear, 4, load ? 0 : ACC_WRITE, gpa);
}

static void quick_move(struct monitor *mon, const struct insn *insn,
                       uint32_t linear, gpa_t gpa)
{
    const struct operand *op = insn->op;

    if (insn_plain_load(insn))
        machine_set_reg(mon->machine, op[0].reg,
                        emulation_device_read(mon, gpa, 4, linear));
    else
        emulation_device_write(mon, gpa, 4,
                               op[1].kind == OPERAND_GPR
                                   ? machine_reg(mon->machine, op[1].reg)
                                   : op[1].value,
                               linear);
}

bool bt_quick(struct monitor *mon, const struct machine_exit *e)
{
    struct bt *bt = bt_of(mon);
    struct bt_site *s;
    uint32_t resume, linear = 0;
    gpa_t gpa = GPA(0);
    bool port;

    if (bt->engine != ENGINE_CACHE || e->kind != MX_SOFTWARE)
        return false;
    s = site_at(mon,
                machine_eip(mon->machine) - bt_linear(bt, BT_PAGE_CACHE, 0));
    if (!s || s->callout != CALLOUT_EMULATE || s->resume == NONE)
        return false;
    port = s->insn.id == INSN_IN || s->insn.id == INSN_OUT;
    if (!port && !quick_device(mon, &s->insn, &linear, &gpa))
        return false;
    mon->v.eip = s->eip;
    mon->v.cpl = 0;
    resume = s->resume;
    s->tripped = 0;
    count(mon, port ? EXIT_IO : EXIT_CALLOUT, e);
    if (!port)
        quick_move(mon, &s->insn, linear, gpa);
    emulation_done(mon, &s->insn, s->bytes);
    if (s->insn.id == INSN_IN)
        quick_in(mon, &s->insn);
    else if (port)
        quick_out(mon, &s->insn);
    machine_set_eip(mon->machine, bt_linear(bt, BT_PAGE_CACHE, resume));
    return true;
}
