#include "mmsold/training/transform.h"

#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include "training/transform_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Added to every eigenvalue of a data covariance before it is divided by (ALGORITHMS section 5). */
static const double EIGENVALUE_FLOOR = 1e-5;

/* What a fit works with: the covariance's eigenvectors Q [D][D] (columns) and eigenvalues e [D], descending. */
typedef struct spectrum {
  mms_matrix vectors;
  double *values;
} spectrum;

static void spectrum_free(spectrum *s) {
  mms_matrix_free(&s->vectors);
  free(s->values);
}

static mms_status check_options(const mms_rows *data, int64_t components, mms_whiten whiten, int64_t whiten_top,
                                mms_error *error) {
  int64_t n = data->count, columns = data->dim, least = n < columns ? n : columns;
  if (n < 2)
    return mms_fail(error, MMS_ERR_INPUT, "PCA and whitening need at least 2 training points; there is %lld",
                    (long long)n);
  if (components < 0 || components > least)
    return mms_fail(error, MMS_ERR_INPUT,
                    "components: %lld is not possible with %lld points of %lld columns; give 1 to %lld, or 0 for none",
                    (long long)components, (long long)n, (long long)columns, (long long)least);
  int64_t dim = components > 0 ? components : columns;
  if (whiten != MMS_WHITEN_NONE && (whiten_top < 1 || whiten_top > dim))
    return mms_fail(error, MMS_ERR_INPUT, "whiten_top: %lld is not possible in %lld dimensions; give 1 to %lld",
                    (long long)whiten_top, (long long)dim, (long long)dim);
  return MMS_OK;
}

/* A pass over the rows of X: what is summed up and what it takes. */
typedef struct pass {
  const mms_rows *data;
  double *mean, *tile, *covariance;
} pass;

static void add_to_mean(void *context, int64_t first, int64_t rows, const double *points) {
  const pass *p = context;
  const int64_t columns = p->data->dim;
  (void)first;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) p->mean[j] += points[i * columns + j];
}

/* mean [D] (zero before) over the rows of X [n][D]. */
static mms_status column_means(const mms_rows *data, double *mean, mms_error *error) {
  pass p = {.data = data, .mean = mean};
  mms_status status = mms_rows_walk(data, add_to_mean, &p, error);
  for (int64_t j = 0; j < data->dim; j++) mean[j] /= (double)data->count;
  return status;
}

/* Rows of a product; pieces are a multiple of it, so that the sums are grouped alike however the rows come by. */
enum { TILE = 256 };
_Static_assert(MMS_TRAINING_TILE % TILE == 0, "pieces are whole tiles");

static void add_to_covariance(void *context, int64_t first, int64_t rows, const double *points) {
  const pass *p = context;
  const int64_t columns = p->data->dim;
  for (int64_t done = 0; done < rows; done += TILE) {
    const int64_t now = rows - done < TILE ? rows - done : TILE;
    for (int64_t i = 0; i < now; i++)
      for (int64_t j = 0; j < columns; j++) p->tile[i * columns + j] = points[(done + i) * columns + j] - p->mean[j];
    mms_dense_gram_upper(now, columns, 1.0 / (double)(p->data->count - 1), p->tile, first + done > 0 ? 1.0 : 0.0,
                         p->covariance);
  }
}

/* C = (X − 1 meanᵀ)ᵀ (X − 1 meanᵀ) / (n − 1), summed over tiles of rows; both triangles. */
static mms_status covariance(const mms_rows *data, double *mean, mms_matrix *out, mms_error *error) {
  const int64_t columns = data->dim;
  double *tile = NULL;
  mms_status status = mms_matrix_create(out, columns, columns, "the covariance of the training points", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&tile, TILE * columns, "centred training points", error);
  if (status != MMS_OK) return status;
  pass p = {.data = data, .mean = mean, .tile = tile, .covariance = out->data};
  status = mms_rows_walk(data, add_to_covariance, &p, error);
  mms_dense_mirror_upper(columns, out->data);
  free(tile);
  return status;
}

static mms_status spectrum_of(spectrum *s, const mms_rows *data, double *mean, mms_error *error) {
  mms_matrix matrix = {0};
  mms_status status = covariance(data, mean, &matrix, error);
  if (status == MMS_OK) status = mms_matrix_create(&s->vectors, data->dim, data->dim, "eigenvectors", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&s->values, data->dim, "eigenvalues", error);
  if (status == MMS_OK) status = mms_dense_eigen(data->dim, matrix.data, s->values, s->vectors.data, error);
  mms_matrix_free(&matrix);
  return status;
}

/* With e_j the eigenvalues plus their floor. */
void mms_transform_scales(int64_t dim, const double *eigenvalues, mms_whiten whiten, int64_t top, double *scales) {
  for (int64_t j = 0; j < dim; j++) {
    double e = fmax(eigenvalues[j], 0.0) + EIGENVALUE_FLOOR; /* rounding can make a zero eigenvalue negative */
    double tau = fmax(eigenvalues[top < dim ? top : dim - 1], 0.0) + EIGENVALUE_FLOOR;
    double last = fmax(eigenvalues[top > 0 ? top - 1 : 0], 0.0) + EIGENVALUE_FLOOR;
    scales[j] = 1.0;
    if (whiten == MMS_WHITEN_CAP && j >= top) scales[j] = sqrt(e / tau);
    if (whiten == MMS_WHITEN_FULL) scales[j] = sqrt(j < top ? e : last);
  }
}

/* PCA, perhaps whitened: encode = V diag(1/scale), decode = diag(scale) Vᵀ, V the first d eigenvectors. In these
 * coordinates the covariance is diagonal, so S^{±1/2} is too. */
void mms_transform_put_component(mms_transform *t, int64_t j, const double *v, int64_t stride, double scale) {
  for (int64_t i = 0; i < t->data_dim; i++) {
    t->encode.data[i * t->dim + j] = v[i * stride] / scale;
    t->decode.data[j * t->data_dim + i] = v[i * stride] * scale;
  }
}

/* Whitening alone: encode = S^{-1/2} = Q diag(1/scale) Qᵀ, decode = S^{1/2}. */
static mms_status fill_symmetric(mms_transform *t, const mms_matrix *vectors, const double *scales, mms_error *error) {
  int64_t dim = t->dim;
  mms_matrix scaled = {0};
  mms_status status = mms_matrix_create(&scaled, dim, dim, "scaled eigenvectors", error);
  if (status != MMS_OK) return status;
  for (int inverse = 0; inverse < 2; inverse++) {
    for (int64_t i = 0; i < dim; i++)
      for (int64_t j = 0; j < dim; j++)
        scaled.data[i * dim + j] = vectors->data[i * dim + j] * (inverse ? 1.0 / scales[j] : scales[j]);
    mms_dense_multiply(false, true, dim, dim, dim, 1.0, scaled.data, vectors->data, 0.0,
                       inverse ? t->encode.data : t->decode.data);
  }
  mms_matrix_free(&scaled);
  return MMS_OK;
}

mms_status mms_transform_begin(mms_transform *transform, double **scales, const mms_rows *data, int64_t components,
                               mms_whiten whiten, int64_t whiten_top, mms_error *error) {
  int64_t columns = data->dim;
  *scales = NULL;
  *transform = (mms_transform){.identity = true, .data_dim = columns, .dim = columns};
  if (components == 0 && whiten == MMS_WHITEN_NONE) return MMS_OK;
  mms_status status = check_options(data, components, whiten, whiten_top, error);
  if (status != MMS_OK) return status;
  transform->identity = false;
  transform->dim = components > 0 ? components : columns;
  status = mms_matrix_create(&transform->offset, 1, columns, "the mean", error);
  if (status == MMS_OK) status = mms_matrix_create(&transform->encode, columns, transform->dim, "the encoder", error);
  if (status == MMS_OK) status = mms_matrix_create(&transform->decode, transform->dim, columns, "the decoder", error);
  if (status == MMS_OK) status = mms_allocate_doubles(scales, transform->dim, "scales", error);
  if (status == MMS_OK) status = column_means(data, transform->offset.data, error);
  if (status != MMS_OK) {
    mms_transform_free(transform);
    free(*scales);
    *scales = NULL;
  }
  return status;
}

mms_status mms_transform_fit_rows(mms_transform *transform, const mms_rows *data, int64_t components, mms_whiten whiten,
                                  int64_t whiten_top, mms_error *error) {
  spectrum s = {0};
  double *scales = NULL;
  mms_status status = mms_transform_begin(transform, &scales, data, components, whiten, whiten_top, error);
  if (status != MMS_OK || transform->identity) return status;
  status = spectrum_of(&s, data, transform->offset.data, error);
  if (status == MMS_OK) {
    mms_transform_scales(transform->dim, s.values, whiten, whiten_top, scales);
    for (int64_t j = 0; components > 0 && j < transform->dim; j++)
      mms_transform_put_component(transform, j, s.vectors.data + j, data->dim, scales[j]);
    if (components == 0) status = fill_symmetric(transform, &s.vectors, scales, error);
  }
  spectrum_free(&s);
  free(scales);
  if (status != MMS_OK) mms_transform_free(transform);
  return status;
}

mms_status mms_transform_fit(mms_transform *transform, const mms_matrix *data, int64_t components, mms_whiten whiten,
                             int64_t whiten_top, mms_error *error) {
  const mms_rows rows = mms_rows_of_matrix(data);
  return mms_transform_fit_rows(transform, &rows, components, whiten, whiten_top, error);
}

/* out [rows][n] += (in [rows][m] − offset) a [m][n]. Each element is summed in the same order, k = 0, 1, …, whoever
 * else is in the call, so that a row has the same bits however the rows are split over calls and ranks (a BLAS
 * promises no such thing). Four rows at a time share the loads of a. */
static void add_product(int64_t rows, int64_t m, int64_t n, const double *in, const double *offset, const double *a,
                        double *out) {
  for (int64_t i = 0; i < rows; i += 4) {
    int64_t now = rows - i < 4 ? rows - i : 4;
    for (int64_t k = 0; k < m; k++) {
      const double *restrict row = a + k * n;
      double shift = offset != NULL ? offset[k] : 0.0;
      double x[4] = {0};
      for (int64_t r = 0; r < now; r++) x[r] = in[(i + r) * m + k] - shift;
      if (now == 4) {
        double *restrict o0 = out + i * n, *restrict o1 = o0 + n, *restrict o2 = o1 + n, *restrict o3 = o2 + n;
        for (int64_t j = 0; j < n; j++) {
          o0[j] += x[0] * row[j];
          o1[j] += x[1] * row[j];
          o2[j] += x[2] * row[j];
          o3[j] += x[3] * row[j];
        }
        continue;
      }
      for (int64_t r = 0; r < now; r++) {
        double *restrict o = out + (i + r) * n;
        for (int64_t j = 0; j < n; j++) o[j] += x[r] * row[j];
      }
    }
  }
}

void mms_transform_encode(const mms_transform *transform, int64_t rows, const double *x, double *z) {
  size_t bytes = (size_t)(rows * transform->dim) * sizeof(double);
  if (bytes == 0) return;
  if (transform->identity) {
    memcpy(z, x, bytes);
    return;
  }
  memset(z, 0, bytes);
  add_product(rows, transform->data_dim, transform->dim, x, transform->offset.data, transform->encode.data, z);
}

void mms_transform_decode(const mms_transform *transform, int64_t rows, const double *z, double *x) {
  int64_t columns = transform->data_dim;
  if (rows * columns == 0) return;
  if (transform->identity) {
    memcpy(x, z, (size_t)(rows * columns) * sizeof(double));
    return;
  }
  for (int64_t i = 0; i < rows; i++) memcpy(x + i * columns, transform->offset.data, (size_t)columns * sizeof(double));
  add_product(rows, transform->dim, columns, z, NULL, transform->decode.data, x);
}

void mms_transform_free(mms_transform *transform) {
  mms_matrix_free(&transform->offset);
  mms_matrix_free(&transform->encode);
  mms_matrix_free(&transform->decode);
  *transform = (mms_transform){0};
}
