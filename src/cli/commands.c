#include "cli/command.h"

#include "cli/words.h"

#include <stddef.h>
#include <string.h>

static const mms_command table[] = {
    {"run", mms_command_run, "CONFIG [--section.key=value ...]",
     "make samples: start, or go on if the output folder holds a checkpoint",
     "  --check             read and check everything, print the resolved configuration and the plan, and stop\n"
     "  --fresh             start over; the old output is kept aside, not deleted\n"
     "  --max-hours H       stop in order with a checkpoint before H hours are over\n"
     "  --section.key=value replaces a key of the configuration (mmsold help keys lists them)\n"
     "\n"
     "The result is DIRECTORY/samples.h5. Signals: USR1 writes a checkpoint and goes on; USR2, TERM and INT write one\n"
     "and stop with exit status 75: the same command then goes on.\n"
     "\n"
     "  mpirun -n 2 mmsold run config/fashion.yaml\n"},
    {"prepare", mms_command_prepare, "CONFIG --output FILE.h5 [--section.key=value ...]",
     "build the training set once (select, PCA, whiten) and store it",
     "  --output FILE.h5    where to; an existing file is not written over\n"
     "\n"
     "Only the section `training` must be there. FILE.h5 can be a `training.source` afterwards, and `mmsold plot` "
     "draws\n"
     "it.\n"},
    {"evaluate", mms_command_evaluate, "CONFIG --points FILE --output FILE.h5 [--repeats N] [--section.key=value ...]",
     "U, grad U, V and grad V (with standard errors) at given points",
     "  --points FILE       .npy or FILE.h5:/dataset, one point a row, in the sampler's coordinates\n"
     "  --output FILE.h5    where to; an existing file is not written over\n"
     "  --repeats N         average N estimates (default 1); with backend neighbours the standard errors are over "
     "them\n"
     "\n"
     "Only `training` and `score` must be there; sampler.seed (default 0) is the seed of the smoothing.\n"},
    {"density", mms_command_density, "CONFIG [--fresh] [--section.key=value ...]",
     "2-D: tilt, normaliser, density pictures and likelihood of test points at a list of smoothings",
     "  --fresh             keep a density.h5 that is there aside and start over\n"
     "\n"
     "The sections training, score (bandwidth) and density must be there. For each smoothing: the naive law exp(-V), "
     "the\n"
     "tilted law that has the target's moments, their normalisers, the negative log-likelihood (nll) of test points "
     "with\n"
     "standard errors, and which smoothing is best. Results: the table, DIRECTORY/density.h5, density.png and "
     "nll.png.\n"
     "The column \"cut off\" is the share of the mass in the outermost cells, \"cells\" how much log Z changes where "
     "only\n"
     "every other cell is taken.\n"
     "\n"
     "  mpirun -n 2 mmsold density config/paper/circle.yaml\n"},
    {"converge", mms_command_converge, "CONFIG [--section.key=value ...]",
     "a ladder of runs and seeds: distances to the limit, biases, fitted powers, a picture",
     "  --check             print the resolved configuration and the cells with their predicted cost, and stop\n"
     "  --cell N            run cell N alone (1 is the first) and report nothing; the command without it collects\n"
     "  --fresh             start over; the old cells are kept aside, not deleted\n"
     "  --max-hours H       stop in order before H hours are over; the same command goes on\n"
     "  --section.key=value replaces a key of the configuration\n"
     "\n"
     "The section `converge` says which keys take which values. Each combination and seed is an ordinary run in\n"
     "DIRECTORY/cells/NAME, ranks are shared out over them, and what is finished is not run again. The results are\n"
     "printed with 95 % intervals and kept in DIRECTORY/converge.h5 and converge.png.\n"
     "\n"
     "  mpirun -n 2 mmsold converge config/studies/particles.yaml\n"},
    {"classify", NULL, "CONFIG", "minimum expected-cost classifier", ""},
    {"compare", mms_command_compare, "A B [--json] [--sliced]",
     "distances and moment defects between two sets of points",
     "  A                   the generated set: samples.h5, FILE.h5:/dataset, FILE.npy or an IDX file\n"
     "  B                   the reference set: training or target points, in the same coordinates\n"
     "  --json              one JSON object; quantities that do not apply are left out, and it says why\n"
     "  --sliced            the sliced Wasserstein-2 distance alone: quick on large sets\n"
     "  --directions N      random directions of the sliced distance (default 512)\n"
     "  --seed S            of directions and subsets (default 0)\n"
     "\n"
     "Where A are the samples of a run on gaussians, grid or clusters, the particles in every mode are counted and\n"
     "tested against the mixture's weights and the training points' shares.\n"},
    {"info", mms_command_info, "FILE [--verify]", "what a file holds",
     "  --verify            read all of it, so that its checksums are checked\n"
     "\n"
     "FILE is one of ours, any other HDF5 file, a .npy file or an IDX file.\n"},
    {"plot", mms_command_plot, "FILE --output PICTURE [--trace | --curves]",
     "draw samples, a training set, a trace or densities",
     "  --output PICTURE    .png; charts also .pdf and .svg; an existing file is replaced. A chart's numbers go to\n"
     "                      PICTURE.csv beside it\n"
     "  --trace             the trace of a run instead of its samples\n"
     "  --curves            of a density.h5: likelihood over smoothing instead of the densities\n"
     "\n"
     "Images become a sheet: real ones, the same through PCA and back, generated ones, and under these each one's\n"
     "nearest training image (smallest distance in the data's own coordinates, that is in pixels). Pixels outside\n"
     "[0, 1] are clipped in the picture only. Points in the plane become a scatter chart. The real points are read\n"
     "again from the source that the file's configuration names, seen from the current folder.\n"},
    {"help", mms_command_help, "[COMMAND | keys [--markdown]]",
     "this text, a command's page, or every configuration key", "  --markdown          keys as a Markdown table\n"},
    {"version", mms_command_version, "", "version, commit, libraries with versions (also --version)", ""},
    {0}};

const mms_command *mms_commands(void) { return table; }

const mms_command *mms_command_find(const char *name) {
  for (const mms_command *command = table; command->name != NULL; command++)
    if (strcmp(command->name, name) == 0) return command;
  return NULL;
}

const char *mms_command_nearest(const char *name) {
  const char *names[sizeof table / sizeof table[0]];
  int count = 0;
  for (const mms_command *command = table; command->name != NULL; command++) names[count++] = command->name;
  return mms_words_nearest(name, names, count);
}

bool mms_cli_speaks(const mms_cli *cli) { return mms_team_rank(cli->team) == 0; }

mms_status mms_cli_agree(const mms_cli *cli, mms_status mine, mms_error *error) {
  return mms_team_agree(cli->team, mine, error);
}
