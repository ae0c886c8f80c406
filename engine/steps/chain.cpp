// Runs the links of a chain on tiles with the kernels of the element-wise and quantize families.
#include "engine/steps/chain.hpp"

#include <algorithm>
#include <numeric>

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

constexpr std::size_t buffer_bytes = kernels::TileStage::most_elements * sizeof(float);

/// The last link that reads each value of a chain; -1: none.
std::vector<int> last_reads(const FloatChain& chain) {
  std::vector<int> last(chain.links.size() + 1, -1);
  for (std::size_t i = 0; i < chain.links.size(); ++i)
    for (const FloatChain::Operand& operand : chain.links[i].operands)
      if (operand.stored == no_tensor)
        last[static_cast<std::size_t>(operand.value)] = static_cast<int>(i);
  return last;
}

/// Hands out buffers of tiles and takes them back.
class Buffers {
 public:
  int take() {
    if (free_.empty()) return count_++;
    const int buffer = free_.back();
    free_.pop_back();
    return buffer;
  }
  void give_back(int buffer) { free_.push_back(buffer); }
  int count() const { return count_; }

 private:
  int count_ = 1;  // the tile that comes in is buffer 0, which is never handed out
  std::vector<int> free_;
};

}  // namespace

TileChain::TileChain(StepContext& context, const FloatChain& chain, const Operation& operation)
    : program_(context.program),
      out_(context.program.tensor(operation.outputs[0])),
      unary_(select_kernel(kernels::float_unary_kernels(), context.isa)),
      binary_(select_kernel(kernels::float_binary_kernels(), context.isa)),
      quantize_(select_kernel(kernels::quantize_kernels(), context.isa)),
      dequantize_(select_kernel(kernels::dequantize_kernels(), context.isa)) {
  place_values(chain);
  if (chain.product != no_tensor) product_ = stored(chain.product);
  for (const Link& link : links_)
    for (const Place& place : link.operands)
      if (place.tensor != no_tensor && place.walk.outer != place.walk.pitch * place.walk.period)
        period_ = std::gcd(period_, place.walk.period);
}

std::size_t TileChain::scratch_bytes() const {
  constexpr std::size_t slack = 64;  // kernels read beyond the last element
  return static_cast<std::size_t>(buffers_ - 1) * buffer_bytes + slack;
}

TileChain::Place TileChain::stored(TensorId id) const {
  const StoredTensor& tensor = program_.tensor(id);
  const auto walk = pixel_walk(tensor, out_);
  if (!walk) throw Error("internal: '" + tensor.name + "' cannot be read along with tiles");
  Place place;
  place.tensor = id;
  place.walk = *walk;
  if (tensor.type == ElementType::u8 && tensor.grid) {
    place.bytes = true;
    place.scale = tensor.grid->scale[0];
    place.zero_point = tensor.zero_point();
  }
  return place;
}

void TileChain::place_values(const FloatChain& chain) {
  const std::vector<int> last = last_reads(chain);
  std::vector<Place> values(chain.links.size() + 1);
  values[0].buffer = 0;
  Buffers buffers;
  for (std::size_t i = 0; i < chain.links.size(); ++i) {
    const FloatChain::Link& from = chain.links[i];
    Link link{from.kind, {}, {}};
    std::vector<int> dead, lent;  // values that this link reads last; bytes made float
    for (const FloatChain::Operand& operand : from.operands) {
      const auto value = static_cast<std::size_t>(operand.value);
      link.operands.push_back(operand.stored == no_tensor ? values[value] : stored(operand.stored));
      Place& place = link.operands.back();
      if (place.bytes) lent.push_back(place.buffer = buffers.take());
      if (operand.stored == no_tensor && last[value] == static_cast<int>(i) &&
          place.tensor == no_tensor && place.buffer > 0 &&
          std::find(dead.begin(), dead.end(), place.buffer) == dead.end())
        dead.push_back(place.buffer);
    }
    // Element by element: a result may take the place of a value, but not that of a repeated row.
    for (const int buffer : dead) buffers.give_back(buffer);
    if (from.output != no_tensor)
      link.result = stored(from.output);
    else
      link.result.buffer = buffers.take();
    for (const int buffer : lent) buffers.give_back(buffer);
    values[i + 1] = link.result;
    links_.push_back(std::move(link));
  }
  buffers_ = buffers.count();
}

BoundChain::BoundChain(const TileChain& chain, const Frame& frame, std::byte* scratch,
                       std::int64_t pixel, std::int64_t channel)
    : chain_(chain),
      frame_(frame),
      buffers_(reinterpret_cast<float*>(scratch)),
      pixel_(pixel),
      channel_(channel) {
  run = [](const TileStage& self, const kernels::Tile& tile) {
    static_cast<const BoundChain&>(self).take(tile);
  };
}

void BoundChain::take(kernels::Tile tile) const {
  tile.pixel += pixel_;
  tile.channel += channel_;
  if (chain_.period_ == 0) return run_links(tile);
  for (std::int64_t left = tile.rows; left > 0;) {
    tile.rows = std::min(left, chain_.period_ - tile.pixel % chain_.period_);
    run_links(tile);
    left -= tile.rows;
    tile.data += tile.rows * tile.pitch;
    tile.pixel += tile.rows;
  }
}

void BoundChain::run_links(const kernels::Tile& tile) const {
  if (chain_.product_) {
    const Rows to = rows_of(*chain_.product_, tile);
    for (std::int64_t r = 0; r < tile.rows; ++r)
      std::copy_n(tile.data + r * tile.pitch, tile.columns, to.data + r * to.pitch);
  }
  for (const TileChain::Link& link : chain_.links_) run_link(link, tile);
}

/// The rows of a place that belong to a tile, as floats.
BoundChain::Rows BoundChain::rows_of(const TileChain::Place& place,
                                     const kernels::Tile& tile) const {
  if (place.buffer == 0) return {tile.data, tile.pitch};
  float* const buffer =
      buffers_ + (place.buffer - 1) * kernels::TileStage::most_elements;  // not read if < 0
  if (place.tensor == no_tensor) return {buffer, tile.columns};
  const std::int64_t at = place.walk.at(tile.pixel) + tile.channel * place.walk.step;
  if (!place.bytes)
    return {frame_.at<float>(place.tensor) + at, place.walk.pitch,
            static_cast<int>(place.walk.step)};
  const bool repeats = place.walk.step == 0;
  kernels::DequantizeArgs args;
  args.channels = repeats ? 1 : tile.columns;
  args.pixels = place.walk.pitch == 0 ? 1 : tile.rows;
  args.src = frame_.at<std::uint8_t>(place.tensor) + at;
  args.src_pitch = place.walk.pitch;
  args.scale = place.scale;
  args.zero_point = place.zero_point;
  args.dst = buffer;
  args.dst_strides[1] = 1;
  args.dst_strides[2] = args.channels;
  chain_.dequantize_.run(args, Part{});
  return {buffer, args.pixels == 1 ? 0 : args.channels, repeats ? 0 : 1};
}

void BoundChain::run_link(const TileChain::Link& link, const kernels::Tile& tile) const {
  const Rows a = rows_of(link.operands[0], tile);
  if (const auto* round = std::get_if<QuantizeOperation>(&link.kind)) {
    kernels::QuantizeArgs args;
    args.channels = tile.columns;
    args.pixels = tile.rows;
    args.src = a.data;
    args.src_strides[1] = 1;
    args.src_strides[2] = a.pitch;
    args.scale = round->scale;
    args.zero_point = round->zero_point;
    args.lower = round->lower;
    args.upper = round->upper;
    args.dst = frame_.at<std::uint8_t>(link.result.tensor) + link.result.walk.at(tile.pixel) +
               tile.channel;
    args.dst_pitch = link.result.walk.pitch;
    return chain_.quantize_.run(args, Part{});
  }
  const Rows to = rows_of(link.result, tile);
  if (const auto* function = std::get_if<FloatUnaryOperation>(&link.kind)) {
    kernels::FloatUnaryArgs args;
    args.function = function->function;
    args.alpha = function->alpha;
    args.beta = function->beta;
    args.rows = tile.rows;
    args.channels = tile.columns;
    args.src = a.data;
    args.src_pitch = a.pitch;
    args.dst = to.data;
    args.dst_pitch = to.pitch;
    return chain_.unary_.run(args, Part{});
  }
  const auto& arithmetic = std::get<FloatBinaryOperation>(link.kind);
  const Rows b = rows_of(link.operands[1], tile);
  kernels::FloatBinaryArgs args;
  args.operation = arithmetic.operation;
  args.lower = arithmetic.lower;
  args.upper = arithmetic.upper;
  args.rows = tile.rows;
  args.channels = tile.columns;
  args.a = {a.data, a.pitch, a.step};
  args.b = {b.data, b.pitch, b.step};
  args.dst = to.data;
  args.dst_pitch = to.pitch;
  chain_.binary_.run(args, Part{});
}

}  // namespace intact
