#include "picture/chart_script.h"

#include "picture/file.h"
#include <math.h>
#include <string.h>

/* M. Okabe and K. Ito, Color Universal Design (2008): told apart with every kind of colour vision. In an order in which
 * neighbours contrast; yellow, faint on white, comes last. */
static const char *const colours[] = {"0072B2", "D55E00", "009E73", "E69F00", "CC79A7", "56B4E9", "000000", "F0E442"};
enum { COLOURS = sizeof colours / sizeof colours[0] };

enum {                        /* the page, in pixels */
       SIDE = 760,            /* height of the axes, and their width where the aspect is 1 */
       LEFT = 135,            /* left of the axes: tic labels and axis label */
       RIGHT = 60,            /* right of them: half a tic label and air */
       SCALE = 130,           /* right of these, where there is one: scale of colours, its tic labels and label */
       BELOW = 105,           /* tic labels and axis label */
       ABOVE = 8,             /* air between axes and legend */
       TITLE_LINE = 56,       /* a title, with the air around it */
       LEGEND_LINE = 32,      /* a line of the legend */
       LEGEND_SAMPLE = 46,    /* a sample of the mark and the air after it */
       LEGEND_CHARACTER = 12, /* a character, on average */
       LEGEND_AIR = 24        /* between two entries */
};

enum { MANY = 2000 }; /* points from which on dots are small and see-through */

/* What one axis must show. */
typedef struct extent {
  double low, high;
  int empty;
} extent;

/* Where a panel's axes stand, in pixels of a page of `width` × `height`, from its lower left corner. */
typedef struct frame {
  double width, height, left, across, bottom, legend_top, title;
} frame;

mms_chart_format mms_chart_format_of(const char *path) {
  if (mms_picture_has_suffix(path, ".png")) return MMS_CHART_PNG;
  if (mms_picture_has_suffix(path, ".pdf")) return MMS_CHART_PDF;
  if (mms_picture_has_suffix(path, ".svg")) return MMS_CHART_SVG;
  return MMS_CHART_NONE;
}

int64_t mms_chart_columns(const mms_series *series) {
  return series->mark == MMS_MARK_BARS ? 4 : series->mark == MMS_MARK_VALUES ? 3 : 2;
}

static int64_t panel_of(const mms_chart_content *content, int64_t s) {
  return content->panel_of == NULL ? 0 : content->panel_of[s];
}

/* A string gnuplot takes literally: nothing but the quote has a meaning inside. */
static void put_text(FILE *file, const char *text) { mms_picture_put_quoted(file, text, '\''); }

static int shows(const mms_chart *chart, const double *point) {
  return isfinite(point[0]) && isfinite(point[1]) && (!chart->log_x || point[0] > 0) && (!chart->log_y || point[1] > 0);
}

/* Do the colours of two panels say the same thing? */
static int same_scale(const mms_chart *a, const mms_chart *b) {
  return a->value_label != NULL && b->value_label != NULL && strcmp(a->value_label, b->value_label) == 0;
}

/* The range of what can be drawn, with a little air; one place widened to a range. */
static extent find_extent(const mms_chart_content *content, int64_t panel, int axis) {
  const mms_chart *chart = &content->charts[panel];
  int logarithmic = axis == 0 ? chart->log_x : chart->log_y, lines = 1;
  extent range = {INFINITY, -INFINITY, 0};
  for (int64_t s = 0; s < content->series_count; s++) {
    /* panels of positions have one range for all, so that they can be compared by eye */
    const int64_t its = panel_of(content, s);
    if (its != panel && !(chart->equal_axes && content->charts[its].equal_axes)) continue;
    if (axis == 2 && its != panel && !same_scale(chart, &content->charts[its])) continue;
    if (content->series[s].mark != MMS_MARK_LINES) lines = 0;
    if (axis == 2 && content->series[s].mark != MMS_MARK_VALUES) continue;
    for (int64_t i = 0; i < content->series[s].xy->rows; i++) {
      const double *point = content->series[s].xy->data + mms_chart_columns(&content->series[s]) * i;
      if (!shows(chart, point) || (axis == 2 && !isfinite(point[2]))) continue;
      range.low = fmin(range.low, point[axis]);
      range.high = fmax(range.high, point[axis]);
      if (axis == 1 && content->series[s].mark == MMS_MARK_BARS) { /* on a logarithmic axis a bar may have no end */
        range.low = fmin(range.low, logarithmic ? fmax(point[2], 0.3 * point[1]) : point[2]);
        range.high = fmax(range.high, point[3]);
      }
    }
  }
  if (range.low > range.high) return (extent){logarithmic ? 0.1 : 0, logarithmic ? 10 : 1, 1};
  if (logarithmic) {
    double air = axis == 0 && lines ? 1 : fmax(pow(range.high / range.low, 0.04), 1.05);
    if (range.low == range.high) air = 3;
    return (extent){range.low / air, range.high * air, 0};
  }
  double air = 0.04 * (range.high - range.low);
  if (axis == 0 && lines) air = 0; /* curves run from edge to edge */
  if (range.high - range.low <= 1e-12 * fmax(fabs(range.low), fabs(range.high)))
    air = range.low == 0 ? 1 : 0.1 * fabs(range.low);
  return (extent){range.low - air, range.high + air, 0};
}

/* Width over height of a panel's axes: as the data where both axes have one scale, within reason. */
static double aspect_of(const mms_chart_content *content, int64_t panel) {
  if (!content->charts[panel].equal_axes) return content->panels == 1 ? 1.4 : 1.15;
  extent x = find_extent(content, panel, 0), y = find_extent(content, panel, 1);
  return fmin(fmax((x.high - x.low) / (y.high - y.low), 0.5), 2.0);
}

static void put_terminal(FILE *file, mms_chart_format format, double width, double height) {
  const char *font = "font 'sans-serif,";
  if (format == MMS_CHART_PDF)
    fprintf(file, "set terminal pdfcairo enhanced color size %gin,%gin %s14' lw 1.2\n", width / 110, height / 110,
            font);
  else if (format == MMS_CHART_SVG)
    fprintf(file, "set terminal svg enhanced size %.0f,%.0f %s17' lw 1.2 background '#FFFFFF'\n", width, height, font);
  else
    fprintf(file,
            "if (strstrt(GPVAL_TERMINALS, 'pngcairo') > 0) set terminal pngcairo enhanced size %.0f,%.0f %s16' lw 1.6 "
            "background '#FFFFFF'; else set terminal png enhanced truecolor size %.0f,%.0f\n",
            width, height, font, width, height);
  fputs("set output ARG2\nset encoding utf8\nset datafile separator ','\nset datafile missing NaN\n", file);
}

/* Tics of a logarithmic axis: powers of ten, or, where these would be few, 1, 2 and 5 times them. */
static void put_log_tics(FILE *file, char axis, extent range) {
  double ratio = range.high / range.low;
  if (!(ratio < 1000)) {
    fprintf(file, "set %ctics autofreq\nset format %c '10^{%%T}'\n%s m%ctics\n", axis, axis,
            ratio > 1e7 ? "unset" : "set", axis);
    return;
  }
  const char *between = "";
  fprintf(file, "set format %c '%%g'\nset %ctics (", axis, axis);
  for (int power = (int)floor(log10(range.low)); power <= (int)ceil(log10(range.high)); power++)
    for (int times = 1; times <= 5; times += times == 1 ? 1 : 3) {
      fprintf(file, "%s%de%d", between, times, power);
      between = ", ";
    }
  fprintf(file, ")\nset m%ctics\n", axis);
}

static void put_axis(FILE *file, char axis, int logarithmic, const char *label, extent range) {
  fprintf(file, "set %clabel ", axis);
  put_text(file, label);
  fprintf(file, " noenhanced\nset %crange [%.17g:%.17g] noextend\n", axis, range.low, range.high);
  if (logarithmic) {
    fprintf(file, "set logscale %c 10\n", axis);
    put_log_tics(file, axis, range);
  } else {
    fprintf(file, "unset logscale %c\nset %ctics autofreq\nset format %c '%%.8g'\nunset m%ctics\n", axis, axis, axis,
            axis);
  }
  if (range.empty) fprintf(file, "set format %c ''\n", axis);
}

static int same_label(const mms_series *a, const mms_series *b) {
  return a->label != NULL && b->label != NULL && a->label[0] != '\0' && strcmp(a->label, b->label) == 0;
}

/* A series' colour belongs to its label, so that it is the same in every panel. Otherwise points take the next of the
 * whole chart, panels of positions being pictures of different things, and lines the next of their panel. */
static int64_t colour_of(const mms_chart_content *content, int64_t series) {
  const mms_series *mine = &content->series[series];
  int64_t first = 0, distinct = 0;
  while (first < series && !same_label(&content->series[first], mine)) first++;
  for (int64_t s = 0; s < first; s++) {
    int seen = mine->mark == MMS_MARK_LINES && panel_of(content, s) != panel_of(content, first);
    for (int64_t before = 0; before < s && !seen; before++)
      seen = same_label(&content->series[before], &content->series[s]);
    if (!seen) distinct++;
  }
  return distinct % COLOURS;
}

/* Room for a scale of colours. */
static double scale_of(const mms_chart_content *content, int64_t panel) {
  return content->charts[panel].value_label != NULL ? SCALE : 0;
}

/* The scale stands beside the axes and runs over what the panel shows (see find_extent for panels of positions). The
 * colours are those of cividis (J. Nunez et al., 2018), which is even to every kind of colour vision, less its palest.
 */
static void put_scale(FILE *file, const mms_chart_content *content, int64_t panel, const frame *at) {
  extent range = find_extent(content, panel, 2);
  fprintf(file,
          "set palette defined (0 '#00204D', 0.25 '#31446B', 0.5 '#666970', 0.75 '#A59C74', 1 '#E8CB49')\n"
          "set cbrange [%.17g:%.17g]\nset colorbox user origin screen %.5f,%.5f size screen %.5f,%.5f\nset cblabel ",
          range.low, range.high, (at->left + at->across + 24) / at->width, (at->bottom + BELOW) / at->height,
          22 / at->width, SIDE / at->height);
  put_text(file, content->charts[panel].value_label);
  fputs(" noenhanced\nset cbtics in nomirror format '%.5g'\n", file);
}

static void put_style(FILE *file, const mms_series *series, const char *colour) {
  if (series->mark == MMS_MARK_VALUES) {
    fprintf(file, "with points pt 7 ps %g lc palette", series->xy->rows > MANY ? 0.5 : 0.7);
    return;
  }
  if (series->mark == MMS_MARK_LINES) {
    fprintf(file, "with lines lw 2 lc rgb '#%s'", colour);
    return;
  }
  if (series->mark == MMS_MARK_BARS) {
    fprintf(file, "with yerrorbars pt 7 ps 0.9 lw 1.5 lc rgb '#%s'", colour);
    return;
  }
  int64_t n = series->xy->rows;
  const char *alpha = n > MANY ? "80" : n > 200 ? "30" : "10"; /* 00 is opaque, FF invisible */
  double size = n > MANY ? 0.28 : n > 200 ? 0.55 : 0.9;
  fprintf(file, "with points pt 7 ps %g lc rgb '#%s%s'", size, alpha, colour);
}

/* The plot command of one panel. */
static void put_plot(FILE *file, const mms_chart_content *content, int64_t panel) {
  fputs("plot ", file);
  int64_t row = 0, drawn = 0;
  for (int64_t s = 0; s < content->series_count; s++) {
    const mms_series *series = &content->series[s];
    int64_t first = row;
    row += series->xy->rows;
    if (panel_of(content, s) != panel || series->xy->rows == 0) continue;
    fprintf(file, "%sARG1 skip 1 every ::%lld::%lld using %s ", drawn++ > 0 ? ", \\\n  " : "", (long long)first,
            (long long)row - 1,
            series->mark == MMS_MARK_BARS     ? "1:2:6:7"
            : series->mark == MMS_MARK_VALUES ? "1:2:6"
                                              : "1:2");
    put_style(file, series, colours[colour_of(content, s)]);
  }
  fputs(drawn == 0 ? "NaN\n" : "\n", file);
}

/* Pixels an entry of the legend takes: sample, text (its width is an estimate: the font is not ours) and air. */
static double entry_width(const char *label) {
  double characters = 0;
  for (const char *c = label; *c != '\0'; c++)
    if (((unsigned char)*c & 0xC0) != 0x80) characters++; /* not the continuation of a UTF-8 character */
  return LEGEND_SAMPLE + LEGEND_CHARACTER * characters + LEGEND_AIR;
}

static int in_legend(const mms_chart_content *content, int64_t panel, int64_t s) {
  const char *label = content->series[s].label;
  for (int64_t before = 0; before < s && label != NULL; before++)
    if (panel_of(content, before) == panel && content->series[before].label != NULL &&
        strcmp(content->series[before].label, label) == 0)
      return 0;
  return panel_of(content, s) == panel && label != NULL && label[0] != '\0';
}

/* The entries from series `first` on that fit one line of `room` pixels (at least one): returns the series after
 * them; *used is their width. */
static int64_t legend_line(const mms_chart_content *content, int64_t panel, int64_t first, double room, double *used) {
  *used = 0;
  int64_t s = first;
  for (; s < content->series_count; s++) {
    if (!in_legend(content, panel, s)) continue;
    double more = entry_width(content->series[s].label);
    if (*used > 0 && *used + more > room) break;
    *used += more;
  }
  return s;
}

static int legend_lines(const mms_chart_content *content, int64_t panel, double room) {
  int lines = 0;
  for (int64_t s = 0; s < content->series_count;) {
    double used = 0;
    s = legend_line(content, panel, s, room, &used);
    if (used > 0) lines++;
  }
  return lines;
}

/* One entry at (x, y): a sample large enough to be seen whatever the marks of the chart are, and the label. */
static void put_entry(FILE *file, const frame *at, const mms_series *series, const char *colour, double x, double y) {
  double line_end = x + LEGEND_SAMPLE - 10;
  if (series->mark == MMS_MARK_LINES)
    fprintf(file, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 3 lc rgb '#%s'\n", x / at->width,
            y / at->height, line_end / at->width, y / at->height, colour);
  else
    fprintf(file, "set label '' at screen %.5f,%.5f point pt 7 ps 1.2 lc rgb '#%s'\n", (line_end - 4) / at->width,
            y / at->height, colour);
  fputs("set label ", file);
  put_text(file, series->label);
  fprintf(file, " at screen %.5f,%.5f left noenhanced textcolor rgb '#222222'\n", (x + LEGEND_SAMPLE) / at->width,
          y / at->height);
}

/* The legend between title and axes, its lines centred. Placed by us: gnuplot's own key takes its dots from the plot,
 * where they may be too small and faint to be told apart, and breaks its lines where it likes. */
static void put_legend(FILE *file, const mms_chart_content *content, int64_t panel, const frame *at) {
  double y = at->legend_top - 0.5 * LEGEND_LINE;
  for (int64_t first = 0, next = 0; first < content->series_count; first = next) {
    double used = 0;
    next = legend_line(content, panel, first, at->across, &used);
    if (used == 0) continue;
    double x = at->left + 0.5 * (at->across - used + LEGEND_AIR);
    for (int64_t s = first; s < next; s++) {
      if (!in_legend(content, panel, s)) continue;
      put_entry(file, at, &content->series[s], colours[colour_of(content, s)], x, y);
      x += entry_width(content->series[s].label);
    }
    y -= LEGEND_LINE;
  }
}

static void put_panel(FILE *file, const mms_chart_content *content, int64_t panel, const frame *at) {
  const mms_chart *chart = &content->charts[panel];
  extent x = find_extent(content, panel, 0), y = find_extent(content, panel, 1);
  double middle = (at->left + 0.5 * at->across) / at->width;
  fprintf(file, "\nset lmargin at screen %.5f\nset rmargin at screen %.5f\n", at->left / at->width,
          (at->left + at->across) / at->width);
  fprintf(file, "set bmargin at screen %.5f\nset tmargin at screen %.5f\n", (at->bottom + BELOW) / at->height,
          (at->bottom + BELOW + SIDE) / at->height);
  fputs("unset label\nunset arrow\nset label ", file);
  put_text(file, chart->title);
  fprintf(file, " at screen %.5f,%.5f center noenhanced\n", middle, at->title / at->height);
  put_legend(file, content, panel, at);
  put_axis(file, 'x', chart->log_x, chart->x_label, x);
  put_axis(file, 'y', chart->log_y, chart->y_label, y);
  if (chart->value_label != NULL) put_scale(file, content, panel, at);
  fputs(chart->equal_axes && !x.empty ? "set size ratio -1\n" : "set size noratio\n", file);
  if (x.empty)
    fprintf(file, "set label 'no data' at screen %.5f,%.5f center textcolor rgb '#777777'\n", middle,
            (at->bottom + BELOW + 0.5 * SIDE) / at->height);
  put_plot(file, content, panel);
}

/* Panels in the first row and in each further one: up to three side by side are one row. */
static int64_t row_length(int64_t panels) { return panels <= 3 ? panels : panels == 4 ? 2 : 3; }

/* The page, and lines of legend that every panel is given room for. */
static int lay_out(const mms_chart_content *content, double *width, double *row_height) {
  int lines = 0;
  double row_width = 0;
  *width = 0;
  for (int64_t p = 0; p < content->panels; p++) {
    double across = SIDE * aspect_of(content, p);
    int mine = legend_lines(content, p, across);
    if (p % row_length(content->panels) == 0) row_width = 0;
    row_width += LEFT + across + RIGHT + scale_of(content, p);
    *width = fmax(*width, row_width);
    if (mine > lines) lines = mine;
  }
  *row_height = BELOW + SIDE + lines * LEGEND_LINE + ABOVE + TITLE_LINE;
  return lines;
}

void mms_chart_script(FILE *file, mms_chart_format format, const mms_chart_content *content) {
  double width, row_height, edge = 0;
  int lines = lay_out(content, &width, &row_height);
  int64_t length = row_length(content->panels), rows = (content->panels + length - 1) / length;
  frame at = {.width = width, .height = (double)rows * row_height};
  put_terminal(file, format, at.width, at.height);
  fputs("set border 3 lw 1 lc rgb '#444444'\nset tics out nomirror textcolor rgb '#222222'\n"
        "set grid back lt 1 lw 0.6 lc rgb '#E4E4E4'\nunset key\nset samples 2\nset multiplot\n",
        file);
  for (int64_t p = 0; p < content->panels; p++) {
    if (p % length == 0) edge = 0;
    const int64_t below = rows - 1 - p / length;
    at.bottom = (double)below * row_height;
    at.legend_top = at.bottom + BELOW + SIDE + lines * LEGEND_LINE + ABOVE;
    at.title = at.legend_top + 0.5 * TITLE_LINE;
    at.left = edge + LEFT;
    at.across = SIDE * aspect_of(content, p);
    put_panel(file, content, p, &at);
    edge = at.left + at.across + RIGHT + scale_of(content, p);
  }
  fputs("unset multiplot\nunset output\n", file);
}
