// Counter-based random numbers (Philox4x32-10), bit for bit those of core/counter_random.py, which says how they are counted.
// Products are kept from being fused with the sums that follow: fused, they would be rounded once instead of twice.
#pragma once
#include <cstring>
#include "vectors.h"
#if defined(__AVX2__)
#include <immintrin.h>
#endif

typedef unsigned Words __attribute__((vector_size(4 * LANES)));
typedef unsigned long long Wide __attribute__((vector_size(4 * LANES)));

// The products of 64 bits of the lower words of each pair.
static inline Wide multiply_lower(Words pairs, Words factor) {
#if defined(__AVX512F__)
    return (Wide)_mm512_mul_epu32((__m512i)pairs, (__m512i)factor);
#elif defined(__AVX2__)
    return (Wide)_mm256_mul_epu32((__m256i)pairs, (__m256i)factor);
#else
    return ((Wide)pairs & 0xffffffffull) * ((Wide)factor & 0xffffffffull);
#endif
}

static inline void multiply(Words a, unsigned factor, Words& high, Words& low) {
    const Words factors = factor - Words{};
    const Wide even = multiply_lower(a, factors), odd = multiply_lower((Words)((Wide)a >> 32), factors);
    low = (Words)((even & 0xffffffffull) | (odd << 32));
    high = (Words)((even >> 32) | (odd & 0xffffffff00000000ull));
}

struct Philox {
    unsigned key[2];
    // The four words of each of LANES counters; x[0] to x[3] are the counter's words.
    void operator()(Words (&x)[4]) const {
        unsigned k0 = key[0], k1 = key[1];
        for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
            Words high0, low0, high1, low1;
            multiply(x[0], 0xD2511F53u, high0, low0), multiply(x[2], 0xCD9E8D57u, high1, low1);
            x[0] = high1 ^ x[1] ^ k0, x[1] = low1, x[2] = high0 ^ x[3] ^ k1, x[3] = low0;
        }
    }
};

template <class A, class B> static inline Vector times(A a, B b) { return in_register((a - Vector{}) * (b - Vector{})); }

template <int N> static inline Vector polynomial(Vector x, const float (&coefficients)[N]) {
    Vector value = all(coefficients[0]);
#pragma GCC unroll 16
    for (int k = 1; k < N; k++) value = times(value, x) + coefficients[k];
    return value;
}

constexpr float LOG[] = {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                         -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f};
constexpr float SINE[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
constexpr float COSINE[] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};

static inline Vector log_of(Vector u) {
    const Integers bits = (Integers)u, exponent = (bits >> 23) - 126;
    const Vector mantissa = (Vector)((bits & 0x7FFFFF) | 0x3F000000);
    const Integers small = mantissa < 0.707106781186547524f;  // -1 where it is
    const Vector e = __builtin_convertvector(exponent + small, Vector);
    const Vector f = (small ? mantissa + mantissa : mantissa) - 1.f, square = times(f, f);
    Vector y = times(times(polynomial(f, LOG), f), square);
    y = y + times(e, -2.12194440e-4f);
    y = y + times(square, -0.5f);
    y = f + y;
    return y + times(e, 0.693359375f);
}

static inline Vector root(Vector x) {
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(x);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(x);
#else
    for (int lane = 0; lane < LANES; lane++) x[lane] = __builtin_sqrtf(x[lane]);
    return x;
#endif
}

static inline void box_muller(Words radius, Words angle, Vector& first, Vector& second) {
    const Vector u = times(__builtin_convertvector((Integers)(radius >> 1), Vector) + 0.5f, 0x1p-31f);
    Vector squared = times(log_of(u), -2.f);
    squared = squared < 0.f ? Vector{} : squared;
    const Vector r = root(squared);
    const Vector turn = times(__builtin_convertvector((Integers)((angle >> 6) & 0xFFFFFFu), Vector), 0x1p-24f);
    const Vector x = times(turn - 0.5f, 1.57079632679489661923f), square = times(x, x);
    const Vector sine = times(times(polynomial(square, SINE), square), x) + x;
    const Vector cosine = times(times(polynomial(square, COSINE), square), square) - times(square, 0.5f) + 1.f;
    const Integers quarter = (Integers)(angle >> 30), swapped = (quarter & 1) != 0;
    first = swapped ? sine : cosine, second = swapped ? cosine : sine;
    first = ((quarter == 1) | (quarter == 2)) ? -first : first;
    second = (quarter >= 2) ? -second : second;
    first = times(r, first), second = times(r, second);
}

// Row `row` of `counters` counters: 4 * counters normal numbers times `scale`.
static void draw_normal_row(
    const unsigned* key, unsigned batch, unsigned row, unsigned draw, int counters, float scale, float* to) {
    const Philox philox{{key[0], key[1]}};
    Words lanes;
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = lane;
    for (int first = 0; first < counters; first += LANES) {
        Words x[4] = {lanes + (unsigned)first, row - Words{}, batch - Words{}, draw - Words{}};
        philox(x);
        Vector drawn[4];
        box_muller(x[0], x[1], drawn[0], drawn[1]), box_muller(x[2], x[3], drawn[2], drawn[3]);
        for (int word = 0; word < 4; word++) {
            const Vector scaled = times(drawn[word], scale);
            float* start = to + (long)word * counters + first;
            if (first + LANES <= counters) store(start, scaled);
            else memcpy(start, &scaled, (counters - first) * sizeof(float));
        }
    }
}
