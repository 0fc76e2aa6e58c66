/* Fixed-point sums; the construction and its ranges are in the header. */
#include "mmsold/parallel/exact_sum.h"

#include "base/clones.h"
#include "mmsold/base/memory.h"
#include "parallel/node_sum.h"
#include "parallel/team_mpi.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PAIR = 2, TRIPLE = 3 };

/* What the sum of all addends' limbs may take, and one limb of a pair at most: it is found by rounding by addition. */
enum { LIMB_BITS = 62, FINEST_BITS = 50 };

/* Of the limbs of a pair: n of the header, and what an integer in each counts for. */
typedef struct pair_units {
  int bits;
  double high, low;
} pair_units;

struct mms_exact_sum {
  mms_exact_sum_shape shape;
  int coarse_limbs; /* PAIR or TRIPLE */
  pair_units units;
  int count;          /* of int64 in the all-reduce */
  int64_t *limbs;     /* [coarse_limbs][coarse], high limbs first; [3][fine]; then the extras, then the refused.
                       * After a reduction the high coarse ones are doubles, the totals */
  mms_node_sum *node; /* whose values the limbs are, or NULL */
};

static const int64_t max_addends = (int64_t)1 << 23;
static const double limit = 0x1p47;

static pair_units units_for(int64_t addends) {
  int bits = FINEST_BITS;
  while ((int64_t)1 << (LIMB_BITS - bits) < addends) bits--;
  return (pair_units){.bits = bits, .high = ldexp(1.0, 47 - bits), .low = ldexp(1.0, 46 - 2 * bits)};
}

mms_status mms_exact_sum_create(mms_exact_sum **sum, const mms_exact_sum_shape *shape, mms_error *error) {
  *sum = NULL;
  if (shape->coarse < 0 || shape->fine < 0 || shape->extras < 0 || shape->addends < 0)
    return mms_fail(error, MMS_ERR_INTERNAL, "%lld coarse and %lld fine exact sums with %d extras and %lld addends",
                    (long long)shape->coarse, (long long)shape->fine, shape->extras, (long long)shape->addends);
  if (shape->addends > max_addends)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%lld blocks are too many to be summed exactly (at most %lld): use larger blocks",
                    (long long)shape->addends, (long long)max_addends);
  mms_exact_sum made = {.shape = *shape,
                        .units = units_for(shape->addends),
                        .coarse_limbs = shape->addends > MMS_EXACT_SUM_PAIRED_ADDENDS ? TRIPLE : PAIR};
  int64_t count = INT64_MAX;
  if (shape->coarse <= INT32_MAX && shape->fine <= INT32_MAX)
    count = made.coarse_limbs * shape->coarse + TRIPLE * shape->fine + shape->extras + 1;
  mms_status status = mms_narrow(&made.count, count, "the length of an exact sum", error);
  void *memory = NULL, *limbs = NULL;
  if (status == MMS_OK) status = mms_allocate(&limbs, count, sizeof(int64_t), "an exact sum", error);
  if (status == MMS_OK) status = mms_allocate(&memory, 1, sizeof made, "an exact sum", error);
  if (status != MMS_OK) {
    free(limbs);
    return status;
  }
  made.limbs = limbs;
  *sum = memory;
  **sum = made;
  return MMS_OK;
}

void mms_exact_sum_free(mms_exact_sum **sum) {
  if (*sum == NULL) return;
  if ((*sum)->node == NULL) free((*sum)->limbs);
  mms_node_sum_free(&(*sum)->node);
  free(*sum);
  *sum = NULL;
}

bool mms_exact_sum_is_shared(const mms_exact_sum *sum) { return sum->node != NULL; }

void mms_exact_sum_clear(mms_exact_sum *sum) { memset(sum->limbs, 0, (size_t)sum->count * sizeof *sum->limbs); }

static int64_t bits_of(double value) {
  int64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* Rounding by addition: let M = 1.5 2^(52+k) and |r| <= 2^(50+k). Then s = fl(r + M) lies in [2^(52+k), 2^(53+k)],
 * where doubles are the multiples of 2^k: s - M = 2^k n with n the nearest integer to r 2^-k (ties to even n), and as s
 * and M share sign and exponent their bit patterns, read as integers, differ by n; |n| <= 2^50. What is left, r - 2^k
 * n, is exact: it is a multiple of the last place of r (or zero), not larger than 2^(k-1), and not larger than |r|
 * unless n = 0. So with every limb the nearest integer to what the ones before it left:
 *
 * v = a 2^8 + b 2^-32 + c 2^-72 + e: k = 8, -32, -72 and |r| < 2^47, <= 2^7, <= 2^-33, all within 2^(50+k), so |a|,
 * |b|, |c| <= 2^39 and |e| <= 2^-73. */
MMS_CLONES
static int64_t add_triples(int64_t count, const double *restrict values, int64_t *restrict high,
                           int64_t *restrict middle, int64_t *restrict low) {
  const double m_high = 0x1.8p60, m_middle = 0x1.8p20, m_low = 0x1.8p-20;
  const int64_t i_high = bits_of(m_high), i_middle = bits_of(m_middle), i_low = bits_of(m_low);
  int64_t refused = 0;
  for (int64_t i = 0; i < count; i++) {
    double v = fabs(values[i]) < limit ? values[i] : 0.0; /* NaN compares false */
    refused += v != values[i];
    double s = v + m_high;
    high[i] += bits_of(s) - i_high;
    double r = v - (s - m_high);
    double t = r + m_middle;
    middle[i] += bits_of(t) - i_middle;
    double q = r - (t - m_middle);
    low[i] += bits_of(q + m_low) - i_low;
  }
  return refused;
}

/* v = a 2^(47-n) + b 2^(46-2n) + e: k = 47 - n, 46 - 2n and |r| < 2^47 = 2^(n+k), <= 2^(46-n) = 2^(n+k), within
 * 2^(50+k) as n <= 50; so |a|, |b| <= 2^n and |e| <= 2^(45-2n). */
MMS_CLONES
static int64_t add_pairs(pair_units units, int64_t count, const double *restrict values, int64_t *restrict high,
                         int64_t *restrict low) {
  const double m_high = 0x1.8p52 * units.high, m_low = 0x1.8p52 * units.low;
  const int64_t i_high = bits_of(m_high), i_low = bits_of(m_low);
  int64_t refused = 0;
  for (int64_t i = 0; i < count; i++) {
    double v = fabs(values[i]) < limit ? values[i] : 0.0;
    refused += v != values[i];
    double s = v + m_high;
    high[i] += bits_of(s) - i_high;
    double r = v - (s - m_high);
    low[i] += bits_of(r + m_low) - i_low;
  }
  return refused;
}

/* Where the limbs of the fine sums begin, and the extras. */
static int64_t *fine_limbs(const mms_exact_sum *sum) { return sum->limbs + sum->coarse_limbs * sum->shape.coarse; }
static int64_t *extras(const mms_exact_sum *sum) { return fine_limbs(sum) + TRIPLE * sum->shape.fine; }

/* Whether `length` sums have these places. */
static bool has(int64_t length, int64_t first, int64_t count) {
  return first >= 0 && count >= 0 && first <= length && count <= length - first;
}

static void refuse(mms_exact_sum *sum, int64_t count) { sum->limbs[sum->count - 1] += count; }
static void refuse_places(mms_exact_sum *sum, int64_t count) { refuse(sum, count > 1 ? count : 1); }

void mms_exact_sum_add_coarse(mms_exact_sum *sum, int64_t first, int64_t count, const double *values) {
  const int64_t length = sum->shape.coarse;
  if (!has(length, first, count)) {
    refuse_places(sum, count);
    return;
  }
  int64_t *high = sum->limbs + first, *next = high + length;
  refuse(sum, sum->coarse_limbs == PAIR ? add_pairs(sum->units, count, values, high, next)
                                        : add_triples(count, values, high, next, next + length));
}

void mms_exact_sum_add_fine(mms_exact_sum *sum, int64_t first, int64_t count, const double *values) {
  const int64_t length = sum->shape.fine;
  if (!has(length, first, count)) {
    refuse_places(sum, count);
    return;
  }
  int64_t *high = fine_limbs(sum) + first, *middle = high + length;
  refuse(sum, add_triples(count, values, high, middle, middle + length));
}

void mms_exact_sum_count(mms_exact_sum *sum, int index, int64_t amount) { extras(sum)[index] += amount; }

__extension__ typedef unsigned __int128 wide;

/* The double nearest to (a 2^80 + b 2^40 + c) 2^-72 (ties to even); |a|, |b|, |c| <= 2^62. Without branches on signs,
 * which are as good as random here. Right shifts of negative numbers are arithmetic (floor) in every compiler we know.
 */
static double nearest_triple(int64_t a, int64_t b, int64_t c) {
  const int64_t below = ((int64_t)1 << 40) - 1;
  const wide below_high = ((wide)1 << 80) - 1;
  b += c >> 40; /* carry, so that the total is a 2^80 + rest, 0 <= rest < 2^80, and has the sign of a */
  a += b >> 40;
  wide rest = (wide)(uint64_t)(b & below) << 40 | (wide)(uint64_t)(c & below);
  int64_t sign = a >> 63; /* 0 or -1; the size is then not(total) + 1 */
  const wide flip = sign != 0 ? below_high : 0;
  rest = (rest ^ flip) + (flip & 1);
  a = (a ^ sign) + (int64_t)(rest >> 80);
  rest &= below_high;
  double size;
  if (a == 0) {
    size = (double)rest * 0x1p-72; /* conversion rounds to nearest; powers of two are exact */
  } else {
    /* Up to 143 bits: the lowest 16 become one sticky bit, far below the 53 that are kept (a >= 1: at least 65 remain).
     */
    wide top = (wide)(uint64_t)a << 64 | rest >> 16 | (wide)((rest & 0xffff) != 0);
    size = (double)top * 0x1p-56;
  }
  return sign != 0 ? -size : size;
}

static double double_of(int64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* x + y = *sum + the value returned, exactly (Knuth, TAOCP 2, 4.2.2). */
static inline double two_sum(double x, double y, double *sum) {
  double s = x + y, yy = s - x;
  *sum = s;
  return (x - (s - yy)) + (y - yy);
}

/* The same double as nearest_triple(), where |a| < 2^50 after the carries, as vector code; returns how many were not.
 * The three limbs are doubles then, and their sum is rounded once: S. Boldo, G. Melquiond, "Emulation of a FMA and
 * correctly rounded sums: proved algorithms using rounding to odd" (IEEE Trans. Comput. 57 (2008) 462), algorithm Add3.
 */
MMS_CLONES
static int64_t read_triples_fast(int64_t count, const int64_t *restrict high, const int64_t *restrict middle,
                                 const int64_t *restrict low, double *restrict values) {
  const int64_t below = ((int64_t)1 << 40) - 1, small = (int64_t)1 << 50;
  const double magic = 0x1.8p52;
  const int64_t i_magic = bits_of(magic);
  int64_t large = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t b = middle[i] + (low[i] >> 40), a = high[i] + (b >> 40);
    large += a >= small || a <= -small;
    /* What an integer below 2^51 adds to the bits of 1.5 2^52; a larger one may wrap around and is not used. */
    double x = (double_of((int64_t)((uint64_t)a + (uint64_t)i_magic)) - magic) * 0x1p8;
    double y = (double_of((b & below) + i_magic) - magic) * 0x1p-32;
    double z = (double_of((low[i] & below) + i_magic) - magic) * 0x1p-72;
    double u, t, odd, u_rest = two_sum(y, z, &u), t_rest = two_sum(x, u, &t), rest = two_sum(t_rest, u_rest, &odd);
    int64_t bits = bits_of(odd), away = 1 - 2 * (int64_t)((rest > 0.0) != (odd > 0.0));
    bits += rest != 0.0 && (bits & 1) == 0 ? away : 0;
    values[i] = t + double_of(bits);
  }
  return large;
}

static void read_triples(int64_t count, const int64_t *high, const int64_t *middle, const int64_t *low,
                         double *values) {
  if (read_triples_fast(count, high, middle, low, values) == 0) return;
  for (int64_t i = 0; i < count; i++) values[i] = nearest_triple(high[i], middle[i], low[i]);
}

/* The double nearest to a + b in their units, 2^(n+1) of the low in one of the high; |a|, |b| <= 2^62, so that 2^114
 * low units hold the size. Conversion rounds to nearest, ties to even. */
static double nearest_pair(pair_units units, int64_t a, int64_t b) {
  const wide low = (wide)a * ((wide)2 << units.bits) + (wide)b; /* modulo 2^128: the total in two's complement */
  const bool negative = low >> 127 != 0;
  const double size = (double)(negative ? -low : low) * units.low;
  return negative ? -size : size;
}

/* The same double where |a| < 2^50 after the carry, as vector code; returns how many were not. Both limbs are doubles
 * then (0 <= b < 2^(n+1) <= 2^51), and one addition rounds their sum. */
MMS_CLONES
static int64_t read_pairs_fast(pair_units units, int64_t count, const int64_t *restrict high,
                               const int64_t *restrict low, double *restrict values) {
  const int64_t below = ((int64_t)2 << units.bits) - 1, small = (int64_t)1 << 50;
  const double magic = 0x1.8p52;
  const int width = units.bits + 1;
  const int64_t i_magic = bits_of(magic);
  int64_t large = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t a = high[i] + (low[i] >> width);
    large += a >= small || a <= -small;
    double x = (double_of((int64_t)((uint64_t)a + (uint64_t)i_magic)) - magic) * units.high; /* as above */
    double y = (double_of((low[i] & below) + i_magic) - magic) * units.low;
    values[i] = x + y;
  }
  return large;
}

static void read_pairs(pair_units units, int64_t count, const int64_t *high, const int64_t *low, double *values) {
  if (read_pairs_fast(units, count, high, low, values) == 0) return;
  for (int64_t i = 0; i < count; i++) values[i] = nearest_pair(units, high[i], low[i]);
}

static void read_nothing(int64_t count, double *values) {
  for (int64_t i = 0; i < count; i++) values[i] = NAN;
}

/* From the limbs of coarse sums. */
static void read_limbs(const mms_exact_sum *sum, int64_t first, int64_t count, double *values) {
  const int64_t length = sum->shape.coarse, *high = sum->limbs + first, *next = high + length;
  if (sum->coarse_limbs == PAIR)
    read_pairs(sum->units, count, high, next, values);
  else
    read_triples(count, high, next, next + length, values);
}

/* Totals take the place of their high limbs. */
static void settle(void *context, int64_t first, int64_t count) {
  enum { PIECE = 1024 };
  mms_exact_sum *sum = context;
  double values[PIECE];
  for (int64_t done = 0; done < count; done += PIECE) {
    const int64_t now = count - done < PIECE ? count - done : PIECE;
    read_limbs(sum, first + done, now, values);
    memcpy(sum->limbs + first + done, values, (size_t)now * sizeof *values);
  }
}

bool mms_exact_sum_share(mms_exact_sum *sum, const mms_team *team) {
  const int length = (int)sum->shape.coarse;
  const mms_node_sum_shape shape = {.lists = sum->coarse_limbs,
                                    .length = length,
                                    .rest = sum->count - sum->coarse_limbs * length,
                                    .settle = settle,
                                    .context = sum};
  mms_node_sum_create(&sum->node, team, &shape);
  if (sum->node == NULL) return false;
  free(sum->limbs);
  sum->limbs = mms_node_sum_values(sum->node);
  return true;
}

void mms_exact_sum_reduce(mms_exact_sum *sum, const mms_team *team) {
  if (sum->node != NULL) {
    mms_node_sum_reduce(sum->node);
    return;
  }
  if (mms_team_size(team) > 1)
    MPI_Allreduce(MPI_IN_PLACE, sum->limbs, sum->count, MPI_INT64_T, MPI_SUM, mms_team_communicator(team));
  settle(sum, 0, sum->shape.coarse);
}

double *mms_exact_sum_totals(mms_exact_sum *sum) { return (double *)(void *)sum->limbs; }

void mms_exact_sum_read_coarse(const mms_exact_sum *sum, int64_t first, int64_t count, double *values) {
  if (has(sum->shape.coarse, first, count))
    memcpy(values, sum->limbs + first, (size_t)count * sizeof *values);
  else
    read_nothing(count, values);
}

void mms_exact_sum_read_fine(const mms_exact_sum *sum, int64_t first, int64_t count, double *values) {
  const int64_t length = sum->shape.fine;
  if (!has(length, first, count)) {
    read_nothing(count, values);
    return;
  }
  const int64_t *high = fine_limbs(sum) + first, *middle = high + length;
  read_triples(count, high, middle, middle + length, values);
}

int64_t mms_exact_sum_extra(const mms_exact_sum *sum, int index) { return extras(sum)[index]; }
int64_t mms_exact_sum_refused(const mms_exact_sum *sum) { return sum->limbs[sum->count - 1]; }
size_t mms_exact_sum_message(const mms_exact_sum *sum) { return (size_t)sum->count * sizeof *sum->limbs; }
size_t mms_exact_sum_bytes(const mms_exact_sum *sum) { return mms_exact_sum_message(sum) + sizeof *sum; }
