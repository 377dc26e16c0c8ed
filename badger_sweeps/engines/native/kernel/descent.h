// Several iterations of gradient descent in one call: games, gradients, clipping, and the optimiser's step.
#pragma once

// In addition to a job, whose `parts` is 1 and whose arrays of games have an axis iteration in front of the axis member. As with
// JOB, this is the only list of these fields. What a member is given or leaves after the iteration in which it diverged is void.
#define DESCENT(REQUIRED, OPTIONAL)                                                                                      \
    REQUIRED(int iterations)                                                                                             \
    REQUIRED(int done)                 /* steps that the optimiser has taken before */                                   \
    REQUIRED(int optimizer)            /* enum Optimizer */                                                              \
    REQUIRED(double first_decay)       /* Adam: of the mean; RMSprop: of the square; SGD: momentum */                    \
    REQUIRED(double second_decay)      /* Adam: of the square; RMSprop: momentum */                                      \
    REQUIRED(float epsilon)                                                                                              \
    REQUIRED(float weight_decay)       /* AdamW */                                                                       \
    REQUIRED(float clip_norm)          /* the norm to which longer gradients are scaled; 0: they are not */              \
    REQUIRED(const float* rates)       /* iteration: the learning rate */                                                \
    REQUIRED(const float* constants)   /* iteration, 3: those of the cell */                                             \
    REQUIRED(float* values)            /* member, weight: the job's, which change */                                     \
    OPTIONAL(float* first_moment)      /* member, weight */                                                              \
    OPTIONAL(float* second_moment)     /* member, weight */                                                              \
    REQUIRED(const int* active)        /* member: whether it still trains */                                             \
    REQUIRED(float* errors)            /* iteration, member, dim: the error after step T */                              \
    REQUIRED(float* norms)             /* iteration, member: the norm of the gradient before clipping */                 \
    REQUIRED(int* alive)               /* iteration, member: 0 from the iteration on in which the member diverged */

struct Descent { DESCENT(DECLARE, DECLARE) };
enum Optimizer { SGD, ADAM, RMSPROP };

// The update rules of torch.optim, whose names the moments have there: SGD momentum_buffer; Adam exp_avg, exp_avg_sq; RMSprop
// square_avg, momentum_buffer. Weights, gradient and moments are a member's; `step` counts from 1.
static void update(const Descent& job, int step, float rate, float scale, int count, const float* gradient, float* weights,
                   float* first, float* second) {
    const double a_exact = job.first_decay, b_exact = job.second_decay;  // 1 less them may be lost in floats
    const float a = (float)a_exact, b = (float)b_exact, not_a = (float)(1 - a_exact), not_b = (float)(1 - b_exact);
    const float epsilon = job.epsilon;
    if (job.optimizer == ADAM) {
        const float keep = 1 - rate * job.weight_decay, length = (float)(rate / (1 - std::pow(a_exact, step)));
        const float correction = (float)std::sqrt(1 - std::pow(b_exact, step));
        for (int k = 0; k < count; k++) {
            const float g = scale * gradient[k];
            first[k] += not_a * (g - first[k]);
            second[k] = b * second[k] + not_b * g * g;
            weights[k] = keep * weights[k] - length * first[k] / (__builtin_sqrtf(second[k]) / correction + epsilon);
        }
    } else if (job.optimizer == RMSPROP) {
        for (int k = 0; k < count; k++) {
            const float g = scale * gradient[k];
            first[k] = a * first[k] + not_a * g * g;
            float move = g / (__builtin_sqrtf(first[k]) + epsilon);
            if (second) move = second[k] = b * second[k] + move;
            weights[k] -= rate * move;
        }
    } else {
        for (int k = 0; k < count; k++) {
            float move = scale * gradient[k];
            if (first) move = first[k] = a * first[k] + move;
            weights[k] -= rate * move;
        }
    }
}

static float norm_of(const float* values, int count) {
    Vector sum{};
    int k = 0;
    for (; k + LANES <= count; k += LANES) sum += load(values + k) * load(values + k);
    float rest = 0;
    for (; k < count; k++) rest += values[k] * values[k];
    return __builtin_sqrtf(total(sum) + rest);
}

// Hands out members' chunks of games to threads. A member's next iteration begins when all chunks of the one before are done and
// its weights are updated; members do not wait for each other. A thread stays with its member as long as that has chunks.
class Schedule {
    struct Member { int iteration, next, done; };
    std::vector<Member> members;
    const int chunks, iterations;
    int unfinished = 0;
    std::mutex mutex;
    std::condition_variable changed;

    int available(int preferred) const {
        if (preferred >= 0 && members[preferred].next < chunks) return preferred;
        int best = -1;
        for (int m = 0; m < (int)members.size(); m++) {
            const Member& it = members[m];
            if (it.iteration == iterations || it.next == chunks) continue;
            if (best < 0 || std::pair(it.next, it.iteration) < std::pair(members[best].next, members[best].iteration)) best = m;
        }
        return best;
    }

public:
    Schedule(const Job& job, const Descent& descent) : chunks(job.chunks), iterations(descent.iterations) {
        for (int m = 0; m < job.members; m++) {
            members.push_back({descent.active[m] ? 0 : iterations, descent.active[m] ? 0 : chunks, 0});
            unfinished += descent.active[m] != 0;
        }
    }

    struct Claim { int member, iteration, chunk; };
    // The next chunk for a thread, one of the member `preferred` if it can be; member -1 when all is done.
    Claim claim(int preferred) {
        std::unique_lock lock(mutex);
        int member;
        while ((member = available(preferred)) < 0 && unfinished) changed.wait(lock);
        if (member < 0) return {-1, 0, 0};
        return {member, members[member].iteration, members[member].next++};
    }

    // Whether this was the last chunk of its member's iteration. Whoever is told so updates the weights and calls `advance`.
    bool is_last(int member) {
        std::lock_guard lock(mutex);
        return ++members[member].done == chunks;
    }

    void advance(int member, bool alive) {
        std::lock_guard lock(mutex);
        const int iteration = alive ? members[member].iteration + 1 : iterations;
        const bool finished = iteration == iterations;
        members[member] = {iteration, finished ? chunks : 0, 0};
        unfinished -= finished;
        changed.notify_all();
    }
};
