// Blocks and tensors by key.
#include "engine/weight_cache.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "intact/error.hpp"

namespace intact {

void WeightCache::know(const Graph& graph) {
  for (const Value& value : graph.values)
    if (value.is_constant() && value.constant.raw() != nullptr) known_.insert(value.constant.raw());
  for (const Node& node : graph.nodes)
    for (const auto& [attribute, subgraph] : node.subgraphs()) know(*subgraph);
}

std::string WeightCache::identity(const Tensor& constant) const {
  const std::lock_guard lock(mutex_);
  if (!known_.contains(constant.raw())) return "";
  return fmt::format("{}/{}/{}", constant.raw(), element_name(constant.type()),
                     to_string(constant.shape()));
}

WeightCache::Block WeightCache::get(const std::string& key, std::size_t bytes,
                                    const std::function<void(void* target)>& fill) {
  const auto make = [&] {
    Block block = allocate(bytes);
    fill(block.get());
    return block;
  };
  if (key.empty()) return make();
  const std::lock_guard lock(mutex_);
  Block& block = blocks_[key];
  if (!block) block = make();
  return block;
}

Tensor WeightCache::tensor(const std::string& key, const std::function<Tensor()>& make) {
  if (key.empty()) return make();
  const std::lock_guard lock(mutex_);
  Tensor& tensor = tensors_[key];
  if (!tensor.defined()) {
    tensor = make();
    if (tensor.raw() != nullptr) known_.insert(tensor.raw());
  }
  return tensor;
}

WeightCache::Block WeightCache::allocate(std::size_t bytes) {
  const std::size_t rounded = (bytes + 127) / 64 * 64;
  void* memory = std::aligned_alloc(64, rounded);
  if (memory == nullptr) throw Error(fmt::format("no memory for {} bytes", bytes));
  return Block(static_cast<std::byte*>(memory), std::free);
}

void extend_key(std::string& key, std::string_view text) {
  if (!key.empty()) key.append("/").append(text);
}

ProductWeights ProductWeights::rearranged(std::string_view form,
                                          std::function<Values(Values)> order) const {
  std::string identity = identity_;
  extend_key(identity, form);
  return {std::move(identity), [make = make_, order = std::move(order)] { return order(make()); }};
}

}  // namespace intact
