/* SPDX-License-Identifier: MIT */
/* cpu/vmx_fields.c - see cpu/vmx_fields.h. */
#include "cpu/vmx_fields.h"

#include <stddef.h>

/* The region begins with the revision identifier, the abort indicator and our
 * launch state; every field has eight bytes behind that. */
enum { FIRST_OFFSET = 64, SLOT_BYTES = 8 };

#define WIDTH_OF(encoding)     ((encoding) >> 13 & 3)
#define READ_ONLY_OF(encoding) (((encoding) >> 10 & 3) == 1)

#define VMCS_ROW(place, code, where, text)                                     \
    [F_##place] = {.encoding = (code),                                         \
                   .offset = FIRST_OFFSET + SLOT_BYTES * F_##place,            \
                   .area = AREA_##where,                                       \
                   .width = WIDTH_OF(code),                                    \
                   .read_only = READ_ONLY_OF(code),                            \
                   .name = (text)},

const struct vmcs_field vmcs_fields[F_COUNT] = {VMCS_FIELDS(VMCS_ROW)};

/* Place + 1 by type, width and index. */
#define KEY(encoding)                                                          \
    (((encoding) >> 13 & 3) << 7 | ((encoding) >> 10 & 3) << 5 |               \
     ((encoding) >> 1 & 31))
#define VMCS_KEY(place, code, where, text) [KEY(code)] = F_##place + 1,
static const uint8_t places[512] = {VMCS_FIELDS(VMCS_KEY)};

enum vmcs_place vmcs_find(uint32_t encoding)
{
    uint8_t place;

    if (encoding & ~0x6C3Fu) /* reserved bits, an index above 31 */
        return F_COUNT;
    place = places[KEY(encoding)];
    if (!place || ((encoding & 1) && vmcs_fields[place - 1].width != WIDTH_64))
        return F_COUNT;
    return (enum vmcs_place)(place - 1);
}

const char *vmcs_area_name(enum vmcs_area area)
{
    static const char *const names[AREA_COUNT] = {
        [AREA_GUEST] = "guest state",
        [AREA_HOST] = "host state",
        [AREA_EXECUTION] = "VM-execution control",
        [AREA_EXIT] = "VM-exit control",
        [AREA_ENTRY] = "VM-entry control",
        [AREA_INFORMATION] = "VM-exit information",
    };

    return area < AREA_COUNT ? names[area] : "?";
}
