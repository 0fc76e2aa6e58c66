/* Stand-ins that the linker (--wrap) puts before the functions our objects call. CMake reads their names from the lines
 * that begin with WRAP or define a __wrap_ function, so each stands on one. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <hdf5.h>
#include <lapacke.h>
#include <locale.h>
#include <mpi.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <yaml.h>

fault_plan fault;

enum { OWN_FRAMES = 3 }; /* note_callers, hits and the stand-in */

/* Notes this call if none came along the same callers before. FNV-1a over the return addresses. */
__attribute__((noinline)) static void note_callers(void) {
  static uint64_t seen[FAULT_PLACES];
  void *callers[64];
  const int most = OWN_FRAMES + fault.callers, depth = backtrace(callers, most < 64 ? most : 64);
  uint64_t sum = 0xcbf29ce484222325u;
  for (int i = OWN_FRAMES; i < depth; i++) sum = (sum ^ (uint64_t)(uintptr_t)callers[i]) * 0x100000001b3u;
  for (int i = 0; i < fault.place_count; i++)
    if (seen[i] == sum) return;
  if (fault.place_count == FAULT_PLACES) return;
  seen[fault.place_count] = sum;
  fault.places[fault.place_count++] = fault.count;
}

__attribute__((noinline)) static bool hits(fault_kind kind, const char *name) {
  if (!fault.armed || (fault.only != NULL ? strcmp(fault.only, name) != 0 : fault.kind != kind)) return false;
  fault.count++;
  if (fault.places != NULL) note_callers();
  const bool again = fault.lasting && fault.failed != NULL && strcmp(fault.failed, name) == 0;
  if (fault.count != fault.at && !again) return false;
  fault.failed = name;
  if (fault.plant == PLANT_CRASH) raise(SIGSEGV);
  while (fault.plant == PLANT_HANG) pause();
  return true;
}

/* clang-format off */
#define WRAP(kind, type, name, parameters, arguments, failure) \
  type __real_##name parameters; type __wrap_##name parameters; \
  type __wrap_##name parameters { if (hits(kind, #name)) { failure; } return __real_##name arguments; }
/* A call the other ranks take part in. */
#define JOIN(name, arguments) if (fault.together) (void)!__real_##name arguments; return -1
#define NO(code, value) errno = code; return value
/* What a caller that does not look at its status would make of it. */
#define LIE(value) if (fault.plant == PLANT_LIE) { fault.armed = false; return value; }

WRAP(FAULT_MEMORY, void *, malloc, (size_t n), (n), NO(ENOMEM, NULL))
WRAP(FAULT_MEMORY, void *, calloc, (size_t n, size_t m), (n, m), NO(ENOMEM, NULL))
WRAP(FAULT_MEMORY, void *, realloc, (void *p, size_t n), (p, n), NO(ENOMEM, NULL))
WRAP(FAULT_MEMORY, void *, aligned_alloc, (size_t a, size_t n), (a, n), NO(ENOMEM, NULL))

WRAP(FAULT_SYSTEM, ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o), NO(ENOSPC, -1))
WRAP(FAULT_SYSTEM, ssize_t, pread, (int f, void *b, size_t n, off_t o), (f, b, n, o), NO(EIO, -1))
WRAP(FAULT_SYSTEM, int, fsync, (int f), (f), NO(EIO, -1))
WRAP(FAULT_SYSTEM, int, ftruncate, (int f, off_t n), (f, n), NO(EIO, -1))
WRAP(FAULT_SYSTEM, int, fallocate, (int f, int m, off_t o, off_t n), (f, m, o, n), NO(EDQUOT, -1))
WRAP(FAULT_SYSTEM, int, close, (int f), (f), (void)__real_close(f); NO(EIO, -1))
WRAP(FAULT_SYSTEM, int, rename, (const char *a, const char *b), (a, b), LIE(0) NO(EACCES, -1))
WRAP(FAULT_SYSTEM, int, unlink, (const char *a), (a), NO(EACCES, -1))
WRAP(FAULT_SYSTEM, int, mkdir, (const char *a, mode_t m), (a, m), NO(ENOSPC, -1))
WRAP(FAULT_SYSTEM, int, access, (const char *a, int m), (a, m), NO(EACCES, -1))
WRAP(FAULT_SYSTEM, int, stat, (const char *a, struct stat *s), (a, s), NO(EIO, -1))
WRAP(FAULT_SYSTEM, int, lstat, (const char *a, struct stat *s), (a, s), NO(EIO, -1))
WRAP(FAULT_SYSTEM, int, fstat, (int f, struct stat *s), (f, s), NO(EIO, -1))
WRAP(FAULT_SYSTEM, FILE *, fopen, (const char *a, const char *m), (a, m), NO(EMFILE, NULL))
WRAP(FAULT_SYSTEM, DIR *, opendir, (const char *a), (a), NO(EMFILE, NULL))
WRAP(FAULT_SYSTEM, struct dirent *, readdir, (DIR *d), (d), NO(EIO, NULL))
WRAP(FAULT_SYSTEM, int, unlinkat, (int d, const char *a, int f), (d, a, f), NO(EACCES, -1))
WRAP(FAULT_SYSTEM, ssize_t, read, (int f, void *b, size_t n), (f, b, n), NO(EIO, -1))
WRAP(FAULT_SYSTEM, size_t, fread, (void *b, size_t s, size_t n, FILE *f), (b, s, n, f), fault.stream_broken = true; NO(EIO, 0))
WRAP(FAULT_SYSTEM, int, fseeko, (FILE *f, off_t o, int w), (f, o, w), NO(EIO, -1))
/* Says what fread's stand-in did; never fails by itself. */
int __real_ferror(FILE *stream); int __wrap_ferror(FILE *stream);
int __wrap_ferror(FILE *stream) { return fault.stream_broken || __real_ferror(stream); }
WRAP(FAULT_SYSTEM, int, fclose, (FILE *f), (f), (void)__real_fclose(f); NO(EIO, EOF))
WRAP(FAULT_SYSTEM, int, statvfs, (const char *a, struct statvfs *s), (a, s), NO(EIO, -1))
WRAP(FAULT_SYSTEM, int, gethostname, (char *a, size_t n), (a, n), NO(ENAMETOOLONG, -1))
WRAP(FAULT_SYSTEM, locale_t, newlocale, (int m, const char *a, locale_t l), (m, a, l), NO(ENOMEM, (locale_t)0))
#define OPEN_MODE(flags, mode) va_list more; va_start(more, flags); mode_t mode = (flags) & O_CREAT ? va_arg(more, mode_t) : 0; va_end(more)
int __real_open(const char *path, int flags, ...); int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) { OPEN_MODE(flags, mode); if (hits(FAULT_SYSTEM, "open")) { NO(EMFILE, -1); } return __real_open(path, flags, mode); }

/* A lock that cannot be had because the file system has none. */
int __real_fcntl(int descriptor, int command, ...); int __wrap_fcntl(int descriptor, int command, ...);
int __wrap_fcntl(int descriptor, int command, ...) { va_list more; va_start(more, command); void *argument = va_arg(more, void *); va_end(more); if (hits(FAULT_SYSTEM, "fcntl")) { NO(ENOLCK, -1); } return __real_fcntl(descriptor, command, argument); }

WRAP(FAULT_LIBRARY, int, yaml_parser_initialize, (yaml_parser_t *p), (p), return 0)
WRAP(FAULT_LIBRARY, int, yaml_parser_parse, (yaml_parser_t *p, yaml_event_t *e), (p, e), memset(e, 0, sizeof *e); p->error = YAML_MEMORY_ERROR; return 0)
WRAP(FAULT_LIBRARY, lapack_int, LAPACKE_dpotrf_work, (int m, char u, lapack_int n, double *a, lapack_int l), (m, u, n, a, l), return LAPACK_WORK_MEMORY_ERROR)
WRAP(FAULT_LIBRARY, int, mms_small_cholesky, (int n, int l, double *a), (n, l, a), return n) /* as of last bits of another processor */
WRAP(FAULT_LIBRARY, lapack_int, LAPACKE_dtrcon_work, (int m, char o, char u, char d, lapack_int n, const double *a, lapack_int l, double *r, double *w, lapack_int *i), (m, o, u, d, n, a, l, r, w, i), return LAPACK_WORK_MEMORY_ERROR)
WRAP(FAULT_LIBRARY, lapack_int, LAPACKE_dsyevd_work, (int m, char j, char u, lapack_int n, double *a, lapack_int l, double *w, double *k, lapack_int s, lapack_int *i, lapack_int t), (m, j, u, n, a, l, w, k, s, i, t), return LAPACK_WORK_MEMORY_ERROR)

WRAP(FAULT_HDF5, hid_t, H5Fopen, (const char *a, unsigned f, hid_t p), (a, f, p), JOIN(H5Fopen, (a, f, p)))
WRAP(FAULT_HDF5, herr_t, H5Fclose, (hid_t f), (f), (void)__real_H5Fclose(f); return -1)
WRAP(FAULT_HDF5, herr_t, H5Fflush, (hid_t f, H5F_scope_t s), (f, s), JOIN(H5Fflush, (f, s)))
WRAP(FAULT_HDF5, htri_t, H5Fis_hdf5, (const char *a), (a), return -1)
WRAP(FAULT_HDF5, hid_t, H5Pcreate, (hid_t c), (c), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_chunk, (hid_t p, int n, const hsize_t *d), (p, n, d), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_chunk_cache, (hid_t p, size_t n, size_t b, double w), (p, n, b, w), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_dxpl_mpio, (hid_t p, H5FD_mpio_xfer_t m), (p, m), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_fapl_mpio, (hid_t p, MPI_Comm c, MPI_Info i), (p, c, i), JOIN(H5Pset_fapl_mpio, (p, c, i)))
WRAP(FAULT_HDF5, herr_t, H5Pset_fclose_degree, (hid_t p, H5F_close_degree_t d), (p, d), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_file_locking, (hid_t p, hbool_t a, hbool_t b), (p, a, b), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_fletcher32, (hid_t p), (p), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_layout, (hid_t p, H5D_layout_t l), (p, l), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_libver_bounds, (hid_t p, H5F_libver_t a, H5F_libver_t b), (p, a, b), return -1)
WRAP(FAULT_HDF5, herr_t, H5Pset_obj_track_times, (hid_t p, hbool_t t), (p, t), return -1)
WRAP(FAULT_HDF5, hid_t, H5Screate, (H5S_class_t c), (c), return -1)
WRAP(FAULT_HDF5, hid_t, H5Screate_simple, (int n, const hsize_t *d, const hsize_t *m), (n, d, m), return -1)
WRAP(FAULT_HDF5, int, H5Sget_simple_extent_dims, (hid_t s, hsize_t *d, hsize_t *m), (s, d, m), return -1)
WRAP(FAULT_HDF5, hssize_t, H5Sget_simple_extent_npoints, (hid_t s), (s), return -1)
WRAP(FAULT_HDF5, herr_t, H5Sselect_hyperslab, (hid_t s, H5S_seloper_t o, const hsize_t *a, const hsize_t *b, const hsize_t *c, const hsize_t *d), (s, o, a, b, c, d), return -1)
WRAP(FAULT_HDF5, herr_t, H5Sselect_none, (hid_t s), (s), return -1)
WRAP(FAULT_HDF5, hid_t, H5Tcopy, (hid_t t), (t), return -1)
WRAP(FAULT_HDF5, herr_t, H5Tset_size, (hid_t t, size_t n), (t, n), return -1)
WRAP(FAULT_HDF5, herr_t, H5Tset_cset, (hid_t t, H5T_cset_t c), (t, c), return -1)
WRAP(FAULT_HDF5, hid_t, H5Gcreate2, (hid_t f, const char *a, hid_t l, hid_t c, hid_t x), (f, a, l, c, x), JOIN(H5Gcreate2, (f, a, l, c, x)))
WRAP(FAULT_HDF5, hid_t, H5Dcreate2, (hid_t f, const char *a, hid_t t, hid_t s, hid_t l, hid_t c, hid_t x), (f, a, t, s, l, c, x), JOIN(H5Dcreate2, (f, a, t, s, l, c, x)))
WRAP(FAULT_HDF5, hid_t, H5Dopen2, (hid_t f, const char *a, hid_t x), (f, a, x), return -1)
WRAP(FAULT_HDF5, hid_t, H5Dget_space, (hid_t d), (d), return -1)
WRAP(FAULT_HDF5, hid_t, H5Dget_type, (hid_t d), (d), return -1)
WRAP(FAULT_HDF5, herr_t, H5Dread, (hid_t d, hid_t t, hid_t m, hid_t s, hid_t p, void *b), (d, t, m, s, p, b), return -1)
WRAP(FAULT_HDF5, herr_t, H5Dwrite, (hid_t d, hid_t t, hid_t m, hid_t s, hid_t p, const void *b), (d, t, m, s, p, b), JOIN(H5Dwrite, (d, t, m, s, p, b)))
WRAP(FAULT_HDF5, htri_t, H5Lexists, (hid_t f, const char *a, hid_t p), (f, a, p), return -1)
WRAP(FAULT_HDF5, hid_t, H5Oopen, (hid_t f, const char *a, hid_t p), (f, a, p), return -1)
WRAP(FAULT_HDF5, htri_t, H5Oexists_by_name, (hid_t f, const char *a, hid_t p), (f, a, p), return -1)
WRAP(FAULT_HDF5, hid_t, H5Acreate2, (hid_t f, const char *a, hid_t t, hid_t s, hid_t c, hid_t x), (f, a, t, s, c, x), JOIN(H5Acreate2, (f, a, t, s, c, x)))
WRAP(FAULT_HDF5, herr_t, H5Awrite, (hid_t a, hid_t t, const void *b), (a, t, b), JOIN(H5Awrite, (a, t, b)))
WRAP(FAULT_HDF5, herr_t, H5Aread, (hid_t a, hid_t t, void *b), (a, t, b), return -1)
WRAP(FAULT_HDF5, htri_t, H5Aexists_by_name, (hid_t f, const char *o, const char *a, hid_t p), (f, o, a, p), return -1)
WRAP(FAULT_HDF5, hid_t, H5Aopen_by_name, (hid_t f, const char *o, const char *a, hid_t p, hid_t q), (f, o, a, p, q), return -1)
WRAP(FAULT_HDF5, hid_t, H5Aget_type, (hid_t a), (a), return -1)
WRAP(FAULT_HDF5, hid_t, H5Aget_space, (hid_t a), (a), return -1)
WRAP(FAULT_HDF5, herr_t, H5Oget_info_by_name2, (hid_t f, const char *a, H5O_info_t *i, unsigned w, hid_t p), (f, a, i, w, p), return -1)
WRAP(FAULT_HDF5, hid_t, H5Dget_create_plist, (hid_t d), (d), return -1)
WRAP(FAULT_HDF5, hsize_t, H5Dget_storage_size, (hid_t d), (d), return 0)
WRAP(FAULT_HDF5, H5D_layout_t, H5Pget_layout, (hid_t p), (p), return H5D_LAYOUT_ERROR)
WRAP(FAULT_HDF5, int, H5Pget_chunk, (hid_t p, int n, hsize_t *d), (p, n, d), return -1)
WRAP(FAULT_HDF5, int, H5Pget_external_count, (hid_t p), (p), return -1)
WRAP(FAULT_HDF5, H5S_class_t, H5Sget_simple_extent_type, (hid_t s), (s), return H5S_NO_CLASS)
WRAP(FAULT_HDF5, H5T_class_t, H5Tget_class, (hid_t t), (t), return H5T_NO_CLASS)
WRAP(FAULT_HDF5, size_t, H5Tget_size, (hid_t t), (t), return 0)
WRAP(FAULT_HDF5, htri_t, H5Tis_variable_str, (hid_t t), (t), return -1)
WRAP(FAULT_HDF5, herr_t, H5Dclose, (hid_t d), (d), (void)__real_H5Dclose(d); return -1)
WRAP(FAULT_HDF5, herr_t, H5Aclose, (hid_t d), (d), (void)__real_H5Aclose(d); return -1)
WRAP(FAULT_HDF5, herr_t, H5Gclose, (hid_t d), (d), (void)__real_H5Gclose(d); return -1)
WRAP(FAULT_HDF5, herr_t, H5Oclose, (hid_t d), (d), (void)__real_H5Oclose(d); return -1)
WRAP(FAULT_HDF5, herr_t, H5Pclose, (hid_t d), (d), (void)__real_H5Pclose(d); return -1)
WRAP(FAULT_HDF5, herr_t, H5Sclose, (hid_t d), (d), (void)__real_H5Sclose(d); return -1)
WRAP(FAULT_HDF5, herr_t, H5Tclose, (hid_t d), (d), (void)__real_H5Tclose(d); return -1)

/* What MPI does where it fails: the communicator's own error function is called. */
#define BROKEN(comm) MPI_Comm_call_errhandler(comm, MPI_ERR_OTHER); return MPI_ERR_OTHER
WRAP(FAULT_MPI, int, MPI_Allgather, (const void *a, int n, MPI_Datatype t, void *b, int m, MPI_Datatype u, MPI_Comm c), (a, n, t, b, m, u, c), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Allreduce, (const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c), (a, b, n, t, o, c), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Barrier, (MPI_Comm c), (c), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Bcast, (void *a, int n, MPI_Datatype t, int r, MPI_Comm c), (a, n, t, r, c), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Gather, (const void *a, int n, MPI_Datatype t, void *b, int m, MPI_Datatype u, int r, MPI_Comm c), (a, n, t, b, m, u, r, c), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Comm_dup, (MPI_Comm c, MPI_Comm *d), (c, d), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Comm_rank, (MPI_Comm c, int *r), (c, r), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Comm_size, (MPI_Comm c, int *r), (c, r), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Comm_split, (MPI_Comm c, int k, int l, MPI_Comm *d), (c, k, l, d), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Comm_split_type, (MPI_Comm c, int k, int l, MPI_Info i, MPI_Comm *d), (c, k, l, i, d), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Comm_free, (MPI_Comm *c), (c), BROKEN(*c))
WRAP(FAULT_MPI, int, MPI_Op_create, (MPI_User_function *f, int n, MPI_Op *o), (f, n, o), BROKEN(MPI_COMM_WORLD))
WRAP(FAULT_MPI, int, MPI_Op_free, (MPI_Op *o), (o), BROKEN(MPI_COMM_WORLD))
WRAP(FAULT_MPI, int, MPI_Win_create_errhandler, (MPI_Win_errhandler_function *f, MPI_Errhandler *h), (f, h), BROKEN(MPI_COMM_WORLD))
WRAP(FAULT_MPI, int, MPI_Comm_get_errhandler, (MPI_Comm c, MPI_Errhandler *h), (c, h), BROKEN(c))
WRAP(FAULT_MPI, int, MPI_Errhandler_free, (MPI_Errhandler *h), (h), BROKEN(MPI_COMM_WORLD))
/* A window that is refused is a status; one that was had and breaks is an end like the others. */
WRAP(FAULT_MPI, int, MPI_Win_allocate_shared, (MPI_Aint n, int u, MPI_Info i, MPI_Comm c, void *b, MPI_Win *w), (n, u, i, c, b, w), if (fault.together) (void)!__real_MPI_Win_allocate_shared(n, u, i, c, b, w); BROKEN(c))
#define BROKEN_WINDOW(win) MPI_Win_call_errhandler(win, MPI_ERR_OTHER); return MPI_ERR_OTHER
WRAP(FAULT_MPI, int, MPI_Win_shared_query, (MPI_Win w, int r, MPI_Aint *n, int *u, void *b), (w, r, n, u, b), BROKEN_WINDOW(w))
WRAP(FAULT_MPI, int, MPI_Win_lock_all, (int a, MPI_Win w), (a, w), BROKEN_WINDOW(w))
WRAP(FAULT_MPI, int, MPI_Win_unlock_all, (MPI_Win w), (w), BROKEN_WINDOW(w))
WRAP(FAULT_MPI, int, MPI_Win_sync, (MPI_Win w), (w), BROKEN_WINDOW(w))
WRAP(FAULT_MPI, int, MPI_Win_free, (MPI_Win *w), (w), BROKEN_WINDOW(*w))
