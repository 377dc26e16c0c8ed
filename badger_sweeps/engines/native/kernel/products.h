// The one matrix product, which serves x*W, d*W' and x'*d. It is written for operands that lie in the first-level cache:
// a block of C is summed in registers, and each row of B that is loaded meets several rows of A.
#pragma once
#include "vectors.h"

// Where a sum starts: at zero; at C itself, to which the products are added; or at a row that a group of C's rows shares.
struct FromZero {
    template <class V> V at(int, int) const { return V{}; }
};
struct FromMatrix {
    const float* matrix; int stride;
    template <class V> V at(int row, int column) const { return load<V>(matrix + (long)row * stride + column); }
};
struct FromGroup {
    const float* matrix; int stride; const int* group;
    template <class V> V at(int row, int column) const { return load<V>(matrix + (long)group[row] * stride + column); }
};

// A(row, k) = data[row * row_stride + k * k_stride]: a matrix, or its transpose.
struct Operand { const float* data; int row_stride, k_stride; };

// ROWS x COLUMNS vectors of C = start + A*B, in registers: the sum over k < depth of A(row, k) * B[k][...].
template <int ROWS, int COLUMNS, class V, class From>
static inline __attribute__((always_inline)) void block(
    int first, Operand a, int depth, const float* b, int b_stride, float* c, int c_stride, From from, int column) {
    constexpr int WIDTH = sizeof(V) / sizeof(float);
    V sum[ROWS][COLUMNS];
#pragma GCC unroll 8
    for (int row = 0; row < ROWS; row++)
#pragma GCC unroll 8
        for (int n = 0; n < COLUMNS; n++) sum[row][n] = from.template at<V>(first + row, column + n * WIDTH);
    const float* left = a.data + (long)first * a.row_stride;
    for (int k = 0; k < depth; k++) {
        V right[COLUMNS];
#pragma GCC unroll 8
        for (int n = 0; n < COLUMNS; n++) right[n] = in_register(load<V>(b + (long)k * b_stride + n * WIDTH));
#pragma GCC unroll 8
        for (int row = 0; row < ROWS; row++) {
            V factor = all<V>(left[(long)row * a.row_stride + (long)k * a.k_stride]);
#pragma GCC unroll 8
            for (int n = 0; n < COLUMNS; n++) sum[row][n] += factor * right[n];
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < ROWS; row++)
#pragma GCC unroll 8
        for (int n = 0; n < COLUMNS; n++) store(c + (long)(first + row) * c_stride + n * WIDTH, sum[row][n]);
}

// All rows of COLUMNS vectors, rounded up to a multiple of 4. Blocks are as large as their sums, a row of B and a factor leave
// room for in the registers; blocks of 4 rows come first, until the remainder is whole blocks.
template <int COLUMNS, class V, class From>
static inline __attribute__((always_inline)) void panel(
    int rows, Operand a, int depth, const float* b, int b_stride, float* c, int c_stride, From from, int column) {
    constexpr int ROWS = REGISTERS == 32 ? (COLUMNS == 4 ? 4 : 8) : COLUMNS == 3 ? 4 : COLUMNS == 2 ? 6 : 8;
    const int end = round_up(rows, 4);
    int row = 0;
    for (; (end - row) % ROWS; row += 4) block<4, COLUMNS, V>(row, a, depth, b, b_stride, c, c_stride, from, column);
    for (; row < end; row += ROWS) block<ROWS, COLUMNS, V>(row, a, depth, b, b_stride, c, c_stride, from, column);
}

// C = start + A*B for N columns, a multiple of HALF: wide panels first, then what is left.
template <int N, class From>
static inline __attribute__((always_inline)) void product(
    int rows, Operand a, int depth, const float* b, int b_stride, float* c, int c_stride, From from, int column = 0) {
    constexpr int VECTORS = N / LANES, WIDEST = REGISTERS == 32 ? 4 : 3;
    constexpr int TAKE = VECTORS >= WIDEST && VECTORS != WIDEST + 1 ? WIDEST : VECTORS > WIDEST ? WIDEST - 1 : VECTORS;
    if constexpr (TAKE > 0) {
        panel<TAKE, Vector>(rows, a, depth, b + column, b_stride, c + column, c_stride, from, column);
        product<N - TAKE * LANES>(rows, a, depth, b, b_stride, c, c_stride, from, column + TAKE * LANES);
    } else if constexpr (N > 0) {
        panel<1, HalfVector>(rows, a, depth, b + column, b_stride, c + column, c_stride, from, column);
    }
}
