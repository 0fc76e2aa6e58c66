/* The choices of `auto` between tree and dense, and between the screens of a product, from what a few particles see of
 * the training set: counts, never times, so that it is the same wherever and whenever it is made. */
#ifndef FIELD_CHOOSE_H
#define FIELD_CHOOSE_H

#include "field/screen_points.h"
#include "mmsold/field/field.h"

/* Points of the training set by a particle, on average. */
typedef struct mms_choice_counts {
  double one;      /* with weight in one draw */
  double together; /* with weight in some draw */
  double ball;     /* in a ball about the particle that holds all of these */
  double pairs;    /* no points: the share of the particles whose draws the tree would work on as antithetic pairs */
} mms_choice_counts;

/* Up to this dimension the tree, whatever else; beyond the other one dense. */
enum { MMS_CHOICE_TREE = 4, MMS_CHOICE_DENSE = 32 };

/* Of some particles placed as a run's are at the start, with some of their draws (`pairs` of them, smoothing > 0, or
 * none). Over the whole of a replicated set, or every so many of a large one. Local; allocates. */
mms_status mms_choice_count(mms_choice_counts *counts, const mms_training *training, double bandwidth, double smoothing,
                            int64_t pairs, mms_error *error);

/* The rule: is the tree the faster one for n points in dim dimensions and so many draws? Local. */
bool mms_choice_tree(int64_t n, int64_t dim, int64_t draws, const mms_choice_counts *counts);

/* --- bfloat16 or single precision ---------------------------------------------------------- */

/* Points of a particle that each screen leaves to double precision, on average: to the finish, or, where K nearest are
 * looked for, to the comparison of distances; and how often, over all its draws, a point clears the margin of bfloat16
 * and has to be looked at by itself. */
typedef struct mms_choice_screen_counts {
  double brief, single, listed;
} mms_choice_screen_counts;

/* With more listed than this, beyond the K nearest, a list of the search may run over. */
enum { MMS_CHOICE_LISTED = 384 };

/* Of a few particles as above, `pairs` draws each, or none. The same counts for a replicated and a partitioned set, on
 * all ranks. Collective; agreed. */
mms_status mms_choice_screen_count(mms_choice_screen_counts *counts, const mms_team *team, const mms_training *training,
                                   const mms_score_options *score, int64_t pairs, mms_error *error);
/* The rule: is bfloat16 the faster one? Local. */
bool mms_choice_bfloat(const mms_training *training, const mms_score_options *score, int64_t pairs,
                       const mms_choice_screen_counts *counts);
/* The screen of a product over this set: by the rule where every rank's processor has tiles, or what MMSOLD_SCREEN
 * ("single", "bfloat16") in any rank's environment says; its name, with the reason. Collective; agreed. */
mms_status mms_choice_screen(mms_screen *screen, const mms_team *team, const mms_training *training,
                             const mms_score_options *score, int64_t pairs, char *name, size_t size, mms_error *error);

#endif
