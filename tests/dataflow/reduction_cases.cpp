// Reductions and pools of every kind: bytes in, bytes out, sums in integers.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

struct Reduction {
  std::string name, op;
  Shape shape;
  AttributeList attributes;
  Integers axes = {};    ///< as an operand; empty: none is given
  float scale = 0.021f;  ///< of the Round behind it; x has 0.043
  int opset = 18;
  bool behind_conv = false;
};

template <class T>
FoldModel reduced(ModelBuilder& b, const Reduction& r) {
  const T zero = static_cast<T>(std::is_signed_v<T> ? -11 : 103);
  const T zero_y = static_cast<T>(std::is_signed_v<T> ? 5 : 131);
  ValueId x = b.dequantize("x.dq", b.input("x", element_type_of<T>(), r.shape), 0.043f, zero);
  if (r.behind_conv) {
    const ValueId w = grid_weights(b, "w", {r.shape[1], r.shape[1], 1, 1});
    x = b.round("c", b.node("Conv", "conv", {x, w}), 0.043f, zero);
  }
  std::vector<ValueId> inputs = {x};
  if (!r.axes.empty()) inputs.push_back(b.vector<std::int64_t>("axes", r.axes));
  const ValueId y = b.node(r.op, "reduce", inputs, r.attributes);
  return {{b.round("y", y, r.scale, zero_y)}, {random_integers<T>(r.shape, 3)}};
}

const AttributeList flat = {{"keepdims", std::int64_t{0}}};

AttributeList pool(const Integers& kernel, const Integers& strides, const Integers& pads,
                   AttributeList more = {}) {
  more.push_back({"kernel_shape", kernel});
  more.push_back({"strides", strides});
  more.push_back({"pads", pads});
  return more;
}

const Reduction reductions[] = {
    {"mean_last", "ReduceMean", {2, 3, 40}, {}, {-1}},
    {"mean_last_flat", "ReduceMean", {2, 3, 40}, flat, {2}},
    {"mean_middle", "ReduceMean", {2, 7, 40}, flat, {1}},
    {"mean_first", "ReduceMean", {5, 6, 7}, {}, {0}},
    {"mean_all", "ReduceMean", {3, 5, 17}, flat, {}},
    {"mean_channels", "ReduceMean", {2, 8, 5, 6}, {}, {1}, 0.011f, 18, true},
    {"mean_height", "ReduceMean", {2, 8, 5, 6}, flat, {2}, 0.02f, 18, true},
    {"mean_outer_and_inner", "ReduceMean", {3, 8, 5, 6}, flat, {0, 3}, 0.01f},
    {"mean_image_flat", "ReduceMean", {2, 8, 5, 6}, flat, {-2, -1}, 0.02f, 18, true},
    {"mean_attribute", "ReduceMean", {2, 9, 6}, {{"axes", Integers{1}}}, {}, 0.02f, 13},
    {"mean_tokens", "ReduceMean", {1, 49, 96}, flat, {1}, 0.013f},
    {"sum_last", "ReduceSum", {4, 33}, {}, {1}, 0.9f, 13},
    {"sum_channels", "ReduceSum", {2, 8, 5, 6}, flat, {1}, 0.3f, 13, true},
    {"sum_all", "ReduceSum", {3, 5, 17}, {}, {}, 1.7f, 13},
    {"max_last", "ReduceMax", {2, 6, 31}, {}, {2}},
    {"max_channels", "ReduceMax", {2, 8, 5, 6}, {}, {1}, 0.043f, 18, true},
    {"max_outer_and_inner", "ReduceMax", {3, 8, 5, 6}, flat, {0, 2}, 0.06f, 18, true},
    {"max_attribute", "ReduceMax", {4, 9}, {{"axes", Integers{0}}}, {}, 0.03f, 13},
    {"min_last", "ReduceMin", {2, 6, 31}, flat, {-1}},
    {"min_channels", "ReduceMin", {2, 8, 5, 6}, {}, {1}, 0.043f, 18, true},
    {"min_all", "ReduceMin", {6, 31}, flat, {}, 0.05f},
    {"average_pool_counting_padding",
     "AveragePool",
     {2, 8, 7, 9},
     pool({3, 3}, {2, 2}, {1, 1, 1, 1}, {{"count_include_pad", std::int64_t{1}}})},
    {"average_pool_ceil",
     "AveragePool",
     {2, 8, 8, 9},
     pool({3, 2}, {2, 2}, {0, 0, 0, 0}, {{"ceil_mode", std::int64_t{1}}})},
    {"average_pool_1d", "AveragePool", {2, 8, 21}, pool({4}, {3}, {1, 2})},
    {"average_pool_3d",
     "AveragePool",
     {1, 5, 4, 6, 7},
     pool({2, 3, 2}, {2, 1, 2}, {0, 1, 0, 1, 1, 1})},
    {"average_pool_dilated",
     "AveragePool",
     {1, 6, 11, 11},
     pool({3, 3}, {1, 1}, {1, 1, 1, 1}, {{"dilations", Integers{2, 2}}}),
     {},
     0.021f,
     19},
    {"average_pool_same_upper",
     "AveragePool",
     {1, 6, 9, 9},
     {{"kernel_shape", Integers{3, 3}},
      {"strides", Integers{2, 2}},
      {"auto_pad", std::string("SAME_UPPER")}}},
    {"max_pool_1d", "MaxPool", {2, 8, 21}, pool({4}, {3}, {1, 2})},
    {"max_pool_3d", "MaxPool", {1, 5, 4, 6, 7}, pool({2, 3, 2}, {2, 1, 2}, {0, 1, 0, 1, 1, 1})},
    {"max_pool_dilated",
     "MaxPool",
     {1, 6, 11, 11},
     pool({3, 3}, {2, 1}, {1, 1, 1, 1}, {{"dilations", Integers{2, 3}}})},
    {"max_pool_ceil",
     "MaxPool",
     {1, 6, 8, 8},
     pool({3, 3}, {2, 2}, {0, 0, 0, 0}, {{"ceil_mode", std::int64_t{1}}})},
    {"global_max_pool_1d", "GlobalMaxPool", {2, 9, 17}, {}},
    {"global_average_pool_3d", "GlobalAveragePool", {2, 5, 3, 4, 5}, {}},
    {"global_average_pool_1d", "GlobalAveragePool", {2, 9, 17}, {}},
};

/// A sum that stays float: the graph's output.
FoldModel sum_as_float(ModelBuilder& b) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, {5, 40}), 0.043f, std::uint8_t{77});
  return {{b.node("ReduceSum", "sum", {x, b.vector<std::int64_t>("axes", {1})})},
          {random_integers<std::uint8_t>({5, 40}, 4)}};
}

/// Mean, Relu and Round are one kernel.
FoldModel clamped_mean(ModelBuilder& b) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::s8, {6, 40}), 0.043f, std::int8_t{3});
  const ValueId mean = b.node("ReduceMean", "mean", {x}, {{"axes", Integers{1}}});
  return {{b.round("y", b.node("Relu", "relu", {mean}), 0.007f, std::int8_t{-128})},
          {random_integers<std::int8_t>({6, 40}, 4)}};
}

/// Spread and mean of the same tensor, which is a graph output too.
FoldModel several_readers(ModelBuilder& b) {
  const ValueId x = b.round("x", b.input("in", ElementType::f32, {3, 50}), 0.01f, std::uint8_t{90});
  const ValueId axes = b.vector<std::int64_t>("axes", {1});
  const ValueId low = b.node("ReduceMin", "min", {x, axes});
  const ValueId high = b.node("ReduceMax", "max", {x, axes});
  const ValueId mean =
      b.round("m", b.node("ReduceMean", "mean", {x, axes}), 0.01f, std::uint8_t{101});
  const ValueId spread = b.round("s", b.node("Sub", "sub", {high, low}), 0.02f, std::uint8_t{0});
  return {{x, mean, spread}, {random_floats({3, 50}, 5)}};
}

}  // namespace

std::vector<FoldCase> reduction_cases() {
  std::vector<FoldCase> cases = {
      {"reduce_sum_float_output", sum_as_float, 13},
      {"reduce_mean_clamped", clamped_mean, 13},
      {"reduce_several_readers", several_readers, 18},
  };
  for (const Reduction& r : reductions) {
    cases.push_back({"reduce_" + r.name + "_u8",
                     [&](ModelBuilder& b) { return reduced<std::uint8_t>(b, r); }, r.opset});
    cases.push_back({"reduce_" + r.name + "_s8",
                     [&](ModelBuilder& b) { return reduced<std::int8_t>(b, r); }, r.opset});
  }
  return cases;
}

}  // namespace intact::testing
