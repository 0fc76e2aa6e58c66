/* Compiled once per instruction set; MMS_KERNEL_SUFFIX names it and MMS_KERNEL_TABLE is the symbol. */
#include "field/kernels/bfloat.h"
#include "field/kernels/cells.h"
#include "field/kernels/cloud.h"
#include "field/kernels/listed.h"
#include "field/kernels/screen.h"
#include "field/kernels/softmax.h"
#include "field/kernels/tree.h"
#include "field/kernels/tree_pairs.h"
#include "field/kernels/tree_softmax.h"

extern const mms_field_kernel_table MMS_KERNEL_TABLE;
const mms_field_kernel_table MMS_KERNEL_TABLE = {
    .name = MMS_KERNEL_SUFFIX,
    .scores = scores,
    .select = select_points,
    .reached = reached,
    .list = list_points,
    .keep = keep_points,
    .subtract = subtract,
    .screen = screen,
    .square = square,
    .bfloat_fast = BFLOAT_FAST,
    .bfloat_row = bfloat_row,
    .bfloat_product = bfloat_product,
    .listed_products = listed_products,
    .load_columns = load_columns,
    .load_rows = load_rows,
    .product_columns = product_columns,
    .product_rows = product_rows,
    .largest = largest,
    .exponentials = exponentials,
    .weights = weights,
    .softmax_pair = softmax_pair,
    .tops_of_one = tops_of_one,
    .product_of_one_point = product_of_one_point,
    .gather_columns = gather_columns,
    .gather_rows = gather_rows,
    .tree_nearest_box = tree_nearest_box,
    .tree_boxes_within = tree_boxes_within,
    .tree_seed = tree_seed,
    .tree_collect = tree_collect,
    .tree_reach = tree_reach,
    .tree_close = tree_close,
    .tree_begin = tree_begin,
    .tree_tops = tree_tops,
    .tree_add = tree_add,
    .tree_end = tree_end,
    .tree_pairs = tree_pairs,
    .cloud_nearest = cloud_nearest,
    .cloud_select = cloud_select,
    .cloud_weights = cloud_weights,
    .cloud_masses = cloud_masses,
    .cloud_moments = cloud_moments,
    .cells_row = cells_row,
};
