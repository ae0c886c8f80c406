// The packed form of a convolution's weights, shared by all kernels that run tiles, and the part of
// its geometry that packing and running must agree on. Plain header.
//
//   header | per channel: multiplier, float_bias, bias, zero_point, sum | a pixel of padding
//   | weights | for tiles that keep rests: what ConvRests points to
//
// weights: [group][panel][tap][k_group][column][4]. A panel is 64, 32 or 16 columns wide; K is
// padded to whole steps within a tap, columns to 16 within a group of channels. The bias includes
// the corrections for the zero points of activations (and of weights, but for the row sums).
#pragma once

#include "kernels/conv/kernels.hpp"

namespace intact::kernels {

/// How a shape is cut into products of matrices.
struct ConvBlocking {
  ConvBlocking(const ConvPacking& packing, const ConvShape& shape);

  /// The pixels of a window's line lie next to each other once lines are copied with their padding,
  /// so a line is one tap of kernel width * channels bytes.
  bool folds_width = false;
  /// Above 1, stride[1]: as many lines are one tap, too. The copies hold stride[2] pixels of the
  /// first line, as many of the next one, and so on; K has that order.
  std::int64_t folded_lines = 1;
  /// Groups with few output channels are joined: zeros in the weights cost less than idle columns.
  std::int64_t groups = 1, group_in = 0, group_out = 0;
  std::int64_t taps = 1;
  std::int64_t tap_bytes = 0;    ///< K of one tap
  std::int64_t steps = 0;        ///< of one tap
  std::int64_t step_groups = 0;  ///< of 4 bytes in one step
  std::int64_t k_groups = 0;     ///< steps * step_groups
  std::int64_t line_bytes = 0;   ///< of a copied line, of shapes that fold their width
  std::int64_t tap_step = 0;     ///< bytes from a tap to the next, where that is the same for all
  std::int64_t padded_out = 0;   ///< group_out rounded up to 16

  std::int64_t column_bytes() const { return taps * k_groups * 4; }
  std::int64_t total_columns() const { return groups * padded_out; }
};

/// Columns [begin, begin + width) of a group, `tile` the index into ConvPacking::widths.
struct ConvPanel {
  std::int64_t begin = 0;
  int width = 0, tile = 0;
};
/// The panel that starts at column `begin` of a group.
ConvPanel panel_at(const ConvBlocking& blocking, const ConvPacking& packing, std::int64_t begin);

struct PackedConvHeader {
  std::int32_t src_zero_point = 0;
  bool has_zero_points = false;
  bool is_constant = false;  ///< and what follows in memory is what later steps read
};
/// The rests of one vector of 8 columns: where they start in the lists of all, and how many runs.
struct PackedRests {
  std::int64_t run = 0, entry = 0;
  std::int32_t run_count = 0;
};
/// Where things lie in packed data; vectors are indexed by group * padded_out + column.
struct PackedConv {
  PackedConv(const ConvPacking& packing, const ConvBlocking& blocking, const ConvShape& shape,
             void* packed);

  PackedConvHeader* header;
  float* multiplier;
  float* float_bias;
  std::int32_t* bias;
  std::int32_t* zero_point;
  std::int32_t* sum;      ///< of w - zero_point: what the bias loses per unit of src_zero_point
  std::uint8_t* padding;  ///< a pixel of src_zero_point, with slack to over-read
  std::int8_t* weights;
  std::int32_t* k_offsets;  ///< per panel of 16 columns, as ConvTile has them
  PackedRests* rests;       ///< per vector of 8 columns; the lists of all, with room for the worst:
  ConvRestRun* rest_runs;
  std::int32_t* rest_offsets;
  std::int8_t* rest_weights;
  std::size_t bytes;
};

std::size_t packed_conv_bytes(const ConvPacking& packing, const ConvShape& shape);
void pack_conv(const ConvPacking& packing, const ConvShape& shape, const ConvWeights& weights,
               void* packed);

/// The same for weights.matrix.
void pack_matrix(const ConvPacking& packing, const ConvShape& shape, const ConvWeights& weights,
                 void* packed);

/// What depends on the grid of the activations, which may be known at run time only.
struct ConvGrid {
  std::int32_t src_zero_point;
  const std::int32_t* bias;
  const float* multiplier;
};
/// As packed, or written to `bias` and `multiplier` ([total_columns] each) as `args` asks.
ConvGrid grid_at_run_time(const PackedConv& packed, const ConvBlocking& blocking,
                          const ConvArgs& args, std::int32_t* bias, float* multiplier);

std::size_t conv_scratch_bytes(const ConvTiles& tiles, const ConvShape& shape);
void run_conv(const ConvTiles& tiles, const ConvShape& shape, const ConvArgs& args, Part part);

}  // namespace intact::kernels
