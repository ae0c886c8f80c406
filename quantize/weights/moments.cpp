// Sums over columns.
#include "quantize/weights/moments.hpp"

#include <algorithm>
#include <cmath>

#include "intact/cpu.hpp"
#include "kernels/float_product/float_product.hpp"

namespace intact {
namespace {

/// Covariances of more rows would cost more time and memory than they are worth.
constexpr std::size_t largest_block = 1152;

/// All of them give the same sums.
const kernels::FloatProductKernel& fastest_product() {
  const auto kernels = kernels::float_product_kernels();
  return *std::find_if(kernels.begin(), kernels.end(),
                       [](const auto& kernel) { return cpu_supports(kernel.isa); });
}

}  // namespace

InputMoments::InputMoments(const WeightLayout& layout)
    : layout_(layout),
      shift_(layout.column()),
      sum_(layout.column()),
      clipped_sum_(layout.column()),
      rounded_sum_(layout.column()) {
  const std::size_t parts = (layout.depth + largest_block - 1) / largest_block;
  for (std::size_t group = 0; group < (layout.same_columns ? 1 : layout.groups); ++group) {
    for (std::size_t part = 0; part < parts; ++part) {
      MomentBlock block{group, layout.depth * part / parts, layout.depth * (part + 1) / parts, {}};
      block.products.resize(block.size() * block.size());
      blocks_.push_back(std::move(block));
    }
  }
}

std::size_t InputMoments::first_of(const MomentBlock& block) const {
  return block.group * layout_.depth + block.begin;
}

void InputMoments::add(std::span<const float> columns, const Grid& grid) {
  const std::size_t width = layout_.column(), added = columns.size() / width;
  if (added == 0) return;
  const float scale = grid.scale[0];
  const auto zero = static_cast<float>(grid.zero_point[0]);
  const float low = static_cast<float>(lowest(grid.type)) - zero;
  const float high = static_cast<float>(highest(grid.type)) - zero;
  std::vector<float> rounded(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i)
    rounded[i] = scale * std::clamp(std::nearbyint(columns[i] / scale), low, high);
  if (count_ == 0) {
    for (std::size_t i = 0; i < width; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < added; ++c) sum += static_cast<double>(rounded[c * width + i]);
      shift_[i] = static_cast<float>(sum / static_cast<double>(added));
    }
  }
  for (std::size_t c = 0; c < added; ++c) {
    for (std::size_t i = 0; i < width; ++i) {
      const float value = columns[c * width + i];
      sum_[i] += static_cast<double>(value);
      clipped_sum_[i] += static_cast<double>(std::clamp(value, scale * low, scale * high));
      rounded[c * width + i] -= shift_[i];
      rounded_sum_[i] += static_cast<double>(rounded[c * width + i]);
    }
  }
  for (MomentBlock& block : blocks_) add_products(block, rounded);
  count_ += added;
}

/// The upper triangle, panel by panel: the rounded columns as rows of the one operand, and packed
/// as the other.
void InputMoments::add_products(MomentBlock& block, std::span<const float> rounded) {
  const std::size_t width = layout_.column(), size = block.size();
  const float* const first = rounded.data() + first_of(block);
  const auto extent = static_cast<std::int64_t>(size);
  kernels::FloatProductArgs args;
  args.depth = static_cast<std::int64_t>(rounded.size() / width);
  args.a = first;
  args.a_row = 1;
  args.a_step = static_cast<std::ptrdiff_t>(width);
  args.dst_pitch = kernels::product_panel;
  std::vector<float> panel, products(size * kernels::product_panel);
  for (std::int64_t begin = 0; begin < extent; begin += kernels::product_panel) {
    const std::int64_t padded = kernels::panel_width(extent, begin);
    args.columns = std::min(kernels::product_panel, extent - begin);
    args.rows = begin + args.columns;
    panel.assign(static_cast<std::size_t>(padded * args.depth), 0);
    for (std::int64_t k = 0; k < args.depth; ++k)
      std::copy_n(first + k * args.a_step + begin, args.columns, panel.begin() + k * padded);
    args.panels = panel.data();
    args.dst = products.data();
    fastest_product().run(args);
    for (std::int64_t r = 0; r < args.rows; ++r)
      for (std::int64_t c = std::max<std::int64_t>(r - begin, 0); c < args.columns; ++c)
        block.products[static_cast<std::size_t>(r * extent + begin + c)] +=
            products[static_cast<std::size_t>(r * args.dst_pitch + c)];
  }
}

std::vector<double> InputMoments::second_moments(const MomentBlock& block, bool around_mean) const {
  const std::size_t size = block.size(), first = first_of(block);
  const auto count = static_cast<double>(count_);
  std::vector<double> result(size * size);
  for (std::size_t i = 0; i < size; ++i) {
    const double mean_i = rounded_sum_[first + i] / count;
    const auto shift_i = static_cast<double>(shift_[first + i]);
    for (std::size_t j = i; j < size; ++j) {
      const double mean_j = rounded_sum_[first + j] / count;
      const auto shift_j = static_cast<double>(shift_[first + j]);
      double moment = static_cast<double>(block.products[i * size + j]) / count - mean_i * mean_j;
      if (!around_mean) moment += (mean_i + shift_i) * (mean_j + shift_j);
      result[i * size + j] = result[j * size + i] = moment;
    }
  }
  return result;
}

}  // namespace intact
