// The sizes that this build of the kernel serves, and where each matrix lies among a member's weights in padded form.
#pragma once
#include "cells.h"

// The compiler's command line gives CELL, HIDDEN, MESSAGE (0: no messages, the cell receives the latest guess) and DIMS.
constexpr int GATES = CELL::GATES, RECEIVED = MESSAGE ? MESSAGE : DIMS;
constexpr int H = round_up(HIDDEN, LANES), X = round_up(RECEIVED, HALF), M = round_up(MESSAGE, HALF), D = round_up(DIMS, HALF);
constexpr int G = GATES * H, ROW = round_up(H + X, LANES);
// Rows of pre-activations. Columns of rows whose length is a multiple of 1024 bytes would lie in few sets of the first-level cache.
constexpr int GATE_ROW = G % 256 ? G : G + LANES;

// The only list of these fields. C++ declares the struct from it; Python reads their names from `layout_fields`.
// Row lengths, then the offset of each matrix; all in floats.
#define LAYOUT(FIELD)                                                                                       \
    FIELD(hidden, H)                                                                                        \
    FIELD(gates, G)                                                                                         \
    FIELD(gate_row, GATE_ROW)                                                                               \
    FIELD(message, M)                                                                                       \
    FIELD(dims, D)                                                                                          \
    FIELD(weight, 0)                                  /* [h ; received][gate, unit] */                      \
    FIELD(error, round_up(H + RECEIVED, 4) * GATE_ROW) /* [gate, unit]; blocks of rows overrun `weight` */  \
    FIELD(bias, error + G)                            /* [gate, unit] */                                    \
    FIELD(message_weight, bias + G)                   /* [h][message] */                                    \
    FIELD(message_bias, message_weight + H * M)       /* [message] */                                       \
    FIELD(guess_weight, message_bias + M)             /* [h][dim] */                                        \
    FIELD(guess_bias, guess_weight + H * D)           /* [dim] */                                           \
    FIELD(readout, guess_bias + D)                    /* [expert] */

#define DECLARE_OFFSET(name, value) int name = value;
#define DESCRIBE_OFFSET(name, value) #name " "
struct Layout { LAYOUT(DECLARE_OFFSET) };
constexpr Layout AT;
