// Small helpers that operator definitions share: refusing, axes, broadcasting, types.
#pragma once

#include <fmt/format.h>

#include "graph/definition.hpp"
#include "intact/error.hpp"

namespace intact {

/// Throws Error: "<node>: <message>".
template <class... Args>
[[noreturn]] void refuse(const Node& node, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(describe(node) + ": " + fmt::format(text, std::forward<Args>(args)...));
}
/// Throws Unsupported: "<node>: <message>".
template <class... Args>
[[noreturn]] void refuse_unsupported(const Node& node, fmt::format_string<Args...> text,
                                     Args&&... args) {
  throw Unsupported(describe(node) + ": " + fmt::format(text, std::forward<Args>(args)...));
}

/// Throws Error unless there are at least `least` and at most `most` operands, and the first
/// `least` are present.
void check_operands(const Node& node, std::size_t least, std::size_t most);

/// Throws Error unless operand i is present: for operands behind optional ones.
void check_present(const Node& node, std::size_t i);

/// `axis` in [-rank, rank) -> [0, rank); throws Error otherwise.
int normalize_axis(const Node& node, std::int64_t axis, int rank);
/// Each axis normalized; throws Error when one occurs twice.
std::vector<int> normalize_axes(const Node& node, std::span<const std::int64_t> axes, int rank);

/// Numpy's rule; throws Error naming both shapes when they do not fit.
Shape broadcast(const Node& node, const Shape& a, const Shape& b);
/// Steps, in elements, of an operand of shape `from` along the axes of `to`; 0 where it is
/// broadcast.
std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to);

/// The integers (s32 or s64) of an operand of rank 0 or 1; throws Error for other types and ranks.
std::vector<std::int64_t> integers_of(const Node& node, const Tensor& tensor, const char* what);

/// A type with a shape whose number of elements fits into 64 bits; throws Error otherwise.
TensorType sized(const Node& node, ElementType type, Shape shape);

/// Throws Error unless operand i has one of the types.
void check_type(const InferContext& context, std::size_t i,
                std::initializer_list<ElementType> allowed);
/// Throws Error unless operands i and j have the same type.
void check_same_type(const InferContext& context, std::size_t i, std::size_t j);
/// Throws Error when the shape of operand i is known and is not `shape`.
void check_shape(const InferContext& context, std::size_t i, const Shape& shape, const char* what);

/// Operand i of an evaluation, undefined when absent.
inline Tensor operand(const EvalContext& context, std::size_t i) {
  return context.has(i) ? context.inputs[i] : Tensor();
}

/// Product of extents [first, last) of `shape`.
std::int64_t extent_product(const Shape& shape, std::size_t first, std::size_t last);

}  // namespace intact
