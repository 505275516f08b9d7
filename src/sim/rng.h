/* SPDX-License-Identifier: Apache-2.0
 * Seeded random numbers for the simulator: splitmix64 makes the state, xoshiro256** the stream. The same seed gives
 * the same numbers on every machine, which the C library's generators do not promise. Not for secrets. */
#ifndef FF_SIM_RNG_H
#define FF_SIM_RNG_H

#include "base/base.h"

#include <math.h>

struct rng {
    uint64_t s[4];
};

static inline uint64_t rng_splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Streams of different (seed, index, stream) are independent for all our purposes. */
static inline void rng_seed(struct rng *r, uint64_t seed, uint64_t index, uint64_t stream)
{
    uint64_t x = seed;
    x = rng_splitmix(&x) ^ index;
    x = rng_splitmix(&x) ^ stream;
    for (int i = 0; i < 4; i++) r->s[i] = rng_splitmix(&x);
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s;
    const uint64_t out = rng_rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return out;
}

/* [0, 1) */
static inline double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1.0p-53;
}

/* low..high, both included; low <= high, and the difference below 2^53. */
static inline int64_t rng_range(struct rng *r, int64_t low, int64_t high)
{
    return low + (int64_t)(rng_unit(r) * (double)(high - low + 1));
}

static inline bool rng_chance(struct rng *r, double share)
{
    return rng_unit(r) < share;
}

static inline double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_unit(r); /* never 0 */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * rng_unit(r));
}

/* Half of all values lie below median; sigma is the spread of the logarithm. */
static inline double rng_lognormal(struct rng *r, double median, double sigma)
{
    return median * exp(sigma * rng_normal(r));
}

#endif
