// Attributes of a node, typed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "intact/tensor.hpp"

namespace intact {

class Graph;
using Subgraph = std::shared_ptr<const Graph>;

/// An attribute that evaluations do not read, encoded as the file has it.
struct OpaqueAttribute {
  std::string encoding;
};

using Attribute =
    std::variant<std::int64_t, float, std::string, Tensor, std::vector<std::int64_t>,
                 std::vector<float>, std::vector<std::string>, Subgraph, OpaqueAttribute>;

/// Readers return the default when the attribute is absent and throw Error when it has another
/// type.
class Attributes {
 public:
  bool has(const std::string& name) const { return values_.contains(name); }
  void set(const std::string& name, Attribute value) { values_[name] = std::move(value); }
  void erase(const std::string& name) { values_.erase(name); }

  std::int64_t integer(const std::string& name, std::int64_t fallback) const {
    return read(name, fallback);
  }
  float number(const std::string& name, float fallback) const { return read(name, fallback); }
  std::string text(const std::string& name, const std::string& fallback) const {
    return read(name, fallback);
  }
  std::vector<std::int64_t> integers(const std::string& name,
                                     std::vector<std::int64_t> fallback = {}) const {
    return read(name, std::move(fallback));
  }
  std::vector<float> numbers(const std::string& name, std::vector<float> fallback = {}) const {
    return read(name, std::move(fallback));
  }
  Tensor tensor(const std::string& name) const { return read(name, Tensor{}); }
  Subgraph graph(const std::string& name) const { return read(name, Subgraph{}); }

  const std::map<std::string, Attribute>& all() const { return values_; }

 private:
  template <class T>
  T read(const std::string& name, T fallback) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return fallback;
    if (const T* value = std::get_if<T>(&found->second)) return *value;
    throw_wrong_type(name);
  }
  [[noreturn]] static void throw_wrong_type(const std::string& name);

  std::map<std::string, Attribute> values_;
};

}  // namespace intact
