// Runs the links of a chain on tiles with the kernels of the element-wise and quantize families;
// the step of chains behind no product.
#include "engine/steps/chain.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "engine/steps/real_form.hpp"
#include "engine/steps/steps.hpp"

namespace intact {
namespace {

/// Stands for Tile::other among the buffers.
constexpr int other_buffer = -2;

constexpr std::size_t buffer_bytes = kernels::TileStage::most_elements * sizeof(float);

/// The last link that reads each value of a chain; -1: none.
std::vector<int> last_reads(const FloatChain& chain) {
  std::vector<int> last(chain.links.size() + 1, -1);
  for (std::size_t i = 0; i < chain.links.size(); ++i)
    for (const FloatChain::Operand& operand : chain.links[i].operands)
      if (operand.stored == no_tensor && operand.value != FloatChain::second_product)
        last[static_cast<std::size_t>(operand.value)] = static_cast<int>(i);
  for (const FloatChain::Sum& sum : chain.sums)
    last[static_cast<std::size_t>(sum.value)] = static_cast<int>(chain.links.size());
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

TileChain::TileChain(StepContext& context, const FloatChain& chain)
    : program_(context.program),
      out_(context.program.tensor(chain.like)),
      unary_(select_kernel(kernels::float_unary_kernels(), context.isa)),
      binary_(select_kernel(kernels::float_binary_kernels(), context.isa)),
      quantize_(select_kernel(kernels::quantize_kernels(), context.isa)),
      dequantize_(select_kernel(kernels::dequantize_kernels(), context.isa)),
      quantize_words_(select_kernel(kernels::quantize_words_kernels(), context.isa)),
      dequantize_words_(select_kernel(kernels::dequantize_words_kernels(), context.isa)),
      table_(select_kernel(kernels::table_kernels(), context.isa,
                           [](const kernels::TableKernel& kernel) {
                             return kernel.output == kernels::Output::f32;
                           })),
      word_table_(select_kernel(kernels::word_table_kernels(), context.isa)),
      byte_binary_(select_kernel(kernels::byte_binary_kernels(), context.isa)),
      affine_(select_kernel(kernels::affine_kernels(), context.isa)),
      exact_sum_(select_kernel(kernels::exact_sum_kernels(), context.isa)) {
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
  place.one_row = walk->pitch == 0;
  if (tensor.on_grid()) place.form = real_form(tensor, place.scale, place.zero_point);
  return place;
}

void TileChain::place_values(const FloatChain& chain) {
  const std::vector<int> last = last_reads(chain);
  std::vector<Place> values(chain.links.size() + 1);
  values[0].buffer = 0;
  Buffers buffers;
  for (std::size_t i = 0; i < chain.links.size(); ++i) {
    const FloatChain::Link& from = chain.links[i];
    const bool affine = std::holds_alternative<AffineOperation>(from.kind);
    const bool reads_integers = std::holds_alternative<TableOperation>(from.kind) ||
                                std::holds_alternative<ByteBinaryOperation>(from.kind);
    Link link{from.kind, {}, {}};
    std::vector<int> dead, lent;  // values that this link reads last; bytes made float
    for (const FloatChain::Operand& operand : from.operands) {
      if (operand.stored == no_tensor && operand.value == FloatChain::second_product) {
        link.operands.emplace_back().buffer = other_buffer;
        continue;
      }
      const auto value = static_cast<std::size_t>(operand.value);
      link.operands.push_back(operand.stored == no_tensor ? values[value] : stored(operand.stored));
      Place& place = link.operands.back();
      const bool as_stored = reads_integers || (affine && place.form == kernels::Element::u8);
      if (place.integers() && !as_stored) lent.push_back(place.buffer = buffers.take());
      if (operand.stored == no_tensor && last[value] == static_cast<int>(i) &&
          place.tensor == no_tensor && place.buffer > 0 &&
          std::find(dead.begin(), dead.end(), place.buffer) == dead.end())
        dead.push_back(place.buffer);
    }
    link.result.one_row = std::all_of(link.operands.begin(), link.operands.end(),
                                      [](const Place& place) { return place.one_row; });
    // Element by element: a result may take the place of a value, but not that of repeated rows.
    const bool in_place = std::all_of(link.operands.begin(), link.operands.end(), [&](auto& place) {
      return place.one_row == link.result.one_row;
    });
    if (in_place)
      for (const int buffer : dead) buffers.give_back(buffer);
    if (from.output != no_tensor)
      link.result = stored(from.output);
    else
      link.result.buffer = buffers.take();
    if (!in_place)
      for (const int buffer : dead) buffers.give_back(buffer);
    for (const int buffer : lent) buffers.give_back(buffer);
    values[i + 1] = link.result;
    links_.push_back(std::move(link));
  }
  for (const FloatChain::Sum& sum : chain.sums)
    sums_.push_back({values[static_cast<std::size_t>(sum.value)], sum.unit, sum.window, sum.sums});
  buffers_ = buffers.count();
}

ChainedRows::ChainedRows(StepContext& context, const FloatChain& chain, const Operation& operation,
                         std::int64_t rows, std::int64_t length)
    : chain_(context, chain),
      rows_(rows),
      length_(length),
      unit_(rows_of_pixels(length, chain_.columns())) {
  if (unit_ == 0) throw Error("internal: rows of '" + operation.name + "' are no pixels");
  const std::int64_t fitting = kernels::TileStage::most_elements / (unit_ * length);
  block_ = std::min(rows, unit_ * std::max<std::int64_t>(fitting, 1));
  buffer_at_ = (chain_.scratch_bytes() + 63) / 64 * 64;
  constexpr std::size_t slack = 64;  // kernels read beyond the last element
  buffer_bytes_ = static_cast<std::size_t>(block_ * length) * sizeof(float) + slack;
}

/// `count` elements from element `first` of the results on, as tiles.
void ChainedRows::hand_over(const BoundChain& bound, std::int64_t first, std::int64_t count,
                            float* floats) const {
  constexpr std::int64_t most = kernels::TileStage::most_elements;
  const std::int64_t columns = chain_.columns();
  const std::int64_t pixels = std::max<std::int64_t>(most / columns, 1);
  for (std::int64_t at = 0; at < count; at += pixels * columns)
    for (std::int64_t channel = 0; channel < columns; channel += most)
      bound.run(bound, {floats + at + channel, columns, (first + at) / columns,
                        std::min(pixels, (count - at) / columns), channel,
                        std::min(most, columns - channel)});
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
    if (tile.other != nullptr) tile.other += tile.rows * tile.pitch;
    tile.pixel += tile.rows;
  }
}

void BoundChain::run_links(const kernels::Tile& tile) const {
  if (chain_.product_) {
    const Rows to = rows_of(*chain_.product_, tile);
    for (std::int64_t r = 0; r < tile.rows; ++r)
      std::copy_n(tile.data + r * tile.pitch, tile.columns, to.data + r * to.pitch);
  }
  for (const Link& link : chain_.links_) {
    kernels::Tile part = tile;
    if (link.result.one_row) part.rows = 1;
    std::visit([&](const auto& kind) { apply(kind, link, part); }, link.kind);
  }
  for (const TileChain::Sum& sum : chain_.sums_) add_up(sum, tile);
}

/// Sums of doubles that are exact: other threads may add theirs in between.
void BoundChain::add_up(const TileChain::Sum& sum, const kernels::Tile& tile) const {
  constexpr std::int64_t most = 256;
  const Rows from = rows_of(sum.value, tile);
  double* const sums = frame_.at<double>(sum.sums);
  for (std::int64_t row = 0; row < tile.rows;) {
    const std::int64_t image = (tile.pixel + row) / sum.window;
    const std::int64_t rows =
        std::min(tile.rows - row, (image + 1) * sum.window - tile.pixel - row);
    for (std::int64_t column = 0; column < tile.columns; column += most) {
      double own[most] = {};
      kernels::ExactSumArgs args;
      args.rows = rows;
      args.channels = std::min(most, tile.columns - column);
      args.src = from.data + row * from.pitch + column;
      args.src_pitch = from.pitch;
      args.unit = sum.unit;
      args.sums = own;
      chain_.exact_sum_.run(args);
      double* const to = sums + image * chain_.columns() + tile.channel + column;
      for (std::int64_t c = 0; c < args.channels; ++c)
        std::atomic_ref(to[c]).fetch_add(own[c], std::memory_order_relaxed);
    }
    row += rows;
  }
}

BoundChain::Rows BoundChain::rows_of(const TileChain::Place& place,
                                     const kernels::Tile& tile) const {
  if (place.form == kernels::Element::u8) return dequantized(chain_.dequantize_, place, tile);
  if (place.form == kernels::Element::u16)
    return dequantized(chain_.dequantize_words_, place, tile);
  if (place.tensor != no_tensor)
    return {first_of<float>(place, tile), place.walk.pitch, static_cast<int>(place.walk.step)};
  if (place.buffer == 0) return {tile.data, tile.pitch};
  if (place.buffer == other_buffer) return {tile.other, tile.pitch};
  return {buffers_ + (place.buffer - 1) * kernels::TileStage::most_elements,
          place.one_row ? 0 : tile.columns};
}

template <class Integer>
BoundChain::Rows BoundChain::dequantized(const kernels::DequantizeKernelOf<Integer>& kernel,
                                         const TileChain::Place& place,
                                         const kernels::Tile& tile) const {
  const bool repeats = place.walk.step == 0;
  kernels::DequantizeArgsOf<Integer> args;
  args.channels = repeats ? 1 : tile.columns;
  args.pixels = place.one_row ? 1 : tile.rows;
  args.src = first_of<Integer>(place, tile);
  args.src_pitch = place.walk.pitch;
  args.scale = place.scale;
  args.zero_point = place.zero_point;
  args.dst = buffers_ + (place.buffer - 1) * kernels::TileStage::most_elements;
  args.dst_strides[1] = 1;
  args.dst_strides[2] = args.channels;
  kernel.run(args, Part{});
  return {args.dst, place.one_row ? 0 : args.channels, repeats ? 0 : 1};
}

void BoundChain::apply(const FloatUnaryOperation& function, const Link& link,
                       const kernels::Tile& tile) const {
  const Rows x = rows_of(link.operands[0], tile), to = rows_of(link.result, tile);
  kernels::FloatUnaryArgs args;
  args.function = function.function;
  args.alpha = function.alpha;
  args.beta = function.beta;
  args.rows = tile.rows;
  args.channels = tile.columns;
  args.src = x.data;
  args.src_pitch = x.pitch;
  args.dst = to.data;
  args.dst_pitch = to.pitch;
  chain_.unary_.run(args, Part{});
}

void BoundChain::apply(const FloatBinaryOperation& arithmetic, const Link& link,
                       const kernels::Tile& tile) const {
  const Rows a = rows_of(link.operands[0], tile), b = rows_of(link.operands[1], tile);
  const Rows to = rows_of(link.result, tile);
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

void BoundChain::apply(const QuantizeOperation& round, const Link& link,
                       const kernels::Tile& tile) const {
  if (link.result.form == kernels::Element::u16)
    quantize(chain_.quantize_words_, round, link, tile);
  else
    quantize(chain_.quantize_, round, link, tile);
}

template <class Integer>
void BoundChain::quantize(const kernels::QuantizeKernelOf<Integer>& kernel,
                          const QuantizeOperation& round, const Link& link,
                          const kernels::Tile& tile) const {
  const Rows x = rows_of(link.operands[0], tile);
  kernels::QuantizeArgsOf<Integer> args;
  args.channels = tile.columns;
  args.pixels = tile.rows;
  args.src = x.data;
  args.src_strides[1] = 1;
  args.src_strides[2] = x.pitch;
  args.scale = round.scale;
  args.zero_point = round.zero_point;
  args.lower = round.lower;
  args.upper = round.upper;
  args.dst =
      frame_.at<Integer>(link.result.tensor) + link.result.walk.at(tile.pixel) + tile.channel;
  args.dst_pitch = link.result.walk.pitch;
  kernel.run(args, Part{});
}

void BoundChain::apply(const TableOperation& table, const Link& link,
                       const kernels::Tile& tile) const {
  const TileChain::Place& from = link.operands[0];
  const Rows to = rows_of(link.result, tile);
  const auto look_up = [&](auto args, const auto& kernel) {
    args.rows = tile.rows;
    args.channels = tile.columns;
    args.src_pitch = from.walk.pitch;
    args.table = table.floats.data();
    args.dst = to.data;
    args.dst_pitch = to.pitch;
    kernel.run(args, Part{});
  };
  if (from.form == kernels::Element::u16) {
    kernels::WordTableArgs args;
    args.output = kernels::Element::f32;
    args.src = first_of<std::uint16_t>(from, tile);
    look_up(args, chain_.word_table_);
  } else {
    kernels::TableArgs args;
    args.src = first_of<std::uint8_t>(from, tile);
    look_up(args, chain_.table_);
  }
}

void BoundChain::apply(const ByteBinaryOperation& arithmetic, const Link& link,
                       const kernels::Tile& tile) const {
  const Rows to = rows_of(link.result, tile);
  const auto operand = [&](const TileChain::Place& place, std::int32_t zero_point) {
    return kernels::ByteOperand{first_of<std::uint8_t>(place, tile), place.walk.pitch,
                                static_cast<int>(place.walk.step), zero_point};
  };
  kernels::ByteBinaryArgs args;
  args.operation = arithmetic.operation;
  args.rows = tile.rows;
  args.channels = tile.columns;
  args.a = operand(link.operands[0], arithmetic.zero_point_a);
  args.b = operand(link.operands[1], arithmetic.zero_point_b);
  args.multiplier_a = arithmetic.multiplier_a;
  args.multiplier_b = arithmetic.multiplier_b;
  args.divisor = arithmetic.divisor;
  args.dst = to.data;
  args.dst_pitch = to.pitch;
  args.epilogue = epilogue_of(arithmetic.stage);
  chain_.byte_binary_.run(args, Part{});
}

void BoundChain::apply(const AffineOperation& affine, const Link& link,
                       const kernels::Tile& tile) const {
  const TileChain::Place& from = link.operands[0];
  const Rows to = rows_of(link.result, tile);
  kernels::AffineArgs args;
  args.rows = tile.rows;
  args.channels = tile.columns;
  if (from.form == kernels::Element::u8) {
    args.src = first_of<std::uint8_t>(from, tile);
    args.src_pitch = from.walk.pitch;
  } else {
    const Rows x = rows_of(from, tile);
    args.input = kernels::Output::f32;
    args.src = x.data;
    args.src_pitch = x.pitch;
  }
  args.src_zero_point = affine.zero_point;
  args.factor = affine.factor.data() + tile.channel;
  args.addend = affine.addend.data() + tile.channel;
  args.dst = to.data;
  args.dst_pitch = to.pitch;
  args.epilogue = epilogue_of(affine.stage);
  chain_.affine_.run(args, Part{});
}

namespace {

/// A chain behind nothing: tiles of its own.
class ChainStep : public Step {
 public:
  ChainStep(StepContext& context, FloatChain& chain) : chain_(context, chain) {
    const StoredTensor& like = context.program.tensor(chain.like);
    pixels_ = like.rows();
    channels_ = like.channels();
    scratch_bytes = chain_.scratch_bytes();
    isa = chain_.isa();
    kernel = fmt::format("tiles_{}", isa == Isa::scalar ? "reference" : isa_name(isa));
  }

  void run(const Frame& frame, Part part) const override {
    constexpr std::int64_t most = kernels::TileStage::most_elements;
    const std::int64_t columns = std::min(channels_, most);
    const std::int64_t share = (pixels_ + part.count - 1) / part.count;
    const std::int64_t rows = std::max<std::int64_t>(std::min(most / columns, share), 1);
    const std::int64_t across = (channels_ + columns - 1) / columns;
    const Range tiles = split((pixels_ + rows - 1) / rows * across, part);
    const BoundChain bound(chain_, frame, frame.scratch_of(part));
    for (std::int64_t i = tiles.begin; i < tiles.end; ++i) {
      kernels::Tile tile;
      tile.pixel = i / across * rows;
      tile.channel = i % across * columns;
      tile.rows = std::min(rows, pixels_ - tile.pixel);
      tile.columns = std::min(columns, channels_ - tile.channel);
      bound.take(tile);
    }
  }

 private:
  TileChain chain_;
  std::int64_t pixels_, channels_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation&, ChainOperation& chain) {
  return std::make_unique<ChainStep>(context, chain.chain);
}

}  // namespace intact
