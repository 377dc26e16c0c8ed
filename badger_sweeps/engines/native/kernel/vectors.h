// Vectors of floats as wide as the processor's registers, and the functions that cells need of them.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
constexpr int LANES = 16, REGISTERS = 32;
#elif defined(__AVX2__)
#include <immintrin.h>
constexpr int LANES = 8, REGISTERS = 16;
#elif defined(__aarch64__)
#include <arm_neon.h>
constexpr int LANES = 4, REGISTERS = 32;
#else
#error "the kernel needs a processor with AVX2, AVX-512 or NEON"
#endif
constexpr int HALF = LANES / 2;

// GCC's vector extension, which clang shares.
typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef float HalfVector __attribute__((vector_size(4 * HALF)));
typedef int Integers __attribute__((vector_size(4 * LANES)));

constexpr int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

// In memory vectors start at any float, and are floats to the compiler. (As an argument of a template, a type loses such
// attributes; memcpy would do, but compilers then expect stores to change pointers too.)
template <class V> struct InMemory { typedef float type __attribute__((vector_size(sizeof(V)), aligned(4))); };
template <class V = Vector> static inline V load(const float* from) { return *(const typename InMemory<V>::type*)from; }
template <class V> static inline void store(float* to, V value) { *(typename InMemory<V>::type*)to = value; }
template <class V = Vector> static inline V all(float value) { return value - V{}; }

// Compilers would otherwise load a value again, from memory, wherever it is used.
template <class V> static inline V in_register(V value) {
#if defined(__aarch64__)
    asm("" : "+w"(value));
#else
    asm("" : "+v"(value));
#endif
    return value;
}

static inline float total(Vector x) {
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += x[lane];
    return sum;
}

// x between -limit and limit; NaN stays NaN, since min and max give their second operand where one is NaN (Arm's give NaN).
static inline Vector clamp(Vector x, float limit) {
#if defined(__AVX512F__)
    return (Vector)_mm512_max_ps(_mm512_set1_ps(-limit), _mm512_min_ps(_mm512_set1_ps(limit), (__m512)x));
#elif defined(__AVX2__)
    return (Vector)_mm256_max_ps(_mm256_set1_ps(-limit), _mm256_min_ps(_mm256_set1_ps(limit), (__m256)x));
#else
    return (Vector)vmaxq_f32(vdupq_n_f32(-limit), vminq_f32(vdupq_n_f32(limit), (float32x4_t)x));
#endif
}

// 2^(n/8) for whole numbers n between -1008 and 1008. The entry of n's lowest three bits is the float 2^(k/8), k = 0..7, less
// k << 20, so that n << 20 may be added: its upper bits then count in the float's exponent.
#define EIGHTHS 1065353216, 1065063874, 1064843248, 1064697559, 1064633587, 1064658730, 1064781053, 1065009351
static inline Vector exp2_eighths(Integers n) {
#if defined(__AVX512F__)
    Integers entry = (Integers)_mm512_permutexvar_epi32((__m512i)n, (__m512i)Integers{EIGHTHS, EIGHTHS});
#elif defined(__AVX2__)
    Integers entry = (Integers)_mm256_permutevar8x32_epi32((__m256i)Integers{EIGHTHS}, (__m256i)n);
#else
    static const int table[] = {EIGHTHS};
    const uint8x16x2_t bytes = {{vld1q_u8((const uint8_t*)table), vld1q_u8((const uint8_t*)(table + 4))}};
    Integers entry = (Integers)vqtbl2q_u8(bytes, (uint8x16_t)((n & 7) * 0x04040404 + 0x03020100));
#endif
    return (Vector)(entry + (n << 20));
}

// 1 / (1 + e^-x), with a relative error below 3e-7. e^-x = 2^(n/8) * e^-r with a whole number n and |r| < 0.0434, where the
// polynomial of degree 3 (minimax with e^0 = 1 and slope 1) is exact to 3e-8. x is clamped to +-87, where e^x is a normal float.
static inline Vector sigmoid(Vector x) {
    x = clamp(x, 87.f);
    Vector shifted = x * -11.5415603f + 12582912.f;  // -8/ln 2 * x + 1.5 * 2^23: its lowest bits are the whole number n
    Vector r = (shifted - 12582912.f) * 0.0866433976f + x;
    Vector p = r * -0.166668579f + 0.500064492f;
    p = p * r - 1.f;
    p = p * r + 1.f;
    return 1.f / (exp2_eighths((Integers)shifted) * p + 1.f);
}

// x * p(x^2) / q(x^2), with a relative error below 4e-7: of its own 2e-8 (minimax for |x| < 9, where tanh x rounds to 1), the
// remainder by rounding. Relative, so that small activities keep their digits; never beyond 1.
static inline Vector tanh(Vector x) {
    x = clamp(x, 9.f);
    Vector y = x * x;
    Vector p = y * 1.33552873e-08f + 2.06095887e-05f;
    p = p * y + 0.00349562149f;
    p = p * y + 0.133810550f;
    p = p * y + 1.f;
    Vector q = y * 7.77683091e-07f + 0.000328568742f;
    q = q * y + 0.0258771125f;
    q = q * y + 0.467143714f;
    q = q * y + 1.f;
    return clamp(x * p / q, 1.f);
}
