/* V at many points, from draws or by quadrature, and the grid its integrals need. */
#include "study/density_source.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TOLERANCE = 1e-7; /* of the quadrature's last halving; the error left is about its square */
static const double OUTSIDE = 1e-9;   /* mass a law may have beyond the grid */

void mms_density_source_close(mms_density_source *from) {
  mms_potential_free(&from->draws);
  mms_quadrature_free(&from->exact);
}

void mms_density_batch_free(mms_density_batch *of) {
  free(of->values);
  free(of->mean);
  free(of->error);
  free(of->all);
  *of = (mms_density_batch){.values = NULL};
}

mms_status mms_density_source_open(const mms_density_setting *setting, double smoothing, mms_density_source *from,
                                   mms_error *error) {
  const mms_density_request *request = setting->request;
  *from = (mms_density_source){.groups = 1};
  if (request->density.potential == MMS_DENSITY_QUADRATURE)
    return mms_quadrature_create(&from->exact, request->team, &setting->training, request->bandwidth, smoothing,
                                 TOLERANCE, error);
  const mms_potential_options options = {.bandwidth = request->bandwidth,
                                         .smoothing = smoothing,
                                         .pairs = request->density.smoothing_samples / 2,
                                         .seed = request->density.seed,
                                         .backend = request->backend};
  mms_status status = mms_potential_create(&from->draws, request->team, &setting->training, &options, error);
  if (status == MMS_OK) from->groups = mms_potential_groups(from->draws);
  return status;
}

double mms_density_share(const mms_density_source *from, int64_t group) {
  return from->draws == NULL ? 1.0 : mms_potential_share(from->draws, group);
}

static mms_status set_up(mms_density_batch *of, const mms_density_source *from, mms_error *error) {
  mms_status status = mms_allocate_doubles(&of->values, of->blocks.n_local * from->groups, "potentials", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&of->mean, of->blocks.n_local, "potentials", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&of->error, of->blocks.n_local, "errors of potentials", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&of->all, of->blocks.total, "potentials", error);
  return status;
}

/* Averages here, and those of all ranks. Collective. */
static void collect(const mms_team *team, const mms_density_source *from, mms_density_batch *of) {
  if (from->draws != NULL)
    mms_potential_average(from->draws, of->blocks.n_local, of->values, of->mean, of->error);
  else
    memcpy(of->mean, of->values, (size_t)of->blocks.n_local * sizeof(double));
  mms_study_gather(team, &of->blocks, 1, of->mean, of->all);
}

mms_status mms_density_evaluate_points(const mms_team *team, mms_density_source *from, int64_t count,
                                       const double *points, mms_density_batch *of, mms_error *error) {
  of->blocks = mms_blocks_make(count, MMS_POTENTIAL_BLOCK, mms_team_rank(team), mms_team_size(team));
  const double *mine = points + 2 * of->blocks.first_row;
  mms_status status = set_up(of, from, error);
  if (status == MMS_OK && from->draws != NULL)
    status = mms_potential_evaluate(from->draws, of->blocks.n_local, mine, of->values, NULL, error);
  else if (status == MMS_OK)
    status = mms_quadrature_points(from->exact, of->blocks.n_local, mine, of->values, NULL, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) collect(team, from, of);
  return status;
}

mms_status mms_density_evaluate_plane(const mms_team *team, mms_density_source *from, const mms_plane *plane,
                                      mms_density_batch *of, mms_error *error) {
  mms_blocks rows = mms_blocks_make(plane->rows, 1, mms_team_rank(team), mms_team_size(team));
  of->blocks = mms_blocks_make(mms_plane_cells(plane), plane->columns, mms_team_rank(team), mms_team_size(team));
  double *points = NULL;
  mms_status status = set_up(of, from, error);
  if (status == MMS_OK) status = mms_allocate_doubles(&points, 2 * of->blocks.n_local, "cells", error);
  if (status == MMS_OK && from->draws != NULL) {
    for (int64_t i = 0; i < of->blocks.n_local; i++) mms_plane_point(plane, of->blocks.first_row + i, points + 2 * i);
    for (int64_t row = 0; row < rows.n_local && status == MMS_OK; row++)
      status = mms_potential_evaluate(from->draws, plane->columns, points + 2 * row * plane->columns,
                                      of->values + row * plane->columns * from->groups, NULL, error);
  } else if (status == MMS_OK) {
    status = mms_quadrature_plane(from->exact, plane, rows.first_row, rows.n_local, of->values, error);
  }
  free(points);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) collect(team, from, of);
  return status;
}

/* --- the grid of the integrals ---------------------------------------------------------------- */

enum { PILOT = 144, PILOT_PAIRS = 16, WIDEST = 3 };

mms_plane mms_density_widened(const mms_plane *plane, int64_t by) {
  mms_plane wide = {.columns = plane->columns + 2 * by, .rows = plane->rows + 2 * by};
  for (int k = 0; k < 2; k++) {
    const double border = mms_plane_side(plane, k) * (double)by;
    wide.low[k] = plane->low[k] - border;
    wide.high[k] = plane->high[k] + border;
  }
  return wide;
}

/* How many cells the picture's grid must be mms_density_widened by, from a coarse look with few draws at three times
 * its width. The same on every rank. */
mms_status mms_density_width(const mms_density_setting *setting, double smoothing, const mms_tilt *tilt, int64_t *by,
                             mms_error *error) {
  const mms_density_request *request = setting->request;
  const mms_potential_options options = {
      .bandwidth = request->bandwidth, .smoothing = smoothing, .pairs = PILOT_PAIRS, .backend = request->backend};
  mms_potential *few = NULL;
  mms_plane coarse = mms_density_widened(&setting->picture, (WIDEST - 1) * setting->picture.columns / 2);
  int64_t factor = (coarse.columns + PILOT - 1) / PILOT;
  coarse.columns = coarse.rows = (coarse.columns + factor - 1) / factor;
  mms_density_batch look = {.values = NULL};
  mms_status status = mms_potential_create(&few, request->team, &setting->training, &options, error);
  mms_density_source from = {.draws = few};
  if (status == MMS_OK) from.groups = mms_potential_groups(few);
  if (status == MMS_OK) status = mms_density_evaluate_plane(request->team, &from, &coarse, &look, error);
  *by = 0;
  for (int law = 0; law < MMS_LAWS && status == MMS_OK; law++) {
    mms_law shape;
    status = mms_law_create(&shape, &coarse, look.all, law == MMS_NAIVE ? NULL : tilt, error);
    if (status != MMS_OK) break;
    /* the mass beyond each number of coarse cells from the outside */
    int64_t half = coarse.columns / 2, needed = 0;
    double *ring = NULL, outside = 0.0;
    status = mms_allocate_doubles(&ring, half + 1, "rings of cells", error);
    for (int64_t i = 0; i < mms_plane_cells(&coarse) && status == MMS_OK; i++) {
      int64_t r = i / coarse.columns, c = i % coarse.columns;
      int64_t depth = r < c ? r : c;
      if (coarse.rows - 1 - r < depth) depth = coarse.rows - 1 - r;
      if (coarse.columns - 1 - c < depth) depth = coarse.columns - 1 - c;
      ring[depth] += shape.density.data[i] * mms_plane_cell_area(&coarse);
    }
    for (int64_t depth = 0; depth <= half && status == MMS_OK; depth++) {
      outside += ring[depth];
      if (outside <= OUTSIDE) continue;
      needed = half - depth + 1; /* coarse cells from the middle */
      break;
    }
    double picture = setting->picture.high[0] - setting->picture.low[0], fine = mms_plane_side(&setting->picture, 0);
    double wanted = (double)needed * mms_plane_side(&coarse, 0) - 0.5 * picture;
    if (wanted > 0.0 && (int64_t)ceil(wanted / fine) > *by) *by = (int64_t)ceil(wanted / fine);
    free(ring);
    mms_law_free(&shape);
  }
  if (*by > (WIDEST - 1) * setting->picture.columns / 2) *by = (WIDEST - 1) * setting->picture.columns / 2;
  mms_density_batch_free(&look);
  mms_potential_free(&few);
  return mms_team_agree(request->team, status, error);
}
