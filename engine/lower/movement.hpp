// What the files of moving operators share: reading the stored tensor as it lies, and an output of
// the same form.
#pragma once

#include "engine/lower/lowering.hpp"
#include "graph/ops/resize.hpp"

namespace intact {

/// The stored tensor that a moving operator reads, whatever its layout: bytes of a grid that the
/// output shares, else its own type.
TensorId moved(Lowering& lowering, const Node& node, std::size_t input);
/// The node's first output stored as `source` is (type, and grid of bytes), in the plain layout.
StoredTensor output_like(const Lowering& lowering, const Node& node, const StoredTensor& source);
/// Adds `tensor` to the program as the stored form of the node's first output.
TensorId add_moved(Lowering& lowering, const Node& node, StoredTensor tensor);

/// What a Resize computes along each axis, by the definition's own coordinates; absent when scales,
/// sizes or roi are computed.
std::optional<std::vector<ResizeAxis>> constant_resize_axes(const Lowering& lowering,
                                                            const Node& node);

/// Operators whose output is one strided copy of the input, seen with more axes than it has:
/// DepthToSpace, SpaceToDepth, Expand, Tile, Gather and Resize to the nearest. In rearrange.cpp.
bool lower_rearrange(Lowering& lowering, const Node& node);

}  // namespace intact
