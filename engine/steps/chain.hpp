// The float operators behind an operation, tile by tile (FloatChain): which kernel reads and writes
// what. A kernel that multiplies hands its tiles over itself; the results of others are computed a
// few rows at a time (ChainedRows).
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "engine/pixel_walk.hpp"
#include "engine/step.hpp"
#include "kernels/quantize/quantize.hpp"
#include "kernels/reduce/exact_sum.hpp"

namespace intact {

/// The chain of one step, prepared once.
class TileChain {
 public:
  TileChain(StepContext& context, const FloatChain& chain);
  std::size_t scratch_bytes() const;
  Isa isa() const { return unary_.isa; }
  /// Elements of a pixel.
  std::int64_t columns() const { return out_.channels(); }

 private:
  friend class BoundChain;
  /// Where an operand or a result lies: in a buffer of tiles (0: the tile that came in), or in a
  /// stored tensor.
  struct Place {
    int buffer = -1;
    TensorId tensor = no_tensor;
    PixelWalk walk;  ///< of a tensor
    /// Of the tensor: integers are dequantized into `buffer` if there is one.
    kernels::Element form = kernels::Element::f32;
    float scale = 1;  ///< of integers
    std::int32_t zero_point = 0;
    bool one_row = false;  ///< all pixels of a tile have the same
    bool integers() const { return form != kernels::Element::f32; }
  };
  struct Link {
    decltype(FloatChain::Link::kind) kind;
    std::vector<Place> operands;
    Place result;
  };

  struct Sum {
    Place value;
    double unit = 1;
    std::int64_t window = 1;
    TensorId sums = no_tensor;
  };

  Place stored(TensorId id) const;
  void place_values(const FloatChain& chain);

  const Program& program_;
  StoredTensor out_;  ///< what all results look like
  std::vector<Link> links_;
  std::vector<Sum> sums_;
  std::optional<Place> product_;  ///< where the product itself is stored
  int buffers_ = 1;
  std::int64_t period_ = 0;  ///< tiles are cut at multiples of it; 0: nowhere
  const kernels::FloatUnaryKernel& unary_;
  const kernels::FloatBinaryKernel& binary_;
  const kernels::QuantizeKernel& quantize_;
  const kernels::DequantizeKernel& dequantize_;
  const kernels::QuantizeWordsKernel& quantize_words_;
  const kernels::DequantizeWordsKernel& dequantize_words_;
  const kernels::TableKernel& table_;
  const kernels::WordTableKernel& word_table_;
  const kernels::ByteBinaryKernel& byte_binary_;
  const kernels::AffineKernel& affine_;
  const kernels::ExactSumKernel& exact_sum_;
};

/// The chain with the memory of one inference and one thread. `pixel` and `channel`: what the
/// kernel's first pixel and channel are in the tensors.
class BoundChain : public kernels::TileStage {
 public:
  BoundChain(const TileChain& chain, const Frame& frame, std::byte* scratch, std::int64_t pixel = 0,
             std::int64_t channel = 0);
  /// Runs the chain on one tile; its data is that of the product, if there is one.
  void take(kernels::Tile tile) const;

 private:
  using Link = TileChain::Link;
  struct Rows {
    float* data;
    std::ptrdiff_t pitch;
    int step = 1;
  };
  void run_links(const kernels::Tile& tile) const;
  void add_up(const TileChain::Sum& sum, const kernels::Tile& tile) const;
  // One link on as many rows as its result has.
  void apply(const FloatUnaryOperation&, const Link&, const kernels::Tile&) const;
  void apply(const FloatBinaryOperation&, const Link&, const kernels::Tile&) const;
  void apply(const QuantizeOperation&, const Link&, const kernels::Tile&) const;
  void apply(const TableOperation&, const Link&, const kernels::Tile&) const;
  void apply(const ByteBinaryOperation&, const Link&, const kernels::Tile&) const;
  void apply(const AffineOperation&, const Link&, const kernels::Tile&) const;
  /// The rows of a place that belong to a tile, as floats.
  Rows rows_of(const TileChain::Place& place, const kernels::Tile& tile) const;
  template <class Integer>
  Rows dequantized(const kernels::DequantizeKernelOf<Integer>& kernel,
                   const TileChain::Place& place, const kernels::Tile& tile) const;
  template <class Integer>
  void quantize(const kernels::QuantizeKernelOf<Integer>& kernel, const QuantizeOperation&,
                const Link&, const kernels::Tile&) const;
  /// The first element of a stored place that belongs to a tile.
  template <class Element>
  Element* first_of(const TileChain::Place& place, const kernels::Tile& tile) const {
    return frame_.at<Element>(place.tensor) + place.walk.at(tile.pixel) +
           tile.channel * place.walk.step;
  }

  const TileChain& chain_;
  const Frame& frame_;
  float* buffers_;
  std::int64_t pixel_, channel_;
};

/// The chain behind a step whose results are `rows` rows of `length` floats, one behind the other
/// in the memory order of its output. They lie in the scratch memory of a thread, as many as fit
/// into the cache.
class ChainedRows {
 public:
  ChainedRows(StepContext& context, const FloatChain& chain, const Operation& operation,
              std::int64_t rows, std::int64_t length);
  std::size_t scratch_bytes() const { return buffer_at_ + buffer_bytes_; }

  /// This part's share; compute(first, count, floats) writes the rows [first, first + count).
  template <class Compute>
  void run(const Frame& frame, std::byte* scratch, Part part, const Compute& compute) const {
    const BoundChain bound(chain_, frame, scratch);
    auto* const floats = reinterpret_cast<float*>(scratch + buffer_at_);
    const Range range = split(rows_, part, unit_);
    for (std::int64_t row = range.begin; row < range.end; row += block_) {
      const std::int64_t count = std::min<std::int64_t>(block_, range.end - row);
      compute(row, count, floats);
      hand_over(bound, row * length_, count * length_, floats);
    }
  }

 private:
  void hand_over(const BoundChain& bound, std::int64_t first, std::int64_t count,
                 float* floats) const;

  TileChain chain_;
  std::int64_t rows_, length_;
  std::int64_t unit_, block_;  ///< rows that make up whole pixels; rows at a time
  std::size_t buffer_at_, buffer_bytes_;
};

}  // namespace intact
