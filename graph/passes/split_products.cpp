// Split(Conv(x, w)) along the output channels is Conv(x, w0), Conv(x, w1), ...: the halves of a
// gate (a * sigmoid(b)), or of queries, keys and values, become products of their own, behind which
// float operators and Rounds can run in the kernel. Only where the products run on integers and
// nobody reads the whole.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "graph/convert.hpp"
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

/// Elements [begin, end) along one axis.
Tensor sliced(const Tensor& whole, std::size_t axis, std::int64_t begin, std::int64_t end) {
  const Shape& from = whole.shape();
  Shape shape = from;
  shape[axis] = end - begin;
  Tensor part(whole.type(), shape);
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= from[i];
  if (part.size() > 0) {
    const std::size_t row = whole.bytes() / static_cast<std::size_t>(outer);
    const std::size_t element = row / static_cast<std::size_t>(from[axis]);
    const std::size_t copied = element * static_cast<std::size_t>(end - begin);
    const auto* src = static_cast<const std::byte*>(whole.raw());
    auto* dst = static_cast<std::byte*>(part.raw());
    for (std::int64_t i = 0; i < outer; ++i, src += row, dst += copied)
      std::memcpy(dst, src + element * static_cast<std::size_t>(begin), copied);
  }
  return part;
}

/// A constant's elements [begin, end) along one axis, with their scales.
Value sliced(const Value& whole, std::size_t axis, std::int64_t begin, std::int64_t end,
             const PartOfConstant& part_of) {
  Value part = whole;
  part.constant = part_of(whole.constant, fmt::format("{} to {} of axis {}", begin, end, axis),
                          [&] { return sliced(whole.constant, axis, begin, end); });
  part.shape = part.constant.shape();
  if (whole.grid && !whole.grid->per_tensor() && *whole.grid->axis == static_cast<int>(axis)) {
    const auto cut = [&](auto& values) {
      values.erase(values.begin() + end, values.end());
      values.erase(values.begin(), values.begin() + begin);
    };
    cut(part.grid->scale);
    cut(part.grid->zero_point);
  }
  return part;
}

/// A product with constant weights, the functions behind it, and the channels of its result.
struct Product {
  std::vector<int> nodes;       ///< the product first
  std::size_t weight_axis = 0;  ///< of its second operand
  std::int64_t channels = 0;
  std::optional<std::size_t> rank;  ///< of the result, if known
  std::size_t axis_from_end = 1;    ///< of the channels in the result: 1 is the last axis
};

struct Part {
  std::int64_t begin = 0, end = 0;
  ValueId output = no_value;
  int node = -1;
};

class Splitter {
 public:
  Splitter(Graph& graph, const PartOfConstant& part_of_constant)
      : graph_(graph),
        part_of_constant_(part_of_constant),
        names_(graph),
        producers_(graph.producers()),
        consumers_(graph.consumers()) {}

  void run() {
    const std::size_t count = graph_.nodes.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Node& node = graph_.nodes[i];
      if (!node.is("Split") && !node.is("Slice")) continue;
      const ValueId whole = node.inputs[0];
      const auto product = product_of(whole);
      if (!product) continue;
      const std::vector<Part> parts = parts_of(whole, *product);
      if (!parts.empty()) split(*product, parts);
    }
    graph_.erase_marked();
    graph_.sort();
  }

 private:
  const std::vector<int>& users(ValueId id) const {
    return consumers_[static_cast<std::size_t>(id)];
  }
  std::optional<Product> product_of(ValueId whole) const;
  bool read_product(const Node& node, Product& product) const;
  bool repeats_along_channels(const Product& product, const Node& function) const;
  std::vector<Part> parts_of(ValueId whole, const Product& product) const;
  bool runs_along_channels(std::int64_t axis, const Product& product) const;
  std::vector<Part> split_parts(const Node& split, const Product& product) const;
  std::optional<Part> slice_part(const Node& slice, const Product& product) const;
  ValueId sliced_operand(ValueId id, std::size_t axis_from_end, const Product& product,
                         const Part& part);
  std::size_t rank_of(ValueId constant) const {
    return graph_.value(constant).constant.shape().size();
  }
  ValueId part_of(ValueId whole, const Product& product, const Part& part);
  void split(const Product& product, const std::vector<Part>& parts);

  Graph& graph_;
  const PartOfConstant& part_of_constant_;
  FreshNames names_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;
};

bool Splitter::read_product(const Node& node, Product& product) const {
  if (node.inputs.size() < 2 || !graph_.is_constant(node.inputs[1])) return false;
  const Value& x = graph_.value(node.inputs[0]);
  const Value& weights = graph_.value(node.inputs[1]);
  if (!x.grid || !x.grid->per_tensor() || !weights.grid || weights.grid->block != 0) return false;
  const std::size_t rank = weights.constant.shape().size();
  if (node.is("Conv") && node.attributes.integer("group", 1) == 1 && rank > 2) {
    product.axis_from_end = rank - 1;
    product.rank = rank;
  } else if (node.is("MatMul") && rank == 2) {
    product.weight_axis = 1;
  } else if (node.is("Gemm") && rank == 2) {
    product.weight_axis = node.attributes.integer("transB", 0) != 0 ? 0 : 1;
    product.rank = 2;
  } else {
    return false;
  }
  product.channels = weights.constant.shape()[product.weight_axis];
  return !node.has_input(2) || graph_.is_constant(node.inputs[2]);
}

/// An element-wise operator whose other operands are numbers, or constants with one element per
/// channel.
bool Splitter::repeats_along_channels(const Product& product, const Node& function) const {
  const Definition* definition = find_definition(function.op, function.domain);
  if (definition == nullptr || !definition->elementwise || function.outputs.size() != 1 ||
      !function.domain.empty())
    return false;
  std::size_t computed = 0;
  for (const ValueId id : function.inputs) {
    if (id == no_value) continue;
    if (!graph_.is_constant(id)) {
      ++computed;
      continue;
    }
    const Shape& shape = graph_.value(id).constant.shape();
    if (graph_.value(id).constant.size() == 1) continue;
    if (shape.size() < product.axis_from_end || graph_.value(id).grid ||
        shape[shape.size() - product.axis_from_end] != product.channels ||
        (product.rank && shape.size() > *product.rank))
      return false;
  }
  return computed == 1;
}

std::optional<Product> Splitter::product_of(ValueId whole) const {
  Product product;
  if (graph_.value(whole).shape) product.rank = graph_.value(whole).shape->size();
  for (ValueId id = whole;;) {
    const int index = producers_[static_cast<std::size_t>(id)];
    if (index < 0 || graph_.is_output(id) || graph_.value(id).grid) return std::nullopt;
    if (id != whole && users(id).size() != 1) return std::nullopt;
    product.nodes.insert(product.nodes.begin(), index);
    const Node& node = graph_.nodes[static_cast<std::size_t>(index)];
    if (read_product(node, product)) break;
    const auto computed = std::find_if(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
      return input != no_value && !graph_.is_constant(input);
    });
    if (node.domain != "" || computed == node.inputs.end()) return std::nullopt;
    id = *computed;
  }
  for (std::size_t i = 1; i < product.nodes.size(); ++i)
    if (!repeats_along_channels(product, graph_.nodes[static_cast<std::size_t>(product.nodes[i])]))
      return std::nullopt;
  return product;
}

/// Whether `axis` of the whole result is that of the channels, as far as its rank is known.
bool Splitter::runs_along_channels(std::int64_t axis, const Product& product) const {
  const auto from_end = static_cast<std::int64_t>(product.axis_from_end);
  if (axis < 0) return axis == -from_end;
  return product.rank && axis == static_cast<std::int64_t>(*product.rank) - from_end;
}

std::vector<Part> Splitter::split_parts(const Node& split, const Product& product) const {
  if (!runs_along_channels(split.attributes.integer("axis", 0), product)) return {};
  const auto count = static_cast<std::int64_t>(split.outputs.size());
  std::vector<std::int64_t> extents = split.attributes.integers("split");
  if (split.has_input(1)) {
    if (!graph_.is_constant(split.inputs[1])) return {};
    const auto given = graph_.value(split.inputs[1]).constant.data<std::int64_t>();
    extents.assign(given.begin(), given.end());
  } else if (extents.empty() && product.channels % count == 0) {
    extents.assign(split.outputs.size(), product.channels / count);
  }
  if (extents.size() != split.outputs.size()) return {};
  std::vector<Part> parts;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] < 1 || extents[i] > product.channels - begin) return {};
    if (split.outputs[i] != no_value)
      parts.push_back({begin, begin + extents[i], split.outputs[i]});
    begin += extents[i];
  }
  return parts;
}

/// One range of neighbouring channels.
std::optional<Part> Splitter::slice_part(const Node& slice, const Product& product) const {
  if (slice.version < 10 || !slice.has_input(3)) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 1; i < slice.inputs.size(); ++i) {
    if (!slice.has_input(i)) continue;
    const Value& operand = graph_.value(slice.inputs[i]);
    if (!operand.is_constant() || operand.constant.size() != 1) return std::nullopt;
    numbers.push_back(convert(operand.constant, ElementType::s64).data<std::int64_t>()[0]);
  }
  if (!runs_along_channels(numbers[2], product) || (numbers.size() > 3 && numbers[3] != 1))
    return std::nullopt;
  const auto position = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + product.channels : at, 0, product.channels);
  };
  const Part part = {position(numbers[0]), position(numbers[1]), slice.outputs[0]};
  return part.begin < part.end ? std::optional(part) : std::nullopt;
}

/// What the readers of the whole take of it: disjoint ranges; empty where anyone takes something
/// else.
std::vector<Part> Splitter::parts_of(ValueId whole, const Product& product) const {
  std::vector<Part> parts;
  if (graph_.is_output(whole)) return {};
  for (const int user : users(whole)) {
    const Node& node = graph_.nodes[static_cast<std::size_t>(user)];
    if (node.is("Split") && users(whole).size() == 1) {
      parts = split_parts(node, product);
    } else if (const auto part = node.is("Slice") ? slice_part(node, product) : std::nullopt) {
      parts.push_back(*part);
    } else {
      return {};
    }
  }
  std::vector<Part> ordered = parts;
  std::sort(ordered.begin(), ordered.end(),
            [](const Part& a, const Part& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < ordered.size(); ++i)
    if (ordered[i].begin < ordered[i - 1].end) return {};
  return parts;
}

/// A constant operand for one part: numbers stay, one element per channel is cut.
ValueId Splitter::sliced_operand(ValueId id, std::size_t axis_from_end, const Product& product,
                                 const Part& part) {
  const Shape& shape = graph_.value(id).constant.shape();
  if (shape.size() < axis_from_end) return id;
  const std::size_t axis = shape.size() - axis_from_end;
  if (shape[axis] != product.channels || graph_.value(id).constant.size() == 1) return id;
  Value cut = sliced(graph_.value(id), axis, part.begin, part.end, part_of_constant_);
  cut.name = names_.get(cut.name + "/part");
  graph_.values.push_back(std::move(cut));
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

/// The value of some channels of a product, or of a function behind it.
ValueId Splitter::part_of(ValueId whole, const Product& product, const Part& part) {
  const ValueId id =
      graph_.add_value(names_.get(graph_.value(whole).name + "/part"), ElementType::f32);
  std::optional<Shape> shape = graph_.value(whole).shape;
  if (shape) (*shape)[shape->size() - product.axis_from_end] = part.end - part.begin;
  graph_.value(id).shape = std::move(shape);
  return id;
}

void Splitter::split(const Product& product, const std::vector<Part>& parts) {
  const auto take = [&](int index) {
    return std::exchange(graph_.nodes[static_cast<std::size_t>(index)], {});
  };
  std::vector<Node> chain;
  for (const int index : product.nodes) chain.push_back(take(index));
  for (const int user : users(chain.back().outputs[0]))
    append_sources(chain.back(), take(user).sources);
  for (const Part& part : parts) {
    ValueId computed = no_value;
    for (std::size_t k = 0; k < chain.size(); ++k) {
      Node own = chain[k];
      chain[k].sources.clear();  // the first part stands for them
      for (std::size_t i = 0; i < own.inputs.size(); ++i) {
        ValueId& id = own.inputs[i];
        if (k == 0 && i == 1)
          id = sliced_operand(id, rank_of(id) - product.weight_axis, product, part);
        else if (graph_.is_constant(id))
          id = sliced_operand(id, k == 0 ? 1 : product.axis_from_end, product, part);
        else if (k > 0 && id != no_value)
          id = computed;
      }
      computed = k + 1 == chain.size() ? part.output : part_of(chain[k].outputs[0], product, part);
      own.outputs = {computed};
      graph_.nodes.push_back(std::move(own));
    }
  }
}

}  // namespace

void split_products(Graph& graph) {
  split_products(graph, [](const Tensor&, const std::string&, const std::function<Tensor()>& cut) {
    return cut();
  });
}

void split_products(Graph& graph, const PartOfConstant& part_of_constant) {
  Splitter(graph, part_of_constant).run();
}

}  // namespace intact
