// Cholesky factor of the moments, then weight by weight for many outputs at once.
#include "quantize/weights/rounding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>

namespace intact {
namespace {

/// Added to the diagonal, as a share of its mean: few samples do not tell small variances.
constexpr double damping = 0.01;

/// Covariances of few columns are noise; they count less by this share of rows per column.
constexpr double uncertainty = 0.25;

/// Outputs that are rounded together.
constexpr std::size_t lanes = 64;

/// Upper triangular R with R^T R = the damped moments, rows and columns in `order`; row-major.
class Factor {
 public:
  Factor(const std::vector<double>& moments, std::size_t samples) {
    const auto size = static_cast<std::size_t>(std::sqrt(static_cast<double>(moments.size())));
    order_.resize(size);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto variance = [&](std::size_t i) { return moments[i * size + i]; };
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return variance(a) < variance(b); });
    double trace = 0;
    for (std::size_t i = 0; i < size; ++i) trace += variance(i);
    const double damped = trace > 0 ? damping * trace / static_cast<double>(size) : 1;
    const auto spread = static_cast<double>(size) * uncertainty;
    const double shrunk = spread / (spread + static_cast<double>(samples));
    upper_.resize(size * size);
    for (std::size_t i = 0; i < size; ++i) {
      upper_[i * size + i] = variance(order_[i]) + damped;
      for (std::size_t j = i + 1; j < size; ++j)
        upper_[i * size + j] = (1 - shrunk) * moments[order_[i] * size + order_[j]];
    }
    decompose(size, damped);
  }
  std::size_t size() const { return order_.size(); }
  std::size_t row(std::size_t i) const { return order_[i]; }
  double operator()(std::size_t i, std::size_t j) const { return upper_[i * size() + j]; }

 private:
  /// In place; rounding errors cannot take a pivot below a small share of what was added to it.
  void decompose(std::size_t size, double damped) {
    for (std::size_t i = 0; i < size; ++i) {
      double* const pivot_row = upper_.data() + i * size;
      const double pivot = std::sqrt(std::max(pivot_row[i], damped * 1e-3));
      pivot_row[i] = pivot;
      for (std::size_t j = i + 1; j < size; ++j) pivot_row[j] /= pivot;
      for (std::size_t k = i + 1; k < size; ++k) {
        const double factor = pivot_row[k];
        if (factor == 0) continue;
        double* const row = upper_.data() + k * size;
        for (std::size_t j = k; j < size; ++j) row[j] -= factor * pivot_row[j];
      }
    }
  }

  std::vector<std::size_t> order_;
  std::vector<double> upper_;
};

class Rounding {
 public:
  Rounding(const Tensor& weights, const WeightLayout& layout, const Grid& grid, int largest,
           Tensor& integers)
      : layout_(layout),
        largest_(static_cast<float>(largest)),
        weights_(weights.data<float>()),
        grid_(grid),
        integers_(integers.data<std::int8_t>()) {}

  void round(const Factor& factor, std::size_t group, std::size_t begin) {
    for (std::size_t output = 0; output < layout_.outputs; output += lanes)
      round(factor, group, begin, output, std::min(lanes, layout_.outputs - output));
  }

 private:
  using Lanes = std::array<float, lanes>;

  void round(const Factor& factor, std::size_t group, std::size_t begin, std::size_t output,
             std::size_t count) {
    std::vector<Lanes> errors(factor.size());
    for (std::size_t i = factor.size(); i-- > 0;) {
      Lanes shift{};
      for (std::size_t j = i + 1; j < factor.size(); ++j) {
        const auto share = static_cast<float>(factor(i, j));
        for (std::size_t k = 0; k < lanes; ++k) shift[k] += share * errors[j][k];
      }
      const auto pivot = static_cast<float>(factor(i, i));
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t at = layout_.element(group, begin + factor.row(i), output + k);
        const std::size_t channel = layout_.channel(group, output + k);
        const float scale = grid_.scale[grid_.per_tensor() ? 0 : channel];
        const float steps = std::nearbyint((weights_[at] + shift[k] / pivot) / scale);
        const float integer = std::clamp(steps, -largest_, largest_);
        errors[i][k] = weights_[at] - integer * scale;
        integers_[at] = static_cast<std::int8_t>(integer);
      }
    }
  }

  const WeightLayout& layout_;
  float largest_;
  std::span<const float> weights_;
  const Grid& grid_;
  std::span<std::int8_t> integers_;
};

}  // namespace

Tensor round_by_moments(const Tensor& weights, const WeightLayout& layout, const Grid& grid,
                        const InputMoments& moments, bool around_mean, int largest) {
  Tensor integers(ElementType::s8, weights.shape());
  Rounding rounding(weights, layout, grid, largest, integers);
  for (const MomentBlock& block : moments.blocks()) {
    const Factor factor(moments.second_moments(block, around_mean), moments.count());
    if (layout.same_columns) {
      for (std::size_t tap = 0; tap < layout.groups; ++tap)
        rounding.round(factor, tap, block.begin);
    } else {
      rounding.round(factor, block.group, block.begin);
    }
  }
  return integers;
}

}  // namespace intact
