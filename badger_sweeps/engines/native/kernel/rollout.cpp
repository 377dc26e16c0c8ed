// T inner steps of a population of recurrent experts, and their gradients by backpropagation through time.
//
// The work is cut into tasks, one for each member and chunk of its games, and a task into tiles of a few games. A thread computes
// all T steps of a tile, forwards and then backwards, before it begins the next, so that the tile's memory stays in the
// processor's second-level cache. Each task sums its gradients; at the end a member's tasks are added up in a fixed order, so
// that the result does not depend on the number of threads, or on which of them computed which task.
//
// A tile's memory: one row for each expert of each of its games.
//
//            x(t), t = 0..T                              gates(t), t = 0..T-1               c(t), t = 0..T
//            +---------------+----------------+          +--------+--------+-----+          +----------------+
//   row 0    | activity h    | received       |          | gate 0 | gate 1 | ... |          | private state  |  game 0, expert 0
//   row 1    |               |                |          |        |        |     |          |                |  game 0, expert 1
//    ...     +---------------+----------------+          +--------+--------+-----+          +----------------+
//             H = HIDDEN      RECEIVED: messages,         first pre-activations, then         of cells that
//             columns         or the latest guess         what `backward` needs               have one
//
// and one row for each game: guess(t), the mean activity that it was read from, and error(t), the error of guess(t). All experts
// of a game receive the same error, so error and bias are no columns of x: the gates' sums start at  bias + error * its weights.
// Columns are padded with zeros to whole vectors (H, X, M, D in layout.h), and a padded column never reaches one that is not.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>
#include "cells.h"
#include "job.h"
#include "descent.h"
#include "layout.h"
#include "products.h"
#include "random.h"

// The edges of expert i are number begin[i] to begin[i + 1] - 1: the other expert, and the entry of the adjacency matrix.
struct Graph { int *begin, *other; float* coefficient; };

// Calls f with the index of each of the cell's spans, a compile-time constant.
template <class F> static void each_span(F f) {
    [&]<size_t... I>(std::index_sequence<I...>) { (f(std::integral_constant<size_t, I>{}), ...); }
    (std::make_index_sequence<std::size(CELL::SPANS)>{});
}
constexpr int reads_from(Span span) { return span.reads == FROM_X ? H : 0; }  // columns of x
constexpr int reads_to(Span span) { return span.reads == FROM_H ? H : H + RECEIVED; }

static void zero(float* values, size_t count) { memset(values, 0, count * sizeof(float)); }

static void copy_rows(int rows, int columns, const float* from, int from_stride, float* to, int to_stride) {
    for (int row = 0; from && to && row < rows; row++, from += from_stride, to += to_stride)
        memcpy(to, from, columns * sizeof(float));
}

static void transpose(const float* from, int rows, int columns, int from_stride, float* to, int stride) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) to[(size_t)j * stride + i] = from[(size_t)i * from_stride + j];
}

template <class V> static void add(float* to, V values) { store(to, load<V>(to) + values); }

template <class V> static V sum_rows(const float* from, int rows, int stride) {
    V sum{};
    for (int row = 0; row < rows; row++) sum += load<V>(from + (size_t)row * stride);
    return sum;
}

struct Worker {
    const Job& job;
    const int T, E, B;
    const int game_capacity, row_capacity;  // games and rows of a full tile, rounded up to blocks of 4
    const int slots;           // number of steps whose states are kept: all, or, without gradients, the latest two
    int member = -1, iteration = 0, first = 0, games = 0, rows = 0;
    int game_member = 0;       // the index of the member's games: 0 if they are shared, that of iteration and member in a descent
    const float* constants;    // those of the cell
    float readout_sum = 1;     // the sum of the readout's weights
    float *w, *dw, *weight_back, *message_back, *guess_back, *guess_start;  // weights; transposed, for the backward pass
    float *x_, *gates_, *c_, *guess_, *mean_, *error_;                      // the tile's memory
    float *gate_start, *messages, *dgates, *dh, *dc, *dreceived, *dmessages, *dguess, *dmean;  // of one step
    float* drawn;  // the initial states of one game
    const float* cotangent = nullptr;  // game, dim: of the member and of the part that is computed
    int* game_of;  // row: its game in the tile
    Graph incoming, outgoing;

    // Lays out the arrays from `memory` on. From null it only counts: `end` is then their size in bytes.
    Worker(const Job& job, char* memory, size_t* end = nullptr)
        : job(job), T(job.steps), E(job.experts), B(job.games), game_capacity(round_up(job.tile_games, 4)),
          row_capacity(round_up(job.tile_games * E, 4)), slots(job.parts ? T + 1 : 2), constants(job.constants) {
        const size_t edges = most_edges(), states = (size_t)slots * row_capacity;
        const size_t steps = (size_t)(T + 1) * game_capacity;
        size_t used = 0;
        auto take = [&](size_t count) {
            float* start = memory ? (float*)(memory + used) : nullptr;
            used += (count * sizeof(float) + 63) / 64 * 64 + 512;  // whole cache lines, and some more: blocks of rows overrun
            return start;
        };
        w = take(AT.readout + E), dw = take(AT.readout + E), guess_start = take(D);
        weight_back = take(G * ROW), message_back = take(M * H), guess_back = take(D * H);
        x_ = take(states * ROW), gates_ = take(states * GATE_ROW), c_ = take(CELL::PRIVATE ? states * H : 0);
        guess_ = take(steps * D), mean_ = take(steps * H), error_ = take(steps);
        gate_start = take(game_capacity * GATE_ROW), dguess = take(game_capacity * D), dmean = take(game_capacity * H);
        messages = take(row_capacity * M), dmessages = take(row_capacity * M), dreceived = take(row_capacity * X);
        dh = take(row_capacity * H), dc = take(row_capacity * H), dgates = take(job.parts ? row_capacity * GATE_ROW : 0);
        game_of = (int*)take(row_capacity), drawn = take(E * HIDDEN + 3);
        for (Graph* graph : {&incoming, &outgoing}) *graph = {(int*)take(E + 1), (int*)take(edges), take(edges)};
        if (end) *end = used;
        if (!memory) return;
        memset(memory, 0, used);
        for (int row = 0; row < row_capacity; row++) game_of[row] = row / E;
    }

    size_t most_edges() const {
        size_t most = 0, square = (size_t)E * E, graphs = job.shared_graph ? 1 : job.members;
        for (const float* graph = job.adjacency; graph < job.adjacency + graphs * square; graph += square)
            most = std::max(most, square - std::count(graph, graph + square, 0.f));
        return most;
    }

    float* x(int t) const { return x_ + (size_t)(t % slots) * row_capacity * ROW; }
    float* gates(int t) const { return gates_ + (size_t)(t % slots) * row_capacity * GATE_ROW; }
    float* c(int t) const { return c_ + (size_t)(t % slots) * row_capacity * H; }
    float* guess(int t) const { return guess_ + (size_t)t * game_capacity * D; }
    float* mean(int t) const { return mean_ + (size_t)t * game_capacity * H; }
    float* error(int t) const { return error_ + (size_t)t * game_capacity; }
    State state(int t, size_t row, int j) const {
        return {load(x(t) + row * ROW + j), CELL::PRIVATE ? load(c(t) + row * H + j) : Vector{}};
    }
    // Where the tile begins in an array with axes member, game and `each` numbers: of results, or of given games.
    size_t output_offset(size_t each) const { return ((size_t)member * B + first) * each; }
    size_t input_offset(size_t each) const { return ((size_t)game_member * B + first) * each; }

    // Pad a member's weights; build their transposes, and the lists of edges: each expert's senders, and its receivers.
    void load_member(int next, int next_iteration = 0) {
        if (next == member && next_iteration == iteration) return;
        member = next, iteration = next_iteration, readout_sum = job.weighted ? 0 : 1;
        game_member = job.shared_games ? 0 : iteration * job.members + member;
        zero(w, AT.readout + E);
        for (int k = 0; k < job.weights; k++) w[job.offsets[k]] += job.values[(size_t)member * job.weights + k];
        for (int i = 0; i < E; i++)
            if (job.weighted) readout_sum += w[AT.readout + i];
            else w[AT.readout + i] = 1.f / E;
        for (int d = 0; d < D; d++) guess_start[d] = w[AT.guess_bias + d] * readout_sum;
        transpose(w + AT.weight, H + RECEIVED, G, GATE_ROW, weight_back, ROW);
        transpose(w + AT.message_weight, H, M, M, message_back, H);
        transpose(w + AT.guess_weight, H, D, D, guess_back, H);
        const float* adjacency = job.adjacency + (size_t)(job.shared_graph ? 0 : member) * E * E;
        list_edges(incoming, adjacency, E, 1), list_edges(outgoing, adjacency, 1, E);
    }

    void list_edges(Graph& graph, const float* adjacency, int stride, int other_stride) const {
        int count = 0;
        for (int i = 0; i < E; graph.begin[++i] = count)
            for (int j = 0; j < E; j++)
                if (float coefficient = adjacency[(size_t)i * stride + (size_t)j * other_stride])
                    graph.other[count] = j, graph.coefficient[count++] = coefficient;
    }

    // to[expert] = the sum over the expert's edges of coefficient * from[the other expert], in every game.
    void gather(const Graph& graph, const float* from, int from_stride, float* to, int to_stride) const {
        for (int game = 0; game < games; game++, from += (size_t)E * from_stride)
            for (int i = 0; i < E; i++, to += to_stride)
                for (int m = 0; m < M; m += HALF) {
                    HalfVector sum{};
                    for (int edge = graph.begin[i]; edge < graph.begin[i + 1]; edge++)
                        sum += graph.coefficient[edge] * load<HalfVector>(from + (size_t)graph.other[edge] * from_stride + m);
                    store(to + m, sum);
                }
    }

    // An error is |difference|^ORDER, difference = guess - target, summed and scaled; `slope` is its derivative. The order of
    // the feedback may differ from that of the loss; loops over games are compiled for each.
    template <int ORDER> static float deviation(float difference) {
        return ORDER == 2 ? difference * difference : __builtin_fabsf(difference);
    }
    template <int ORDER> static float slope(float difference) {
        return ORDER == 2 ? 2 * difference : (difference > 0) - (difference < 0);
    }

    // Calls f with the order, a compile-time constant, and with each of the tile's games, its guess after step t and its target.
    template <class F> void each_game(int order, int t, F f) const {
        const float *to = guess(t), *target = job.targets + input_offset(DIMS);
        auto all = [&](auto known) {
            for (int game = 0; game < games; game++) f(known, game, to + (size_t)game * D, target + (size_t)game * DIMS);
        };
        if (order == 2) all(std::integral_constant<int, 2>{});
        else all(std::integral_constant<int, 1>{});
    }

    // ---- Forwards ----

    void forward() {
        start();
        for (int t = 0; t < T; t++) {
            feed_error(t);
            each_span([&](auto index) {
                constexpr Span span = CELL::SPANS[index];
                constexpr int from = reads_from(span), column = span.first * H;
                product<span.gates * H>(rows, {x(t) + from, ROW, 1}, reads_to(span) - from,
                                        w + AT.weight + from * GATE_ROW + column, GATE_ROW, gates(t) + column, GATE_ROW,
                                        FromGroup{gate_start + column, GATE_ROW, game_of});
            });
            advance(t);
            product<D>(games, {mean(t + 1), H, 1}, H, w + AT.guess_weight, D, guess(t + 1), D, FromGroup{guess_start, 0, game_of});
            if (MESSAGE && (t + 1 < T || job.kept_m)) {
                product<M>(rows, {x(t + 1), ROW, 1}, H, w + AT.message_weight, M, messages, M,
                           FromGroup{w + AT.message_bias, 0, game_of});
                gather(incoming, messages, M, x(t + 1) + H, ROW);
            }
            write_trace(t);
        }
    }

    void start() {
        zero(x(0), (size_t)row_capacity * ROW), zero(guess(0), game_capacity * D), zero(messages, row_capacity * M);
        if (CELL::PRIVATE) zero(c(0), (size_t)row_capacity * H);
        copy_rows(rows, HIDDEN, job.h0 ? job.h0 + input_offset(E * HIDDEN) : nullptr, HIDDEN, x(0), ROW);
        copy_rows(rows, HIDDEN, job.c0 ? job.c0 + input_offset(E * HIDDEN) : nullptr, HIDDEN, c(0), H);
        if (job.keys) draw_states(CELL::PRIVATE ? c(0) : x(0), CELL::PRIVATE ? H : ROW);
        copy_rows(rows, MESSAGE, job.m0 ? job.m0 + input_offset(E * MESSAGE) : nullptr, MESSAGE, messages, M);
        for (int row = 0; row < rows; row++)
            for (int j = 0; j < H; j += LANES) store(x(0) + (size_t)row * ROW + j, CELL::start(state(0, row, j)).h);
        if (MESSAGE) gather(incoming, messages, M, x(0) + H, ROW);
    }

    // Initial states from the games' random numbers; `to` has rows of `stride`.
    void draw_states(float* to, int stride) {
        const int counters = (E * HIDDEN + 3) / 4;
        for (int game = 0; game < games; game++) {
            draw_normal_row((const unsigned*)job.keys + 2 * game_member, job.batches[game_member], first + game, 0, counters,
                            job.noise, drawn);
            copy_rows(E, HIDDEN, drawn, HIDDEN, to + (size_t)game * E * stride, stride);
        }
    }

    // The error of each game's latest guess, which all its experts receive: the gates' sums start from it.
    void feed_error(int t) {
        for (int game = 0; game < games; game++) {
            float e = 0;
            // Not by `each_game`: how compilers fuse and round this sum depends on how it is written.
            for (int d = 0; d < DIMS; d++) {
                float difference = guess(t)[game * D + d] - job.targets[input_offset(DIMS) + game * DIMS + d];
                e += job.feedback_order == 2 ? deviation<2>(difference) : deviation<1>(difference);
            }
            e *= job.feedback_scale / DIMS;
            if (job.bins) {
                float bin = __builtin_floorf(e / job.bin_width);
                e = ((bin < 0 ? 0 : bin > job.bins - 1 ? job.bins - 1 : bin) + .5f) * job.bin_width;
            }
            error(t)[game] = e;
            for (int j = 0; j < G; j += LANES)
                store(gate_start + game * GATE_ROW + j, load(w + AT.bias + j) + e * load(w + AT.error + j));
        }
        if (!MESSAGE) copy_rows(games, DIMS, guess(t), D, x(t) + H, ROW);
    }

    // The cell's pointwise part, and the experts' mean activity as the readout weighs them.
    void advance(int t) {
        for (int game = 0; game < games; game++)
            for (int j = 0; j < H; j += LANES) {
                Vector weighed{};
                for (int i = 0; i < E; i++) {
                    const size_t row = (size_t)game * E + i;
                    float* p = gates(t) + row * GATE_ROW + j;
                    Vector gate[GATES];
                    for (int g = 0; g < GATES; g++) gate[g] = load(p + g * H);
                    State next = CELL::forward(gate, state(t, row, j), constants);
                    for (int g = 0; g < GATES; g++) store(p + g * H, gate[g]);
                    store(x(t + 1) + row * ROW + j, next.h);
                    if (CELL::PRIVATE) store(c(t + 1) + row * H + j, next.c);
                    weighed += w[AT.readout + i] * next.h;
                }
                store(mean(t + 1) + game * H + j, weighed);
            }
    }

    void write_trace(int t) const {
        const size_t all = (size_t)job.members * B;
        if (job.guesses) copy_rows(games, DIMS, guess(t + 1), D, job.guesses + t * all * DIMS + output_offset(DIMS), DIMS);
        if (!job.kept || job.kept[t] < 0) return;
        auto keep = [&](int columns, const float* from, int stride, float* to) {
            const size_t each = (size_t)E * columns;
            if (to) copy_rows(rows, columns, from, stride, to + job.kept[t] * all * each + output_offset(each), columns);
        };
        keep(HIDDEN, x(t + 1), ROW, job.kept_h), keep(HIDDEN, c(t + 1), H, job.kept_c), keep(MESSAGE, messages, M, job.kept_m);
    }

    // ---- Backwards ----

    void backward() {
        zero(dw, AT.readout + E), zero(dh, (size_t)row_capacity * H), zero(dc, (size_t)row_capacity * H);
        zero(dguess, game_capacity * D);
        for (int t = T - 1; t >= 0; t--) {
            if (t >= T - job.loss_steps) through_loss(t + 1);
            through_guess(t + 1);
            if (MESSAGE && t < T - 1) {
                product<M>(H, {x(t + 1), 1, ROW}, rows, dmessages, M, dw + AT.message_weight, M, FromMatrix{dw + AT.message_weight, M});
                product<H>(rows, {dmessages, M, 1}, MESSAGE, message_back, H, dh, H, FromMatrix{dh, H});
                for (int m = 0; m < M; m += HALF) add(dw + AT.message_bias + m, sum_rows<HalfVector>(dmessages + m, rows, M));
            }
            through_cell(t);
            through_error(t);
            through_products(t);
        }
    }

    void through_loss(int t) {
        const float mean = job.loss_scale / ((float)job.loss_steps * B * DIMS), one = job.loss_scale / job.loss_steps;
        each_game(job.loss_order, t, [&](auto order, int game, const float* guess, const float* target) {
            const float* weight = cotangent ? cotangent + (size_t)(first + game) * DIMS : nullptr;
            float* d_guess = dguess + game * D;
            if (weight)
                for (int d = 0; d < DIMS; d++) d_guess[d] += one * weight[d] * slope<order>(guess[d] - target[d]);
            else
                for (int d = 0; d < DIMS; d++) d_guess[d] += mean * slope<order>(guess[d] - target[d]);
        });
    }

    void through_guess(int t) {
        product<D>(H, {mean(t), 1, H}, games, dguess, D, dw + AT.guess_weight, D, FromMatrix{dw + AT.guess_weight, D});
        product<H>(games, {dguess, D, 1}, DIMS, guess_back, H, dmean, H, FromZero{});
        for (int game = 0; game < games; game++) {
            float from_bias = 0;
            for (int d = 0; d < DIMS; d++) {
                dw[AT.guess_bias + d] += dguess[game * D + d] * readout_sum;
                from_bias += dguess[game * D + d] * w[AT.guess_bias + d];
            }
            for (int i = 0; i < E; i++) {
                const size_t row = (size_t)game * E + i;
                Vector dreadout{};
                for (int j = 0; j < H; j += LANES) {
                    Vector d = load(dmean + game * H + j);
                    add(dh + row * H + j, w[AT.readout + i] * d);
                    if (job.weighted) dreadout += load(x(t) + row * ROW + j) * d;
                }
                if (job.weighted) dw[AT.readout + i] += total(dreadout) + from_bias;
            }
        }
    }

    void through_cell(int t) {
        for (size_t row = 0; row < (size_t)rows; row++)
            for (int j = 0; j < H; j += LANES) {
                float *to_gates = dgates + row * GATE_ROW + j, *to_h = dh + row * H + j, *to_c = dc + row * H + j;
                Vector gate[GATES];
                for (int g = 0; g < GATES; g++) gate[g] = load(gates(t) + row * GATE_ROW + j + g * H);
                State after{load(to_h), CELL::PRIVATE ? load(to_c) : Vector{}};
                State before = CELL::backward(gate, state(t, row, j), state(t + 1, row, j), after, constants);
                for (int g = 0; g < GATES; g++) store(to_gates + g * H, gate[g]);
                store(to_h, before.h);
                if (CELL::PRIVATE) store(to_c, before.c);
            }
    }

    // To the bias, to the error's weights and, through the error, to the guess that it was the error of.
    void through_error(int t) {
        each_game(job.feedback_order, t, [&](auto order, int game, const float* guess, const float* target) {
            const float* of_game = dgates + (size_t)game * E * GATE_ROW;
            Vector to_error{};
            for (int j = 0; j < G; j += LANES) {
                Vector d = sum_rows<Vector>(of_game + j, E, GATE_ROW);
                add(dw + AT.bias + j, d);
                add(dw + AT.error + j, error(t)[game] * d);
                to_error += d * load(w + AT.error + j);
            }
            const float each = job.bins ? 0 : total(to_error) * job.feedback_scale / DIMS;  // nothing passes through a bin
            for (int d = 0; d < DIMS; d++) dguess[game * D + d] = each * slope<order>(guess[d] - target[d]);
        });
    }

    // To the weights and, unless this is the first step, to the activity and to what the expert received.
    void through_products(int t) {
        zero(dreceived, (size_t)row_capacity * X);
        each_span([&](auto index) {
            constexpr Span span = CELL::SPANS[index];
            constexpr int from = reads_from(span), column = span.first * H, depth = span.gates * H;
            const float *d = dgates + column, *back = weight_back + column * ROW;
            float* weight = dw + AT.weight + from * GATE_ROW + column;
            product<depth>(reads_to(span) - from, {x(t) + from, 1, ROW}, rows, d, GATE_ROW, weight, GATE_ROW, FromMatrix{weight, GATE_ROW});
            if (t == 0) return;
            if constexpr (span.reads & FROM_H) product<H>(rows, {d, GATE_ROW, 1}, depth, back, ROW, dh, H, FromMatrix{dh, H});
            if constexpr (span.reads & FROM_X)
                product<X>(rows, {d, GATE_ROW, 1}, depth, back + H, ROW, dreceived, X, FromMatrix{dreceived, X});
        });
        if (MESSAGE) gather(outgoing, dreceived, X, dmessages, M);
        else for (int k = 0; k < games * D; k += HALF) add(dguess + k, load<HalfVector>(dreceived + k));  // X is D
    }

    // ---- One task: a member's games, or a part of them ----

    // The loaded member's games of a chunk; `sums` gets what they add to the job's.
    void play(int chunk, float* sums) {
        const int tiles = (B + job.tile_games - 1) / job.tile_games;
        const int end = std::min(B, (int)(tiles * (chunk + 1L) / job.chunks) * job.tile_games);
        const size_t gradients = (size_t)job.parts * job.weights;
        double loss[DIMS] = {};
        zero(sums, gradients);
        for (first = (int)((long)tiles * chunk / job.chunks) * job.tile_games; first < end; first += job.tile_games) {
            games = std::min(job.tile_games, B - first), rows = games * E;
            forward();
            each_game(job.loss_order, T, [&](auto order, int, const float* guess, const float* target) {
                for (int d = 0; d < DIMS; d++) loss[d] += deviation<order>(guess[d] - target[d]);
            });
            if (job.losses) write_losses();
            for (int part = 0; part < job.parts; part++) {
                const size_t before = ((size_t)part * job.members + member) * B * DIMS;
                cotangent = job.cotangents ? job.cotangents + before : nullptr;
                backward();
                float* sum = sums + (size_t)part * job.weights;
                for (int k = 0; k < job.weights; k++) sum[k] += dw[job.offsets[k]];
            }
        }
        for (int d = 0; d < DIMS; d++) sums[gradients + d] = (float)(loss[d] * job.loss_scale / B);
    }

    void write_losses() const {
        float* losses = job.losses + output_offset(DIMS);
        const float scale = job.loss_scale / job.loss_steps;
        zero(losses, (size_t)games * DIMS);
        for (int t = T - job.loss_steps + 1; t <= T; t++)
            each_game(job.loss_order, t, [&](auto order, int game, const float* guess, const float* target) {
                float* sum = losses + (size_t)game * DIMS;
                for (int d = 0; d < DIMS; d++) sum[d] += scale * deviation<order>(guess[d] - target[d]);
            });
    }
};

// Runs `work(thread)` in as many threads as the job may use.
template <class Work> static void in_threads(int count, Work work) {
    std::vector<std::thread> threads;
    threads.reserve(count);
    try {
        for (int thread = 1; thread < count; thread++) threads.emplace_back(work, thread);
    } catch (const std::system_error&) {
        // The system starts no more threads: those that run do the work.
    }
    work(0);
    for (auto& thread : threads) thread.join();
}

static size_t sums_length(const Job& job) { return (size_t)job.parts * job.weights + DIMS; }

// A member's sums: those of its chunks, added in a fixed order.
static float* add_chunks(const Job& job, int member) {
    const size_t length = sums_length(job);
    float* sums = job.sums + member * length;
    zero(sums, length);
    for (int chunk = 0; chunk < job.chunks; chunk++) {
        const float* partial = job.partial + ((size_t)member * job.chunks + chunk) * length;
        for (size_t k = 0; k < length; k++) sums[k] += partial[k];
    }
    return sums;
}

// Whether the member is still alive after its iteration, whose sums are given.
static bool take_step(const Job& job, const Descent& descent, int member, int iteration, const float* gradient) {
    const size_t here = (size_t)iteration * job.members + member, weights = (size_t)member * job.weights;
    const float* errors = gradient + job.weights;
    const float norm = descent.norms[here] = norm_of(gradient, job.weights);
    bool alive = std::isfinite(norm);
    for (int d = 0; d < DIMS; d++) alive &= std::isfinite(descent.errors[here * DIMS + d] = errors[d]);
    descent.alive[here] = alive;
    if (!alive) return false;
    const float scale = descent.clip_norm ? std::min(1.f, descent.clip_norm / (norm + 1e-6f)) : 1.f;
    update(descent, descent.done + iteration + 1, descent.rates[iteration], scale, job.weights, gradient,
           descent.values + weights, descent.first_moment ? descent.first_moment + weights : nullptr,
           descent.second_moment ? descent.second_moment + weights : nullptr);
    return true;
}

extern "C" {

extern const Layout layout;
extern const int job_size, descent_size, lanes;
const Layout layout;
const int job_size = sizeof(Job), descent_size = sizeof(Descent), lanes = LANES;

const char* job_fields() { return JOB(DESCRIBE_REQUIRED, DESCRIBE_OPTIONAL); }
const char* descent_fields() { return DESCENT(DESCRIBE_REQUIRED, DESCRIBE_OPTIONAL); }
const char* layout_fields() { return LAYOUT(DESCRIBE_OFFSET); }

size_t workspace_size(const Job* job) {
    size_t size;
    Worker(*job, nullptr, &size);
    return size;
}

void run(const Job* job) {
    const int tasks = job->members * job->chunks;
    const size_t size = workspace_size(job);
    std::atomic<int> next{0};
    in_threads(std::min(job->threads, tasks), [&](int thread) {
        int task = next++;
        if (task >= tasks) return;
        Worker worker(*job, job->workspace + thread * size);
        for (; task < tasks; task = next++) {
            worker.load_member(task / job->chunks);
            worker.play(task % job->chunks, job->partial + task * sums_length(*job));
        }
    });
    for (int member = 0; member < job->members; member++) add_chunks(*job, member);
}

void descend(const Job* job, const Descent* descent) {
    const size_t size = workspace_size(job);
    Schedule schedule(*job, *descent);
    memset(descent->alive, 0, sizeof(int) * descent->iterations * job->members);
    in_threads(std::min(job->threads, job->members * job->chunks), [&](int thread) {
        Worker worker(*job, job->workspace + thread * size);
        for (auto claim = schedule.claim(-1); claim.member >= 0; claim = schedule.claim(claim.member)) {
            const auto [member, iteration, chunk] = claim;
            worker.load_member(member, iteration);
            worker.constants = descent->constants + 3 * iteration;
            worker.play(chunk, job->partial + ((size_t)member * job->chunks + chunk) * sums_length(*job));
            if (schedule.is_last(member))
                schedule.advance(member, take_step(*job, *descent, member, iteration, add_chunks(*job, member)));
        }
    });
}
}
