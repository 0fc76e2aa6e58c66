/* Plain loops that are worth a vector version for each instruction set. */
#ifndef BASE_CLONES_H
#define BASE_CLONES_H

/* Before a function: one version of it for each of these instruction sets, chosen when the program is loaded. All give
 * the same bits: they use only operations that IEEE 754 rounds correctly, and products are never fused
 * (-ffp-contract=off). Not under AddressSanitizer, which is not ready when the choice is made. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MMS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MMS_CLONES
#endif

/* Compiled into its caller, for the instruction set and the constant arguments of that. */
#if defined(__GNUC__)
#define MMS_INLINE static inline __attribute__((always_inline))
#else
#define MMS_INLINE static inline
#endif

#endif
