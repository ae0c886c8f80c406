// Blocks and tensors by key.
#include "engine/weight_cache.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstdlib>

#include "intact/error.hpp"

namespace intact {
namespace {

/// Address space of a slab; pages that nobody writes to cost nothing. Behind the first few
/// megabytes, which are all that small models need, pages are huge: kernels stream through weights.
constexpr std::size_t slab_bytes = std::size_t{64} << 20, small_pages = std::size_t{4} << 20;

/// Null when the system refuses, because of a limit to the address space for example.
WeightCache::Block map_slab() {
  void* const memory = ::mmap(nullptr, slab_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* const first = static_cast<std::byte*>(memory);
  // Advice: where the system knows no huge pages, it may refuse.
  static_cast<void>(::madvise(first + small_pages, slab_bytes - small_pages, MADV_HUGEPAGE));
  return WeightCache::Block(first, [](std::byte* slab) { ::munmap(slab, slab_bytes); });
}

}  // namespace

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
                                    const std::function<void(void* target)>& fill, Room room) {
  const auto fill_block = [&](Block block) {
    fill(block.get());
    return block;
  };
  if (key.empty()) return fill_block(allocate(bytes));
  const std::lock_guard lock(mutex_);
  Block& block = blocks_[key];
  if (!block) block = fill_block(room == Room::filled ? place(bytes) : allocate(bytes));
  return block;
}

WeightCache::Block WeightCache::place(std::size_t bytes) {
  if (bytes > slab_bytes / 2) return allocate(bytes);
  const std::size_t rounded = (bytes + 63) / 64 * 64;
  if (!slab_ || rounded > slab_bytes - slab_used_) {
    slab_ = map_slab();
    slab_used_ = 0;
    if (!slab_) return allocate(bytes);
  }
  Block block(slab_, slab_.get() + slab_used_);
  slab_used_ += rounded;
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
