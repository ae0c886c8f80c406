// Comparisons, choices by them, positions and elements by position: on bytes, by kernels.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

template <class T>
constexpr T odd = static_cast<T>(std::is_signed_v<T> ? -9 : 117);

template <class T>
ValueId grid_input(ModelBuilder& b, const std::string& name, const Shape& shape, float scale) {
  return b.dequantize(name + ".dq", b.input(name, element_type_of<T>(), shape), scale, odd<T>);
}

ValueId boolean(ModelBuilder& b, const std::string& op, const std::string& name,
                const std::vector<ValueId>& inputs) {
  const ValueId y = b.node(op, name, inputs);
  b.graph().value(y).type = ElementType::boolean;
  return y;
}

/// Where(x op bound, x, other): a comparison with one number.
template <class T>
FoldModel threshold(ModelBuilder& b, const std::string& op, bool bound_first) {
  const Shape shape = {2, 8, 6, 5};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f);
  const ValueId c =
      b.round("c", b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})}), 0.061f, odd<T>);
  const ValueId bound = b.scalar("bound", 0.061f * 12);
  const ValueId mask =
      boolean(b, op, "mask", bound_first ? std::vector{bound, c} : std::vector{c, bound});
  const ValueId low = b.scalar("low", -0.061f * 20);
  const ValueId y = b.node("Where", "where", {mask, c, low});
  return {{b.round("y", y, 0.061f, odd<T>), mask}, {random_integers<T>(shape, 3)}};
}

/// Two tensors of one grid, one of them repeated along axes.
template <class T>
FoldModel compared(ModelBuilder& b, const std::string& op, const Shape& other) {
  const Shape shape = {2, 4, 5, 6};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f);
  const ValueId z = grid_input<T>(b, "z", other, 0.0213f);
  const ValueId mask = boolean(b, op, "mask", {x, z});
  const ValueId y = b.node("Where", "where", {mask, x, z});
  return {{b.round("y", y, 0.0213f, odd<T>), mask},
          {random_integers<T>(shape, 3), random_integers<T>(other, 4)}};
}

/// Masks joined before they choose.
template <class T>
FoldModel joined_masks(ModelBuilder& b, const std::string& op) {
  const Shape shape = {2, 4, 5, 6};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f);
  const ValueId low = boolean(b, "Greater", "low", {x, b.scalar("a", -0.4f)});
  const ValueId high = boolean(b, "Less", "high", {x, b.scalar("b", 0.5f)});
  const ValueId mask = boolean(b, op, "mask", {low, high});
  const ValueId y = b.node("Where", "where", {mask, x, b.scalar("zero", 0.0f)});
  return {{b.round("y", y, 0.0213f, odd<T>)}, {random_integers<T>(shape, 3)}};
}

/// Positions that the run knows, along any axis of a convolution's result, and what reads them.
template <class T>
FoldModel gathered(ModelBuilder& b, std::int64_t axis, const Tensor& index, bool constant) {
  const Shape shape = {2, 8, 6, 5};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f);
  const ValueId c =
      b.round("c", b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})}), 0.061f, odd<T>);
  const ValueId at =
      constant ? b.constant("at", index) : b.input("at", index.type(), index.shape());
  const ValueId y = b.node("Gather", "gather", {c, at}, {{"axis", axis}});
  FoldModel model{{b.round("y", y, 0.061f, odd<T>)}, {random_integers<T>(shape, 3)}};
  if (!constant) model.inputs.push_back(index);
  return model;
}

/// A factor that is no integer: rows are picked one by one.
template <class T>
FoldModel nearest(ModelBuilder& b, const std::vector<float>& scales) {
  const Shape shape = {2, 8, 6, 5};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f);
  const ValueId c =
      b.round("c", b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})}), 0.061f, odd<T>);
  const ValueId y = b.node("Resize", "resize", {c, no_value, b.vector<float>("scales", scales)},
                           {{"mode", std::string("nearest")}});
  return {{b.round("y", y, 0.061f, odd<T>)}, {random_integers<T>(shape, 3)}};
}

template <class T>
FoldModel arg(ModelBuilder& b, const std::string& op, std::int64_t axis, std::int64_t last) {
  const Shape shape = {2, 70, 5, 9};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f);
  const ValueId y = b.node(op, "arg", {x}, {{"axis", axis}, {"select_last_index", last}});
  b.graph().value(y).type = ElementType::s64;
  return {{y}, {random_integers<T>(shape, 3)}};
}

template <class T>
FoldModel cropped_and_mirrored(ModelBuilder& b, const std::string& mode) {
  const Shape shape = {2, 3, 7, 5};
  const ValueId x = grid_input<T>(b, "x", shape, 0.0213f);
  const ValueId y =
      b.node("Pad", "pad", {x, b.vector<std::int64_t>("pads", {0, 1, -2, 3, 0, 1, 2, -1})},
             {{"mode", mode}});
  return {{b.round("y", y, 0.0213f, odd<T>)}, {random_integers<T>(shape, 3)}};
}

template <class T>
void add_cases(std::vector<FoldCase>& cases, const std::string& type) {
  const auto add = [&](const std::string& name, std::function<FoldModel(ModelBuilder&)> build,
                       int opset = 18) {
    cases.push_back({"logic_" + name + type, std::move(build), opset});
  };
  for (const std::string op : {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"}) {
    add("threshold_" + op, [=](auto& b) { return threshold<T>(b, op, false); });
    add("threshold_first_" + op, [=](auto& b) { return threshold<T>(b, op, true); });
    add("compared_" + op, [=](auto& b) { return compared<T>(b, op, {2, 4, 5, 6}); });
    add("compared_broadcast_" + op, [=](auto& b) { return compared<T>(b, op, {4, 1, 6}); });
  }
  for (const std::string op : {"And", "Or", "Xor"})
    add("joined_" + op, [=](auto& b) { return joined_masks<T>(b, op); });
  const Tensor index = Tensor::from<std::int64_t>({4}, Integers{3, 0, -1, 3});
  const Tensor square = Tensor::from<std::int64_t>({2, 2}, Integers{1, 4, 0, 2});
  const Tensor narrow = Tensor::from<std::int32_t>({3}, std::vector<std::int32_t>{4, -2, 1});
  for (const std::int64_t axis : {1, 2, 3})
    for (const bool constant : {true, false}) {
      const std::string name =
          "gather_axis" + std::to_string(axis) + (constant ? "_constant" : "_computed");
      add(name, [=](auto& b) { return gathered<T>(b, axis, index, constant); });
      add(name + "_square", [=](auto& b) { return gathered<T>(b, axis, square, constant); });
      add(name + "_s32", [=](auto& b) { return gathered<T>(b, axis, narrow, constant); });
    }
  add("nearest_fraction", [](auto& b) { return nearest<T>(b, {1, 1, 1.5f, 1.4f}); });
  add("nearest_shrinking", [](auto& b) { return nearest<T>(b, {1, 1, 0.7f, 2.4f}); });
  for (const std::string op : {"ArgMax", "ArgMin"})
    for (const std::int64_t axis : {0, 1, 2, 3})
      for (const std::int64_t last : {0, 1})
        add(op + "_axis" + std::to_string(axis) + (last ? "_last" : "_first"),
            [=](auto& b) { return arg<T>(b, op, axis, last); });
  for (const std::string mode : {"reflect", "edge", "wrap"})
    add(
        "pad_cropped_" + mode, [=](auto& b) { return cropped_and_mirrored<T>(b, mode); }, 19);
}

}  // namespace

std::vector<FoldCase> logic_cases() {
  std::vector<FoldCase> cases;
  add_cases<std::uint8_t>(cases, "_u8");
  add_cases<std::int8_t>(cases, "_s8");
  return cases;
}

}  // namespace intact::testing
