// The recurrent cells, pointwise: everything about them that is not a matrix product.
//
// A cell has GATES pre-activations per hidden unit, each a sum over what it reads: the previous activity h (FROM_H), what the
// expert receives and the error (FROM_X), or both. `forward` turns them into the next state and leaves in `p` what `backward`
// needs; `backward` turns them into gradients. A new cell is one more of these structs and its description in ../cells.py.
#pragma once
#include "vectors.h"

enum Reads { FROM_H = 1, FROM_X = 2, FROM_BOTH = 3 };

// h: the activity, which matrix products read. c: the private state of cells that have one (PRIVATE), which they do not.
struct State { Vector h, c; };

// Runs of neighbouring gates that read the same.
struct Span { int first, gates; Reads reads; };

// z, v; h <- a*h + b*(z*h + (1 - z)*v). constants: a, b.
struct TwoGates {
    static constexpr int GATES = 2;
    static constexpr bool PRIVATE = false;
    static constexpr Span SPANS[] = {{0, 2, FROM_BOTH}};
    static State start(State given) { return given; }
    static State forward(Vector (&p)[GATES], State before, const float* constants) {
        Vector z = p[0] = sigmoid(p[0]), v = p[1] = tanh(p[1]);
        return {constants[0] * before.h + constants[1] * (v + z * (before.h - v)), Vector{}};
    }
    static State backward(Vector (&p)[GATES], State before, State, State d, const float* constants) {
        Vector z = p[0], v = p[1], gated = constants[1] * d.h;
        p[0] = gated * (before.h - v) * z * (1.f - z);
        p[1] = gated * (1.f - z) * (1.f - v * v);
        return {constants[0] * d.h + gated * z, Vector{}};
    }
};

// r, z, and v in two parts: v = tanh(from x + r * from h); h as above. constants: a, b.
struct ResetGate {
    static constexpr int GATES = 4;
    static constexpr bool PRIVATE = false;
    static constexpr Span SPANS[] = {{0, 2, FROM_BOTH}, {2, 1, FROM_X}, {3, 1, FROM_H}};
    static State start(State given) { return given; }
    static State forward(Vector (&p)[GATES], State before, const float* constants) {
        Vector r = p[0] = sigmoid(p[0]), z = p[1] = sigmoid(p[1]), v = p[2] = tanh(p[2] + r * p[3]);
        return {constants[0] * before.h + constants[1] * (v + z * (before.h - v)), Vector{}};
    }
    static State backward(Vector (&p)[GATES], State before, State, State d, const float* constants) {
        Vector r = p[0], z = p[1], v = p[2], gated = constants[1] * d.h;
        Vector dv = gated * (1.f - z) * (1.f - v * v);
        p[0] = dv * p[3] * r * (1.f - r);
        p[1] = gated * (before.h - v) * z * (1.f - z);
        p[2] = dv;
        p[3] = dv * r;
        return {constants[0] * d.h + gated * z, Vector{}};
    }
};

// u <- k*u + p - z*(s - i0) with activity s = sigmoid(u). constants: k, z, i0. The membrane u is the private state.
struct Chaotic {
    static constexpr int GATES = 1;
    static constexpr bool PRIVATE = true;
    static constexpr Span SPANS[] = {{0, 1, FROM_BOTH}};
    static State start(State given) { return {sigmoid(given.c), given.c}; }
    static State forward(Vector (&p)[GATES], State before, const float* constants) {
        Vector u = constants[0] * before.c + p[0] - constants[1] * (before.h - constants[2]);
        return {sigmoid(u), u};
    }
    static State backward(Vector (&p)[GATES], State, State after, State d, const float* constants) {
        Vector du = p[0] = d.c + d.h * after.h * (1.f - after.h);
        return {-constants[1] * du, constants[0] * du};
    }
};

// i, f, g, o; c <- f*c + i*g, h <- o*tanh(c).
struct LongShortTerm {
    static constexpr int GATES = 4;
    static constexpr bool PRIVATE = true;
    static constexpr Span SPANS[] = {{0, 4, FROM_BOTH}};
    static State start(State given) { return given; }
    static State forward(Vector (&p)[GATES], State before, const float*) {
        Vector i = p[0] = sigmoid(p[0]), f = p[1] = sigmoid(p[1]), g = p[2] = tanh(p[2]), o = p[3] = sigmoid(p[3]);
        Vector c = f * before.c + i * g;
        return {o * tanh(c), c};
    }
    static State backward(Vector (&p)[GATES], State before, State after, State d, const float*) {
        Vector i = p[0], f = p[1], g = p[2], o = p[3], squashed = tanh(after.c);
        Vector dc = d.c + d.h * o * (1.f - squashed * squashed);
        p[0] = dc * g * i * (1.f - i);
        p[1] = dc * before.c * f * (1.f - f);
        p[2] = dc * i * (1.f - g * g);
        p[3] = d.h * squashed * o * (1.f - o);
        return {Vector{}, dc * f};
    }
};
