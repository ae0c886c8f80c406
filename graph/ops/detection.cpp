// Operators of detection networks: NonMaxSuppression, RoiAlign.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/checks.hpp"
#include "graph/convert.hpp"
#include "graph/ops/evaluation.hpp"
#include "graph/ops/registry.hpp"

namespace intact {

namespace {

// --- NonMaxSuppression
// ----------------------------------------------------------------------------

/// Boxes are [batch, boxes, 4], scores [batch, classes, boxes]; the number of results depends on
/// data.
std::vector<TensorType> infer_suppression(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 2, 5);
  const auto &boxes = context.inputs[0].shape, &scores = context.inputs[1].shape;
  if (boxes && (boxes->size() != 3 || (*boxes)[2] != 4))
    refuse(node, "the boxes have shape {}; it must be [batch, boxes, 4]", to_string(*boxes));
  if (boxes && scores &&
      (scores->size() != 3 || (*scores)[0] != (*boxes)[0] || (*scores)[2] != (*boxes)[1]))
    refuse(node, "the scores have shape {}, the boxes {}; [batch, classes, boxes] is needed",
           to_string(*scores), to_string(*boxes));
  for (std::size_t i = 2; i < context.inputs.size(); ++i)
    if (context.has(i) && context.inputs[i].shape && element_count(*context.inputs[i].shape) != 1)
      refuse(node, "operand {} has shape {}; it must be a scalar", i,
             to_string(*context.inputs[i].shape));
  return {{ElementType::s64, std::nullopt}};
}

struct Box {
  double top, left, bottom, right;

  double area() const { return (bottom - top) * (right - left); }
};

Box read_box(const float* at, bool centered) {
  if (centered) {
    const double x = at[0], y = at[1], width = at[2], height = at[3];
    return {y - height / 2, x - width / 2, y + height / 2, x + width / 2};
  }
  // Corners may come in any order.
  return {std::min(at[0], at[2]), std::min(at[1], at[3]), std::max(at[0], at[2]),
          std::max(at[1], at[3])};
}

double overlap_ratio(const Box& a, const Box& b) {
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0 || width <= 0) return 0;
  const double both = height * width;
  return both / (a.area() + b.area() - both);
}

struct SuppressionLimits {
  std::int64_t per_class = 0;
  double overlap = 0;
  std::optional<double> score;
};

SuppressionLimits suppression_limits(const EvalContext& context) {
  const auto scalar = [&](std::size_t i) {
    return convert(context.inputs[i], ElementType::f64).data<double>()[0];
  };
  SuppressionLimits limits;
  if (context.has(2))
    limits.per_class = convert(context.inputs[2], ElementType::s64).data<std::int64_t>()[0];
  if (context.has(3)) limits.overlap = scalar(3);
  if (context.has(4)) limits.score = scalar(4);
  return limits;
}

/// Indices of the kept boxes of one class, best first; equal scores keep their order.
std::vector<std::int64_t> kept_boxes(const float* boxes, std::span<const float> scores,
                                     const SuppressionLimits& limits, bool centered) {
  std::vector<std::int64_t> candidates, kept;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!limits.score || scores[i] > *limits.score)
      candidates.push_back(static_cast<std::int64_t>(i));
  std::stable_sort(candidates.begin(), candidates.end(), [&](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  for (const std::int64_t candidate : candidates) {
    if (static_cast<std::int64_t>(kept.size()) >= limits.per_class) break;
    const Box box = read_box(boxes + candidate * 4, centered);
    const bool suppressed = std::any_of(kept.begin(), kept.end(), [&](std::int64_t other) {
      return overlap_ratio(box, read_box(boxes + other * 4, centered)) > limits.overlap;
    });
    if (!suppressed) kept.push_back(candidate);
  }
  return kept;
}

std::vector<Tensor> evaluate_suppression(const EvalContext& context) {
  std::vector<TensorType> inputs;
  for (const Tensor& tensor : context.inputs) inputs.push_back({tensor.type(), tensor.shape()});
  infer_suppression({context.node, inputs, context.inputs});
  const bool centered = context.node.attributes.integer("center_point_box", 0) != 0;
  const SuppressionLimits limits = suppression_limits(context);
  const auto boxes = context.inputs[0].data<float>();
  const auto scores = context.inputs[1].data<float>();
  const Shape& shape = context.inputs[1].shape();
  const auto count = static_cast<std::size_t>(shape[2]);
  std::vector<std::int64_t> triples;
  for (std::int64_t batch = 0; batch < shape[0]; ++batch)
    for (std::int64_t label = 0; label < shape[1]; ++label) {
      const auto row = static_cast<std::size_t>(batch * shape[1] + label);
      const float* first_box = boxes.data() + batch * shape[2] * 4;
      for (const std::int64_t box :
           kept_boxes(first_box, scores.subspan(row * count, count), limits, centered))
        triples.insert(triples.end(), {batch, label, box});
    }
  const auto results = static_cast<std::int64_t>(triples.size() / 3);
  return {Tensor::from<std::int64_t>({results, 3}, triples)};
}

// --- RoiAlign
// -------------------------------------------------------------------------------------

std::int64_t pooled_extent(const Node& node, const char* name) {
  const std::int64_t extent = node.attributes.integer(name, 1);
  if (extent < 1 || extent > 1 << 20)
    refuse(node, "the attribute {} is {}; it must be positive", name, extent);
  return extent;
}

std::vector<TensorType> infer_roi_align(const InferContext& context) {
  const Node& node = context.node;
  check_operands(node, 3, 3);
  const std::int64_t height = pooled_extent(node, "output_height");
  const std::int64_t width = pooled_extent(node, "output_width");
  const auto &x = context.inputs[0].shape, &rois = context.inputs[1].shape;
  if (!x || !rois) return {{context.inputs[0].type, std::nullopt}};
  if (x->size() != 4 || rois->size() != 2 || (*rois)[1] != 4)
    refuse(node, "the input has shape {}, the regions {}; [N, C, H, W] and [regions, 4] are needed",
           to_string(*x), to_string(*rois));
  if (context.inputs[2].shape && *context.inputs[2].shape != Shape{(*rois)[0]})
    refuse(node, "the batch indices have shape {}; one per region of {} is needed",
           to_string(*context.inputs[2].shape), to_string(*rois));
  return {{context.inputs[0].type, Shape{(*rois)[0], (*x)[1], height, width}}};
}

/// Four neighbours of a point of an image and their parts in the linear interpolation.
struct Corners {
  std::size_t at[4] = {};
  double part[4] = {};
};

Corners corners_of(double y, double x, std::int64_t height, std::int64_t width) {
  Corners corners;
  const auto limit = [](std::int64_t extent) { return static_cast<double>(extent); };
  if (!(y >= -1 && y <= limit(height) && x >= -1 && x <= limit(width))) return corners;
  y = std::clamp(y, 0.0, limit(height - 1));
  x = std::clamp(x, 0.0, limit(width - 1));
  const auto top = static_cast<std::int64_t>(y), left = static_cast<std::int64_t>(x);
  const std::int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  const double down = y - limit(top), across = x - limit(left);
  const std::int64_t rows[] = {top, top, bottom, bottom}, columns[] = {left, right, left, right};
  const double parts[] = {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across),
                          down * across};
  for (int i = 0; i < 4; ++i) {
    corners.at[i] = static_cast<std::size_t>(rows[i] * width + columns[i]);
    corners.part[i] = parts[i];
  }
  return corners;
}

/// Mean of the sampled values, or the greatest single weighted neighbour (what ONNX calls max).
double pool_samples(const double* image, const std::vector<Corners>& samples, bool maximum) {
  double result = maximum ? -std::numeric_limits<double>::infinity() : 0;
  for (const Corners& sample : samples)
    for (int i = 0; i < 4; ++i) {
      const double value = sample.part[i] * image[sample.at[i]];
      result = maximum ? std::max(result, value) : result + value;
    }
  return maximum ? result : result / static_cast<double>(samples.size());
}

/// Sample points of one output cell of a region.
struct RegionGrid {
  double top, left, cell_height, cell_width;
  std::int64_t rows, columns;

  std::vector<Corners> samples(std::int64_t y, std::int64_t x, const Shape& image) const {
    std::vector<Corners> points;
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j)
        points.push_back(corners_of(
            top + cell_height * (static_cast<double>(y) +
                                 (static_cast<double>(i) + 0.5) / static_cast<double>(rows)),
            left + cell_width * (static_cast<double>(x) +
                                 (static_cast<double>(j) + 0.5) / static_cast<double>(columns)),
            image[2], image[3]));
    return points;
  }
};

RegionGrid region_grid(const Node& node, const double* roi, const Shape& out) {
  const double scale = node.attributes.number("spatial_scale", 1.0f);
  const std::string mode = node.attributes.text("coordinate_transformation_mode", "half_pixel");
  const bool half_pixel = node.version >= 16 && mode == "half_pixel";
  const double offset = half_pixel ? 0.5 : 0.0;
  double width = (roi[2] - roi[0]) * scale, height = (roi[3] - roi[1]) * scale;
  if (!half_pixel) {
    width = std::max(width, 1.0);
    height = std::max(height, 1.0);
  }
  RegionGrid grid{roi[1] * scale - offset,
                  roi[0] * scale - offset,
                  height / static_cast<double>(out[2]),
                  width / static_cast<double>(out[3]),
                  0,
                  0};
  const std::int64_t ratio = node.attributes.integer("sampling_ratio", 0);
  constexpr double most = 1 << 12;
  const auto points = [&](double cell) {
    if (ratio > 0) return std::min<std::int64_t>(ratio, 1 << 12);
    return static_cast<std::int64_t>(std::clamp(std::ceil(cell), 1.0, most));
  };
  grid.rows = points(grid.cell_height);
  grid.columns = points(grid.cell_width);
  return grid;
}

std::vector<Tensor> evaluate_roi_align(const EvalContext& context) {
  const auto types = output_types(context, infer_roi_align);
  const Node& node = context.node;
  const std::string mode = node.attributes.text("mode", "avg");
  if (mode != "avg" && mode != "max")
    refuse(node, "the attribute mode is '{}'; it must be avg or max", mode);
  const Tensor x = convert(context.inputs[0], ElementType::f64);
  const Tensor rois = convert(context.inputs[1], ElementType::f64);
  const auto batches = integers_of(node, context.inputs[2], "the batch indices");
  const Shape &image = x.shape(), &out = *types[0].shape;
  Tensor result = allocate(node, {ElementType::f64, out});
  double* to = result.data<double>().data();
  if (result.size() == 0 || x.size() == 0) return {convert(result, types[0].type)};
  const std::int64_t area = image[2] * image[3], cells = out[2] * out[3];
  for (std::int64_t r = 0; r < out[0]; ++r, to += out[1] * cells) {
    const std::int64_t batch = batches[static_cast<std::size_t>(r)];
    if (batch < 0 || batch >= image[0])
      refuse(node, "batch index {} is out of range for {} images", batch, image[0]);
    const RegionGrid grid = region_grid(node, rois.data<double>().data() + r * 4, out);
    const double* first = x.data<double>().data() + batch * image[1] * area;
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      const auto samples = grid.samples(cell / out[3], cell % out[3], image);
      for (std::int64_t c = 0; c < out[1]; ++c)
        to[c * cells + cell] = pool_samples(first + c * area, samples, mode == "max");
    }
  }
  return {convert(result, types[0].type)};
}

}  // namespace

std::span<const Definition> detection_definitions() {
  static const Definition definitions[] = {
      {.op = "NonMaxSuppression",
       .infer = infer_suppression,
       .evaluate = evaluate_suppression,
       .selects_by_value = true},
      {.op = "RoiAlign", .infer = infer_roi_align, .evaluate = evaluate_roi_align},
  };
  return definitions;
}

}  // namespace intact
