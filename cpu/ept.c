/* SPDX-License-Identifier: MIT */
/* cpu/ept.c - see cpu/ept.h. */
#include "cpu/ept.h"

/* Bits that must be 0, in a present entry: what lies above the physical
 * address (cpu/paging.h), and those that only page entries have. */
#define RESERVED_ABOVE 0x000FFFFF00000000u
#define RESERVED_TABLE 0x0F8u
#define RESERVED_LARGE 0x1FF000u

enum { TYPE_SHIFT = 3 };

bool ept_pointer_valid(uint64_t eptp)
{
    unsigned type = eptp & EPTP_TYPE, levels = ept_levels(eptp);

    return (type == EPT_UNCACHEABLE || type == EPTP_WRITE_BACK) &&
           levels >= EPT_LEVELS_LEAST && levels <= EPT_LEVELS_MOST &&
           (eptp & 0xF80u) == 0 && eptp >> 32 == 0;
}

static bool type_exists(uint64_t entry)
{
    unsigned type = (unsigned)(entry & EPT_TYPE) >> TYPE_SHIFT;

    return type != 2 && type != 3 && type != 7;
}

static bool is_page(unsigned level, uint64_t entry)
{
    return level == LEVEL_PT || (level == LEVEL_PD && (entry & EPT_PAGE));
}

/* "EPT Misconfigurations": of an entry that is present. Execute-only entries
 * are not offered. */
static bool misconfigured(unsigned level, uint64_t entry)
{
    uint64_t reserved = RESERVED_ABOVE;

    if (!(entry & EPT_READ))
        return true;
    if (!is_page(level, entry))
        reserved |= RESERVED_TABLE;
    else if (level > LEVEL_PT)
        reserved |= RESERVED_LARGE;
    return (entry & reserved) || (is_page(level, entry) && !type_exists(entry));
}

static unsigned shift_of(unsigned level)
{
    return PAGE_SHIFT + EPT_INDEX_BITS * (level - 1);
}

static uint64_t entry_read(const struct memory *memory, ma_t at)
{
    uint64_t entry;

    if (!memory_has(memory, at, sizeof entry))
        return ~UINT64_C(0);
    memcpy(&entry, memory_at(memory, at), sizeof entry);
    return entry;
}

void ept_walk(const struct memory *memory, uint64_t eptp, gpa_t gpa,
              struct ept_walk *w)
{
    unsigned level = ept_levels(eptp);
    uint64_t table = eptp & PAGING_ADDRESS, entry;

    *w = (struct ept_walk){.rights = EPT_RIGHTS, .level = (uint8_t)level};
    if (gpa.v >> shift_of(level + 1)) {
        w->rights = 0;
        return;
    }
    for (;; level--) {
        unsigned index = gpa.v >> shift_of(level) & (EPT_ENTRIES - 1);

        w->level = (uint8_t)level;
        w->at[level] = MA(table + index * sizeof entry);
        entry = w->entry[level] = entry_read(memory, w->at[level]);
        w->references++;
        w->rights &= entry & EPT_RIGHTS;
        if (!(entry & EPT_RIGHTS))
            return;
        if (misconfigured(level, entry)) {
            w->misconfigured = true;
            return;
        }
        table = entry & PAGING_ADDRESS;
        if (is_page(level, entry))
            break;
    }
    w->page_shift = (uint8_t)shift_of(level);
    w->ma = MA((table >> w->page_shift << w->page_shift) |
               (gpa.v & ((1ull << w->page_shift) - 1)));
    w->present = true;
}

/* The bits that an access needs in its entry of a level. */
static uint64_t wanted(unsigned access, const struct ept_walk *w,
                       unsigned level)
{
    bool dirty = level == w->level && (access & EPT_FOR_WRITE);

    return EPT_ACCESSED | (dirty ? EPT_DIRTY : 0);
}

bool ept_settled(uint64_t eptp, unsigned access, const struct ept_walk *w)
{
    if (!(eptp & EPTP_ACCESSED_DIRTY))
        return true;
    for (unsigned level = ept_levels(eptp); level >= w->level; level--)
        if (wanted(access, w, level) & ~w->entry[level])
            return false;
    return true;
}

void ept_commit(const struct memory *memory, uint64_t eptp, unsigned access,
                struct ept_walk *w)
{
    if (!(eptp & EPTP_ACCESSED_DIRTY) || !w->present)
        return;
    for (unsigned level = ept_levels(eptp); level >= w->level; level--) {
        uint64_t want = wanted(access, w, level);

        if ((w->entry[level] & want) == want)
            continue;
        w->entry[level] |= want;
        memcpy(memory_at(memory, w->at[level]), &w->entry[level],
               sizeof w->entry[level]);
    }
}
