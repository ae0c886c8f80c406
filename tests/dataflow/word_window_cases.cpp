// Pools, reductions and interpolation of tensors on 16-bit grids.
#include "words.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

Body pool(const std::string& name, const Integers& kernel, const Integers& strides,
          const Integers& pads, AttributeList more = {}) {
  more.push_back({"kernel_shape", kernel});
  more.push_back({"strides", strides});
  more.push_back({"pads", pads});
  return move(name, more);
}

std::vector<FoldCase> pools() {
  const Shape image = {2, 37, 7, 9};
  const Spelled wide{s16, {0.00041f}, {17}};
  const AttributeList padded = {{"count_include_pad", std::int64_t{1}}},
                      ceiled = {{"ceil_mode", std::int64_t{1}}};
  const Body max = pool("MaxPool", {3, 3}, {2, 2}, {1, 1, 1, 1}),
             average = pool("AveragePool", {3, 3}, {2, 2}, {1, 1, 1, 1});
  return {
      unary("max_pool", image, words, words, max),
      unary("max_pool_signed", image, odd_words, odd_words, max),
      unary("max_pool_other_grid", image, words, wide, max),
      unary("max_pool_to_bytes", image, words, bytes, max),
      unary("max_pool_of_bytes", image, bytes, words, max),
      unary("max_pool_1d", {2, 8, 21}, words, words, pool("MaxPool", {4}, {3}, {1, 2})),
      unary("max_pool_3d", {1, 5, 4, 6, 7}, words, words,
            pool("MaxPool", {2, 3, 2}, {2, 1, 2}, {0, 1, 0, 1, 1, 1})),
      unary("max_pool_ceil", image, words, words,
            pool("MaxPool", {3, 2}, {2, 2}, {0, 0, 0, 0}, ceiled)),
      unary("max_pool_relu", image, words, wide, then(max, op("Relu"))),
      unary("global_max_pool", image, words, words, op("GlobalMaxPool")),
      unary("average_pool", image, words, wide, average),
      unary("average_pool_signed", image, odd_words, words, average),
      unary("average_pool_to_bytes", image, words, bytes, average),
      unary("average_pool_of_bytes", image, bytes, wide, average),
      unary("average_pool_counting_padding", image, words, wide,
            pool("AveragePool", {3, 3}, {2, 2}, {1, 1, 1, 1}, padded)),
      unary("average_pool_1d", {2, 8, 21}, words, wide, pool("AveragePool", {4}, {3}, {1, 2})),
      unary("average_pool_ceil", image, words, wide,
            pool("AveragePool", {3, 2}, {2, 2}, {0, 0, 0, 0}, ceiled)),
      unary("average_pool_relu", image, words, wide, then(average, op("Relu"))),
      unary("global_average_pool", image, words, wide, op("GlobalAveragePool")),
      unary("global_average_pool_of_bytes", image, bytes, wide, op("GlobalAveragePool")),
      unary("global_average_pool_1d", {2, 9, 17}, words, wide, op("GlobalAveragePool")),
  };
}

std::vector<FoldCase> reductions() {
  const Shape rows = {2, 7, 40}, image = {2, 8, 5, 6};
  const Spelled wide{s16, {0.00041f}, {17}}, sums{s16, {0.0037f}, {0}};
  const AttributeList flat = {{"keepdims", std::int64_t{0}}};
  return {
      unary("mean_last", rows, words, wide, move("ReduceMean", {}, {{-1}})),
      unary("mean_middle", rows, odd_words, wide, move("ReduceMean", flat, {{1}})),
      unary("mean_image", image, words, wide, move("ReduceMean", {}, {{2, 3}})),
      unary("mean_channels", image, words, wide, move("ReduceMean", flat, {{1}})),
      unary("mean_outer_and_inner", image, words, wide, move("ReduceMean", flat, {{0, 3}})),
      unary("mean_to_bytes", rows, words, bytes, move("ReduceMean", {}, {{-1}})),
      unary("mean_of_bytes", rows, bytes, wide, move("ReduceMean", {}, {{-1}})),
      unary("mean_relu", rows, words, wide, then(move("ReduceMean", {}, {{-1}}), op("Relu"))),
      unary("sum_last", rows, words, sums, move("ReduceSum", {}, {{-1}})),
      unary("sum_middle", rows, odd_words, sums, move("ReduceSum", flat, {{1}})),
      unary("sum_of_bytes", rows, bytes, sums, move("ReduceSum", {}, {{-1}})),
      unary("max_last", rows, words, words, move("ReduceMax", {}, {{-1}})),
      unary("max_channels", image, words, wide, move("ReduceMax", flat, {{1}})),
      unary("max_to_bytes", rows, words, bytes, move("ReduceMax", {}, {{-1}})),
      unary("min_last", rows, odd_words, odd_words, move("ReduceMin", flat, {{-1}})),
      unary("min_outer_and_inner", image, words, words, move("ReduceMin", {}, {{0, 2}})),
  };
}

FoldCase resized(const std::string& name, const Spelled& from, const Spelled& to,
                 const std::vector<float>& scales, const AttributeList& attributes) {
  return unary("resized_" + name, {2, 6, 5, 7}, from, to, [=](ModelBuilder& b, ValueId x) {
    return b.node("Resize", "resize", {x, no_value, b.vector<float>("scales", scales)}, attributes);
  });
}

std::vector<FoldCase> interpolations() {
  const auto mode = [](const std::string& name) { return AttributeList{{"mode", name}}; };
  const Spelled wide{s16, {0.00041f}, {17}};
  return {
      resized("nearest", words, words, {1, 1, 2, 2}, mode("nearest")),
      resized("nearest_signed", odd_words, odd_words, {1, 1, 2, 2}, mode("nearest")),
      resized("nearest_uneven", words, words, {1, 1, 1.7f, 2.3f}, mode("nearest")),
      resized("nearest_other_grid", words, wide, {1, 1, 2, 2}, mode("nearest")),
      resized("nearest_of_bytes", bytes, wide, {1, 1, 2, 2}, mode("nearest")),
      resized("linear", words, wide, {1, 1, 2, 2}, mode("linear")),
      resized("linear_to_bytes", words, bytes, {1, 1, 2, 2}, mode("linear")),
      resized("linear_of_bytes", bytes, wide, {1, 1, 2, 2}, mode("linear")),
      resized("cubic", odd_words, wide, {1, 1, 1.5f, 2}, mode("cubic")),
  };
}

}  // namespace

std::vector<FoldCase> word_window_cases() {
  std::vector<FoldCase> all;
  for (const auto list : {pools, reductions, interpolations})
    for (FoldCase& fold : list()) all.push_back(std::move(fold));
  return all;
}

}  // namespace intact::testing
