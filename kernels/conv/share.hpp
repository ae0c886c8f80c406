// How threads divide a convolution, and where the outputs of a panel go. Plain header.
#pragma once

#include "kernels/conv/packed.hpp"
#include "kernels/epilogue_form.hpp"

namespace intact::kernels {

/// A thread's share: output pixels [pixels), and panels counted over all groups [panels).
struct ConvShare {
  Range pixels, panels;
};

std::int64_t panels_per_group(const ConvBlocking& blocking, const ConvPacking& packing);

/// Divides pixels (in multiples of `pixel_grain`), panels or both, whichever leaves the slowest
/// thread the least to multiply and to read. Late layers have few pixels and much weight: reading a
/// panel twice would cost most there.
ConvShare divide(const ConvShape& shape, const ConvBlocking& blocking, std::int64_t panels,
                 std::int64_t pixel_grain, Part part);

/// The panels of a share in turn.
class PanelWalk {
 public:
  PanelWalk(const ConvBlocking& blocking, const ConvPacking& packing, Range panels);

  bool done() const { return index_ == end_; }
  std::int64_t group() const { return group_; }
  const ConvPanel& panel() const { return panel_; }
  void advance();

 private:
  const ConvBlocking& blocking_;
  const ConvPacking& packing_;
  std::int64_t index_, end_, group_;
  ConvPanel panel_;
};

/// Outputs of a panel from `pixel` and `channel` on, with the bytes of their residual.
EpilogueTarget panel_target(const ConvArgs& args, const ConvBlocking& blocking,
                            const ConvPanel& panel, std::int64_t pixel, std::int64_t channel);

}  // namespace intact::kernels
