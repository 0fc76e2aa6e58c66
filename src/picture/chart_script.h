/* How a chart looks: the gnuplot script for it. Private. */
#ifndef PICTURE_CHART_SCRIPT_H
#define PICTURE_CHART_SCRIPT_H

#include "mmsold/picture/picture.h"
#include <stdio.h>

typedef enum mms_chart_format { MMS_CHART_NONE, MMS_CHART_PNG, MMS_CHART_PDF, MMS_CHART_SVG } mms_chart_format;

/* The format that the name's suffix asks for. Local. */
mms_chart_format mms_chart_format_of(const char *path);

/* Columns of a series: x, y and, of MMS_MARK_VALUES, the value. Local. */
int64_t mms_chart_columns(const mms_series *series);

typedef struct mms_chart_content {
  const mms_chart *charts; /* [panels] */
  int64_t panels;
  const mms_series *series; /* [series_count] */
  const int64_t *panel_of;  /* [series_count] or NULL */
  int64_t series_count;
} mms_chart_content;

/* Write the script. It reads the rows of ARG1 (x and y in columns 1 and 2 below one line of names, series after
 * series, a value in column 6) and draws into ARG2. Local. */
void mms_chart_script(FILE *file, mms_chart_format format, const mms_chart_content *content);

#endif
