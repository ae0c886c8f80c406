// The walk over the canonical graph, stored forms of values, and tails.
#include "engine/lower/lowering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/lower/arrange.hpp"
#include "engine/lower/reasons.hpp"
#include "engine/lower/tables.hpp"
#include "engine/lower/uses.hpp"
#include "intact/error.hpp"

namespace intact {

bool same_order(const Shape& shape) {
  if (shape.size() < 3) return true;
  if (shape[1] == 1) return true;
  return std::all_of(shape.begin() + 2, shape.end(),
                     [](std::int64_t extent) { return extent == 1; });
}

QuantizeOperation quantize_to(const Grid& grid) {
  return {grid.scale[0], stored_zero_point(grid), 0, stored_highest(grid)};
}

Lowering::Lowering(const Graph& graph, WeightCache& weights, Program& program)
    : graph_(graph),
      weights_(weights),
      program_(program),
      consumers_(graph.consumers()),
      producers_(graph.producers()),
      done_(graph.nodes.size()),
      claimed_(graph.nodes.size()),
      unary_sources_(find_unary_sources(*this)) {}

void Lowering::run() {
  program_.removed = graph_.removed;
  bind_inputs();
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
    if (!done_[i]) lower_node(graph_.nodes[i]);
  bind_outputs();
}

void Lowering::lower_node(const Node& node) {
  for (const ValueId output : node.outputs)
    if (output != no_value && !value(output).shape)
      throw Unsupported(
          fmt::format("{}: the shape of its output '{}' depends on data; run with --reference",
                      describe(node), value(output).name));
  mark_done(node);
  // Kernels and their preparation may rely on elements and on the first result.
  const auto empty = [&](ValueId id) {
    return id == no_value || (value(id).shape && element_count(shape(id)) == 0);
  };
  if (empty(node.outputs[0]) || (node.has_input(0) && empty(node.inputs[0])))
    lower_reference(*this, node);
  else
    for (const auto family :
         {lower_quantization, lower_unary, lower_conv, lower_conv_transpose, lower_matmul,
          lower_dynamic, lower_pool, lower_reduce, lower_affine, lower_sum, lower_binary,
          lower_concat, lower_rows, lower_recurrent, lower_interpolation, lower_movement,
          lower_logic, lower_indexing, lower_reference})
      if (family(*this, node)) break;
  // What was computed as floats although the graph passes its grid on.
  for (const ValueId output : node.outputs)
    if (on_stored_grid(output) && find(output, stored_type(*value(output).grid), {}) == no_tensor)
      if (const TensorId real = find(output, ElementType::f32, {}); real != no_tensor)
        requantize(output, real);
}

void Lowering::bind_inputs() {
  for (const ValueId id : graph_.inputs) {
    const Value& input = value(id);
    const TensorId tensor = new_tensor(input.name, input.type, *input.shape, Layout::plain);
    program_.inputs.push_back(tensor);
    bind(id, tensor);
  }
}

void Lowering::bind_outputs() {
  for (const ValueId id : graph_.outputs) {
    if (value(id).type == ElementType::f32)
      program_.outputs.push_back(real(id, Layout::plain));
    else
      program_.outputs.push_back(plain(id));
  }
}

bool Lowering::on_byte_grid(ValueId id) const {
  if (id == no_value || !value(id).grid) return false;
  const Grid& grid = *value(id).grid;
  return grid.per_tensor() && (grid.type == ElementType::u8 || grid.type == ElementType::s8);
}

bool Lowering::on_word_grid(ValueId id) const {
  return id != no_value && value(id).grid && value(id).grid->per_tensor() &&
         has_words(*value(id).grid);
}

const Node* Lowering::only_consumer(ValueId id) const {
  if (graph_.is_output(id) || consumers(id).size() != 1) return nullptr;
  return &graph_.nodes[static_cast<std::size_t>(consumers(id)[0])];
}

const Node* Lowering::producer(ValueId id) const {
  if (id == no_value) return nullptr;
  const int index = producers_[static_cast<std::size_t>(id)];
  return index < 0 ? nullptr : &graph_.nodes[static_cast<std::size_t>(index)];
}

std::string Lowering::no_grid_reason(const Node& node, std::size_t input) const {
  const Value& operand = value(node.inputs[input]);
  if (operand.grid) return wide_grid_reason(node.inputs[input]);
  return fmt::format(
      "input '{}' has no grid; a QuantizeLinear and DequantizeLinear pair before it would give "
      "it one",
      operand.name);
}

std::string Lowering::wide_grid_reason(ValueId id) const {
  return fmt::format(
      "'{}' lies on the grid {}, which has no integer kernel here; quantize it to 8 bits with one "
      "scale",
      value(id).name, to_string(*value(id).grid));
}

TensorId Lowering::find(ValueId id, ElementType type, std::optional<Layout> layout) const {
  const auto found = stored_.find(id);
  if (found == stored_.end()) return no_tensor;
  for (const TensorId candidate : found->second) {
    const StoredTensor& tensor = program_.tensor(candidate);
    if (tensor.type == type && (!layout || tensor.layout == *layout)) return candidate;
  }
  return no_tensor;
}

Layout Lowering::layout_of(ValueId id) const {
  const auto found = stored_.find(id);
  return found == stored_.end() ? Layout::plain : program_.tensor(found->second[0]).layout;
}

int Lowering::written_at(ValueId id) const {
  const auto found = stored_.find(id);
  if (found == stored_.end()) return -1;
  written_at_.resize(program_.tensors.size(), -1);
  for (; looked_at_ < program_.operations.size(); ++looked_at_)
    for (const TensorId output : program_.operations[looked_at_].outputs)
      if (output != no_tensor)
        written_at_[static_cast<std::size_t>(output)] = static_cast<int>(looked_at_);
  return written_at_[static_cast<std::size_t>(found->second[0])];
}

TensorId Lowering::new_tensor(std::string name, ElementType type, Shape shape, Layout layout,
                              std::optional<Grid> grid) {
  StoredTensor tensor;
  tensor.name = std::move(name);
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.layout = tensor.shape.size() < 3 ? Layout::plain : layout;
  tensor.grid = std::move(grid);
  program_.tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(program_.tensors.size() - 1);
}

TensorId Lowering::relayout(TensorId source, Layout layout, ValueId id) {
  const TensorId target = relaid(source, layout);
  if (target != source) bind(id, target);
  return target;
}

TensorId Lowering::relaid(TensorId source, Layout layout) {
  const StoredTensor from = program_.tensor(source);
  if (from.layout == layout || from.shape.size() < 3) return source;
  const TensorId target = new_tensor(from.name, from.type, from.shape, layout, from.grid);
  if (from.constant.defined()) {
    const auto strides = program_.tensor(target).strides();
    std::string key = weights_.identity(from.constant);
    extend_key(key, fmt::format("layout {}", static_cast<int>(layout)));
    extend_key(key, from.shape);
    program_.tensor(target).constant =
        weights_.tensor(key, [&] { return relaid_elements(from, strides); });
    return target;
  }
  if (same_order(from.shape) && from.dense()) {
    program_.tensor(target).root = source;
    return target;
  }
  CopyOperation copy;
  copy.extents = from.shape;
  copy.src_strides = from.strides();
  copy.dst_strides = program_.tensor(target).strides();
  emit_layout(std::move(copy), source, target,
              layout == Layout::plain ? "to channels first" : "to channels last");
  return target;
}

namespace {

template <class Integer>
Tensor raised(const Value& operand) {
  const ElementType type = stored_type(*operand.grid);
  Tensor data(type, operand.constant.shape());
  const auto* source = static_cast<const Integer*>(operand.constant.raw());
  const auto raise = static_cast<Integer>(-lowest(operand.grid->type));
  Integer* const target = data.data<Integer>().data();
  const auto count = static_cast<std::size_t>(data.size());
  for (std::size_t i = 0; i < count; ++i) target[i] = static_cast<Integer>(source[i] + raise);
  return data;
}

/// Of a constant on a grid, as StoredTensor wants them.
Tensor stored_integers(const Value& operand) {
  return has_words(*operand.grid) ? raised<std::uint16_t>(operand) : raised<std::uint8_t>(operand);
}

}  // namespace

std::string Lowering::reals_key(ValueId id) const {
  const Value& operand = value(id);
  std::string key = weights_.identity(operand.constant);
  if (!operand.grid) return key;
  extend_key(key, "reals");
  extend_key(key, operand.grid->scale);
  extend_key(key, operand.grid->zero_point);
  extend_key(key, fmt::format("{} {}", operand.grid->axis.value_or(-1), operand.grid->block));
  return key;
}

Tensor Lowering::real_constant_of(ValueId id) const {
  const Value& operand = value(id);
  if (!operand.grid) return operand.constant;
  return weights_.tensor(reals_key(id), [&] { return real_constant(operand); });
}

TensorId Lowering::bytes(ValueId id, Layout layout) {
  const Value& operand = value(id);
  const ElementType type = operand.grid ? stored_type(*operand.grid) : ElementType::u8;
  if (const TensorId exact = find(id, type, shape(id).size() < 3 ? Layout::plain : layout);
      exact != no_tensor)
    return exact;
  if (const TensorId other = find(id, type, std::nullopt); other != no_tensor)
    return relayout(other, layout, id);
  if (!operand.is_constant())
    throw Error(fmt::format("internal: '{}' is not stored as integers", operand.name));
  std::string key = weights_.identity(operand.constant);
  extend_key(key, "stored integers of " + std::string(element_name(operand.grid->type)));
  const Tensor data = weights_.tensor(key, [&] { return stored_integers(operand); });
  const TensorId tensor = new_tensor(operand.name, type, data.shape(), Layout::plain, operand.grid);
  program_.tensor(tensor).constant = data;
  bind(id, tensor);
  return relayout(tensor, layout, id);
}

TensorId Lowering::plane(ValueId id, Layout layout, int which) {
  const Layout own = layout_of(id);
  if (shape(id).size() < 3) layout = own;
  const auto known = planes_.find({id, layout, which});
  if (known != planes_.end()) return known->second;
  if (layout != own) return planes_[{id, layout, which}] = relaid(plane(id, own, which), layout);
  const TensorId source = bytes(id, own);
  const StoredTensor from = program_.tensor(source);
  const std::int32_t zero_point = stored_zero_point(*from.grid);
  const float scale = from.grid->scale[0];
  const Grid low = {ElementType::u8, {scale}, {zero_point & 255}};
  const Grid high = {ElementType::u8, {256 * scale}, {zero_point >> 8}};
  for (const int part : {1, 0})
    planes_[{id, layout, part}] =
        new_tensor(fmt::format("{} bytes of {}", part == 1 ? "high" : "low", from.name),
                   ElementType::u8, from.shape, from.layout, part == 1 ? high : low);
  append_conversion(SplitOperation{}, source, planes_[{id, layout, 1}],
                    fmt::format("{} to high and low bytes", from.name), "Layout");
  program_.operations.back().outputs.push_back(planes_[{id, layout, 0}]);
  return planes_[{id, layout, which}];
}

TensorId Lowering::real(ValueId id, Layout layout) {
  if (const TensorId exact =
          find(id, ElementType::f32, shape(id).size() < 3 ? Layout::plain : layout);
      exact != no_tensor)
    return exact;
  if (const TensorId other = find(id, ElementType::f32, std::nullopt); other != no_tensor)
    return relayout(other, layout, id);
  const Value& operand = value(id);
  if (operand.is_constant()) {
    const TensorId tensor =
        new_tensor(operand.name, ElementType::f32, operand.constant.shape(), Layout::plain);
    program_.tensor(tensor).constant = real_constant_of(id);
    bind(id, tensor);
    return relayout(tensor, layout, id);
  }
  return dequantize(id, layout);
}

TensorId Lowering::dequantize(ValueId id, Layout layout) {
  if (!on_stored_grid(id))
    throw Error(
        fmt::format("internal: '{}' is stored neither as float nor as integers", value(id).name));
  TensorId source = bytes(id, layout_of(id));
  if (const TensorId alike = find(id, stored_type(*value(id).grid), layout); alike != no_tensor)
    source = alike;
  // The kernel reads rows of bytes: channels come last before it, where fewer bytes move. Words it
  // reads in their order only.
  if (layout == Layout::channels_last || on_word_grid(id)) source = relayout(source, layout, id);
  const TensorId target = new_tensor(value(id).name, ElementType::f32, shape(id), layout);
  append_conversion(DequantizeOperation{}, source, target, value(id).name + " to float",
                    "Dequantize");
  bind(id, target);
  return target;
}

void Lowering::requantize(ValueId id, TensorId tensor) {
  const Grid& grid = *value(id).grid;
  const TensorId target = new_tensor(value(id).name, stored_type(grid), shape(id),
                                     program_.tensor(tensor).layout, grid);
  append_conversion(quantize_to(grid), tensor, target, value(id).name + " to integers", "Quantize");
  bind(id, target);
}

void Lowering::append_conversion(OperationKind kind, TensorId source, TensorId target,
                                 std::string name, const char* op) {
  Operation& operation = program_.operations.emplace_back();
  operation.kind = std::move(kind);
  operation.inputs = {source};
  operation.outputs = {target};
  operation.name = std::move(name);
  operation.op = op;
}

TensorId Lowering::stored(ValueId id, Layout layout) {
  if (on_stored_grid(id)) return bytes(id, layout);
  const Value& operand = value(id);
  if (operand.type == ElementType::f32) return real(id, layout);
  const Layout exact = operand.shape && shape(id).size() < 3 ? Layout::plain : layout;
  if (const TensorId found = find(id, operand.type, exact); found != no_tensor) return found;
  if (const TensorId other = find(id, operand.type, std::nullopt); other != no_tensor)
    return relayout(other, layout, id);
  if (!operand.is_constant())
    throw Error(fmt::format("internal: '{}' is not stored", operand.name));
  const TensorId tensor =
      new_tensor(operand.name, operand.constant.type(), operand.constant.shape(), Layout::plain);
  program_.tensor(tensor).constant = operand.constant;
  bind(id, tensor);
  return relayout(tensor, layout, id);
}

Operation& Lowering::emit(const Node& node, OperationKind kind, std::vector<TensorId> inputs,
                          TensorId output) {
  Operation operation;
  operation.kind = std::move(kind);
  operation.inputs = std::move(inputs);
  operation.outputs = {output};
  operation.name = node.name;
  operation.op = node.op;
  operation.sources = node.sources;
  claim_sources(node);
  program_.operations.push_back(std::move(operation));
  return program_.operations.back();
}

Operation& Lowering::emit(const Node& node, const Tail& tail, OperationKind kind,
                          std::vector<TensorId> inputs, TensorId output) {
  Operation& operation = emit(node, std::move(kind), std::move(inputs), output);
  operation.op = tail.op;
  operation.sources = tail.sources;
  return operation;
}

namespace {

void explain_float(const Lowering& lowering, const Node& node, Operation& operation) {
  operation.precision = Precision::floating;
  // A constant is to blame only where everything else lies on a grid.
  for (const bool constants : {false, true})
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.has_input(i) || lowering.on_byte_grid(node.inputs[i]) ||
          lowering.is_constant(node.inputs[i]) != constants ||
          lowering.value(node.inputs[i]).type != ElementType::f32)
        continue;
      operation.reason = lowering.no_grid_reason(node, i);
      return;
    }
  operation.reason = form_reason(node);
}

}  // namespace

Operation& Lowering::emit_float(const Node& node, OperationKind kind, std::vector<TensorId> inputs,
                                TensorId output) {
  Operation& operation = emit(node, std::move(kind), std::move(inputs), output);
  explain_float(*this, node, operation);
  return operation;
}

Operation& Lowering::emit_float(const Node& node, const Tail& tail, OperationKind kind,
                                std::vector<TensorId> inputs, TensorId output) {
  Operation& operation = emit(node, tail, std::move(kind), std::move(inputs), output);
  explain_float(*this, node, operation);
  return operation;
}

namespace {

/// A copy is as precise as what it copies.
void explain_copy(const StoredTensor& from, Operation& copy) {
  if (from.type == ElementType::f32) {
    copy.precision = Precision::floating;
    copy.reason = float_reason(from.name);
  } else if (from.type != ElementType::u8 && !from.on_grid()) {
    copy.precision = Precision::shape;
  }
}

}  // namespace

Operation& Lowering::emit_move(const Node& node, CopyOperation copy, TensorId source,
                               TensorId target) {
  Operation& operation = emit(node, std::move(copy), {source}, target);
  explain_copy(program_.tensor(source), operation);
  return operation;
}

void Lowering::emit_layout(CopyOperation copy, TensorId source, TensorId target,
                           std::string_view what) {
  const StoredTensor& from = program_.tensor(source);
  append_conversion(std::move(copy), source, target, fmt::format("{} {}", from.name, what),
                    "Layout");
  explain_copy(from, program_.operations.back());
}

bool Lowering::claim_sources(const Node& node) {
  const std::size_t index = static_cast<std::size_t>(&node - graph_.nodes.data());
  if (claimed_[index]) return false;
  claimed_[index] = true;
  return true;
}

void Lowering::mark_done(const Node& node) {
  done_[static_cast<std::size_t>(&node - graph_.nodes.data())] = true;
}

void Lowering::note_removed(const Node& node, const std::string& reason) {
  if (!node.sources.empty()) program_.removed.push_back({node.sources, reason});
}

std::optional<std::pair<float, float>> clamp_bounds(const Graph& graph, const Node& node) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (node.is("Relu")) return std::pair{0.0f, infinity};
  if (!node.is("Clip")) return std::nullopt;
  std::pair bounds{-infinity, infinity};
  if (node.version < 11)
    return std::pair{node.attributes.number("min", bounds.first),
                     node.attributes.number("max", bounds.second)};
  for (std::size_t i : {1, 2}) {
    if (!node.has_input(i)) continue;
    const Value& bound = graph.value(node.inputs[i]);
    if (!bound.is_constant() || bound.constant.size() != 1 || bound.type != ElementType::f32)
      return std::nullopt;
    (i == 1 ? bounds.first : bounds.second) = real_constant(bound).data<float>()[0];
  }
  return bounds;
}

Tail Lowering::take_tail(const Node& node) {
  const Tail tail = follow(node, true);
  mark_tail_done(node, tail);
  return tail;
}

Tail Lowering::take_float_tail(const Node& node) {
  const Tail tail = follow(node, false);
  mark_tail_done(node, tail);
  return tail;
}

namespace {

/// Rounding to the grid clamps to [lower, upper], or closer.
bool grid_lies_within(const Grid& grid, float lower, float upper) {
  const float scale = grid.scale[0];
  const auto steps = [&](float real) { return std::nearbyint(static_cast<double>(real / scale)); };
  return steps(lower) <= lowest(grid.type) - grid.zero_point[0] &&
         steps(upper) >= highest(grid.type) - grid.zero_point[0];
}

}  // namespace

Tail Lowering::take_round(const Node& node) {
  Tail tail = no_tail(node);
  float lower = tail.lower, upper = tail.upper;
  const Node* next = only_consumer(tail.result);
  for (; next != nullptr && next->inputs[0] == tail.result; next = only_consumer(tail.result)) {
    const auto bounds = clamp_bounds(graph_, *next);
    if (!bounds) break;
    lower = std::max(lower, bounds->first);
    upper = std::min(upper, bounds->second);
    tail.op += "+" + next->op;
    tail.sources.insert(tail.sources.end(), next->sources.begin(), next->sources.end());
    tail.result = next->outputs[0];
  }
  if (next == nullptr || !next->is_round() || !on_stored_grid(next->outputs[0]) ||
      !grid_lies_within(*value(next->outputs[0]).grid, lower, upper))
    return no_tail(node);
  tail.grid = value(next->outputs[0]).grid;
  tail.result = next->outputs[0];
  tail.sources.insert(tail.sources.end(), next->sources.begin(), next->sources.end());
  mark_tail_done(node, tail);
  return tail;
}

void Lowering::mark_tail_done(const Node& node, const Tail& tail) {
  for (ValueId id = tail.result; id != node.outputs[0]; id = producer(id)->inputs[0])
    mark_done(*producer(id));
}

Tail Lowering::no_tail(const Node& node) {
  Tail tail;
  tail.result = node.outputs[0];
  tail.sources = node.sources;
  tail.op = node.op;
  return tail;
}

Tail Lowering::follow(const Node& node, bool through_round) const {
  Tail tail = no_tail(node);
  while (const Node* next = only_consumer(tail.result)) {
    if (next->inputs[0] != tail.result) break;
    if (const auto bounds = clamp_bounds(graph_, *next);
        bounds && bounds->first <= bounds->second) {
      // ONNX: max with the lower bound first, then min with the upper one.
      tail.lower = std::min(std::max(tail.lower, bounds->first), bounds->second);
      tail.upper = std::min(std::max(tail.upper, bounds->first), bounds->second);
      tail.op += "+" + next->op;
    } else if (through_round && next->is_round() && on_byte_grid(next->outputs[0])) {
      tail.grid = value(next->outputs[0]).grid;
    } else {
      break;
    }
    tail.sources.insert(tail.sources.end(), next->sources.begin(), next->sources.end());
    tail.result = next->outputs[0];
    if (tail.grid) break;
  }
  return tail;
}

TensorId Lowering::result_tensor(const Tail& tail, Layout layout) {
  const Value& result = value(tail.result);
  const TensorId tensor =
      new_tensor(result.name, tail.grid ? stored_type(*tail.grid) : ElementType::f32, *result.shape,
                 layout, tail.grid);
  bind(tail.result, tensor);
  return tensor;
}

OutputStage Lowering::stage_of(const Tail& tail) const {
  OutputStage stage;
  stage.float_lower = tail.lower;
  stage.float_upper = tail.upper;
  if (!tail.grid) {
    stage.output = kernels::Output::f32;
    return stage;
  }
  // Rounding is monotonic: clamping reals and rounding equals rounding and clamping integers.
  stage.zero_point = stored_zero_point(*tail.grid);
  const float scale = tail.grid->scale[0];
  const auto bound = [&](float real) {
    const double steps = std::nearbyint(static_cast<double>(real / scale)) + stage.zero_point;
    return static_cast<std::int32_t>(std::clamp(steps, 0.0, 255.0));
  };
  stage.lower = bound(tail.lower);
  stage.upper = bound(tail.upper);
  return stage;
}

Program lower(const Graph& graph, bool fusion, WeightCache& weights) {
  Program program;
  Lowering(graph, weights, program).run();
  erase_empty(program);
  if (fusion) {
    static constexpr ProgramPass passes[] = {
        {"join_views", join_views},       {"compose_tables", compose_tables},
        {"fuse_residual", fuse_residual}, {"fuse_dynamic_round", fuse_dynamic_round},
        {"fuse_rows", fuse_rows},         {"fuse_attention", fuse_attention},
        {"split_copies", split_copies},   {"repeat_products", repeat_products},
        {"fuse_chain", fuse_chain},       {"place_concat", place_concat},
        {"group_rows", group_rows},       {"group_lines", group_lines},
        {"group_vectors", group_vectors},
    };
    for (const ProgramPass& pass : passes) pass.run(program);
  }
  return program;
}

}  // namespace intact
