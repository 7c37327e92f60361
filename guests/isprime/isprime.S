/* SPDX-License-Identifier: MIT */
/* isprime.S - the function whose translation Adams & Agesen show (ASPLOS 2006,
 * "Binary Translation"), written from its description: the number in EDI, the
 * answer in EAX. */

        .text
        .globl  isPrime
        .type   isPrime, @function
isPrime:
        movl    %edi, %ecx              # the number
        movl    $2, %esi                # i = 2
        cmpl    %ecx, %esi              # i >= number: no divisor was found
        jge     prime
nexti:
        movl    %ecx, %eax
        cltd
        idivl   %esi                    # number % i
        testl   %edx, %edx
        jz      notPrime
        incl    %esi
        cmpl    %ecx, %esi
        jl      nexti
prime:
        movl    $1, %eax
        ret
notPrime:
        xorl    %eax, %eax
        ret
        .size   isPrime, . - isPrime

/* uint32_t ask_prime(uint32_t number): the same for C. */
        .globl  ask_prime
        .type   ask_prime, @function
ask_prime:
        pushl   %esi
        pushl   %edi
        movl    12(%esp), %edi
        call    isPrime
        popl    %edi
        popl    %esi
        ret
        .size   ask_prime, . - ask_prime

        .section .note.GNU-stack, "", @progbits
