// One Gemm after the other.
#include "quantize/plain_gemm.hpp"

#include <utility>

#include "graph/passes/rewrite.hpp"

namespace intact {
namespace {

class PlainGemm {
 public:
  explicit PlainGemm(Graph& graph) : graph_(graph), names_(graph) {}
  void run();

 private:
  void write(Node gemm);
  ValueId add(const char* op, const std::string& name, std::vector<ValueId> inputs);
  ValueId transposed(ValueId matrix, const std::string& name);
  ValueId multiplied(ValueId id, float factor, const std::string& name);
  bool is_bias(const Node& gemm, ValueId id) const;
  bool is_float_constant(ValueId id) const {
    return graph_.is_constant(id) && graph_.value(id).constant.type() == ElementType::f32;
  }

  Graph& graph_;
  FreshNames names_;
  std::vector<Node> nodes_;
  int version_ = 0;
};

ValueId PlainGemm::add(const char* op, const std::string& name, std::vector<ValueId> inputs) {
  Node& node = nodes_.emplace_back();
  node.op = op;
  node.version = version_;
  node.name = name;
  node.inputs = std::move(inputs);
  node.outputs = {graph_.add_value(names_.get(name), ElementType::f32)};
  return node.outputs[0];
}

ValueId PlainGemm::transposed(ValueId matrix, const std::string& name) {
  const ValueId result = add("Transpose", name, {matrix});
  nodes_.back().attributes.set("perm", std::vector<std::int64_t>{1, 0});
  return result;
}

ValueId PlainGemm::multiplied(ValueId id, float factor, const std::string& name) {
  if (factor == 1) return id;
  if (!is_float_constant(id))
    return add("Mul", name,
               {id, graph_.add_constant(names_.get(name + "/factor"), Tensor::scalar(factor))});
  Tensor product = graph_.value(id).constant.clone();
  for (float& x : product.data<float>()) x *= factor;
  return graph_.add_constant(names_.get(name), std::move(product));
}

bool PlainGemm::is_bias(const Node& gemm, ValueId id) const {
  if (!is_float_constant(gemm.inputs[1]) || !is_float_constant(id)) return false;
  const Shape& weights = graph_.value(gemm.inputs[1]).constant.shape();
  const Shape& shape = graph_.value(id).constant.shape();
  if (weights.size() != 2) return false;
  const std::int64_t columns = weights[gemm.attributes.integer("transB", 0) != 0 ? 0 : 1];
  return !shape.empty() && shape.back() == columns && element_count(shape) == columns;
}

void PlainGemm::write(Node gemm) {
  version_ = gemm.version;
  const std::string name = gemm.name;
  const float alpha = gemm.attributes.number("alpha", 1), beta = gemm.attributes.number("beta", 1);
  if (gemm.attributes.integer("transA", 0) != 0)
    gemm.inputs[0] = transposed(gemm.inputs[0], name + "/transposed");
  ValueId c = gemm.has_input(2) && beta != 0 ? gemm.inputs[2] : no_value;
  if (c != no_value) c = multiplied(c, beta, name + "/addend");
  const bool has_weights = is_float_constant(gemm.inputs[1]), has_bias = is_bias(gemm, c);
  if (has_weights) {
    gemm.inputs[1] = multiplied(gemm.inputs[1], alpha, name + "/weights");
    for (const char* attribute : {"transA", "alpha", "beta"}) gemm.attributes.erase(attribute);
  } else {
    if (gemm.attributes.integer("transB", 0) != 0)
      gemm.inputs[1] = transposed(gemm.inputs[1], name + "/matrix");
    gemm.op = "MatMul";
    gemm.attributes = {};
  }
  gemm.inputs.resize(2);
  if (has_bias) gemm.inputs.push_back(c);
  const ValueId result = gemm.outputs[0];
  ValueId last = gemm.outputs[0] =
      graph_.add_value(names_.get(name + "/product"), ElementType::f32);
  nodes_.push_back(std::move(gemm));
  if (!has_weights) last = multiplied(last, alpha, name + "/scaled");
  if (c != no_value && !has_bias) add("Add", name + "/sum", {last, c});
  nodes_.back().outputs[0] = result;
}

void PlainGemm::run() {
  for (Node& node : std::exchange(graph_.nodes, {})) {
    if (node.is("Gemm"))
      write(std::move(node));
    else
      nodes_.push_back(std::move(node));
  }
  graph_.nodes = std::move(nodes_);
}

}  // namespace

void make_gemm_plain(Graph& graph) {
  PlainGemm(graph).run();
}

}  // namespace intact
