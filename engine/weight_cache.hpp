// What planning makes of a session's constants, shared by the plans for all shapes: packed weights,
// sums over weights, converted tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/graph.hpp"

namespace intact {

/// Keys begin with the identity of a constant and name what was made of it; contents are never
/// compared. An empty identity (a constant that depends on the shapes of one plan) gives an empty
/// key: made anew, and not kept.
class WeightCache {
 public:
  using Block = std::shared_ptr<std::byte>;
  /// Whether all of a block is written, or much of it is room that stays untouched.
  enum class Room : std::uint8_t { filled, spare };

  /// The constants of `graph` and of its subgraphs have an identity; they must outlive the cache.
  explicit WeightCache(const Graph& graph) { know(graph); }

  /// The same for every plan that reads this constant, whatever its shape; empty when unknown.
  std::string identity(const Tensor& constant) const;

  /// The block of this key, made by `fill` on first use. 64-byte aligned. Filled blocks lie one
  /// behind the other in the order of first use, which is that of execution: kernels prefetch
  /// beyond the end of what they read.
  Block get(const std::string& key, std::size_t bytes,
            const std::function<void(void* target)>& fill, Room room = Room::filled);
  /// The tensor of this key, made by `make` on first use; it then has an identity itself.
  Tensor tensor(const std::string& key, const std::function<Tensor()>& make);

  static Block allocate(std::size_t bytes);

 private:
  void know(const Graph& graph);
  Block place(std::size_t bytes);

  mutable std::mutex mutex_;
  std::unordered_set<const void*> known_;
  std::unordered_map<std::string, Block> blocks_;
  std::unordered_map<std::string, Tensor> tensors_;
  Block slab_;  ///< where the next blocks go
  std::size_t slab_used_ = 0;
};

/// `key` continued by the bytes of what the result depends on; empty stays empty.
template <class T>
void extend_key(std::string& key, const std::vector<T>& values) {
  if (key.empty()) return;
  key += '/' + std::to_string(values.size()) + '/';
  key.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}
void extend_key(std::string& key, std::string_view text);

/// Integer weights in the order of ConvOperation: a recipe that runs when a kernel packs them, so
/// that plans for other shapes, which find them packed, never touch them.
class ProductWeights {
 public:
  using Values = std::vector<std::int8_t>;

  ProductWeights() = default;
  /// `identity`: of the constant (WeightCache::identity).
  ProductWeights(std::string identity, std::function<Values()> make)
      : identity_(std::move(identity)), make_(std::move(make)) {}

  /// The same weights in another order; `form` names it and all that it depends on.
  ProductWeights rearranged(std::string_view form, std::function<Values(Values)> order) const;

  const std::string& identity() const { return identity_; }
  Values values() const { return make_(); }

 private:
  std::string identity_;
  std::function<Values()> make_;
};

}  // namespace intact
