/* The results of a study for people. */
#include "cli/converge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMN = 26 };

/* "1.234e-02 +- 3.1e-04", as far as it is known. */
static void print_value(double value, double half_width) {
  char text[64];
  if (isnan(value))
    snprintf(text, sizeof text, "-");
  else if (isnan(half_width))
    snprintf(text, sizeof text, "%.4g", value);
  else
    snprintf(text, sizeof text, "%.4g +- %.2g", value, half_width);
  printf("  %-*s", COLUMN, text);
}

static void print_head(const mms_grid *grid, const mms_convergence *result, int64_t first, int64_t end) {
  printf("  %-12s", mms_schema(grid->ladders[0].list)->name);
  for (int64_t i = first; i < end; i++) printf("  %-*s", COLUMN, result->quantities[i].name);
  putchar('\n');
}

static void print_curve(const mms_grid *grid, const mms_convergence *result, int64_t curve, int64_t first,
                        int64_t end) {
  print_head(grid, result, first, end);
  for (int64_t rung = 0; rung < grid->rungs; rung++) {
    printf("  %-12g", grid->x[rung]);
    for (int64_t i = first; i < end; i++)
      print_value(result->quantities[i].value[curve * grid->rungs + rung],
                  result->quantities[i].half_width[curve * grid->rungs + rung]);
    putchar('\n');
  }
  printf("  %-12s", "power");
  for (int64_t i = first; i < end; i++) {
    const mms_line *line = &result->quantities[i].line[curve];
    print_value(result->quantities[i].power && line->has ? line->slope : NAN, line->half_width);
  }
  putchar('\n');
}

static void print_expansions(const mms_convergence *result, int64_t curve) {
  for (int64_t i = 0; i < result->expansion_count; i++) {
    const mms_expansion *e = &result->expansions[i];
    if (!e->has[curve]) continue;
    const double *c = e->coefficient + 3 * curve, *half = e->half_width + 3 * curve;
    printf("  %s = (%.6g +- %.2g) + (%.4g +- %.2g) h + (%.4g +- %.2g) h^2\n", e->name, c[0], half[0], c[1], half[1],
           c[2], half[2]);
  }
}

void mms_converge_print(const mms_grid *grid, const mms_convergence *result) {
  printf("%lld cells: %lld curve%s of %lld values of %s, %lld seeds; intervals are 95 %%\n", (long long)grid->count,
         (long long)grid->curves, grid->curves == 1 ? "" : "s", (long long)grid->rungs,
         mms_schema(grid->ladders[0].list)->name, (long long)grid->seeds);
  if (result->missing > 0) printf("%lld of them have no result and are left out\n", (long long)result->missing);
  for (int64_t curve = 0; curve < grid->curves; curve++) {
    if (grid->labels[curve][0] != '\0') printf("\n%s", grid->labels[curve]);
    putchar('\n');
    print_curve(grid, result, curve, 0, 2);
    for (int64_t i = 2; i < result->quantity_count; i += 3) {
      putchar('\n');
      print_curve(grid, result, curve, i, i + 3);
    }
    if (result->expansion_count > 0) putchar('\n');
    print_expansions(result, curve);
  }
}
