/* SPDX-License-Identifier: MIT */
/* x86.h - the instructions C has no words for.
 *
 * Reference: SDM 2, one entry per instruction. All of these are privileged
 * (or checked against IOPL), so below ring 0 they trap. The sensitive ones
 * that do not trap live in irq.h and silent.c, and nowhere else. lumen-pv asks
 * the VMM instead: pv/paging.h.
 */
#ifndef LUMEN_X86_H
#define LUMEN_X86_H

#include <stdint.h>

#define EFLAGS_FIXED 0x002u /* bit 1 always reads as one                  */
#define EFLAGS_IF    0x200u

#define CR0_MP  0x00000002u
#define CR0_WP  0x00010000u
#define CR4_PSE 0x010u
#define CR4_PGE 0x080u

#define CPUID_PSE (1u << 3)
#define CPUID_PGE (1u << 13)

static inline void port_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t port_in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint8_t port_in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void port_in_words(uint16_t port, void *to, uint32_t words)
{
    __asm__ volatile("cld; rep insw"
                     : "+D"(to), "+c"(words)
                     : "d"(port)
                     : "memory");
}

static inline void port_out_words(uint16_t port, const void *from,
                                  uint32_t words)
{
    __asm__ volatile("cld; rep outsw"
                     : "+S"(from), "+c"(words)
                     : "d"(port)
                     : "memory");
}

#ifdef LUMEN_PV
#include "pv/paging.h"
#else

#define X86_CONTROL_REGISTER(n)                                                \
    static inline uint32_t read_cr##n(void)                                    \
    {                                                                          \
        uint32_t value;                                                        \
        __asm__ volatile("movl %%cr" #n ", %0" : "=r"(value) : : "memory");    \
        return value;                                                          \
    }                                                                          \
    static inline void write_cr##n(uint32_t value)                             \
    {                                                                          \
        __asm__ volatile("movl %0, %%cr" #n : : "r"(value) : "memory");        \
    }

X86_CONTROL_REGISTER(0)
X86_CONTROL_REGISTER(2)
X86_CONTROL_REGISTER(3)
X86_CONTROL_REGISTER(4)

static inline void invlpg(uint32_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* CPUID leaf 1, EDX: the feature flags. */
static inline uint32_t cpu_features(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return edx;
}

#endif /* LUMEN_PV */
#endif
