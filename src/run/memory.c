#include "run/memory.h"

#include "mmsold/base/memory.h"
#include "run/session.h"
#include <math.h>

static const double mebibyte = 1024.0 * 1024.0;

/* HDF5's and MPI-IO's code and tables, touched when the first file is written (Debian 12, 1 and 2 ranks). */
static const double code_of_files = 4.5 * 1024.0 * 1024.0;

void mms_memory_watch_begin(mms_memory_watch *watch) {
  const mms_memory_use now = mms_memory_use_read();
  *watch = (mms_memory_watch){.last = now, .libraries = now.share, .most = now.share};
}

/* Between two looks the largest resident size is known where it rose, and not how much of it was shared. When a run is
 * prepared a node's first rank fills shared memory before the others touch it, so all of that was its own then; the
 * others find pages that are shared already, and so do all in steps, which reduce each other's sums. */
void mms_memory_watch_look(mms_memory_watch *watch, const mms_team *team, bool preparing) {
  const mms_memory_use now = mms_memory_use_read(), before = watch->last;
  watch->last = now;
  watch->most = fmax(watch->most, now.share);
  if (now.most <= before.most) return;
  double most = before.share + (now.most - before.resident);
  if (!preparing || mms_team_node_rank(team) != 0)
    most -= fmax(0.0, now.shared - before.shared) * (1.0 - 1.0 / (double)mms_team_node_size(team));
  watch->most = fmax(watch->most, most);
}

/* A checkpoint's piece stands there as doubles, as what is stored, and in HDF5's chunks. Samples are decoded in pieces
 * of their own, from a block's positions beside them. */
double mms_memory_of_files(int64_t rows, int64_t block, int64_t dim, int64_t data_dim, int64_t bytes) {
  const double checkpoint = 3.0 * fmin(8.0 * (double)rows * (double)dim, (double)MMS_H5_PIECE_BYTES);
  const int64_t chunk = mms_output_rows(rows, block, data_dim);
  const double samples = 8.0 * (double)(block * dim) + (double)chunk * (8.0 + 2.0 * (double)bytes) * (double)data_dim;
  const double latent = 3.0 * 8.0 * (double)chunk * (double)dim;
  return code_of_files + fmax(checkpoint, fmax(samples, latent));
}

mms_status mms_memory_describe(const mms_memory_watch *watch, const mms_team *team, double files, char **text,
                               mms_error *error) {
  const double writing = watch->last.share + files, peak = fmax(watch->most, writing);
  double largest[] = {peak, watch->libraries, watch->most, watch->last.share, writing};
  int64_t all = (int64_t)peak;
  mms_team_max_double(team, largest, 5);
  mms_team_sum_int64(team, &all, 1);
  if (watch->last.share == 0.0) return mms_copy_text(text, "", error);
  return mms_format_text(text, error,
                         "peak       about %.1f MiB on the largest rank, %.1f MiB on all together, shared pages "
                         "counted once (libraries %.1f, most so far %.1f, now %.1f, while files are written %.1f)",
                         largest[0] / mebibyte, (double)all / mebibyte, largest[1] / mebibyte, largest[2] / mebibyte,
                         largest[3] / mebibyte, largest[4] / mebibyte);
}
