// Linear and cubic Resize of every coordinate mode: bytes in, bytes out.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using Integers = std::vector<std::int64_t>;

struct Resizing {
  std::string name;
  Shape shape;
  AttributeList attributes;
  std::vector<float> scales = {};
  Integers sizes = {};
  bool behind_conv = true;
  int opset = 19;
};

ValueId resize(ModelBuilder& b, ValueId x, const Resizing& r) {
  if (r.opset == 10)
    return b.node("Resize", "resize", {x, b.vector<float>("scales", r.scales)}, r.attributes);
  const bool crops = r.name.find("crop") != std::string::npos;
  std::vector<ValueId> inputs = {x, no_value, no_value, no_value};
  if (crops) inputs[1] = b.vector<float>("roi", {0, 0, 0.1f, -0.2f, 1, 1, 0.9f, 0.8f});
  if (!r.scales.empty()) inputs[2] = b.vector<float>("scales", r.scales);
  if (!r.sizes.empty()) inputs[3] = b.vector<std::int64_t>("sizes", r.sizes);
  if (r.sizes.empty()) inputs.pop_back();
  return b.node("Resize", "resize", inputs, r.attributes);
}

template <class T>
FoldModel resized(ModelBuilder& b, const Resizing& r) {
  const T zero = static_cast<T>(std::is_signed_v<T> ? -9 : 117);
  ValueId x = b.dequantize("x.dq", b.input("x", element_type_of<T>(), r.shape), 0.0213f, zero);
  if (r.behind_conv) {
    const ValueId w = grid_weights(b, "w", {r.shape[1], r.shape[1], 1, 1});
    x = b.round("a", b.node("Conv", "conv", {x, w}), 0.0473f, zero);
  }
  const ValueId y = b.round("b", resize(b, x, r), 0.0391f, T{4});
  return {{y}, {random_integers<T>(r.shape, 5)}};
}

AttributeList mode(const std::string& kind, const std::string& coordinates,
                   AttributeList more = {}) {
  more.push_back({"mode", kind});
  more.push_back({"coordinate_transformation_mode", coordinates});
  return more;
}

const Resizing resizings[] = {
    {"linear_half_pixel", {2, 8, 6, 5}, mode("linear", "half_pixel"), {1, 1, 2, 2}},
    {"linear_half_pixel_symmetric",
     {1, 8, 6, 5},
     mode("linear", "half_pixel_symmetric"),
     {1, 1, 1.7f, 1.3f}},
    {"linear_pytorch", {1, 8, 6, 5}, mode("linear", "pytorch_half_pixel"), {}, {1, 8, 13, 1}},
    {"linear_align_corners", {2, 8, 6, 5}, mode("linear", "align_corners"), {}, {2, 8, 11, 9}},
    {"linear_asymmetric", {1, 8, 6, 5}, mode("linear", "asymmetric"), {1, 1, 3, 2}},
    {"linear_crop",
     {1, 8, 6, 5},
     mode("linear", "tf_crop_and_resize", {{"extrapolation_value", 1.3f}}),
     {},
     {1, 8, 7, 9}},
    {"nearest_crop", {1, 8, 6, 5}, mode("nearest", "tf_crop_and_resize"), {}, {1, 8, 7, 9}},
    {"linear_down", {1, 8, 9, 12}, mode("linear", "half_pixel"), {1, 1, 0.5f, 0.5f}},
    {"linear_antialias",
     {1, 8, 9, 12},
     mode("linear", "half_pixel", {{"antialias", std::int64_t{1}}}),
     {1, 1, 0.4f, 0.6f}},
    {"linear_one_axis", {1, 8, 6, 5}, mode("linear", "half_pixel"), {1, 1, 1, 2.5f}},
    {"linear_axes",
     {1, 8, 6, 5},
     mode("linear", "half_pixel", {{"axes", Integers{3, 2}}}),
     {2, 1.5f}},
    {"linear_channels", {1, 8, 6, 5}, mode("linear", "half_pixel"), {1, 2, 2, 1}, {}, false},
    {"linear_plain", {2, 3, 6, 5}, mode("linear", "half_pixel"), {1, 1, 2, 2}, {}, false},
    {"linear_one_channel", {2, 1, 6, 5}, mode("linear", "half_pixel"), {1, 1, 2, 2}, {}, false},
    {"linear_1d", {2, 6, 9}, mode("linear", "half_pixel"), {1, 1, 2.2f}, {}, false},
    {"linear_3d", {1, 4, 3, 4, 5}, mode("linear", "align_corners"), {1, 1, 2, 2, 2}, {}, false},
    {"linear_matrix", {7, 9}, mode("linear", "half_pixel"), {1.5f, 2}, {}, false},
    {"linear_opset_11",
     {1, 8, 6, 5},
     mode("linear", "pytorch_half_pixel"),
     {1, 1, 2, 2},
     {},
     true,
     13},
    {"linear_opset_10",
     {1, 8, 6, 5},
     {{"mode", std::string("linear")}},
     {1, 1, 2, 2},
     {},
     true,
     10},
    {"cubic_half_pixel", {1, 8, 6, 5}, mode("cubic", "half_pixel"), {1, 1, 2, 2}},
    {"cubic_align_corners", {1, 8, 6, 5}, mode("cubic", "align_corners"), {}, {1, 8, 10, 12}},
    {"cubic_asymmetric_outside_excluded",
     {1, 8, 6, 5},
     mode("cubic", "asymmetric", {{"exclude_outside", std::int64_t{1}}, {"cubic_coeff_a", -0.5f}}),
     {1, 1, 1.8f, 2.4f}},
    {"cubic_down_antialias",
     {1, 8, 9, 12},
     mode("cubic", "half_pixel", {{"antialias", std::int64_t{1}}}),
     {1, 1, 0.6f, 0.5f}},
};

/// Resized features that are pooled, and a float output of others: a segmentation head.
FoldModel head(ModelBuilder& b) {
  const Shape shape = {1, 8, 6, 5};
  const ValueId x =
      b.dequantize("x.dq", b.input("x", ElementType::u8, shape), 0.021f, std::uint8_t{117});
  const ValueId scales = b.vector<float>("scales", {1, 1, 2, 2});
  const AttributeList linear = mode("linear", "half_pixel");
  const ValueId up = b.round("up", b.node("Resize", "r", {x, no_value, scales}, linear), 0.0187f,
                             std::uint8_t{119});
  const ValueId pooled = b.node("MaxPool", "pool", {up},
                                {{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}});
  const ValueId y = b.node("Conv", "conv", {x, grid_weights(b, "w", {4, 8, 1, 1})});
  const ValueId c = b.round("c", y, 0.031f, std::uint8_t{90});
  return {{b.round("p", pooled, 0.0187f, std::uint8_t{119}),
           b.node("Resize", "out", {c, no_value, scales}, linear)},
          {random_integers<std::uint8_t>(shape, 5)}};
}

}  // namespace

std::vector<FoldCase> resize_cases() {
  // The floats are copied from channels last to the order of the output.
  std::vector<FoldCase> cases = {{"resize_head_float_output", head, 19, 1}};
  for (const Resizing& r : resizings) {
    cases.push_back({"resize_" + r.name + "_u8",
                     [&](ModelBuilder& b) { return resized<std::uint8_t>(b, r); }, r.opset});
    cases.push_back({"resize_" + r.name + "_s8",
                     [&](ModelBuilder& b) { return resized<std::int8_t>(b, r); }, r.opset});
  }
  return cases;
}

}  // namespace intact::testing
