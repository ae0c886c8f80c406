// Operators that move, repeat or select data, and pools, between two convolutions or in front of
// the last Round: bytes all the way.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

/// Between two convolutions: [2, 8, 6, 8] on a grid comes in.
struct Mover {
  std::string name;
  ValueId (*move)(ModelBuilder&, ValueId);
  /// Of the result, which a second convolution reads; 0: the result ends in a Round.
  std::int64_t channels = 8;
  int opset = 17;
  /// Scale of the Round behind the operator; the default is the grid that the elements lie on.
  float scale = 0.11f;
  /// The convolution before rounds too; else the Round behind the operator is its only one.
  bool rounded = true;
};

template <class T>
constexpr T zero_point = static_cast<T>(std::is_signed_v<T> ? -9 : 117);

template <class T>
FoldModel between_convolutions(ModelBuilder& b, const Mover& mover) {
  const Shape shape = {2, 8, 6, 8};
  const AttributeList same = {{"pads", Integers{1, 1, 1, 1}}};
  const T zero = zero_point<T>;
  const ValueId x = b.dequantize("x.dq", b.input("x", element_type_of<T>(), shape), 0.021f, T{7});
  const ValueId w = grid_weights(b, "w", {8, 8, 3, 3});
  ValueId y = b.node("Conv", "conv", {x, w}, same);
  if (mover.rounded) y = b.round("a", y, 0.11f, zero);
  y = b.round("b", mover.move(b, y), mover.scale, zero);
  if (mover.channels > 0) {
    const ValueId v = grid_weights(b, "v", {4, mover.channels, 1, 1}, 2);
    y = b.round("c", b.node("Conv", "conv_last", {y, v}), 0.17f, zero);
  }
  return {{y}, {random_integers<T>(shape, 5)}};
}

ValueId ints(ModelBuilder& b, const std::string& name, const Integers& values) {
  return b.vector<std::int64_t>(name, values);
}

ValueId move(ModelBuilder& b, const std::string& op, ValueId x, const AttributeList& attributes) {
  return b.node(op, "move", {x}, attributes);
}

ValueId resize(ModelBuilder& b, ValueId x, const std::vector<float>& scales,
               const std::string& coordinates, const std::string& nearest) {
  return b.node("Resize", "resize", {x, no_value, b.vector<float>("scales", scales)},
                {{"mode", std::string("nearest")},
                 {"coordinate_transformation_mode", coordinates},
                 {"nearest_mode", nearest}});
}

ValueId slice(ModelBuilder& b, const std::string& name, ValueId x, const Integers& starts,
              const Integers& ends, const Integers& steps) {
  return b.node("Slice", name,
                {x, ints(b, name + ".from", starts), ints(b, name + ".to", ends),
                 ints(b, name + ".axes", {2, 3}), ints(b, name + ".steps", steps)});
}

ValueId focus(ModelBuilder& b, ValueId x) {
  std::vector<ValueId> parts;
  for (std::int64_t row = 0; row < 2; ++row)
    for (std::int64_t column = 0; column < 2; ++column)
      parts.push_back(
          slice(b, "slice" + std::to_string(2 * row + column), x, {row, column}, {6, 8}, {2, 2}));
  return b.node("Concat", "concat", parts, {{"axis", std::int64_t{1}}});
}

ValueId shuffle(ModelBuilder& b, ValueId x) {
  x = b.node("Reshape", "split", {x, ints(b, "s5", {2, 2, 4, 6, 8})});
  x = b.node("Transpose", "shuffle", {x}, {{"perm", Integers{0, 2, 1, 3, 4}}});
  return b.node("Reshape", "join", {x, ints(b, "s4", {2, 8, 6, 8})});
}

ValueId split(ModelBuilder& b, ValueId x) {
  const ValueId first =
      b.node("Split", "split", {x, ints(b, "sizes", {3, 5})}, {{"axis", std::int64_t{1}}}, "", 2);
  return b.node("Concat", "concat", {first + 1, first}, {{"axis", std::int64_t{1}}});
}

/// A second branch on a grid of its own.
ValueId concat_scales(ModelBuilder& b, ValueId x) {
  const ValueId w = grid_weights(b, "wc", {8, 8, 1, 1}, 9);
  const ValueId y = b.round("branch", b.node("Conv", "branch", {x, w}), 0.3719f, std::uint8_t{99});
  return b.node("Concat", "concat", {x, y}, {{"axis", std::int64_t{1}}});
}

ValueId concat_equal(ModelBuilder& b, ValueId x) {
  const ValueId y = b.node("MaxPool", "branch", {x},
                           {{"kernel_shape", Integers{3, 3}}, {"pads", Integers{1, 1, 1, 1}}});
  return b.node("Concat", "concat", {x, y}, {{"axis", std::int64_t{1}}});
}

ValueId depth_to_space(ModelBuilder& b, ValueId x, const std::string& mode) {
  return b.node("DepthToSpace", "move", {x}, {{"blocksize", std::int64_t{2}}, {"mode", mode}});
}
ValueId depth_to_space_dcr(ModelBuilder& b, ValueId x) {
  return depth_to_space(b, x, "DCR");
}
ValueId depth_to_space_crd(ModelBuilder& b, ValueId x) {
  return depth_to_space(b, x, "CRD");
}
ValueId space_to_depth(ModelBuilder& b, ValueId x) {
  return b.node("SpaceToDepth", "move", {x}, {{"blocksize", std::int64_t{2}}});
}
ValueId twice(ModelBuilder& b, ValueId x) {
  return resize(b, x, {1, 1, 2, 2}, "asymmetric", "floor");
}
ValueId tile(ModelBuilder& b, ValueId x) {
  return b.node("Tile", "tile", {x, ints(b, "repeats", {2, 3, 1, 2})});
}

/// Half the extents, and back.
ValueId down_and_up(ModelBuilder& b, ValueId x) {
  const ValueId half = b.node("MaxPool", "down", {x},
                              {{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}});
  return twice(b, half);
}

const Mover movers[] = {
    {"depth_to_space_dcr", depth_to_space_dcr, 2},
    {"depth_to_space_crd", depth_to_space_crd, 2},
    {"depth_to_space_last", depth_to_space_dcr, 0},
    {"depth_to_space_before_round", depth_to_space_crd, 0, 17, 0.11f, false},
    {"space_to_depth", space_to_depth, 32},
    {"space_to_depth_before_round", space_to_depth, 32, 17, 0.11f, false},
    {"expand",
     [](ModelBuilder& b, ValueId x) {
       const ValueId mean = b.node("GlobalMaxPool", "max", {x});
       return b.node("Expand", "expand", {mean, ints(b, "shape", {2, 8, 3, 5})});
     }},
    {"expand_new_axis",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Expand", "expand", {x, ints(b, "shape", {3, 2, 8, 6, 8})});
     },
     0},
    {"tile", tile, 24},
    {"tile_before_round", tile, 24, 17, 0.11f, false},
    {"resize_floor", twice},
    {"resize_before_round", twice, 8, 17, 0.11f, false},
    {"resize_last", twice, 0},
    {"resize_half_pixel",
     [](ModelBuilder& b, ValueId x) {
       return resize(b, x, {1, 1, 3, 2}, "half_pixel", "round_prefer_floor");
     }},
    {"resize_down",
     [](ModelBuilder& b, ValueId x) {
       return resize(b, x, {1, 1, 0.5f, 0.5f}, "asymmetric", "floor");
     }},
    {"resize_sizes",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Resize", "resize", {x, no_value, no_value, ints(b, "sizes", {2, 8, 24, 16})},
                     {{"coordinate_transformation_mode", std::string("asymmetric")},
                      {"nearest_mode", std::string("floor")}});
     }},
    {"resize_fraction",
     [](ModelBuilder& b, ValueId x) {
       return resize(b, x, {1, 1, 1.5f, 1.25f}, "asymmetric", "floor");
     }},
    {"upsample",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Upsample", "up", {x, b.vector<float>("scales", {1, 1, 2, 2})});
     },
     8, 10},
    {"resize_concat",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Concat", "concat", {down_and_up(b, x), x}, {{"axis", std::int64_t{1}}});
     },
     16},
    {"resize_add",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Add", "add", {down_and_up(b, x), x});
     },
     8, 17, 0.2173f},
    {"gather_range",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Gather", "gather", {x, ints(b, "at", {7, 5, 3, 1})},
                     {{"axis", std::int64_t{1}}});
     },
     4},
    {"gather_one",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Gather", "gather", {x, b.scalar<std::int64_t>("at", -2)},
                     {{"axis", std::int64_t{2}}});
     },
     0},
    {"gather_any",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Gather", "gather", {x, ints(b, "at", {0, 6, 1, 1, 3})},
                     {{"axis", std::int64_t{1}}});
     },
     5},
    {"gather_table",
     [](ModelBuilder& b, ValueId x) {
       const ValueId at = b.constant(
           "at", Tensor::from<std::int64_t>({2, 3}, std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
       return b.node("Gather", "gather", {x, at}, {{"axis", std::int64_t{3}}});
     },
     0},
    {"reshape",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Reshape", "reshape", {x, ints(b, "shape", {2, 4, 12, 8})});
     },
     4},
    {"transpose",
     [](ModelBuilder& b, ValueId x) {
       return move(b, "Transpose", x, {{"perm", Integers{0, 1, 3, 2}}});
     }},
    {"transpose_last",
     [](ModelBuilder& b, ValueId x) {
       return move(b, "Transpose", x, {{"perm", Integers{0, 2, 3, 1}}});
     },
     0},
    {"slice_steps",
     [](ModelBuilder& b, ValueId x) {
       return slice(b, "slice", x, {0, 7}, {6, 0}, {2, -3});
     }},
    {"split_concat", split},
    {"center_crop_pad",
     [](ModelBuilder& b, ValueId x) {
       return b.node("CenterCropPad", "move", {x, ints(b, "shape", {9, 5})},
                     {{"axes", Integers{2, -1}}});
     },
     8, 18},
    {"tensor_scatter",
     [](ModelBuilder& b, ValueId x) {
       const ValueId row = slice(b, "row", x, {2, 0}, {3, 8}, {1, 1});
       return b.node("TensorScatter", "move", {x, row, ints(b, "at", {1, 5})});
     },
     8, 24},
    {"pad",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Pad", "pad", {x, ints(b, "pads", {0, 0, 1, 2, 0, 0, 2, 1})});
     }},
    {"concat_equal_scales", concat_equal, 16},
    {"concat_scales", concat_scales, 16, 17, 0.4123f},
    {"channel_shuffle", shuffle},
    {"focus", focus, 32},
    {"flatten", [](ModelBuilder& b, ValueId x) { return move(b, "Flatten", x, {}); }, 0},
    {"unsqueeze",
     [](ModelBuilder& b, ValueId x) {
       return b.node("Unsqueeze", "unsqueeze", {x, ints(b, "axes", {0, 3})});
     },
     0},
    {"squeeze",
     [](ModelBuilder& b, ValueId x) {
       const ValueId pooled = b.node("GlobalMaxPool", "max", {x});
       return b.node("Squeeze", "squeeze", {pooled, ints(b, "axes", {2, 3})});
     },
     0},
    {"max_pool",
     [](ModelBuilder& b, ValueId x) {
       return move(b, "MaxPool", x,
                   {{"kernel_shape", Integers{3, 3}}, {"pads", Integers{1, 1, 1, 1}}});
     }},
    {"global_max_pool", [](ModelBuilder& b, ValueId x) { return move(b, "GlobalMaxPool", x, {}); }},
    {"reduce_max",
     [](ModelBuilder& b, ValueId x) {
       return move(b, "ReduceMax", x, {{"axes", Integers{2, 3}}});
     }},
    {"average_pool",
     [](ModelBuilder& b, ValueId x) {
       return move(b, "AveragePool", x,
                   {{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}});
     },
     8, 17, 0.07f},
    {"global_average_pool",
     [](ModelBuilder& b, ValueId x) { return move(b, "GlobalAveragePool", x, {}); }, 8, 17, 0.03f},
    {"reduce_mean",
     [](ModelBuilder& b, ValueId x) {
       return move(b, "ReduceMean", x, {{"axes", Integers{2, 3}}});
     },
     8, 17, 0.03f},
};

}  // namespace

std::vector<FoldCase> movement_cases() {
  std::vector<FoldCase> cases;
  for (const Mover& mover : movers) {
    cases.push_back({"move_" + mover.name + "_u8",
                     [&](ModelBuilder& b) { return between_convolutions<std::uint8_t>(b, mover); },
                     mover.opset});
    cases.push_back({"move_" + mover.name + "_s8",
                     [&](ModelBuilder& b) { return between_convolutions<std::int8_t>(b, mover); },
                     mover.opset});
  }
  return cases;
}

}  // namespace intact::testing
