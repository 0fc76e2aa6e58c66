/* Double-precision kernels: the exact logits of the points that matter, and their softmax. */
#ifndef FIELD_KERNELS_SOFTMAX_H
#define FIELD_KERNELS_SOFTMAX_H

#include "field/kernels.h"
#include "field/kernels/simd.h"
#include <float.h>

/* e^r for |r| <= ln 2/2 = 0.3466 by its Taylor polynomial of degree 13: the remainder is at most 0.3466^14/14!·√2 =
 * 6e-18, a twentieth of an ulp. The terms are summed pairwise (Estrin), which shortens the chain. */
static inline vd exponential_part(vd r) {
  vd r2 = vd_mul(r, r), r4 = vd_mul(r2, r2), r8 = vd_mul(r4, r4);
  vd p01 = vd_add(r, vd_set(1.0)), p23 = vd_fma(r, vd_set(1.0 / 6.0), vd_set(1.0 / 2.0));
  vd p45 = vd_fma(r, vd_set(1.0 / 120.0), vd_set(1.0 / 24.0));
  vd p67 = vd_fma(r, vd_set(1.0 / 5040.0), vd_set(1.0 / 720.0));
  vd p89 = vd_fma(r, vd_set(1.0 / 362880.0), vd_set(1.0 / 40320.0));
  vd pab = vd_fma(r, vd_set(1.0 / 39916800.0), vd_set(1.0 / 3628800.0));
  vd pcd = vd_fma(r, vd_set(1.0 / 6227020800.0), vd_set(1.0 / 479001600.0));
  vd p03 = vd_fma(r2, p23, p01), p47 = vd_fma(r2, p67, p45), p8b = vd_fma(r2, pab, p89);
  return vd_fma(r8, vd_fma(r4, pcd, p8b), vd_fma(r4, p47, p03));
}

/* exp(t) for MMS_KERNEL_CUT < t <= 0, and 0 below. t = n ln 2 + r with |r| <= ln 2/2 (rounding t·log2(e) to an integer
 * by adding and taking away 1.5·2^52), ln 2 in two parts of which the first has 11 zero bits at its end, so that
 * n·ln2_high is exact for |n| < 2^11. */
static inline vd exponential(vd t) {
  const vd magic = vd_set(6755399441055744.0);
  vd clamped = vd_max(t, vd_set(MMS_KERNEL_CUT));
  vd n = vd_sub(vd_fma(clamped, vd_set(1.4426950408889634), magic), magic);
  vd r = vd_fnma(n, vd_set(6.93147180369123816490e-01), clamped);
  r = vd_fnma(n, vd_set(1.90821492927058770002e-10), r);
  return vd_where_greater(t, vd_set(MMS_KERNEL_CUT), vd_mul(exponential_part(r), vd_power_of_two(n)));
}

static void load_columns(const double *points, int64_t dim, const int32_t *index, int64_t first, int64_t count,
                         int64_t width, int64_t stride, const double *z, double *x_out, double *y, double *c) {
  for (int64_t k = 0; k < dim; k++) {
    double *xk = x_out + k * stride, *yk = y + k * stride, zk = z[k];
    if (index != NULL)
      for (int64_t i = 0; i < count; i++) xk[i] = points[(int64_t)index[i] * dim + k];
    else
      for (int64_t i = 0; i < count; i++) xk[i] = points[(first + i) * dim + k];
    for (int64_t i = count; i < width; i++) xk[i] = zk;
    for (int64_t i = 0; i < width; i += VD_LANES) {
      vd v = vd_sub(vd_load(xk + i), vd_set(zk));
      vd_store(yk + i, v);
      vd half = vd_mul(v, vd_set(-0.5));
      vd_store(c + i, k == 0 ? vd_mul(half, v) : vd_fma(half, v, vd_load(c + i)));
    }
  }
  for (int64_t i = count; i < width; i++) c[i] = -DBL_MAX;
}

/* Listed points lie anywhere in memory: the next one is asked for while one is worked on. */
static void load_rows(const double *points, int64_t dim, const int32_t *index, int64_t first, int64_t count,
                      int64_t width, int64_t stride, const double *z, double *y, double *c) {
  const int64_t whole = dim / VD_LANES * VD_LANES;
  for (int64_t i = 0; i < count; i++) {
    const double *x = points + (index != NULL ? (int64_t)index[i] : first + i) * dim;
    const double *next = index != NULL && i + 1 < count ? points + (int64_t)index[i + 1] * dim : x;
    double *yi = y + i * stride;
    vd sum = vd_set(0.0);
    for (int64_t k = 0; k < whole; k += VD_LANES) {
      vd v = vd_sub(vd_load(x + k), vd_load(z + k));
      __builtin_prefetch(next + k);
      vd_store(yi + k, v);
      sum = vd_fma(v, v, sum);
    }
    for (int64_t k = whole; k < stride; k++) yi[k] = k < dim ? x[k] - z[k] : 0.0;
    for (int64_t k = whole; k < stride; k += VD_LANES) {
      vd v = vd_load(yi + k);
      sum = vd_fma(v, v, sum);
    }
    c[i] = -0.5 * vd_sum(sum);
  }
  for (int64_t i = count; i < width; i++) {
    memset(y + i * stride, 0, (size_t)stride * sizeof(double));
    c[i] = -DBL_MAX;
  }
}

static void product_columns(const double *y, int64_t dim, int64_t stride, int64_t width, const float *noise,
                            double *b) {
  for (int64_t i = 0; i < width; i += VD_LANES) {
    vd sum = vd_set(0.0);
    for (int64_t k = 0; k < dim; k++) sum = vd_fma(vd_set((double)noise[k]), vd_load(y + k * stride + i), sum);
    vd_store(b + i, sum);
  }
}

/* One draw against four points at a time. */
static inline void product_of_one(const double *y, int64_t stride, int64_t width, const double *e, double *b) {
  int64_t i = 0;
  for (; i + 4 <= width; i += 4) {
    const double *yi = y + i * stride;
    vd s0 = vd_set(0.0), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t k = 0; k < stride; k += VD_LANES) {
      vd v = vd_load(e + k);
      s0 = vd_fma(vd_load(yi + k), v, s0);
      s1 = vd_fma(vd_load(yi + stride + k), v, s1);
      s2 = vd_fma(vd_load(yi + 2 * stride + k), v, s2);
      s3 = vd_fma(vd_load(yi + 3 * stride + k), v, s3);
    }
    b[i] = vd_sum(s0);
    b[i + 1] = vd_sum(s1);
    b[i + 2] = vd_sum(s2);
    b[i + 3] = vd_sum(s3);
  }
  for (; i < width; i++) {
    vd sum = vd_set(0.0);
    for (int64_t k = 0; k < stride; k += VD_LANES) sum = vd_fma(vd_load(y + i * stride + k), vd_load(e + k), sum);
    b[i] = vd_sum(sum);
  }
}

/* Four draws against one point at a time: each vector of y is loaded once for four products. */
static void product_rows(const double *y, int64_t stride, int64_t width, const double *noise, int64_t pairs,
                         double *b) {
  int64_t j = 0;
  for (; j + 4 <= pairs; j += 4) {
    const double *e = noise + j * stride;
    for (int64_t i = 0; i < width; i++) {
      const double *yi = y + i * stride;
      vd s0 = vd_set(0.0), s1 = s0, s2 = s0, s3 = s0;
      for (int64_t k = 0; k < stride; k += VD_LANES) {
        vd v = vd_load(yi + k);
        s0 = vd_fma(v, vd_load(e + k), s0);
        s1 = vd_fma(v, vd_load(e + stride + k), s1);
        s2 = vd_fma(v, vd_load(e + 2 * stride + k), s2);
        s3 = vd_fma(v, vd_load(e + 3 * stride + k), s3);
      }
      b[j * width + i] = vd_sum(s0);
      b[(j + 1) * width + i] = vd_sum(s1);
      b[(j + 2) * width + i] = vd_sum(s2);
      b[(j + 3) * width + i] = vd_sum(s3);
    }
  }
  for (; j < pairs; j++) product_of_one(y, stride, width, noise + j * stride, b + j * width);
}

/* One point, draws as they were made: four at a time, in the order of product_rows (whose zeros beyond dim add
 * nothing). */
static void product_of_one_point(const double *y, int64_t dim, const float *noise, int64_t pairs, double *b) {
  const int64_t whole = dim / VD_LANES * VD_LANES;
  for (int64_t first = 0; first < pairs; first += 4) {
    const float *e[4];
    float rest[4][VD_LANES] = {{0}};
    vd s[4];
    for (int64_t j = 0; j < 4; j++) {
      e[j] = noise + (first + j < pairs ? first + j : first) * dim;
      for (int64_t k = whole; k < dim; k++) rest[j][k - whole] = e[j][k];
      s[j] = vd_set(0.0);
    }
    for (int64_t k = 0; k < whole; k += VD_LANES) {
      vd v = vd_load(y + k);
      for (int64_t j = 0; j < 4; j++) s[j] = vd_fma(v, vd_from_float(e[j] + k), s[j]);
    }
    for (int64_t j = 0; j < 4 && whole < dim; j++) s[j] = vd_fma(vd_load(y + whole), vd_from_float(rest[j]), s[j]);
    for (int64_t j = 0; j < 4 && first + j < pairs; j++) b[first + j] = vd_sum(s[j]);
  }
}

static void largest(const double *c, const double *b, double sigma, int64_t width, double *top) {
  vd s = vd_set(sigma), high = vd_set(-1.7e308), low = high;
  for (int64_t i = 0; i < width; i += VD_LANES) {
    vd cv = vd_load(c + i), bv = vd_load(b + i);
    high = vd_max(high, vd_fma(s, bv, cv));
    low = vd_max(low, vd_fnma(s, bv, cv));
  }
  top[0] = vd_largest(high);
  top[1] = vd_largest(low);
}

/* w± = exp((c ± σ b − top±)/δ²); a vector of points that are all below the cut costs no exponential. */
static void exponentials(const double *c, const double *b, double sigma, double scale, int64_t width, const double *top,
                         double *plus, double *minus, double *sum) {
  vd s = vd_set(sigma), f = vd_set(scale), top_plus = vd_set(top[0]), top_minus = vd_set(top[1]);
  vd cut = vd_set(MMS_KERNEL_CUT), zero = vd_set(0.0), sum_plus = zero, sum_minus = zero;
  for (int64_t i = 0; i < width; i += VD_LANES) {
    vd cv = vd_load(c + i), bv = vd_load(b + i);
    vd high = vd_mul(vd_sub(vd_fma(s, bv, cv), top_plus), f), low = vd_mul(vd_sub(vd_fnma(s, bv, cv), top_minus), f);
    if ((vd_greater(high, cut) | vd_greater(low, cut)) == 0) {
      vd_store(plus + i, zero);
      vd_store(minus + i, zero);
      continue;
    }
    high = exponential(high);
    low = exponential(low);
    vd_store(plus + i, high);
    vd_store(minus + i, low);
    sum_plus = vd_add(sum_plus, high);
    sum_minus = vd_add(sum_minus, low);
  }
  sum[0] = vd_sum(sum_plus);
  sum[1] = vd_sum(sum_minus);
}

static void weights(const double *plus, const double *minus, const double *f, int64_t width, double *w) {
  vd fp = vd_set(f[0]), fm = vd_set(f[1]);
  for (int64_t i = 0; i < width; i += VD_LANES)
    vd_store(w + i, vd_fma(fp, vd_load(plus + i), vd_fma(fm, vd_load(minus + i), vd_load(w + i))));
}

/* All of one pair where a tile holds every point of the list. */
static double softmax_pair(const double *c, const double *b, double sigma, double scale, double share, int64_t width,
                           double *plus, double *minus, double *w, double *top_sum) {
  double top[2], sum[2];
  largest(c, b, sigma, width, top);
  exponentials(c, b, sigma, scale, width, top, plus, minus, sum);
  double f[2] = {share / sum[0], share / sum[1]};
  weights(plus, minus, f, width, w);
  *top_sum += top[0] + top[1];
  return sum[0] * sum[1];
}

/* A point alone has the top logits and nothing else. */
static double tops_of_one(double c, const double *b, double sigma, int64_t pairs, double tops) {
  vd s = vd_set(sigma), cv = vd_set(c);
  for (int64_t first = 0; first < pairs; first += VD_LANES) {
    double both[VD_LANES];
    vd bv = vd_load(b + first);
    vd_store(both, vd_add(vd_fma(s, bv, cv), vd_fnma(s, bv, cv)));
    for (int64_t j = 0; j < VD_LANES && first + j < pairs; j++) tops += both[j];
  }
  return tops;
}

static void gather_columns(const double *x, int64_t dim, int64_t stride, int64_t width, const double *w,
                           const double *base, double *sum) {
  for (int64_t k = 0; k < dim; k++) {
    vd total = vd_set(0.0), from = vd_set(base[k]);
    for (int64_t i = 0; i < width; i += VD_LANES)
      total = vd_fma(vd_load(w + i), vd_sub(vd_load(x + k * stride + i), from), total);
    sum[k] += vd_sum(total);
  }
}

static void gather_rows(const double *points, int64_t dim, const int32_t *index, int64_t first, int64_t count,
                        const double *w, const double *base, double *sum) {
  for (int64_t i = 0; i < count; i++) {
    if (w[i] == 0.0) continue;
    const double *x = points + (index != NULL ? (int64_t)index[i] : first + i) * dim;
    for (int64_t k = 0; k < dim; k++) sum[k] += w[i] * (x[k] - base[k]);
  }
}

#endif
