/* SPDX-License-Identifier: MIT */
/* vmm/inspect_vmcs.c - the VMCS by areas, as text. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cpu/vmx.h"
#include "vmm/inspect.h"
#include "vmm/vm_priv.h"

/* Values in hexadecimal digits, as wide as the field. */
static int digits(const struct vmcs_field *f)
{
    return f->width == WIDTH_16 ? 4 : f->width == WIDTH_64 ? 16 : 8;
}

/* "guest" asks for "guest state". */
static bool asked(const char *area, enum vmcs_area of)
{
    return !*area || strncasecmp(vmcs_area_name(of), area, strlen(area)) == 0;
}

size_t vm_vmcs_text(struct vm *vm, const char *area, char *text, size_t bytes)
{
    int last = -1;
    size_t used = 0;
    uint64_t value;

    for (unsigned i = 0; i < F_COUNT && used < bytes; i++) {
        const struct vmcs_field *f = &vmcs_fields[i];

        if (!asked(area, (enum vmcs_area)f->area) ||
            !vmx_peek(vm->machine, (enum vmcs_place)i, &value))
            continue;
        if (f->area != last && used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, "%s:\n",
                                     vmcs_area_name((enum vmcs_area)f->area));
        last = f->area;
        if (used < bytes)
            used += (size_t)snprintf(
                text + used, bytes - used, "  %04x %-32s %0*llx\n", f->encoding,
                f->name, digits(f), (unsigned long long)value);
    }
    return used < bytes ? used : bytes - 1;
}
