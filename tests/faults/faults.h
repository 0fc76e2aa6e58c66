/* The k-th call of one kind that our own objects make is made to fail. */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdbool.h>

typedef enum fault_kind { FAULT_MEMORY, FAULT_SYSTEM, FAULT_LIBRARY, FAULT_HDF5, FAULT_MPI, FAULT_KINDS } fault_kind;

/* What a stand-in does at its call: fail as the real one can, or (so that whoever judges is seen to judge) do nothing
 * and call it done, crash, or never come back. */
typedef enum fault_plant { PLANT_NONE, PLANT_LIE, PLANT_CRASH, PLANT_HANG } fault_plant;

enum { FAULT_PLACES = 4096 };

typedef struct fault_plan {
  bool armed;
  fault_kind kind;
  const char *only; /* calls of this function alone, whatever its kind; NULL: all of `kind` */
  fault_plant plant;
  long at;            /* the call that fails, from 1 on; 0: none, calls are only counted */
  long count;         /* such calls made while armed */
  bool lasting;       /* later calls of the same function fail too: a disk that stays full */
  bool together;      /* other ranks take part: a collective call is made, and then said to have failed */
  bool stream_broken; /* a read of a stream failed: ferror says so */
  const char *failed; /* the function that was made to fail; NULL: none yet */
  long *places;       /* calls along a chain of callers not seen before are noted here; NULL: they are not */
  int place_count;    /* of at most FAULT_PLACES */
  int callers;        /* the length of such a chain: so many of the innermost */
} fault_plan;

extern fault_plan fault;

#endif
