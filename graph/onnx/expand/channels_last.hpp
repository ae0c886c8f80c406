// Images with the channels at the end ([N, H, W, C]): the standard operator between two Transposes.
#pragma once

#include "graph/onnx/expand/expansion.hpp"

namespace intact {

/// An image operand of a node whose channels may come last; the operator in between reads and
/// writes channels-first tensors. Nodes that follow each other meet without a Transpose.
class ImageLayout {
 public:
  /// `rank` of the image: needed when the channels come last.
  ImageLayout(Expansion& expansion, bool channels_last, int rank)
      : expansion_(expansion), channels_last_(channels_last), rank_(rank) {}

  /// For an operator that works in any order of axes, on these operands: channels first where the
  /// images among them have been that before, so that no Transpose comes in between.
  static ImageLayout following(Expansion& expansion, const std::vector<std::size_t>& operands);

  /// Where an axis of the file's images lies in those that are read and given.
  std::int64_t axis(std::int64_t in_file) const;

  ValueId read(ValueId image);
  /// Output i of the file's node is this channels-first image.
  void give(std::size_t i, ValueId image);

 private:
  Expansion& expansion_;
  bool channels_last_, single_constants_ = false;
  int rank_;
};

/// The attribute channels_last of com.microsoft operators.
inline bool is_channels_last(const Expansion& expansion) {
  return expansion.node().attributes.integer("channels_last", 0) != 0;
}

}  // namespace intact
