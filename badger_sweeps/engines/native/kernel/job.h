// One call of the kernel.
#pragma once

// The only list of these fields. C++ declares the struct from it; Python builds the same struct from the text that
// `job_fields` returns, and sets its fields by name. Arrays are C-contiguous, with the axes given; OPTIONAL ones may be null.
#define JOB(REQUIRED, OPTIONAL)                                                                                          \
    REQUIRED(int members)                                                                                                \
    REQUIRED(int games)                                                                                                  \
    REQUIRED(int experts)                                                                                                \
    REQUIRED(int steps)                                                                                                  \
    REQUIRED(int loss_steps)                                                                                             \
    REQUIRED(int loss_order)                                                                                             \
    REQUIRED(int feedback_order)                                                                                         \
    REQUIRED(int weights)                                                                                                \
    REQUIRED(int weighted)            /* whether the readout's weights are learned */                                    \
    REQUIRED(int bins)                                                                                                   \
    REQUIRED(int chunks)                                                                                                 \
    REQUIRED(int tile_games)                                                                                             \
    REQUIRED(int threads)                                                                                                \
    REQUIRED(int parts)               /* gradients of each member that are computed; 0: none */                          \
    REQUIRED(int shared_games)        /* whether all members play the same games: the member axis is then 1 */           \
    REQUIRED(int shared_graph)        /* the same for their graphs */                                                    \
    REQUIRED(float loss_scale)                                                                                           \
    REQUIRED(float feedback_scale)                                                                                       \
    REQUIRED(float bin_width)                                                                                            \
    REQUIRED(float constants[3])      /* those of the cell */                                                            \
    REQUIRED(const int* offsets)      /* weight: its offset in Layout */                                                 \
    REQUIRED(const float* values)     /* member, weight */                                                               \
    REQUIRED(const float* adjacency)  /* member, expert, expert: row i averages the messages that expert i receives */   \
    REQUIRED(const float* targets)    /* member, game, dim */                                                            \
    OPTIONAL(const float* h0)         /* member, game, expert, hidden: the initial activity; null: zero */               \
    OPTIONAL(const float* c0)         /* the same for the private state */                                               \
    OPTIONAL(const float* m0)         /* member, game, expert, message: the initial messages; null: zero */              \
    OPTIONAL(const int* keys)         /* member, 2: the kernel draws the initial activity, or private state, from them */ \
    OPTIONAL(const int* batches)      /* member: the number of its batch; both axes are 1 where games are shared */     \
    REQUIRED(float noise)             /* standard deviation of what is drawn */                                         \
    OPTIONAL(const float* cotangents) /* part, member, game, dim: weights of the losses in each gradient; null: mean */  \
    REQUIRED(float* sums)             /* member, (part, weight) and then dim: gradients, and the error after step T */   \
    OPTIONAL(float* losses)           /* member, game, dim: the error averaged over the last loss_steps steps */         \
    OPTIONAL(float* guesses)          /* step, member, game, dim */                                                      \
    OPTIONAL(const int* kept)         /* step: its index on the first axis of the next three arrays, or -1 */            \
    OPTIONAL(float* kept_h)           /* kept step, member, game, expert, hidden */                                      \
    OPTIONAL(float* kept_c)           /* kept step, member, game, expert, hidden */                                      \
    OPTIONAL(float* kept_m)           /* kept step, member, game, expert, message */                                     \
    REQUIRED(float* partial)          /* member, chunk, (part, weight) and then dim: what each task adds to `sums` */    \
    REQUIRED(char* workspace)         /* thread, workspace_size(job) bytes */

#define DECLARE(field) field;
#define DESCRIBE_REQUIRED(field) #field ";"
#define DESCRIBE_OPTIONAL(field) "optional " #field ";"
struct Job { JOB(DECLARE, DECLARE) };
