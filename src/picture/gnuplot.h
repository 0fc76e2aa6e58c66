/* Running gnuplot. Private. */
#ifndef PICTURE_GNUPLOT_H
#define PICTURE_GNUPLOT_H

#include "mmsold/base/status.h"

/* Run the script file with ARG1 = data and ARG2 = output, without a shell; what it says on a failure ends in
 * the message. MMS_ERR_SYSTEM where gnuplot is missing (with the package's name) or fails. Local. */
mms_status mms_gnuplot_run(const char *script, const char *data, const char *output, mms_error *error);

#endif
