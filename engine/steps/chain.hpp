// The float operators behind a product, tile by tile (FloatChain): which kernel reads and writes
// what.
#pragma once

#include <array>
#include <vector>

#include "engine/pixel_walk.hpp"
#include "engine/step.hpp"
#include "kernels/quantize/quantize.hpp"

namespace intact {

/// The chain of one step, prepared once.
class TileChain {
 public:
  TileChain(StepContext& context, const FloatChain& chain, const Operation& operation);
  std::size_t scratch_bytes() const;

 private:
  friend class BoundChain;
  /// Where an operand or a result lies: in a buffer of tiles (0: the tile that came in), or in a
  /// stored tensor.
  struct Place {
    int buffer = -1;
    TensorId tensor = no_tensor;
    PixelWalk walk;      ///< of a tensor
    bool bytes = false;  ///< the tensor's: dequantized into `buffer` first
    float scale = 1;     ///< of bytes
    std::int32_t zero_point = 0;
  };
  struct Link {
    std::variant<FloatUnaryOperation, FloatBinaryOperation, QuantizeOperation> kind;
    std::vector<Place> operands;
    Place result;
  };

  Place stored(TensorId id) const;
  void place_values(const FloatChain& chain);

  const Program& program_;
  StoredTensor out_;  ///< what all results look like
  std::vector<Link> links_;
  std::optional<Place> product_;  ///< where the product itself is stored
  int buffers_ = 1;
  std::int64_t period_ = 0;  ///< tiles are cut at multiples of it; 0: nowhere
  const kernels::FloatUnaryKernel& unary_;
  const kernels::FloatBinaryKernel& binary_;
  const kernels::QuantizeKernel& quantize_;
  const kernels::DequantizeKernel& dequantize_;
};

/// The chain with the memory of one inference and one thread. `pixel` and `channel`: what the
/// kernel's first pixel and channel are in the tensors.
class BoundChain : public kernels::TileStage {
 public:
  BoundChain(const TileChain& chain, const Frame& frame, std::byte* scratch, std::int64_t pixel = 0,
             std::int64_t channel = 0);

 private:
  struct Rows {
    float* data;
    std::ptrdiff_t pitch;
    int step = 1;
  };
  void take(kernels::Tile tile) const;
  void run_links(const kernels::Tile& tile) const;
  void run_link(const TileChain::Link& link, const kernels::Tile& tile) const;
  Rows rows_of(const TileChain::Place& place, const kernels::Tile& tile) const;

  const TileChain& chain_;
  const Frame& frame_;
  float* buffers_;
  std::int64_t pixel_, channel_;
};

}  // namespace intact
