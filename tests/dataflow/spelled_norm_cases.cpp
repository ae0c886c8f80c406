// Normalizations that files spell out, in the ways of different tools: one operator on bytes.
#include <algorithm>
#include <cmath>

#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using U = std::uint8_t;
using S = std::int8_t;

/// Builds nodes without naming each of them.
class Writer {
 public:
  Writer(ModelBuilder& model, std::vector<std::int64_t> axes, const Shape& shape)
      : model_(model), axes_(std::move(axes)) {
    for (const std::int64_t axis : axes_) count_of_row_ *= shape[static_cast<std::size_t>(axis)];
  }
  ValueId operator()(const std::string& op, std::vector<ValueId> inputs,
                     const AttributeList& attributes = {}) {
    return model_.node(op, "n" + std::to_string(count_++), std::move(inputs), attributes);
  }
  ValueId number(double value) {
    return model_.scalar("c" + std::to_string(count_++), static_cast<float>(value));
  }
  ValueId factors(const Shape& shape, float low, float high) {
    const int seed = count_++;
    return model_.constant("f" + std::to_string(seed),
                           random_floats(shape, static_cast<unsigned>(seed), low, high));
  }
  ValueId mean(ValueId x) { return (*this)("ReduceMean", {x}, {{"axes", axes_}}); }
  ValueId sum(ValueId x) {
    return (*this)("ReduceSum", {x, model_.vector("axes" + std::to_string(count_), axes_)});
  }
  ValueId norm(ValueId x) { return (*this)("ReduceL2", {x}, {{"axes", axes_}}); }
  ValueId square(ValueId x) { return (*this)("Mul", {x, x}); }
  ValueId above(ValueId x, double epsilon = 1e-5) { return (*this)("Add", {x, number(epsilon)}); }
  double elements() const { return static_cast<double>(count_of_row_); }

 private:
  ModelBuilder& model_;
  std::vector<std::int64_t> axes_;
  std::int64_t count_of_row_ = 1;
  int count_ = 0;
};

/// From x to the normalized tensor, `gamma` and `beta` included.
using Spelling = ValueId (*)(Writer&, ValueId x, ValueId gamma, ValueId beta);

ValueId affine(Writer& w, ValueId y, ValueId gamma, ValueId beta) {
  return w("Add", {w("Mul", {y, gamma}), beta});
}
ValueId centered(Writer& w, ValueId x) {
  return w("Sub", {x, w.mean(x)});
}

ValueId plain(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const ValueId d = centered(w, x);
  const ValueId root = w("Sqrt", {w.above(w.mean(w("Pow", {d, w.number(2)})))});
  return affine(w, w("Div", {d, root}), gamma, beta);
}
ValueId by_power(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const ValueId d = centered(w, x);
  const ValueId inverse = w("Pow", {w.above(w.mean(w.square(d))), w.number(-0.5)});
  return affine(w, w("Mul", {d, inverse}), gamma, beta);
}
ValueId by_reciprocal(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const ValueId d = centered(w, x);
  const ValueId inverse = w("Reciprocal", {w("Sqrt", {w.above(w.mean(w.square(d)))})});
  return affine(w, w("Mul", {inverse, d}), gamma, beta);
}
ValueId by_sums(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const ValueId d = w("Sub", {x, w("Div", {w.sum(x), w.number(w.elements())})});
  const ValueId variance = w("Mul", {w.sum(w.square(d)), w.number(1 / w.elements())});
  return affine(w, w("Div", {d, w("Sqrt", {w.above(variance)})}), gamma, beta);
}
ValueId by_squares(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const ValueId mean = w.mean(x);
  const ValueId variance = w("Sub", {w.mean(w.square(x)), w.square(mean)});
  const ValueId root = w("Sqrt", {w.above(variance, 1e-3)});
  return affine(w, w("Div", {w("Sub", {x, mean}), root}), gamma, beta);
}
/// Flax: the scale joins the root first.
ValueId by_joined_factor(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const ValueId mean = w.mean(x);
  const ValueId variance = w("Max", {w.number(0), w("Sub", {w.mean(w.square(x)), w.square(mean)})});
  const ValueId inverse = w("Reciprocal", {w("Sqrt", {w.above(variance, 1e-3)})});
  return w("Add", {w("Mul", {w("Sub", {x, mean}), w("Mul", {inverse, gamma})}), beta});
}
ValueId by_two_differences(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const ValueId root = w("Sqrt", {w.above(w.mean(w.square(centered(w, x))))});
  return affine(w, w("Div", {centered(w, x), root}), gamma, beta);
}
/// TensorFlow, with the root computed for each of its uses.
ValueId by_two_roots(Writer& w, ValueId x, ValueId gamma, ValueId beta) {
  const auto factor = [&] {
    const ValueId variance = w.mean(w.square(centered(w, x)));
    return w("Mul", {w("Reciprocal", {w("Sqrt", {w.above(variance)})}), gamma});
  };
  const ValueId shift = w("Sub", {beta, w("Mul", {w.mean(x), factor()})});
  return w("Add", {w("Mul", {x, factor()}), shift});
}

ValueId root_mean_square(Writer& w, ValueId x, ValueId gamma, ValueId) {
  const ValueId inverse = w("Pow", {w.above(w.mean(w.square(x))), w.number(-0.5)});
  return w("Mul", {gamma, w("Mul", {x, inverse})});
}
ValueId root_of_sums(Writer& w, ValueId x, ValueId gamma, ValueId) {
  const ValueId mean = w("Div", {w.sum(w("Pow", {x, w.number(2)})), w.number(w.elements())});
  return w("Mul", {w("Div", {x, w("Sqrt", {w.above(mean)})}), gamma});
}
/// x / |x| * sqrt(d) * gamma.
ValueId scaled_direction(Writer& w, ValueId x, ValueId gamma, ValueId) {
  const ValueId norm = w("Sqrt", {w.above(w.sum(w.square(x)), 1e-3)});
  const ValueId direction = w("Div", {x, norm});
  return w("Mul", {w("Mul", {direction, w.number(std::sqrt(w.elements()))}), gamma});
}
/// x * rsqrt(sum(x * x) + epsilon).
ValueId direction(Writer& w, ValueId x, ValueId, ValueId) {
  const ValueId norm = w("Sqrt", {w.above(w.sum(w.square(x)), 1e-6)});
  return w("Mul", {x, w("Reciprocal", {norm})});
}
/// torch.nn.functional.normalize.
ValueId clamped_direction(Writer& w, ValueId x, ValueId, ValueId) {
  return w("Div", {x, w("Clip", {w.norm(x), w.number(1e-12)})});
}
/// tf.math.l2_normalize.
ValueId direction_of_clamped_sum(Writer& w, ValueId x, ValueId, ValueId) {
  const ValueId sum = w("Max", {w.sum(w.square(x)), w.number(1e-12)});
  return w("Mul", {x, w("Reciprocal", {w("Sqrt", {sum})})});
}

struct Place {
  std::string name;
  Shape shape;
  std::vector<std::int64_t> axes;
  Shape factors;  ///< of gamma and beta
  bool behind_conv = false;
};

const Place places[] = {
    {"last", {2, 5, 32}, {2}, {32}},
    {"channels", {2, 16, 6, 5}, {1}, {16, 1, 1}, true},
};
const Place others[] = {
    {"two_axes", {2, 5, 6, 8}, {2, 3}, {6, 8}},
    {"instances", {2, 16, 6, 5}, {2, 3}, {16, 1, 1}, true},
    {"rows_of_a_sequence", {2, 16, 21}, {1}, {16, 1}},
    {"repeated_factors", {2, 4, 5, 6}, {1, 2, 3}, {4, 1, 1}, true},
};

/// The result is `range` at most.
template <class T>
FoldCase spelled(const std::string& name, Spelling write, const Place& place, float range = 4) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const T zero = static_cast<T>(std::is_signed_v<T> ? -7 : 119);
    ValueId x = b.dequantize("x.dq", b.input("x", element_type_of<T>(), place.shape), 0.043f, zero);
    if (place.behind_conv) {
      const std::int64_t channels = place.shape[1];
      x = b.round("c",
                  b.node("Conv", "conv", {x, grid_weights(b, "w", {channels, channels, 1, 1})}),
                  0.061f, zero);
    }
    Writer w(b, place.axes, place.shape);
    const ValueId y =
        write(w, x, w.factors(place.factors, 0.4f, 1.9f), w.factors(place.factors, -1, 1));
    return {{b.round("y", y, range / 128, static_cast<T>(std::is_signed_v<T> ? 1 : 129))},
            {random_integers<T>(place.shape, 3)}};
  };
  return {"spelled_" + name + "_" + place.name, build};
}

/// A normalization whose results are rounded at some of its steps, as static quantization of single
/// operators leaves them.
FoldCase partly_rounded(const std::string& name, const std::vector<std::string>& steps,
                        bool behind_product = false) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const Shape shape = {2, 5, 32};
    ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.043f, U{119});
    if (behind_product) x = b.node("MatMul", "product", {x, grid_weights(b, "w", {32, 32})});
    Writer w(b, {2}, shape);
    const auto step = [&](const std::string& which, ValueId value, float scale, U zero) {
      const bool rounds = std::find(steps.begin(), steps.end(), which) != steps.end();
      return rounds ? b.round(which, value, scale, zero) : value;
    };
    const ValueId mean = step("mean", w.mean(x), 0.0137f, U{128});
    const ValueId d = step("difference", w("Sub", {x, mean}), 0.0461f, U{128});
    const ValueId square = step("square", w.square(d), 0.1531f, U{0});
    const ValueId variance = step("variance", w.mean(square), 0.0731f, U{0});
    const ValueId sum = step("sum", w.above(variance), 0.0723f, U{0});
    const ValueId root = step("root", w("Sqrt", {sum}), 0.0193f, U{0});
    const ValueId quotient = step("quotient", w("Div", {d, root}), 0.0211f, U{128});
    const ValueId scaled =
        step("scaled", w("Mul", {quotient, w.factors({32}, 0.4f, 1.9f)}), 0.0323f, U{127});
    const ValueId y = w("Add", {scaled, w.factors({32}, -1, 1)});
    return {{b.round("y", y, 0.0373f, U{129})}, {random_integers<U>(shape, 3)}};
  };
  return {"partly_rounded_norm_" + name, build};
}

/// x divided by a norm of its rows, behind a product without a Round or not.
FoldCase divided_by_norm(const std::string& reduction, bool behind_product) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const Shape shape = {2, 5, 32};
    ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.043f, U{119});
    if (behind_product) x = b.node("MatMul", "product", {x, grid_weights(b, "w", {32, 32})});
    Writer w(b, {2}, shape);
    const ValueId norm = w(reduction, {x}, {{"axes", std::vector<std::int64_t>{2}}});
    const ValueId y = w("Div", {x, w("Add", {norm, w.number(0.37)})});
    return {{b.round("y", y, 0.0081f, U{129})}, {random_integers<U>(shape, 3)}};
  };
  return {"divided_by_" + reduction + (behind_product ? "_of_product" : ""), build};
}

/// torch.nn.GroupNorm as it is exported.
FoldCase groups(const std::string& name, bool scaled) {
  const auto build = [=](ModelBuilder& b) -> FoldModel {
    const Shape shape = {2, 8, 6, 5};
    ValueId x = b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.043f, U{119});
    x = b.round("c", b.node("Conv", "conv", {x, grid_weights(b, "w", {8, 8, 1, 1})}), 0.061f,
                U{121});
    const ValueId split =
        b.node("Reshape", "split", {x, b.vector<std::int64_t>("to_groups", {0, 4, -1})});
    const ValueId norm = b.node(
        "InstanceNormalization", "norm",
        {split, b.vector<float>("ones", {1, 1, 1, 1}), b.vector<float>("zeros", {0, 0, 0, 0})});
    ValueId y = b.node("Reshape", "join", {norm, b.vector<std::int64_t>("to_image", {2, 8, 6, 5})});
    if (scaled) {
      const Shape channels = {8, 1, 1};
      y = b.node("Mul", "mul", {y, b.constant("gamma", random_floats(channels, 4, 0.4f, 1.9f))});
      y = b.node("Add", "add", {y, b.constant("beta", random_floats(channels, 5))});
    }
    return {{b.round("y", y, 0.031f, U{130})}, {random_integers<U>(shape, 3)}};
  };
  return {name, build};
}

const std::pair<const char*, Spelling> layer_norms[] = {
    {"plain", plain},
    {"by_power", by_power},
    {"by_reciprocal", by_reciprocal},
    {"by_sums", by_sums},
    {"by_squares", by_squares},
    {"by_joined_factor", by_joined_factor},
    {"by_two_differences", by_two_differences},
    {"by_two_roots", by_two_roots},
    {"root_mean_square", root_mean_square},
    {"root_of_sums", root_of_sums},
    {"scaled_direction", scaled_direction},
};

const std::pair<const char*, Spelling> directions[] = {
    {"direction", direction},
    {"clamped_direction", clamped_direction},
    {"direction_of_clamped_sum", direction_of_clamped_sum},
};

/// The operator that computes `name`, behind a convolution or not.
std::string whole(const std::string& name) {
  if (name == "clamped_direction" || name == "direction_of_clamped_sum") return "LpNormalization";
  return name.find("root_") == 0 || name.find("direction") != std::string::npos
             ? "RMSNormalization"
             : "LayerNormalization";
}

TEST(SpelledNorms, AreOneOperator) {
  const auto expect_one = [](const FoldCase& fold, const std::string& op) {
    SCOPED_TRACE(fold.name);
    ModelBuilder b;
    const Flow flow = session_of(b.build(fold.build(b).outputs)).flow();
    EXPECT_EQ(count_of(flow, op), 1);
    for (const char* part :
         {"Mul", "Div", "Sub", "ReduceMean", "ReduceSum", "InstanceNormalization"})
      EXPECT_EQ(count_of(flow, part), op == part ? 1 : 0);
  };
  for (const Place& place : places) {
    for (const auto& [name, write] : layer_norms)
      expect_one(spelled<U>(name, write, place), whole(name));
    for (const auto& [name, write] : directions)
      expect_one(spelled<U>(name, write, place, 1), whole(name));
  }
  expect_one(groups("groups", true), "GroupNormalization");
  expect_one(groups("groups", false), "GroupNormalization");
  expect_one(spelled<U>("plain", plain, others[1]), "InstanceNormalization");
}

}  // namespace

std::vector<FoldCase> spelled_norm_cases() {
  std::vector<FoldCase> cases = {groups("spelled_group_norm", true),
                                 groups("spelled_group_norm_without_scale", false)};
  for (const auto& [name, write] : layer_norms)
    for (const Place& place : places) {
      cases.push_back(spelled<U>(std::string(name) + "_u8", write, place));
      cases.push_back(spelled<S>(std::string(name) + "_s8", write, place));
    }
  for (const bool behind : {false, true}) {
    const std::string suffix = behind ? "_of_product" : "";
    cases.push_back(partly_rounded("nowhere" + suffix, {}, behind));
    cases.push_back(partly_rounded("mean" + suffix, {"mean"}, behind));
    cases.push_back(partly_rounded("variance" + suffix, {"variance"}, behind));
    cases.push_back(partly_rounded("sum" + suffix, {"variance", "sum"}, behind));
    cases.push_back(partly_rounded("root" + suffix, {"root"}, behind));
    cases.push_back(partly_rounded("difference" + suffix, {"difference", "root"}, behind));
    cases.push_back(partly_rounded("binary_operators" + suffix,
                                   {"variance", "sum", "quotient", "scaled"}, behind));
    for (const char* reduction : {"ReduceL1", "ReduceL2", "ReduceSumSquare"})
      cases.push_back(divided_by_norm(reduction, behind));
  }
  for (const Place& place : others) {
    cases.push_back(spelled<U>("plain", plain, place));
    cases.push_back(spelled<U>("by_two_roots", by_two_roots, place));
  }
  for (const auto& [name, write] : directions)
    for (const Place& place : places) cases.push_back(spelled<U>(name, write, place, 1));
  return cases;
}

}  // namespace intact::testing
