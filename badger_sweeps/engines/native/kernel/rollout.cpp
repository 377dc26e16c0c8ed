// T inner steps of a population of recurrent experts, and their gradients by backpropagation through time.
//
// The work is cut into tasks, one for each member and chunk of its games, and a task into tiles of a few games. A tile plays all of
// its T steps, forwards and then backwards, before the next begins, so that what it must remember stays in the processor's
// second-level cache. Each task sums its own gradients; at the end a member's tasks are added up in a fixed order, so that
// the result does not depend on how many threads there were or which of them took which task.
//
// A tile's memory: one row for each expert of each of its games.
//
//            x(t), t = 0..T                              gates(t), t = 0..T-1               c(t), t = 0..T
//            +---------------+----------------+          +--------+--------+-----+          +----------------+
//   row 0    | activity h    | what is heard  |          | gate 0 | gate 1 | ... |          | private state  |  game 0, expert 0
//   row 1    |               |                |          |        |        |     |          |                |  game 0, expert 1
//    ...     +---------------+----------------+          +--------+--------+-----+          +----------------+
//             H = HIDDEN      HEARD: messages,            first pre-activations, then         of cells that
//             columns         or the latest guess         what `backward` needs, then         have one
//                                                         gradients
//
// and one row for each game: guess(t), the mean activity that it was read from, and the error that was shown. All experts of a
// game are shown the same error, so error and bias are no columns of x: the gates' sums start at  bias + error * its weights.
// Columns are padded with zeros to whole vectors (H, X, M, D below), and a padded column never reaches one that is not.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>
#include "cells.h"
#include "products.h"

// Given by the compiler's command line: CELL, HIDDEN, MESSAGE (0: no messages, the latest guess is heard), DIMS.
constexpr int GATES = CELL::GATES, HEARD = MESSAGE ? MESSAGE : DIMS;
constexpr int H = round_up(HIDDEN, LANES), X = round_up(HEARD, HALF), M = round_up(MESSAGE, HALF), D = round_up(DIMS, HALF);
constexpr int G = GATES * H, ROW = round_up(H + X, LANES);

// Where each matrix lies among a member's weights in padded form. Python reads this to place the weights by name.
struct Layout {
    int hidden = H, gates = G, message = M, dims = D;  // row lengths
    int weight = 0;                            // [h ; heard][gate, unit]
    int error = round_up(H + HEARD, 8) * G;    // [gate, unit]; blocks of rows overrun what is above
    int bias = error + G;                      // [gate, unit]
    int message_weight = bias + G;             // [h][message]
    int message_bias = message_weight + H * M;
    int guess_weight = message_bias + M;       // [h][dim]
    int guess_bias = guess_weight + H * D;
    int readout = guess_bias + D;              // [expert]
};
constexpr Layout AT;

// One call. Arrays are C-contiguous, with the axes given; those marked ? may be null.
struct Job {
    int members, games, experts, steps, loss_steps, loss_order, weights, weighted, chunks, tile_games, threads, bins;
    float error_scale, bin_width, constants[3];
    const int* place;       // weight: its place in Layout
    const float* values;    // member, weight
    const float* mixing;    // member, expert, expert: row i averages what expert i hears
    const float* targets;   // member, game, dim
    const float *h0, *c0;   // ? member, game, expert, hidden: the first activity and private state
    const float* m0;        // ? member, game, expert, message
    float* gradients;       // ? member, weight; null: forward only
    float* loss_dim;        // member, dim: the error after the last step
    float* guesses;         // ? step, member, game, dim
    const int* kept;        // ? step: its place among those whose states are kept, or -1
    float *kept_h, *kept_c, *kept_m;  // ? kept step, member, game, expert, hidden or message
    float* partial;         // task, weight and then dim: what each task sums
    char* workspace;        // thread, workspace_size(job) bytes
};

// At expert i: links begin[i] to begin[i + 1], each with another expert.
struct Graph { int *begin, *other; float* share; };

// Hands out memory from one block; without one it only counts.
struct Arena {
    char* base; size_t used;
    template <class T = float> T* take(size_t rows, size_t columns = 1) {
        T* start = base ? (T*)(base + used) : nullptr;
        used += round_up_bytes((rows * columns + 8 * LANES) * sizeof(T));  // some, since blocks of rows overrun
        return start;
    }
    static size_t round_up_bytes(size_t bytes) { return (bytes + 63) / 64 * 64; }
};

template <class F> static void each_span(F f) {
    [&]<size_t... I>(std::index_sequence<I...>) { (f(std::integral_constant<size_t, I>{}), ...); }
    (std::make_index_sequence<std::size(CELL::SPANS)>{});
}

struct Worker {
    const Job& job;
    const int T, E, B, many, capacity, slots;  // many, capacity: games and rows of a full tile, in blocks of 8
    int member = -1, first = 0, games = 0, rows = 0;
    float share = 1;  // the sum of the readout's weights
    float *w, *dw, *weight_back, *message_back, *guess_back, *guess_start;
    float *x_, *gates_, *c_, *guess_, *mean_, *error_;
    float *shown, *messages, *dh, *dc, *dheard, *dmessages, *dguess, *along, *sums;
    int* game_of;
    Graph hears, heard_by;

    Worker(const Job& job, Arena arena, size_t* size = nullptr)
        : job(job), T(job.steps), E(job.experts), B(job.games), many(round_up(job.tile_games, 8)),
          capacity(round_up(job.tile_games * E, 8)), slots(job.gradients ? T + 1 : 2) {
        const size_t states = (size_t)slots * capacity, steps = (size_t)(T + 1) * many;
        w = arena.take(AT.readout + E), dw = arena.take(AT.readout + E);
        weight_back = arena.take(G, ROW), message_back = arena.take(M, H), guess_back = arena.take(D, H);
        guess_start = arena.take(D);
        x_ = arena.take(states, ROW), gates_ = arena.take(states, G), c_ = arena.take(CELL::PRIVATE ? states : 0, H);
        guess_ = arena.take(steps, D), mean_ = arena.take(steps, H), error_ = arena.take(steps);
        shown = arena.take(many, G), sums = arena.take(many, G), dguess = arena.take(many, D), along = arena.take(many, H);
        messages = arena.take(capacity, M), dmessages = arena.take(capacity, M), dheard = arena.take(capacity, X);
        dh = arena.take(capacity, H), dc = arena.take(capacity, H);
        game_of = arena.take<int>(capacity);
        for (Graph* graph : {&hears, &heard_by})
            *graph = {arena.take<int>(E + 1), arena.take<int>(most_links(job)), arena.take(most_links(job))};
        if (size) *size = arena.used;
        if (!arena.base) return;
        memset(arena.base, 0, arena.used);
        for (int row = 0; row < capacity; row++) game_of[row] = row / E;
    }

    float* x(int t) const { return x_ + (size_t)(t % slots) * capacity * ROW; }
    float* gates(int t) const { return gates_ + (size_t)(t % slots) * capacity * G; }
    float* c(int t) const { return c_ + (size_t)(t % slots) * capacity * H; }
    float* guess(int t) const { return guess_ + (size_t)t * many * D; }
    float* mean(int t) const { return mean_ + (size_t)t * many * H; }
    float* error(int t) const { return error_ + (size_t)t * many; }
    const float* target(int game) const { return job.targets + ((size_t)member * B + first + game) * DIMS; }
    // The first element of the tile in an array with axes member, game, expert, `columns`.
    size_t begin(int columns) const { return ((size_t)member * B + first) * E * columns; }

    static size_t most_links(const Job& job) {
        size_t most = 0, square = (size_t)job.experts * job.experts;
        for (int member = 0; member < job.members; member++)
            most = std::max(most, square - std::count(job.mixing + member * square, job.mixing + (member + 1) * square, 0.f));
        return most;
    }

    // Put a member's weights in their places, and build the transposes and the list of who hears whom.
    void take_member(int next) {
        if (next == member) return;
        member = next;
        memset(w, 0, sizeof(float) * (AT.readout + E));
        for (int k = 0; k < job.weights; k++) w[job.place[k]] += job.values[(size_t)member * job.weights + k];
        share = job.weighted ? 0 : 1;
        for (int i = 0; i < E; i++)
            if (job.weighted) share += w[AT.readout + i];
            else w[AT.readout + i] = 1.f / E;
        for (int d = 0; d < D; d++) guess_start[d] = w[AT.guess_bias + d] * share;
        transpose(w + AT.weight, H + HEARD, G, weight_back, ROW);
        transpose(w + AT.message_weight, H, M, message_back, H);
        transpose(w + AT.guess_weight, H, D, guess_back, H);
        const float* mixing = job.mixing + (size_t)member * E * E;
        list(hears, mixing, E, 1);
        list(heard_by, mixing, 1, E);
    }

    // The links at each expert: entries of `mixing`, whose rows are those who hear, that are not zero.
    void list(Graph& graph, const float* mixing, int stride, int other_stride) const {
        int count = 0;
        for (int i = 0; i < E; i++) {
            graph.begin[i] = count;
            for (int j = 0; j < E; j++)
                if (float share = mixing[(size_t)i * stride + (size_t)j * other_stride])
                    graph.other[count] = j, graph.share[count++] = share;
        }
        graph.begin[E] = count;
    }

    static void transpose(const float* from, int rows, int columns, float* to, int stride) {
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) to[(size_t)j * stride + i] = from[(size_t)i * columns + j];
    }

    // ---- Forwards ----

    void start() {
        memset(x(0), 0, sizeof(float) * capacity * ROW);
        memset(c(0), 0, sizeof(float) * (CELL::PRIVATE ? capacity * H : 0));
        memset(guess(0), 0, sizeof(float) * many * D);
        for (int row = 0; row < rows; row++) {
            if (job.h0) memcpy(x(0) + (size_t)row * ROW, job.h0 + begin(HIDDEN) + (size_t)row * HIDDEN, sizeof(float) * HIDDEN);
            if (job.c0) memcpy(c(0) + (size_t)row * H, job.c0 + begin(HIDDEN) + (size_t)row * HIDDEN, sizeof(float) * HIDDEN);
            if (job.m0) memcpy(messages + (size_t)row * M, job.m0 + begin(MESSAGE) + (size_t)row * MESSAGE, sizeof(float) * MESSAGE);
            for (int j = 0; j < H; j += LANES) {
                float *h = x(0) + (size_t)row * ROW + j, *private_state = c(0) + (size_t)row * H + j;
                State begun = CELL::start({load(h), CELL::PRIVATE ? load(private_state) : Vector{}});
                store(h, begun.h);
            }
        }
        if (MESSAGE && job.m0) gather(hears, messages, M, x(0) + H, ROW);
    }

    void forward() {
        start();
        for (int t = 0; t < T; t++) {
            show(t);
            each_span([&](auto index) {
                constexpr Span span = CELL::SPANS[index];
                constexpr int from = span.reads == FROM_X ? H : 0, to = span.reads == FROM_H ? H : H + HEARD;
                constexpr int column = span.first * H;
                product<span.gates * H>(rows, {x(t) + from, ROW, 1}, to - from, w + AT.weight + from * G + column, G,
                                        gates(t) + column, G, FromGroup{shown + column, G, game_of});
            });
            advance(t);
            product<D>(games, {mean(t + 1), H, 1}, H, w + AT.guess_weight, D, guess(t + 1), D,
                       FromGroup{guess_start, 0, game_of});
            if (MESSAGE && (t + 1 < T || job.kept_m)) {
                product<M>(rows, {x(t + 1), ROW, 1}, H, w + AT.message_weight, M, messages, M,
                           FromGroup{w + AT.message_bias, 0, game_of});
                gather(hears, messages, M, x(t + 1) + H, ROW);
            }
            hand_back(t);
        }
    }

    // What all experts of a game are shown: the error of its latest guess. The gates' sums start from it.
    void show(int t) {
        for (int game = 0; game < games; game++) {
            float e = 0;
            for (int d = 0; d < DIMS; d++) e += deviation(guess(t)[game * D + d] - target(game)[d]);
            e *= job.error_scale / DIMS;
            if (job.bins) {
                float bin = __builtin_floorf(e / job.bin_width);
                bin = bin < 0 ? 0 : bin > job.bins - 1 ? job.bins - 1 : bin;
                e = (bin + .5f) * job.bin_width;
            }
            error(t)[game] = e;
            for (int j = 0; j < G; j += LANES)
                store(shown + (size_t)game * G + j, load(w + AT.bias + j) + e * load(w + AT.error + j));
            if (!MESSAGE) memcpy(x(t) + (size_t)game * ROW + H, guess(t) + (size_t)game * D, sizeof(float) * DIMS);
        }
    }

    // The cell's pointwise part, and the experts' mean activity as the readout weighs them.
    void advance(int t) {
        for (int game = 0; game < games; game++)
            for (int j = 0; j < H; j += LANES) {
                Vector mean_h{};
                for (int i = 0; i < E; i++) {
                    const size_t row = (size_t)game * E + i;
                    float *p = gates(t) + row * G + j, *next_h = x(t + 1) + row * ROW + j;
                    State before = state(t, row, j), next;
                    Vector gate[GATES];
                    for (int g = 0; g < GATES; g++) gate[g] = load(p + g * H);
                    next = CELL::forward(gate, before, job.constants);
                    for (int g = 0; g < GATES; g++) store(p + g * H, gate[g]);
                    store(next_h, next.h);
                    if (CELL::PRIVATE) store(c(t + 1) + row * H + j, next.c);
                    mean_h += w[AT.readout + i] * next.h;
                }
                store(mean(t + 1) + game * H + j, mean_h);
            }
    }

    State state(int t, size_t row, int j) const {
        return {load(x(t) + row * ROW + j), CELL::PRIVATE ? load(c(t) + row * H + j) : Vector{}};
    }

    // to[expert] = sum over the links of `graph` at that expert of share * from[the other expert], in every game.
    void gather(const Graph& graph, const float* from, int from_stride, float* to, int to_stride) const {
        for (int game = 0; game < games; game++, from += (size_t)E * from_stride)
            for (int i = 0; i < E; i++, to += to_stride)
                for (int m = 0; m < M; m += HALF) {
                    HalfVector sum{};
                    for (int link = graph.begin[i]; link < graph.begin[i + 1]; link++)
                        sum += graph.share[link] * load<HalfVector>(from + (size_t)graph.other[link] * from_stride + m);
                    store(to + m, sum);
                }
    }

    void hand_back(int t) {
        const size_t members = job.members;
        if (job.guesses)
            for (int game = 0; game < games; game++)
                memcpy(job.guesses + ((t * members + member) * B + first + game) * DIMS, guess(t + 1) + game * D, sizeof(float) * DIMS);
        if (!job.kept || job.kept[t] < 0) return;
        auto copy = [&](float* to, const float* from, int stride, int columns) {
            if (!to) return;
            to += job.kept[t] * members * B * E * columns + begin(columns);
            for (int row = 0; row < rows; row++) memcpy(to + (size_t)row * columns, from + (size_t)row * stride, sizeof(float) * columns);
        };
        copy(job.kept_h, x(t + 1), ROW, HIDDEN);
        copy(job.kept_c, c(t + 1), H, HIDDEN);
        copy(job.kept_m, messages, M, MESSAGE);
    }

    // ---- The loss: |guess - target|^order ----

    float deviation(float difference) const { return job.loss_order == 2 ? difference * difference : __builtin_fabsf(difference); }
    float slope(float difference) const { return job.loss_order == 2 ? 2 * difference : (difference > 0) - (difference < 0); }

    // ---- Backwards ----

    void backward() {
        memset(dh, 0, sizeof(float) * capacity * H);
        memset(dc, 0, sizeof(float) * capacity * H);
        memset(dguess, 0, sizeof(float) * many * D);
        for (int t = T - 1; t >= 0; t--) {
            if (t >= T - job.loss_steps) from_loss(t + 1);
            through_guess(t + 1);
            if (MESSAGE && t < T - 1) {
                product<M>(H, {x(t + 1), 1, ROW}, rows, dmessages, M, dw + AT.message_weight, M, FromMatrix{dw + AT.message_weight, M});
                for (int row = 0; row < rows; row++) add<HalfVector>(dw + AT.message_bias, dmessages + (size_t)row * M, M);
                product<H>(rows, {dmessages, M, 1}, MESSAGE, message_back, H, dh, H, FromMatrix{dh, H});
            }
            through_cell(t);
            through_shown(t);
            through_products(t);
            if (MESSAGE && t > 0) gather(heard_by, dheard, X, dmessages, M);
        }
    }

    template <class V> static void add(float* to, const float* from, int columns) {
        for (int j = 0; j < columns; j += sizeof(V) / sizeof(float)) store(to + j, load<V>(to + j) + load<V>(from + j));
    }

    void from_loss(int t) {
        const float each = job.error_scale / ((float)job.loss_steps * B * DIMS);
        for (int game = 0; game < games; game++)
            for (int d = 0; d < DIMS; d++) dguess[game * D + d] += each * slope(guess(t)[game * D + d] - target(game)[d]);
    }

    void through_guess(int t) {
        product<D>(H, {mean(t), 1, H}, games, dguess, D, dw + AT.guess_weight, D, FromMatrix{dw + AT.guess_weight, D});
        product<H>(games, {dguess, D, 1}, DIMS, guess_back, H, along, H, FromZero{});
        for (int game = 0; game < games; game++) {
            float from_bias = 0;
            for (int d = 0; d < DIMS; d++) {
                dw[AT.guess_bias + d] += dguess[game * D + d] * share;
                from_bias += dguess[game * D + d] * w[AT.guess_bias + d];
            }
            for (int i = 0; i < E; i++) {
                const size_t row = (size_t)game * E + i;
                Vector agreement{};
                for (int j = 0; j < H; j += LANES) {
                    Vector to_mean = load(along + (size_t)game * H + j);
                    store(dh + row * H + j, load(dh + row * H + j) + w[AT.readout + i] * to_mean);
                    if (job.weighted) agreement += load(x(t) + row * ROW + j) * to_mean;
                }
                if (job.weighted) dw[AT.readout + i] += total(agreement) + from_bias;
            }
        }
    }

    void through_cell(int t) {
        for (int row = 0; row < rows; row++)
            for (int j = 0; j < H; j += LANES) {
                const size_t own = (size_t)row * H + j;
                float* p = gates(t) + (size_t)row * G + j;
                Vector gate[GATES];
                for (int g = 0; g < GATES; g++) gate[g] = load(p + g * H);
                State d{load(dh + own), CELL::PRIVATE ? load(dc + own) : Vector{}};
                d = CELL::backward(gate, state(t, row, j), state(t + 1, row, j), d, job.constants);
                for (int g = 0; g < GATES; g++) store(p + g * H, gate[g]);
                store(dh + own, d.h);
                if (CELL::PRIVATE) store(dc + own, d.c);
            }
    }

    // To bias, the error's weights and, through the error, the guess that it was the error of.
    void through_shown(int t) {
        for (int game = 0; game < games; game++) {
            float* sum = sums + (size_t)game * G;
            memset(sum, 0, sizeof(float) * G);
            for (int i = 0; i < E; i++) add<Vector>(sum, gates(t) + (size_t)(game * E + i) * G, G);
            Vector to_error{};
            for (int j = 0; j < G; j += LANES) {
                Vector s = load(sum + j);
                store(dw + AT.bias + j, load(dw + AT.bias + j) + s);
                store(dw + AT.error + j, load(dw + AT.error + j) + error(t)[game] * s);
                to_error += s * load(w + AT.error + j);
            }
            const float each = job.bins ? 0 : total(to_error) * job.error_scale / DIMS;  // none through a bin
            for (int d = 0; d < DIMS; d++) dguess[game * D + d] = each * slope(guess(t)[game * D + d] - target(game)[d]);
        }
    }

    void through_products(int t) {
        memset(dheard, 0, sizeof(float) * capacity * X);
        each_span([&](auto index) {
            constexpr Span span = CELL::SPANS[index];
            constexpr int from = span.reads == FROM_X ? H : 0, to = span.reads == FROM_H ? H : H + HEARD;
            constexpr int column = span.first * H;
            const float *d = gates(t) + column, *back = weight_back + (size_t)column * ROW;
            float* dweight = dw + AT.weight + from * G + column;
            product<span.gates * H>(to - from, {x(t) + from, 1, ROW}, rows, d, G, dweight, G, FromMatrix{dweight, G});
            if (t == 0) return;
            if constexpr (span.reads & FROM_H) product<H>(rows, {d, G, 1}, span.gates * H, back, ROW, dh, H, FromMatrix{dh, H});
            if constexpr (span.reads & FROM_X) product<X>(rows, {d, G, 1}, span.gates * H, back + H, ROW, dheard, X, FromMatrix{dheard, X});
        });
        if (!MESSAGE)
            for (int game = 0; game < games; game++) add<HalfVector>(dguess + (size_t)game * D, dheard + (size_t)game * X, D);
    }

    // ---- One task ----

    void play(int task) {
        const int chunk = task % job.chunks, tiles = (B + job.tile_games - 1) / job.tile_games;
        const int begin = tiles * (long)chunk / job.chunks * job.tile_games, end = tiles * (chunk + 1L) / job.chunks * job.tile_games;
        float* partial = job.partial + (size_t)task * (job.weights + DIMS);
        double loss[DIMS] = {};
        take_member(task / job.chunks);
        memset(partial, 0, sizeof(float) * job.weights);
        for (first = begin; first < end && first < B; first += job.tile_games) {
            games = B - first < job.tile_games ? B - first : job.tile_games, rows = games * E;
            forward();
            for (int game = 0; game < games; game++)
                for (int d = 0; d < DIMS; d++) loss[d] += deviation(guess(T)[game * D + d] - target(game)[d]);
            if (!job.gradients) continue;
            memset(dw, 0, sizeof(float) * (AT.readout + E));
            backward();
            for (int k = 0; k < job.weights; k++) partial[k] += dw[job.place[k]];
        }
        for (int d = 0; d < DIMS; d++) partial[job.weights + d] = (float)(loss[d] * job.error_scale / B);
    }
};

extern "C" {

extern const Layout layout;
extern const int job_size;
const Layout layout;
const int job_size = sizeof(Job);

size_t workspace_size(const Job* job) {
    size_t size;
    Worker(*job, {nullptr, 0}, &size);
    return size;
}

void run(const Job* job) {
    const int tasks = job->members * job->chunks;
    const size_t size = workspace_size(job);
    std::atomic<int> next{0};
    auto work = [&](int thread) {
        int task = next++;
        if (task >= tasks) return;
        Worker worker(*job, {job->workspace + thread * size, 0});
        for (; task < tasks; task = next++) worker.play(task);
    };
    std::vector<std::thread> threads;
    try {
        for (int thread = 1; thread < job->threads && thread < tasks; thread++) threads.emplace_back(work, thread);
    } catch (const std::system_error&) {
        // The system gives no more threads: those there are do the work.
    }
    work(0);
    for (auto& thread : threads) thread.join();
    for (int member = 0; member < job->members; member++)
        for (int chunk = 0; chunk < job->chunks; chunk++) {
            const float* partial = job->partial + ((size_t)member * job->chunks + chunk) * (job->weights + DIMS);
            for (int k = 0; job->gradients && k < job->weights; k++) {
                float* sum = job->gradients + (size_t)member * job->weights + k;
                *sum = (chunk ? *sum : 0) + partial[k];
            }
            for (int d = 0; d < DIMS; d++) {
                float* sum = job->loss_dim + (size_t)member * DIMS + d;
                *sum = (chunk ? *sum : 0) + partial[job->weights + d];
            }
        }
}
}
