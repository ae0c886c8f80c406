// Names by pattern, and what to say when there are none.
#include "quantize/select/patterns.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <string_view>
#include <utility>

#include "intact/error.hpp"

namespace intact {
namespace {

constexpr std::string_view type_prefix = "op:";

/// The number of characters to insert, remove or replace, case aside (Levenshtein 1966).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  };
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t k = 0; k < b.size(); ++k) {
      const std::size_t replaced = diagonal + (same(a[i], b[k]) ? 0 : 1);
      diagonal = std::exchange(row[k + 1], std::min({row[k] + 1, row[k + 1] + 1, replaced}));
    }
  }
  return row.back();
}

/// At most three of `known`, nearest first; `wanted` inside of a longer name counts as near.
std::vector<std::string> near_misses(std::string_view wanted, const std::set<std::string>& known) {
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& name : known) {
    const bool inside = !wanted.empty() && name.find(wanted) != std::string::npos;
    const std::size_t distance = inside ? 1 : edit_distance(wanted, name);
    if (distance <= std::max<std::size_t>(2, wanted.size() / 4)) near.emplace_back(distance, name);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(near.size(), 3); ++i)
    names.push_back(fmt::format("'{}'", near[i].second));
  return names;
}

[[noreturn]] void refuse(const Graph& graph, const std::string& pattern, bool by_type,
                         std::string_view wanted) {
  std::set<std::string> known;
  for (const Node& node : graph.nodes) known.insert(by_type ? node.op : node.name);
  const std::vector<std::string> near = near_misses(wanted, known);
  std::string hint;
  if (!near.empty())
    hint = fmt::format("nearly alike: {}", fmt::join(near, ", "));
  else if (by_type)
    hint = fmt::format("the model has {}", fmt::join(known, ", "));
  else
    hint = "`intact flow` lists their names";
  throw Error(fmt::format("no node of the model matches '{}'; {}", pattern, hint));
}

std::set<std::string> matching(const Graph& graph, const std::vector<std::string>& patterns) {
  std::set<std::string> names;
  for (const std::string& pattern : patterns) {
    const bool by_type = pattern.starts_with(type_prefix);
    const std::string wanted = by_type ? pattern.substr(type_prefix.size()) : pattern;
    bool found = false;
    for (const Node& node : graph.nodes) {
      const std::string& text = by_type ? node.op : node.name;
      if (text != wanted && ::fnmatch(wanted.c_str(), text.c_str(), FNM_NOESCAPE) != 0) continue;
      found = true;
      names.insert(node.name);
    }
    if (!found) refuse(graph, pattern, by_type, wanted);
  }
  return names;
}

bool stands_for_any(const Node& node, const std::set<std::string>& names) {
  return names.contains(node.name) ||
         std::any_of(node.sources.begin(), node.sources.end(),
                     [&](const std::string& source) { return names.contains(source); });
}

bool is_product(const Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm") || node.is("MatMul");
}

}  // namespace

NodePatterns::NodePatterns(const Graph& graph, const std::vector<std::string>& exclude,
                           const std::vector<std::string>& include)
    : has_include_(!include.empty()),
      excluded_(matching(graph, exclude)),
      included_(matching(graph, include)) {}

std::set<std::string> NodePatterns::kept_out(const Graph& graph) const {
  // By value: an included product wrote it, with or without what goes with it.
  std::vector<bool> of_product(graph.values.size(), false);
  const auto goes_with_product = [&](const Node& node) {
    if (!node.is("Relu") && !node.is("Clip") && !node.is("Add")) return false;
    return std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](ValueId id) {
                         return id != no_value && of_product[static_cast<std::size_t>(id)];
                       }) &&
           (!node.is("Add") || graph.is_constant(node.inputs[0]) ||
            graph.is_constant(node.inputs[1]));
  };
  std::set<std::string> names;
  for (const Node& node : graph.nodes) {
    if (stands_for_any(node, excluded_)) {
      names.insert(node.name);
      continue;
    }
    if (!has_include_) continue;
    const bool follows = goes_with_product(node);
    if (!follows && !stands_for_any(node, included_)) {
      names.insert(node.name);
      continue;
    }
    if (is_product(node) || follows) of_product[static_cast<std::size_t>(node.outputs[0])] = true;
  }
  return names;
}

}  // namespace intact
