/* mmsold: training-free generative sampling by interacting particles. Include this one. */
#ifndef MMSOLD_MMSOLD_H
#define MMSOLD_MMSOLD_H

#include "mmsold/base/version.h"
#include "mmsold/dynamics/dynamics.h"
#include "mmsold/ensemble/ensemble.h"
#include "mmsold/ensemble/tilt.h"
#include "mmsold/field/field.h"
#include "mmsold/parallel/team.h"
#include "mmsold/run/run.h"
#include "mmsold/study/distances.h"
#include "mmsold/training/training.h"

#endif
