// Stored tensors: extents and strides in memory.
#include "engine/program.hpp"

namespace intact {

std::int64_t StoredTensor::channels() const {
  if (shape.empty()) return 1;
  return layout == Layout::channels_last ? shape[1] : shape.back();
}

std::int64_t StoredTensor::rows() const {
  std::int64_t count = 1;
  const std::size_t inner = layout == Layout::channels_last ? 1 : shape.size() - 1;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (i != inner) count *= shape[i];
  return count;
}

std::vector<std::int64_t> StoredTensor::strides() const {
  std::vector<std::int64_t> result(shape.size());
  if (shape.empty()) return result;
  const std::size_t inner = layout == Layout::channels_last ? 1 : shape.size() - 1;
  result[inner] = 1;
  std::int64_t stride = pitch();
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (i == inner) continue;
    result[i] = stride;
    stride *= shape[i];
  }
  return result;
}

namespace {

/// `Chain` is const where `kind` is.
template <class Chain, class Variant>
Chain* find_chain(Variant& kind) {
  return std::visit(
      []<class Kind>(Kind& own) -> Chain* {
        if constexpr (std::is_same_v<std::remove_const_t<Kind>, ActivationMatMulOperation>)
          return &own.product.chain;
        else if constexpr (requires { own.chain; })
          return &own.chain;
        else
          return nullptr;
      },
      kind);
}

}  // namespace

const FloatChain* chain_of(const OperationKind& kind) {
  return find_chain<const FloatChain>(kind);
}
FloatChain* chain_of(OperationKind& kind) {
  return find_chain<FloatChain>(kind);
}

std::int32_t StoredTensor::zero_point() const {
  return stored_zero_point(*grid);
}

bool has_words(const Grid& grid) {
  return grid.type == ElementType::u16 || grid.type == ElementType::s16;
}

ElementType stored_type(const Grid& grid) {
  return has_words(grid) ? ElementType::u16 : ElementType::u8;
}

std::int32_t stored_zero_point(const Grid& grid) {
  return grid.zero_point[0] - lowest(grid.type);
}

std::int32_t stored_highest(const Grid& grid) {
  return has_words(grid) ? 65535 : 255;
}

TensorId Program::root(TensorId id) const {
  while (tensor(id).root != no_tensor) id = tensor(id).root;
  return id;
}

}  // namespace intact
