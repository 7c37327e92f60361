/* SPDX-License-Identifier: MIT */
/* traps/patch.c - static translation: silent instructions made to trap.
 *
 * Before the guest runs, its image is scanned and each silent sensitive
 * instruction that can be reached gets INT3 over its first byte; the trap then
 * leads to its emulation. The limits are those of every static translation:
 * code that only exists later or is reached in ways the scan cannot see stays
 * as it is (and is reported when it executes), and a guest that reads its own
 * code sees the patches.
 *
 * Reference: Oracle VirtualBox, "Software virtualization" (PATM, CSAM);
 * Adams & Agesen, ASPLOS 2006, on why VMware translated dynamically.
 */
#include <stdlib.h>

#include "traps/monitor_priv.h"
#include "traps/scan.h"

#define INT3_BYTE 0xCC

#define SILENT_CLASSES                                                         \
    (1u << CLASS_FLAG | 1u << CLASS_TABLE | 1u << CLASS_DESCRIPTOR |           \
     1u << CLASS_SEGMENT)

static bool is_silent(const struct scan_site *s)
{
    if (s->id == INSN_CALL_FAR || s->id == INSN_JMP_FAR ||
        s->id == INSN_RET_FAR)
        return true; /* of the other transfers, INT n comes as it is */
    return SILENT_CLASSES >> s->cls & 1;
}

static int by_gpa(const void *a, const void *b)
{
    uint32_t x = ((const struct patch *)a)->gpa;
    uint32_t y = ((const struct patch *)b)->gpa;

    return x < y ? -1 : x > y;
}

static void apply(struct monitor *mon, const struct scan_result *found,
                  const struct monitor_code *code, unsigned count)
{
    const uint8_t int3 = INT3_BYTE;

    mon->patches = calloc(found->count + 1, sizeof *mon->patches);
    for (size_t i = 0; mon->patches && i < found->count; i++) {
        const struct scan_site *s = &found->sites[i];

        if (!s->reached || s->overlap || !is_silent(s))
            continue;
        for (unsigned k = 0; k < count; k++) {
            uint32_t offset = s->address - code[k].linear;
            struct patch p = {code[k].gpa + offset, s->bytes[0]};

            if (offset >= code[k].size)
                continue;
            if (pmap_write(mon->config.pmap, GPA(p.gpa), &int3, 1))
                mon->patches[mon->patch_count++] = p;
            break;
        }
    }
    if (mon->patches)
        qsort(mon->patches, mon->patch_count, sizeof *mon->patches, by_gpa);
}

void monitor_patch(struct monitor *mon, const struct monitor_code *code,
                   unsigned count, const uint32_t *starts, size_t start_count,
                   uint32_t entry)
{
    struct scan_range *ranges = calloc(count + 1, sizeof *ranges);
    struct scan_input input = {.ranges = ranges,
                               .range_count = count,
                               .entry = entry,
                               .starts = starts,
                               .start_count = start_count,
                               .code32 = true};
    struct scan_result found;
    uint8_t **bytes = calloc(count + 1, sizeof *bytes);

    for (unsigned i = 0; ranges && bytes && i < count; i++) {
        bytes[i] = malloc(code[i].size);
        if (!bytes[i] || !pmap_read(mon->config.pmap, GPA(code[i].gpa),
                                    bytes[i], code[i].size))
            continue;
        ranges[i] = (struct scan_range){code[i].linear, code[i].size, bytes[i]};
    }
    if (ranges && bytes && scan_image(&input, &found)) {
        apply(mon, &found, code, count);
        scan_free(&found);
        machine_watch(mon->machine, SILENT_CLASSES);
    }
    for (unsigned i = 0; bytes && i < count; i++)
        free(bytes[i]);
    free(bytes);
    free(ranges);
}

bool monitor_patched(const struct monitor *mon, gpa_t gpa, uint8_t *original)
{
    struct patch key = {.gpa = (uint32_t)gpa.v};
    const struct patch *p =
        mon->patch_count
            ? bsearch(&key, mon->patches, mon->patch_count, sizeof key, by_gpa)
            : NULL;

    if (p)
        *original = p->original;
    return p != NULL;
}

size_t monitor_patch_count(const struct monitor *mon)
{
    return mon->patch_count;
}
