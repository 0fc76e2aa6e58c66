#include "mmsold/training/modes.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* Eight of width 0.5 on a ring of radius 4, all over 1.414: the usual `8gaussians` of density estimation on the plane
 * (W. Grathwohl et al., FFJORD, and the toy sets after it). */
static void ring(mms_modes *modes) {
  modes->count = 8;
  for (int64_t k = 0; k < 8; k++) {
    double angle = PI / 4 * (double)k;
    modes->centre[k][0] = 4 * cos(angle) / 1.414;
    modes->centre[k][1] = 4 * sin(angle) / 1.414;
    modes->width[k] = 0.5 / 1.414;
    modes->weight[k] = 1.0 / 8;
  }
}

/* Twenty-five of width 0.05, two apart: the usual grid of tests of mode collapse (A. Srivastava et al., VEEGAN, 2017).
 */
static void grid(mms_modes *modes) {
  modes->count = 25;
  for (int64_t k = 0; k < 25; k++) {
    int64_t row = k / 5, column = k % 5;
    modes->centre[k][0] = 2.0 * (double)column - 4;
    modes->centre[k][1] = 2.0 * (double)row - 4;
    modes->width[k] = 0.05;
    modes->weight[k] = 1.0 / 25;
  }
}

/* A wide one that holds four fifths and a narrow one that holds the rest, seven widths and more apart: fewer than one
 * point in a million lies nearer to the other's. */
static void clusters(mms_modes *modes) {
  *modes = (mms_modes){.count = 2, .centre = {{-1.5, 0}, {2.5, 1}}, .width = {0.5, 0.25}, .weight = {0.8, 0.2}};
}

bool mms_modes_of(mms_modes *modes, const char *source) {
  static const struct {
    const char *name;
    void (*fill)(mms_modes *modes);
  } known[] = {{"gaussians", ring}, {"grid", grid}, {"clusters", clusters}};
  *modes = (mms_modes){0};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(source, known[i].name) != 0) continue;
    known[i].fill(modes);
    return true;
  }
  return false;
}
