/* The second moment of a step from its totals, with one product of d × d.
 *
 * C/P = c + s of the symmetric c and the skew s, A = I − c, D/P = I + E: as A and c commute,
 *     Gram/P + m mᵀ = A(I + E)A + A C/P + (A C/P)ᵀ + S/P = A + sym(A X) + S/P,   X = 2 C/P − c + E A.
 * E is what rounding left of the step before, some last places, in its diagonal first of all. So E A is a product only
 * where it could be seen; else diag(E) A + 2 U serves, U above E's diagonal: sym(A 2U) and sym(A (U + Uᵀ) A) differ by
 * terms of c E. */
#include "ensemble/constraint_state.h"

#include "base/clones.h"
#include "ensemble/norms.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* Square matrices meet their transposes in tiles. */
enum { TILE = 32 };

typedef struct tile {
  double at[TILE][TILE]; /* [i − i0][j − j0] */
  int64_t rows, cols;    /* TILE, but at the ends */
} tile;

/* The transpose of a matrix at rows i0, columns j0. */
static inline void turn_tile(int64_t n, const double *matrix, int64_t i0, int64_t j0, tile *t) {
  t->rows = n - i0 < TILE ? n - i0 : TILE;
  t->cols = n - j0 < TILE ? n - j0 : TILE;
  for (int64_t j = 0; j < t->cols; j++)
    for (int64_t i = 0; i < t->rows; i++) t->at[i][j] = matrix[(j0 + j) * n + i0 + i];
}

/* a = −c, symmetric to the bit. */
MMS_CLONES
static void project(int64_t n, double particles, const double *restrict c, double *restrict a) {
  const double half = 0.5 / particles;
  tile turned;
  for (int64_t i0 = 0; i0 < n; i0 += TILE)
    for (int64_t j0 = 0; j0 < n; j0 += TILE) {
      turn_tile(n, c, i0, j0, &turned);
      for (int64_t i = i0; i < i0 + turned.rows; i++) {
        const double *from = c + i * n + j0, *other = turned.at[i - i0];
        double *to = a + i * n + j0;
        for (int64_t j = 0; j < turned.cols; j++) to[j] = -half * (from[j] + other[j]);
      }
    }
}

/* A = I − c from −c, and C becomes x = 2 C/P − c + diag(E) A + 2 U with the c that A is made with; d packed. */
MMS_CLONES
static void add_ones(int64_t n, double particles, const double *restrict d, double *restrict a, double *restrict x) {
  const double twice = 2.0 / particles;
  for (int64_t i = 0; i < n; i++) {
    const double *above = d + mms_panels_triangle_row(n, i) - i;
    const double e = above[i] / particles - 1.0;
    double *to = a + i * n, *row = x + i * n;
    for (int64_t j = 0; j < i; j++) row[j] = twice * row[j] + (to[j] + e * to[j]);
    const double diagonal = row[i];
    for (int64_t j = i + 1; j < n; j++) row[j] = twice * row[j] + (to[j] + e * to[j]) + twice * above[j];
    to[i] += 1.0;
    row[i] = 2.0 * diagonal / particles - (1.0 - to[i]) + e * to[i];
  }
}

/* m = (A 1ᵀY + 1ᵀW)/P with 1ᵀW given in m; not by BLAS, whose product packs all of A for one row. */
MMS_CLONES
static void add_mean(int64_t n, double particles, const double *restrict sum_y, const double *restrict a,
                     double *restrict m) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) m[j] += sum_y[i] * a[i * n + j];
  for (int64_t k = 0; k < n; k++) m[k] /= particles;
}

/* x += (E − diag(E)) A − 2 U; spare: [n][n]. */
static void complete(int64_t n, double particles, const double *d, const double *a, double *x, double *spare) {
  for (int64_t i = 0; i < n; i++) {
    const double *above = d + mms_panels_triangle_row(n, i) - i;
    spare[i * n + i] = 0.0;
    for (int64_t j = i + 1; j < n; j++) {
      x[i * n + j] -= above[j] * (2.0 / particles);
      spare[i * n + j] = above[j] / particles;
    }
  }
  mms_dense_mirror_upper(n, spare);
  mms_dense_multiply(false, false, n, n, n, 1.0, spare, a, 1.0, x);
}

/* The upper triangle of root = A + sym(B) + S/P − m mᵀ, S packed; below the diagonal other numbers. B may be root. */
MMS_CLONES
static void second_moment(int64_t n, double particles, const double *restrict a, const double *b,
                          const double *restrict s, const double *restrict m, double *root) {
  tile turned; /* where B is root, of what is not written, or not yet */
  double row[TILE];
  for (int64_t i0 = 0; i0 < n; i0 += TILE)
    for (int64_t j0 = i0; j0 < n; j0 += TILE) {
      turn_tile(n, b, i0, j0, &turned);
      for (int64_t i = i0; i < i0 + turned.rows; i++) {
        const double *here = a + i * n, *from = b + i * n, *packed = s + mms_panels_triangle_row(n, i) - i;
        const int64_t begin = i > j0 ? i : j0, end = j0 + turned.cols;
        for (int64_t j = begin; j < end; j++)
          row[j - j0] = here[j] + (0.5 * (from[j] + turned.at[i - i0][j - j0]) + (packed[j] / particles - m[i] * m[j]));
        memcpy(root + i * n + begin, row + begin - j0, (size_t)(end - begin) * sizeof *row);
      }
    }
}

/* Below it the barrier, and panels of so few rows, take longer than what is saved (measured at d = 100 and 700). */
enum { LEAST_PANELLED = 256, PANELS = 4 };

void mms_constraint_share_product(mms_constraint *constraint, const mms_team *team) {
  mms_constraint_whole *whole = &constraint->whole;
  const size_t bytes = (size_t)(constraint->dim * constraint->dim) * sizeof(double);
  if (constraint->dim < LEAST_PANELLED) return;
  if (mms_shared_create(&whole->board, team, bytes, "a product of d x d", NULL) == MMS_OK) whole->team = team;
}

/* B = A X by panels of rows, which the ranks of a node that have a board make in turn. The panels are the same for
 * any number of ranks: BLAS gives a row other last bits beside other rows (law 1). Who still reads the board of the
 * step before has not come to this step's reduction. */
static const double *multiply(mms_constraint *constraint) {
  mms_constraint_whole *whole = &constraint->whole;
  const int64_t n = constraint->dim, rows = n < LEAST_PANELLED ? n : (n + PANELS - 1) / PANELS;
  const int ranks = mms_team_node_size(whole->team), me = mms_team_node_rank(whole->team);
  double *product = whole->board != NULL ? mms_shared_data(whole->board) : whole->root;
  for (int64_t first = 0, panel = 0; first < n; first += rows, panel++)
    if (panel % ranks == me)
      mms_dense_multiply(false, false, n - first < rows ? n - first : rows, n, n, 1.0, whole->a + first * n, whole->c,
                         0.0, product + first * n);
  if (whole->board != NULL) mms_shared_synchronise(whole->board);
  return product;
}

double mms_constraint_assemble(mms_constraint *constraint) {
  mms_constraint_whole *whole = &constraint->whole;
  int64_t n = constraint->dim;
  double particles = (double)constraint->blocks.total, *a = whole->a, *x = whole->c, *m = constraint->center;
  double *work = whole->eigenvalues;
  project(n, particles, whole->c, a);
  double columns = sqrt(mms_square_longest(n, a, work));
  add_ones(n, particles, whole->d, a, x);
  memcpy(m, constraint->sum_w, (size_t)n * sizeof *m);
  add_mean(n, particles, constraint->sum_y, a, m);
  /* With ‖Y‖² = P, a = ‖A‖ and s = ‖S‖/P the terms of Gram/P add up to (a + √s)² at most, much more than Gram/P itself
   * where a large step runs along Y and the projection takes it back. */
  double norm = mms_square_norm(n, a, work), sum = norm + sqrt(mms_packed_length(n, whole->s) / particles);
  /* With O = U + Uᵀ, A O A − A U − Uᵀ A = c O c − c Uᵀ − U c. An entry of c Uᵀ or U c is no larger than a row of O
   * times a column of c, one of c O c no larger than that times ‖c‖ <= 1 + ‖A‖. */
  double rows = sqrt(mms_packed_longest_beside(n, whole->d, work)) / particles;
  if ((3.0 + norm) * rows * columns > DBL_EPSILON * sum * sum) complete(n, particles, whole->d, a, x, whole->root);
  const double *product = multiply(constraint);
  second_moment(n, particles, a, product, whole->s, m, whole->root);
  return sum * sum;
}
