// What the operators of random models share, and whole models.
#include "random_graph.hpp"

#include <algorithm>
#include <cmath>

#include "generator.hpp"
#include "intact/error.hpp"

namespace intact::testing {

const std::vector<Generator::Named>& Generator::makers() {
  static const std::vector<Named> list = {
      {"conv", &Generator::conv_dense},
      {"depthwise", &Generator::conv_depthwise},
      {"grouped", &Generator::conv_grouped},
      {"residual", &Generator::residual},
      {"matmul", &Generator::matmul},
      {"gemm", &Generator::gemm},
      {"add", &Generator::add},
      {"sub", &Generator::sub},
      {"mul", &Generator::mul},
      {"add_constant", &Generator::add_constant},
      {"sum", &Generator::sum},
      {"concat", &Generator::concat},
      {"max_pool", &Generator::max_pool},
      {"average_pool", &Generator::average_pool},
      {"global_average", &Generator::global_average},
      {"reduce_mean", &Generator::reduce_mean},
      {"unary", &Generator::unary},
      {"silu", &Generator::silu},
      {"silu_rounded", &Generator::silu_rounded},
      {"scaled", &Generator::scaled},
      {"flatten", &Generator::flatten},
      {"reshape", &Generator::reshape},
      {"transpose", &Generator::transpose},
      {"pad", &Generator::pad},
      {"slice", &Generator::slice},
      {"split", &Generator::split},
      {"resize", &Generator::resize},
      {"softmax", &Generator::softmax},
  };
  return list;
}

Live Generator::named(const std::string& op, std::vector<ValueId> inputs, Shape shape, float range,
                      const AttributeList& attributes) {
  Live result;
  result.id = builder_.node(op, name(op), std::move(inputs), attributes);
  result.shape = std::move(shape);
  result.range = range;
  return result;
}

Live Generator::round(const Live& x) {
  const float scale = std::max(x.range, 1e-3f) / 127 * real(0.4f, 1.5f);
  const int zero = chance(40) ? pick(100, 156) : chance(50) ? pick(0, 255) : 255 * pick(0, 1);
  Live result = x;
  result.uses = 0;
  result.on_grid = true;
  result.range = std::min(x.range, 255 * scale);
  const std::string base = name("round");
  if (chance(50)) {
    const auto zero_point = static_cast<std::uint8_t>(zero);
    result.integers = builder_.quantize(base + ".q", x.id, scale, zero_point);
    builder_.graph().value(result.integers).type = ElementType::u8;
    result.id = builder_.dequantize(base + ".dq", result.integers, scale, zero_point);
  } else {
    const auto zero_point = static_cast<std::int8_t>(zero - 128);
    result.integers = builder_.quantize(base + ".q", x.id, scale, zero_point);
    builder_.graph().value(result.integers).type = ElementType::s8;
    result.id = builder_.dequantize(base + ".dq", result.integers, scale, zero_point);
  }
  return result;
}

void Generator::start(RandomModel& model, bool single) {
  const int axes = chance(70) ? 2 : pick(1, 3);
  const int extent = axes == 3 ? 4 : 9;
  model.input = {-1, pick(1, 24)};
  for (int i = 0; i < axes; ++i) model.input.push_back(pick(3, extent));
  Live input;
  input.shape = model.input;
  input.shape[0] = 1;
  if (!single && chance(25)) {
    model.input_type = ElementType::u8;
    const ValueId bytes = builder_.input("x", ElementType::u8, model.input);
    input.id = builder_.dequantize("input.dq", bytes, 1.0f / 128, std::uint8_t{114});
    input.on_grid = true;
    live_.push_back(input);
    return;
  }
  input.id = builder_.input("x", ElementType::f32, model.input);
  live_.push_back(round(input));
}

std::size_t Generator::any() {
  const int last = static_cast<int>(live_.size()) - 1;
  return static_cast<std::size_t>(chance(60) ? last : pick(0, last));
}

std::size_t Generator::any_grid() {
  const std::size_t index = any();
  if (live_[index].on_grid) return index;
  live_.push_back(round(use(index)));
  return live_.size() - 1;
}

Live Generator::image() {
  std::size_t index = any_grid();
  for (int tries = 0; tries < 20 && live_[index].shape.size() < 3; ++tries) index = any_grid();
  if (live_[index].shape.size() < 3) index = 0;
  return use(index);
}

/// Another tensor of this shape, or a constant on a grid.
Live Generator::operand_like(const Shape& shape) {
  std::vector<std::size_t> fitting;
  for (std::size_t i = 0; i < live_.size(); ++i)
    if (live_[i].shape == shape) fitting.push_back(i);
  const std::size_t index =
      fitting[static_cast<std::size_t>(pick(0, static_cast<int>(fitting.size()) - 1))];
  if (chance(50)) return use(index);
  live_.push_back(round(use(index)));
  return use(live_.size() - 1);
}

/// A constant on an 8-bit grid, per tensor or along `axis`.
ValueId Generator::weights(const Shape& shape, int axis, float& range) {
  const bool per_channel = chance(50), is_signed = chance(70), symmetric = is_signed || chance(30);
  const std::int64_t count = per_channel ? shape[static_cast<std::size_t>(axis)] : 1;
  std::vector<float> scales;
  for (std::int64_t i = 0; i < count; ++i) scales.push_back(real(0.002f, 0.01f));
  range = 0.01f * 128;
  const std::string base = name("w");
  const Shape parameters = per_channel ? Shape{count} : Shape{};
  const ValueId scale = builder_.constant(base + ".s", Tensor::from<float>(parameters, scales));
  ValueId integers, zero;
  if (is_signed) {
    integers = builder_.constant(base, random_integers<std::int8_t>(shape, random_()));
    Tensor zeros(ElementType::s8, parameters);
    if (!symmetric)
      for (auto& z : zeros.data<std::int8_t>()) z = static_cast<std::int8_t>(pick(-20, 20));
    zero = builder_.constant(base + ".z", zeros);
  } else {
    integers = builder_.constant(base, random_integers<std::uint8_t>(shape, random_()));
    Tensor zeros(ElementType::u8, parameters);
    for (auto& z : zeros.data<std::uint8_t>())
      z = static_cast<std::uint8_t>(symmetric ? 128 : pick(0, 255));
    zero = builder_.constant(base + ".z", zeros);
  }
  return builder_.node("DequantizeLinear", base + ".dq", {integers, scale, zero},
                       {{"axis", std::int64_t{axis}}});
}

/// Float, or int32 with a scale of its own: the accumulator's grid is tested by the models.
ValueId Generator::bias(std::int64_t channels, float range) {
  const std::string base = name("b");
  if (chance(50))
    return builder_.constant(base, random_floats({channels}, random_(), -range, range));
  Tensor integers(ElementType::s32, {channels});
  for (auto& x : integers.data<std::int32_t>()) x = pick(-1000, 1000);
  return builder_.dequantize(base + ".dq", builder_.constant(base, integers), range / 1000,
                             std::int32_t{0});
}

RandomModel Generator::single(Maker make) {
  RandomModel model;
  start(model, true);
  Live result = (this->*make)();
  const auto bytes = [&](ValueId output) {
    Graph& graph = builder_.graph();
    graph.outputs = {output};
    if (graph.value(output).type == ElementType::undefined)
      graph.value(output).type = ElementType::f32;
    return serialize_onnx(graph);
  };
  model.unrounded = bytes(result.id);
  builder_.graph().value(result.id).type = ElementType::undefined;
  if (chance(40) && result.shape.size() > 1)
    result = named("Relu", {result.id}, result.shape, result.range);
  model.unrounded = bytes(result.id);
  const Live last = round(result);
  for (const Value& value : builder_.graph().values)
    if (value.name.ends_with(".q.s") && value.is_constant())
      model.scale = value.constant.data<float>()[0];
  model.file = bytes(last.id);
  return model;
}

RandomModel Generator::deep(int operators) {
  RandomModel model;
  start(model, false);
  for (int i = 0; i < operators; ++i) {
    const Named& maker =
        makers()[static_cast<std::size_t>(pick(0, static_cast<int>(makers().size()) - 1))];
    Live result = (this->*maker.make)();
    model.operators += std::string(maker.name) + " ";
    if (element_count(result.shape) > 6000) continue;
    if (chance(30)) result = named("Relu", {result.id}, result.shape, result.range);
    live_.push_back(result);
    if (chance(85)) {
      ++live_.back().uses;
      live_.push_back(round(result));
      if (chance(10)) live_.push_back(round(use(live_.size() - 2)));
    }
  }
  std::vector<ValueId> outputs;
  for (const Live& live : live_)
    if ((live.uses == 0 || chance(8)) && live.id != builder_.graph().inputs[0])
      outputs.push_back(live.integers != no_value && chance(30) ? live.integers : live.id);
  Graph& graph = builder_.graph();
  for (const ValueId id : outputs)
    if (graph.value(id).type == ElementType::undefined) graph.value(id).type = ElementType::f32;
  graph.outputs = outputs;
  model.file = serialize_onnx(graph);
  return model;
}

Tensor RandomModel::random_input(std::int64_t batch, unsigned seed) const {
  Shape shape = input;
  shape[0] = batch;
  return input_type == ElementType::u8 ? random_integers<std::uint8_t>(shape, seed)
                                       : random_floats(shape, seed, -1.2f, 1.2f);
}

const std::vector<std::string>& operator_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const auto& maker : Generator::makers()) list.push_back(maker.name);
    return list;
  }();
  return names;
}

RandomModel single_operator(const std::string& name, unsigned seed) {
  for (const auto& maker : Generator::makers())
    if (maker.name == name) {
      RandomModel model = Generator(seed).single(maker.make);
      model.operators = name;
      return model;
    }
  throw Error("no operator '" + name + "'");
}

RandomModel deep_model(unsigned seed, int operators) {
  return Generator(seed).deep(operators);
}

}  // namespace intact::testing
