// Movements directly behind a product without a Round, and element-wise operators and Rounds behind
// them: these move in front, into the product's kernel, and the movements carry bytes.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

const Shape image = {2, 8, 6, 10};

ValueId ints(ModelBuilder& b, const std::string& name, const Integers& values) {
  return b.vector<std::int64_t>(name, values);
}

/// Of [2, 8, 6, 10] floats.
struct Mover {
  const char* name;
  ValueId (*move)(ModelBuilder&, ValueId);
};

ValueId slice(ModelBuilder& b, const std::string& name, ValueId x, std::int64_t axis,
              std::int64_t begin, std::int64_t end) {
  return b.node("Slice", name,
                {x, ints(b, name + ".from", {begin}), ints(b, name + ".to", {end}),
                 ints(b, name + ".axis", {axis})});
}

const Mover movers[] = {
    {"reshape",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Reshape", "move", {x, ints(b, "shape", {2, 8, 60})});
     }},
    {"reshape_across_channels",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Reshape", "move", {x, ints(b, "shape", {2, 2, 4, 60})});
     }},
    {"flatten", [](ModelBuilder& b, ValueId x) { return b.node("Flatten", "move", {x}); }},
    {"transpose",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Transpose", "move", {x}, {{"perm", Integers{0, 2, 3, 1}}});
     }},
    {"transpose_images",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Transpose", "move", {x}, {{"perm", Integers{1, 0, 3, 2}}});
     }},
    {"tokens",
     [](ModelBuilder& b, ValueId x) {
       const ValueId rows = b.node("Reshape", "rows", {x, ints(b, "shape", {2, 8, 60})});
       return b.node("Transpose", "move", {rows}, {{"perm", Integers{0, 2, 1}}});
     }},
    {"heads",
     [](ModelBuilder& b, ValueId x) {
       const ValueId last = b.node("Transpose", "last", {x}, {{"perm", Integers{0, 2, 3, 1}}});
       const ValueId heads = b.node("Reshape", "heads", {last, ints(b, "shape", {2, 60, 2, 4})});
       return b.node("Transpose", "move", {heads}, {{"perm", Integers{0, 2, 1, 3}}});
     }},
    {"depth_to_space",
     [](ModelBuilder& b, ValueId x) {
       return b.node("DepthToSpace", "move", {x}, {{"blocksize", std::int64_t{2}}});
     }},
    {"space_to_depth",
     [](ModelBuilder& b, ValueId x) {
       return b.node("SpaceToDepth", "move", {x}, {{"blocksize", std::int64_t{2}}});
     }},
    {"resize",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Resize", "move", {x, no_value, b.vector<float>("scales", {1, 1, 2, 2})},
                     {{"mode", std::string("nearest")}});
     }},
    {"expand",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Expand", "move", {x, ints(b, "shape", {3, 2, 8, 6, 10})});
     }},
    {"tile",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Tile", "move", {x, ints(b, "repeats", {1, 2, 1, 2})});
     }},
    {"slice", [](ModelBuilder& b, ValueId x) { return slice(b, "move", x, 3, 1, 8); }},
    {"pad",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Pad", "move", {x, ints(b, "pads", {0, 0, 1, 2, 0, 0, 0, 1})});
     }},
    {"pad_number",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Pad", "move",
                     {x, ints(b, "pads", {0, 0, 1, 2, 0, 0, 0, 1}), b.scalar("number", 0.437f)});
     }},
    {"pad_reflect",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Pad", "move", {x, ints(b, "pads", {0, 0, 1, 2, 0, 0, 0, 1})},
                     {{"mode", std::string("reflect")}});
     }},
    {"concat",
     [](ModelBuilder& b, ValueId x) {
       const ValueId other =
           b.node("Conv", "other",
                  {b.graph().nodes.back().inputs[0], grid_weights(b, "v", {4, 8, 1, 1}, 9)});
       return b.node("Concat", "move", {x, other}, {{"axis", std::int64_t{1}}});
     }},
};

struct Function {
  const char* name;
  ValueId (*apply)(ModelBuilder&, ValueId);
};

const Function functions[] = {
    {"round", [](ModelBuilder&, ValueId x) { return x; }},
    {"relu", [](ModelBuilder& b, ValueId x) { return b.node("Relu", "relu", {x}); }},
    {"silu",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Mul", "silu", {x, b.node("Sigmoid", "sigmoid", {x})});
     }},
    {"affine",
     [](ModelBuilder& b, ValueId x) {
       const ValueId scaled = b.node("Mul", "scale", {b.scalar("factor", 0.37f), x});
       return b.node("Sub", "shift", {scaled, b.scalar("addend", 0.21f)});
     }},
};

FoldModel behind_product(ModelBuilder& b, const Mover& mover, const Function& function) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, image), 0.0213f, std::uint8_t{117});
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId y = function.apply(b, mover.move(b, conv));
  return {{b.round("q", y, 0.0231f, std::int8_t{-3})}, {random_integers<std::uint8_t>(image, 3)}};
}

/// Tokens [2, 60, 8] of the product of an image.
ValueId tokens(ModelBuilder& b) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, image), 0.0213f, std::uint8_t{117});
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId rows = b.node("Reshape", "rows", {conv, ints(b, "shape", {2, 8, 60})});
  return b.node("Transpose", "tokens", {rows}, {{"perm", Integers{0, 2, 1}}});
}

FoldModel constant_behind(ModelBuilder& b, const Shape& shape) {
  const ValueId sum =
      b.node("Add", "add", {tokens(b), b.constant("positions", random_floats(shape, 4))});
  return {{b.round("q", sum, 0.0231f, std::int8_t{-3})}, {random_integers<std::uint8_t>(image, 3)}};
}

/// The other operand lies as the moved product does.
FoldModel residual_behind(ModelBuilder& b) {
  const Shape shape = {2, 60, 8};
  const ValueId y =
      b.dequantize("y.dq", b.input("y", ElementType::u8, shape), 0.017f, std::uint8_t{101});
  const ValueId sum = b.node("Add", "add", {y, tokens(b)});
  return {{b.round("q", sum, 0.0231f, std::int8_t{-3})},
          {random_integers<std::uint8_t>(shape, 5), random_integers<std::uint8_t>(image, 3)}};
}

/// A matrix of all tokens, as frameworks without batched products write it.
FoldModel matrix_between_reshapes(ModelBuilder& b) {
  const Shape shape = {2, 6, 8};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.0213f, std::uint8_t{117});
  const ValueId rows = b.node("Reshape", "rows", {x, ints(b, "flat", {12, 8})});
  const ValueId product = b.node("MatMul", "product", {rows, grid_weights(b, "w", {8, 16})});
  const ValueId back = b.node("Reshape", "back", {product, ints(b, "shape", {2, 6, 16})});
  const ValueId sum = b.node("Add", "bias", {back, b.constant("c", random_floats({16}, 4))});
  const ValueId heads = b.node("Reshape", "heads", {sum, ints(b, "split", {2, 6, 4, 4})});
  const ValueId moved = b.node("Transpose", "move", {heads}, {{"perm", Integers{0, 2, 1, 3}}});
  return {{b.round("q", moved, 0.0231f, std::int8_t{-3})},
          {random_integers<std::uint8_t>(shape, 3)}};
}

/// A cyclic shift: the parts change places.
FoldModel rolled(ModelBuilder& b) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, image), 0.0213f, std::uint8_t{117});
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId tail = slice(b, "tail", conv, 2, 2, 6), head = slice(b, "head", conv, 2, 0, 2);
  const ValueId roll = b.node("Concat", "roll", {tail, head}, {{"axis", std::int64_t{2}}});
  return {{b.round("q", roll, 0.0231f, std::int8_t{-3})},
          {random_integers<std::uint8_t>(image, 3)}};
}

/// The parts of an image have grids of their own.
FoldModel parts_on_grids(ModelBuilder& b) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, image), 0.0213f, std::uint8_t{117});
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId top =
      b.node("Split", "split", {conv, ints(b, "rows", {2, 4})}, {{"axis", std::int64_t{2}}}, "", 2);
  return {{b.round("p", top, 0.0231f, std::int8_t{-3}),
           b.round("q", top + 1, 0.0312f, std::uint8_t{113})},
          {random_integers<std::uint8_t>(image, 3)}};
}

FoldModel clamp_behind_pool(ModelBuilder& b) {
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, image), 0.0213f, std::uint8_t{117});
  const ValueId conv = b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})});
  const ValueId pool = b.node("MaxPool", "pool", {conv}, {{"kernel_shape", Integers{2, 2}}});
  return {{b.round("q", b.node("Relu", "relu", {pool}), 0.0231f, std::uint8_t{0})},
          {random_integers<std::uint8_t>(image, 3)}};
}

}  // namespace

std::vector<FoldCase> moved_cases() {
  std::vector<FoldCase> cases;
  for (const Mover& mover : movers)
    for (const Function& function : functions)
      cases.push_back({std::string("moved_") + mover.name + "_" + function.name,
                       [&](ModelBuilder& b) { return behind_product(b, mover, function); }});
  const std::pair<const char*, Shape> constants[] = {
      {"channels", {8}}, {"positions", {1, 60, 8}}, {"whole", {2, 60, 8}}, {"tokens", {60, 1}}};
  for (const auto& [name, shape] : constants)
    cases.push_back({std::string("moved_constant_per_") + name,
                     [shape](ModelBuilder& b) { return constant_behind(b, shape); }});
  cases.push_back({"moved_residual", residual_behind});
  cases.push_back({"moved_matrix_between_reshapes", matrix_between_reshapes});
  cases.push_back({"moved_cyclic_shift", rolled});
  cases.push_back({"moved_parts_on_grids", parts_on_grids});
  cases.push_back({"moved_clamp_behind_pool", clamp_behind_pool});
  return cases;
}

}  // namespace intact::testing
