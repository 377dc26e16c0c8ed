// Vectors of floats as wide as the processor's registers, and the functions that cells need of them.
#pragma once

#if defined(__AVX512F__)
constexpr int LANES = 16, REGISTERS = 32;
#else
constexpr int LANES = 8, REGISTERS = 16;
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
    asm("" : "+v"(value));
    return value;
}

static inline float total(Vector x) {
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += x[lane];
    return sum;
}

// e^x = scale * (1 + rest) with scale a power of two and |rest| < 0.42. x is clamped to +-87, where e^x is a normal float;
// NaN stays NaN. The polynomial is that of Cephes' expf (S. L. Moshier); the relative error is below 2e-7.
struct Power { Vector scale, rest; };
static inline Power power(Vector x) {
    x = x > 87.f ? all(87.f) : x;
    x = x < -87.f ? all(-87.f) : x;
    Vector n = (x * 1.44269504f + 12582912.f) - 12582912.f;  // x / ln 2, rounded to a whole number
    Vector r = x - n * 0.693359375f + n * 2.12194440e-4f;    // ln 2 in two parts, so that n * ln 2 is exact enough
    Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    Integers exponent = (__builtin_convertvector(n, Integers) + 127) << 23;
    return {(Vector)exponent, p * r * r + r};
}

static inline Vector sigmoid(Vector x) {
    Power e = power(-x);
    return 1.f / (1.f + e.scale + e.scale * e.rest);
}

// By e^2x - 1, which keeps the relative error small where tanh x is small.
static inline Vector tanh(Vector x) {
    Power e = power(2.f * x);
    Vector less_one = e.scale * e.rest + (e.scale - 1.f);
    return less_one / (less_one + 2.f);
}
