// The operators of random models.
#include <algorithm>
#include <cmath>

#include "generator.hpp"

namespace intact::testing {

Live Generator::conv(int groups_kind) {
  const Live x = image();
  const std::int64_t channels = x.shape[1];
  std::int64_t groups = 1, out = pick(1, 40);
  if (groups_kind == 1) groups = out = channels;
  if (groups_kind == 2) {
    groups = channels % 3 == 0 ? 3 : channels % 2 == 0 ? 2 : 1;
    out = groups * pick(1, 9);
  }
  Shape kernel_shape = {out, channels / groups}, spatial;
  std::vector<std::int64_t> kernel, strides, dilations, pads_begin, pads_end;
  for (std::size_t i = 2; i < x.shape.size(); ++i) {
    const std::int64_t k = std::min<std::int64_t>(pick(1, 3), x.shape[i]);
    const std::int64_t dilation = (k - 1) * 2 < x.shape[i] && chance(20) ? 2 : 1;
    kernel.push_back(k);
    dilations.push_back(dilation);
    strides.push_back(chance(70) ? 1 : 2);
    pads_begin.push_back(pick(0, static_cast<int>(k) - 1));
    pads_end.push_back(pick(0, static_cast<int>(k) - 1));
    const std::int64_t padded = x.shape[i] + pads_begin.back() + pads_end.back();
    spatial.push_back((padded - (k - 1) * dilation - 1) / strides.back() + 1);
  }
  kernel_shape.insert(kernel_shape.end(), kernel.begin(), kernel.end());
  std::vector<std::int64_t> pads = pads_begin;
  pads.insert(pads.end(), pads_end.begin(), pads_end.end());
  float weight_range = 1;
  std::vector<ValueId> inputs = {x.id, weights(kernel_shape, 0, weight_range)};
  const auto depth = static_cast<float>(element_count(kernel_shape) / out);
  const float range = x.range * weight_range * std::sqrt(depth) / 2;
  if (chance(70)) inputs.push_back(bias(out, range / 2));
  return named("Conv", inputs, spatial_shape(out, spatial), range,
               {{"group", groups},
                {"kernel_shape", kernel},
                {"strides", strides},
                {"dilations", dilations},
                {"pads", pads}});
}

/// x + Conv(x): the residual is the convolution's own input.
Live Generator::residual() {
  const Live x = image();
  const std::int64_t channels = x.shape[1];
  Shape kernel = {channels, channels};
  std::vector<std::int64_t> pads;
  for (std::size_t i = 2; i < x.shape.size(); ++i) kernel.push_back(3);
  pads.assign(2 * (x.shape.size() - 2), 1);
  float weight_range = 1;
  const ValueId w = weights(kernel, 0, weight_range);
  const float range = x.range * weight_range * std::sqrt(9.0f * static_cast<float>(channels)) / 2;
  Live product = named("Conv", {x.id, w}, x.shape, range, {{"pads", pads}});
  if (chance(70)) product = round(product);
  if (chance(50)) return named("Add", {product.id, x.id}, x.shape, range);
  return named("Add", {x.id, product.id}, x.shape, range);
}

Live Generator::matmul() {
  const Live x = use(any_grid());
  const std::int64_t k = x.shape.back(), n = pick(1, 40);
  float weight_range = 1;
  const ValueId w = weights({k, n}, 1, weight_range);
  Shape shape = x.shape;
  shape.back() = n;
  const float range = x.range * weight_range * std::sqrt(static_cast<float>(k)) / 2;
  const Live product = named("MatMul", {x.id, w}, shape, range);
  if (!chance(50)) return product;
  return named("Add", {product.id, bias(n, range / 2)}, shape, range);
}

Live Generator::gemm() {
  Live x = use(any_grid());
  const std::int64_t k = element_count(x.shape), n = pick(1, 40);
  if (x.shape.size() != 2) x = named("Flatten", {x.id}, {1, k}, x.range);
  const bool transposed = chance(50);
  float weight_range = 1;
  const ValueId w =
      transposed ? weights({n, k}, 0, weight_range) : weights({k, n}, 1, weight_range);
  const float range = x.range * weight_range * std::sqrt(static_cast<float>(k)) / 2;
  std::vector<ValueId> inputs = {x.id, w};
  if (chance(70)) inputs.push_back(bias(n, range / 2));
  return named("Gemm", inputs, {1, n}, range, {{"transB", std::int64_t{transposed}}});
}

Live Generator::binary(const std::string& op) {
  const Live a = use(chance(80) ? any_grid() : any());
  const Live b = operand_like(a.shape);
  const float range = op == "Mul" ? a.range * b.range : a.range + b.range;
  return named(op, {a.id, b.id}, a.shape, range);
}

/// A constant per channel, float or on a grid.
Live Generator::add_constant() {
  const Live x = use(any_grid());
  Shape shape(x.shape.size(), 1);
  shape[1] = x.shape[1];
  const std::string op = chance(50) ? "Add" : "Mul";
  ValueId c = no_value;
  if (chance(50)) {
    c = builder_.constant(name("c"), random_floats(shape, random_(), -1, 1));
  } else {
    const std::string base = name("c");
    c = builder_.dequantize(base + ".dq",
                            builder_.constant(base, random_integers<std::int8_t>(shape, random_())),
                            0.01f, std::int8_t{3});
  }
  return named(op, chance(50) ? std::vector{x.id, c} : std::vector{c, x.id}, x.shape, x.range + 1);
}

/// Several terms without a Round between them; the inner sum may be used again.
Live Generator::sum() {
  const Live a = use(any_grid());
  const Live b = operand_like(a.shape), c = operand_like(a.shape);
  Live inner = named("Add", {a.id, b.id}, a.shape, a.range + b.range);
  if (chance(40)) {
    live_.push_back(round(inner));
    ++inner.uses;
  }
  return named("Add", {inner.id, c.id}, a.shape, inner.range + c.range);
}

Live Generator::concat() {
  const Live a = use(any_grid());
  const Live b = use(any_grid());
  Live second = a;
  const auto same = [&](std::size_t axis) {
    if (a.shape.size() != b.shape.size()) return false;
    for (std::size_t i = 0; i < a.shape.size(); ++i)
      if (i != axis && a.shape[i] != b.shape[i]) return false;
    return true;
  };
  const auto axis =
      static_cast<std::size_t>(chance(60) ? 1 : pick(1, static_cast<int>(a.shape.size()) - 1));
  if (same(axis)) second = b;
  Shape shape = a.shape;
  shape[axis] += second.shape[axis];
  const float range = std::max(a.range, second.range);
  return named("Concat", {a.id, second.id}, shape, range,
               {{"axis", static_cast<std::int64_t>(axis)}});
}

Live Generator::pool(const std::string& op) {
  const Live x = image();
  std::vector<std::int64_t> kernel, strides, pads_begin, pads_end, spatial;
  for (std::size_t i = 2; i < x.shape.size(); ++i) {
    const std::int64_t k = std::min<std::int64_t>(pick(1, 3), x.shape[i]);
    kernel.push_back(k);
    strides.push_back(pick(1, 2));
    pads_begin.push_back(pick(0, static_cast<int>(k) - 1));
    pads_end.push_back(pick(0, static_cast<int>(k) - 1));
    spatial.push_back((x.shape[i] + pads_begin.back() + pads_end.back() - k) / strides.back() + 1);
  }
  pads_begin.insert(pads_begin.end(), pads_end.begin(), pads_end.end());
  AttributeList attributes = {{"kernel_shape", kernel}, {"strides", strides}, {"pads", pads_begin}};
  if (op == "AveragePool") attributes.push_back({"count_include_pad", std::int64_t{pick(0, 1)}});
  return named(op, {x.id}, spatial_shape(x.shape[1], spatial), x.range, attributes);
}

Live Generator::global_average() {
  const Live x = image();
  const std::vector<std::int64_t> ones(x.shape.size() - 2, 1);
  return named("GlobalAveragePool", {x.id}, spatial_shape(x.shape[1], ones), x.range / 4);
}

Live Generator::reduce_mean() {
  const Live x = image();
  std::vector<std::int64_t> axes;
  for (std::size_t i = 2; i < x.shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  return named("ReduceMean", {x.id}, {1, x.shape[1]}, x.range / 4,
               {{"axes", axes}, {"keepdims", std::int64_t{0}}});
}

Live Generator::unary() {
  const Live x = use(any_grid());
  struct Function {
    const char* op;
    AttributeList attributes;
  };
  const std::vector<Function> functions = {
      {"Relu", {}},      {"Sigmoid", {}},     {"Tanh", {}},
      {"HardSwish", {}}, {"HardSigmoid", {}}, {"LeakyRelu", {{"alpha", 0.1f}}},
      {"Abs", {}},       {"Neg", {}},         {"Erf", {}},
      {"Elu", {}},       {"Softplus", {}},    {"Clip", {}},
  };
  const Function& f =
      functions[static_cast<std::size_t>(pick(0, static_cast<int>(functions.size()) - 1))];
  std::vector<ValueId> inputs = {x.id};
  if (f.op == std::string("Clip")) {
    const float low = real(-x.range, x.range);
    inputs.push_back(chance(80) ? builder_.scalar(name("low"), low) : no_value);
    inputs.push_back(builder_.scalar(name("high"), low + real(0, x.range)));
  }
  const bool bounded = f.op == std::string("Sigmoid") || f.op == std::string("HardSigmoid");
  return named(f.op, inputs, x.shape, bounded ? 1 : x.range, f.attributes);
}

Live Generator::silu() {
  const Live x = use(any_grid());
  const Live gate = named("Sigmoid", {x.id}, x.shape, 1);
  return named("Mul", {x.id, gate.id}, x.shape, x.range);
}

Live Generator::silu_rounded() {
  const Live x = use(any_grid());
  const Live gate = round(named("Sigmoid", {x.id}, x.shape, 1));
  return named("Mul", {gate.id, x.id}, x.shape, x.range);
}

Live Generator::scaled() {
  const Live x = use(any_grid());
  const ValueId factor = builder_.scalar(name("f"), real(-2, 2));
  const char* ops[] = {"Add", "Sub", "Mul", "Div"};
  const char* op = ops[pick(0, 3)];
  return named(op, {x.id, factor}, x.shape, x.range * 2 + 2);
}

Live Generator::flatten() {
  const Live x = use(any_grid());
  return named("Flatten", {x.id}, {1, element_count(x.shape)}, x.range);
}

Live Generator::reshape() {
  const Live x = use(any());
  const Shape target = {0, x.shape[1], -1};
  return named("Reshape", {x.id, builder_.vector<std::int64_t>(name("shape"), target)},
               {1, x.shape[1], element_count(x.shape) / x.shape[1]}, x.range);
}

Live Generator::transpose() {
  const Live x = use(any());
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < x.shape.size(); ++i) order.push_back(static_cast<std::int64_t>(i));
  std::shuffle(order.begin() + 1, order.end(), random_);
  Shape shape;
  for (const std::int64_t axis : order) shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
  return named("Transpose", {x.id}, shape, x.range, {{"perm", order}});
}

Live Generator::pad() {
  const Live x = use(any_grid());
  Shape shape = x.shape;
  std::vector<std::int64_t> before(shape.size(), 0), after(shape.size(), 0);
  for (std::size_t i = 1; i < shape.size(); ++i) {
    before[i] = pick(0, 2);
    after[i] = pick(0, 2);
    shape[i] += before[i] + after[i];
  }
  before.insert(before.end(), after.begin(), after.end());
  const ValueId pads = builder_.vector<std::int64_t>(name("pads"), before);
  if (chance(20))
    return named("Pad", {x.id, pads}, shape, x.range, {{"mode", std::string("edge")}});
  if (chance(30))
    return named("Pad", {x.id, pads, builder_.scalar(name("fill"), 0.5f)}, shape, x.range);
  return named("Pad", {x.id, pads}, shape, x.range);
}

Live Generator::slice() {
  const Live x = use(any());
  const int axis = pick(1, static_cast<int>(x.shape.size()) - 1);
  const std::int64_t extent = x.shape[static_cast<std::size_t>(axis)];
  const std::int64_t step = pick(1, 2);
  const std::int64_t begin = pick(0, static_cast<int>(extent) - 1);
  const bool backwards = chance(30);
  const std::int64_t count = backwards ? begin / step + 1 : (extent - begin - 1) / step + 1;
  const auto list = [&](std::int64_t value) {
    return builder_.vector<std::int64_t>(name("s"), {value});
  };
  Shape shape = x.shape;
  shape[static_cast<std::size_t>(axis)] = count;
  const std::int64_t end = backwards ? -100000 : 100000;
  return named("Slice", {x.id, list(begin), list(end), list(axis), list(backwards ? -step : step)},
               shape, x.range);
}

Live Generator::split() {
  const Live x = use(any());
  const std::int64_t extent = x.shape[1], first = extent - extent / 2;
  if (extent < 2) return transpose();
  const std::string node = name("Split");
  const ValueId sizes = builder_.vector<std::int64_t>(name("sizes"), {first, extent - first});
  const ValueId id =
      builder_.node("Split", node, {x.id, sizes}, {{"axis", std::int64_t{1}}}, "", 2);
  Live a = x, b = x;
  a.uses = b.uses = 0;
  a.integers = b.integers = no_value;
  a.on_grid = b.on_grid = x.on_grid;
  a.id = id;
  b.id = id + 1;
  a.shape[1] = first;
  b.shape[1] = extent - first;
  live_.push_back(b);
  return a;
}

Live Generator::resize() {
  const Live x = image();
  std::vector<float> factors = {1, 1};
  Shape shape = {1, x.shape[1]};
  for (std::size_t i = 2; i < x.shape.size(); ++i) {
    factors.push_back(static_cast<float>(pick(1, 2)));
    shape.push_back(x.shape[i] * static_cast<std::int64_t>(factors.back()));
  }
  const ValueId scales = builder_.vector<float>(name("scales"), factors);
  return named("Resize", {x.id, no_value, scales}, shape, x.range,
               {{"mode", std::string("nearest")},
                {"coordinate_transformation_mode", std::string("asymmetric")},
                {"nearest_mode", std::string("floor")}});
}

Live Generator::softmax() {
  const Live x = use(any_grid());
  return named("Softmax", {x.id}, x.shape, 1, {{"axis", std::int64_t{-1}}});
}

}  // namespace intact::testing
