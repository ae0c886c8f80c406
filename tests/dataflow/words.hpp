// What the cases of tensors on 16-bit grids share: grids, graph inputs on them, and small models
// around one operator.
#pragma once

#include "spelling.hpp"

namespace intact::testing {

inline constexpr ElementType u8 = ElementType::u8, s8 = ElementType::s8, u16 = ElementType::u16,
                             s16 = ElementType::s16, f32 = ElementType::f32;

using Body = std::function<ValueId(ModelBuilder&, ValueId)>;

/// A graph input of integers on a grid.
inline ValueId integer_input(ModelBuilder& b, FoldModel& model, const std::string& name,
                             const Shape& shape, const Spelled& grid, unsigned seed = 3) {
  model.inputs.push_back(integers(grid.type, shape, seed));
  return dequantize(b, name + ".dq", b.input(name, grid.type, shape), grid);
}

inline const Spelled words{u16, {0.00031f}, {31007}};
inline const Spelled signed_words{s16, {0.00023f}, {0}};
inline const Spelled odd_words{s16, {0.00023f}, {-1234}};
inline const Spelled bytes{u8, {0.023f}, {117}};

/// x on `from` -> body -> pair on `to`.
inline FoldCase unary(const std::string& name, const Shape& shape, const Spelled& from,
                      const Spelled& to, const Body& body) {
  FoldCase fold{"words_" + name, [=](ModelBuilder& b) {
                  FoldModel model;
                  const ValueId x = integer_input(b, model, "x", shape, from);
                  model.outputs = {pair(b, "y", body(b, x), to)};
                  return model;
                }};
  fold.opset = 21;
  return fold;
}

inline Body then(const Body& first, const Body& second) {
  return [=](ModelBuilder& b, ValueId x) { return second(b, first(b, x)); };
}
inline Body op(const std::string& name) {
  return [=](ModelBuilder& b, ValueId x) { return b.node(name, name + "_", {x}); };
}
inline FoldCase binary(const std::string& name, const std::string& function, const Shape& shape_a,
                       const Spelled& a, const Shape& shape_b, const Spelled& b_grid,
                       const Spelled& to) {
  FoldCase fold{"words_" + name, [=](ModelBuilder& b) {
                  FoldModel model;
                  const ValueId x = integer_input(b, model, "a", shape_a, a);
                  const ValueId z = integer_input(b, model, "b", shape_b, b_grid, 4);
                  model.outputs = {pair(b, "y", b.node(function, "f", {x, z}), to)};
                  return model;
                }};
  fold.opset = 21;
  return fold;
}

inline Body with_number(const std::string& function, float number) {
  return [=](ModelBuilder& b, ValueId x) {
    return b.node(function, "f", {x, b.scalar("number", number)});
  };
}

inline Body move(const std::string& name, const AttributeList& attributes,
                 const std::vector<std::vector<std::int64_t>>& operands = {}) {
  return [=](ModelBuilder& b, ValueId x) {
    std::vector<ValueId> inputs = {x};
    for (std::size_t i = 0; i < operands.size(); ++i)
      inputs.push_back(
          b.constant("operand" + std::to_string(i),
                     Tensor::from<std::int64_t>({static_cast<std::int64_t>(operands[i].size())},
                                                operands[i])));
    return b.node(name, "move", inputs, attributes);
  };
}

}  // namespace intact::testing
