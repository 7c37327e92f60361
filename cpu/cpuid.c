/* SPDX-License-Identifier: MIT */
/* cpu/cpuid.c - what the processor says of itself.
 *
 * The engine would advertise what it does not do (64-bit mode, SVM, SSE
 * without its exceptions). The machine offers a plain 32-bit processor, of the
 * kind of an AMD Duron without SSE (the engine's own vendor; Intel's would make
 * kernels look for microcode updates), and nothing that it cannot keep.
 *
 * Reference: SDM 2A, "CPUID - CPU Identification".
 */
#include "cpu/machine_priv.h"

enum {
    LEAF_MAX = 1,
    EXTENDED_MAX = 8,
    ADDRESS_BITS = 32,      /* physical and linear: cpu/paging.h */
    SIGNATURE = 0x00000630, /* family 6, model 3, stepping 0 */
};

/* Leaf 1, EDX. */
#define FEATURE_FPU  (1u << 0)
#define FEATURE_DE   (1u << 2)
#define FEATURE_PSE  (1u << 3)
#define FEATURE_TSC  (1u << 4)
#define FEATURE_MSR  (1u << 5)
#define FEATURE_PAE  (1u << 6)
#define FEATURE_CX8  (1u << 8)
#define FEATURE_APIC (1u << 9)
#define FEATURE_SEP  (1u << 11)
#define FEATURE_PGE  (1u << 13)
#define FEATURE_CMOV (1u << 15)
#define FEATURE_MMX  (1u << 23)
#define FEATURE_FXSR (1u << 24)
/* Leaf 80000001h, EDX; the others are as above. */
#define FEATURE_NX (1u << 20)

static void text_to(uint32_t out[4], const char text[16])
{
    memcpy(out, text, 16);
}

void machine_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    static const char brand[48] = "Umbra teaching machine, x86-32";

    (void)subleaf;
    memset(out, 0, 4 * sizeof *out);
    switch (leaf) {
    case 0:
        out[0] = LEAF_MAX;
        memcpy(&out[1], "Auth", 4);
        memcpy(&out[3], "enti", 4);
        memcpy(&out[2], "cAMD", 4);
        break;
    case 1:
        out[0] = SIGNATURE;
        out[3] = FEATURE_FPU | FEATURE_DE | FEATURE_PSE | FEATURE_TSC |
                 FEATURE_MSR | FEATURE_PAE | FEATURE_CX8 | FEATURE_APIC |
                 FEATURE_SEP | FEATURE_PGE | FEATURE_CMOV | FEATURE_MMX |
                 FEATURE_FXSR;
        break;
    case 0x80000000: out[0] = 0x80000000 + EXTENDED_MAX; break;
    case 0x80000001:
        out[0] = SIGNATURE;
        out[3] = FEATURE_FPU | FEATURE_DE | FEATURE_PSE | FEATURE_TSC |
                 FEATURE_MSR | FEATURE_PAE | FEATURE_CX8 | FEATURE_APIC |
                 FEATURE_PGE | FEATURE_CMOV | FEATURE_NX | FEATURE_MMX |
                 FEATURE_FXSR;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: text_to(out, brand + 16 * (leaf - 0x80000002)); break;
    case 0x80000008: out[0] = ADDRESS_BITS << 8 | ADDRESS_BITS; break;
    default: break;
    }
}

int cpuid_hook(uc_engine *uc, void *user)
{
    struct machine *m = user;
    uint64_t *r = m->engine.live.regs;
    uint32_t out[4];

    (void)uc;
    machine_cpuid((uint32_t)r[GPR_EAX], (uint32_t)r[GPR_ECX], out);
    r[GPR_EAX] = out[0];
    r[GPR_EBX] = out[1];
    r[GPR_ECX] = out[2];
    r[GPR_EDX] = out[3];
    return 1; /* done: skip the engine's own */
}
