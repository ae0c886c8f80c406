// Pad with the real zero becomes the padding of the Conv behind it, or of an AveragePool that
// counts its padding.
#include <algorithm>
#include <cmath>

#include "core/checked.hpp"
#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

bool pads_zero(const Graph& graph, const Node& node) {
  if (node.attributes.text("mode", "constant") != "constant") return false;
  if (node.attributes.number("value", 0) != 0) return false;
  if (!node.has_input(2)) return true;
  if (!graph.is_constant(node.inputs[2])) return false;
  const Tensor value = convert(real_constant(graph.value(node.inputs[2])), ElementType::f64);
  return value.size() == 1 && value.data<double>()[0] == 0;
}

/// Begins of all axes, then ends; empty when they are not constant or not given for all axes.
std::vector<std::int64_t> pads_of(const Graph& graph, const Node& node) {
  if (node.version < 11) return node.attributes.integers("pads");
  if (node.has_input(3) || !node.has_input(1) || !graph.is_constant(node.inputs[1])) return {};
  const Tensor& pads = graph.value(node.inputs[1]).constant;
  if (pads.type() != ElementType::s64) return {};
  return {pads.data<std::int64_t>().begin(), pads.data<std::int64_t>().end()};
}

bool takes_pads(const Graph& graph, const Node& node) {
  const std::string automatic = node.attributes.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID") return false;
  if (node.is("Conv")) return true;
  if (!node.is("AveragePool") || node.attributes.integer("ceil_mode", 0) != 0) return false;
  if (node.attributes.integer("count_include_pad", 0) != 0) return true;
  // Padding of its own would have to stay uncounted.
  const auto own = node.attributes.integers("pads");
  return std::all_of(own.begin(), own.end(), [](std::int64_t pad) { return pad == 0; });
}

/// Padding of the spatial axes only; empty when it reaches beyond them.
std::vector<std::int64_t> spatial_pads(const std::vector<std::int64_t>& pads) {
  const std::size_t rank = pads.size() / 2;
  if (pads.size() % 2 != 0 || rank < 3) return {};
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < pads.size(); ++i) {
    const bool spatial = i % rank >= 2;
    if (pads[i] < 0 || (!spatial && pads[i] != 0)) return {};
    if (spatial) result.push_back(pads[i]);
  }
  return result;
}

bool fold_into(const Graph& graph, Node& consumer, Node& pad) {
  if (!pad.has_input(0) || pad.outputs.size() != 1) return false;
  if (!pads_zero(graph, pad) || !takes_pads(graph, consumer)) return false;
  std::vector<std::int64_t> pads = spatial_pads(pads_of(graph, pad));
  if (pads.empty()) return false;
  const bool valid = consumer.attributes.text("auto_pad", "NOTSET") == "VALID";  // ignores its pads
  const auto own = valid ? std::vector<std::int64_t>{} : consumer.attributes.integers("pads");
  if (!own.empty() && own.size() != pads.size()) return false;
  for (std::size_t i = 0; i < own.size(); ++i)
    if (!checked_add(pads[i], own[i], &pads[i])) return false;
  // A window that lies in the padding alone is legal for Pad, but not for a pool.
  const auto kernel = consumer.attributes.integers("kernel_shape");
  if (consumer.is("AveragePool"))
    for (std::size_t i = 0; i < pads.size(); ++i)
      if (kernel.size() * 2 != pads.size() || pads[i] >= kernel[i % kernel.size()]) return false;
  consumer.attributes.set("pads", std::move(pads));
  consumer.attributes.erase("auto_pad");
  if (consumer.is("AveragePool")) consumer.attributes.set("count_include_pad", std::int64_t{1});
  consumer.inputs[0] = pad.inputs[0];
  append_sources(consumer, std::move(pad.sources));
  pad = Node{};
  return true;
}

}  // namespace

void fold_pad(Graph& graph) {
  const std::vector<int> producers = graph.producers();
  const auto consumers = graph.consumers();
  for (Node& node : graph.nodes) {
    if (!node.has_input(0) || node.is("Pad")) continue;
    const int producer = producers[static_cast<std::size_t>(node.inputs[0])];
    if (producer < 0 || !graph.nodes[static_cast<std::size_t>(producer)].is("Pad") ||
        graph.is_output(node.inputs[0]) ||
        consumers[static_cast<std::size_t>(node.inputs[0])].size() != 1)
      continue;
    fold_into(graph, node, graph.nodes[static_cast<std::size_t>(producer)]);
  }
  graph.erase_marked();
}

}  // namespace intact
