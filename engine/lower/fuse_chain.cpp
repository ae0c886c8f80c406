// Float operators, and the Rounds behind them, move into the product (or another operation that
// makes floats of bytes) that wrote the float tensor they read: they then run on each tile of its
// results, and nothing but the last results is stored. Those that follow no such operation but read
// bytes become a step of their own, tile by tile too. The operators keep their kernels and their
// order, so no bit changes.
#include <algorithm>
#include <limits>
#include <set>

#include "core/checked.hpp"
#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"
#include "engine/pixel_walk.hpp"

namespace intact {
namespace {

/// The chain of an operation, which is empty yet; null for one that can take none.
FloatChain* chain_slot(OperationKind& kind) {
  FloatChain* slot = nullptr;
  const auto product = [&](ConvOperation& conv) {
    if (conv.stage.output == kernels::Output::f32 && !conv.residual && !conv.round)
      slot = &conv.chain;
  };
  std::visit(
      [&]<class Kind>(Kind& own) {
        if constexpr (std::is_same_v<Kind, ConvOperation>) {
          product(own);
        } else if constexpr (std::is_same_v<Kind, ActivationMatMulOperation>) {
          if (!own.rows) product(own.product);
        } else if constexpr (std::is_same_v<Kind, ChainOperation>) {
          return;  // is one
        } else if constexpr (requires {
                               own.stage.output;
                               own.chain;
                             }) {
          if (own.stage.output == kernels::Output::f32) slot = &own.chain;
        } else if constexpr (requires { own.chain; }) {
          slot = &own.chain;
        }
      },
      kind);
  return slot != nullptr && slot->empty() ? slot : nullptr;
}

/// Elements of the rows that an operation computes one behind the other; 0: those of its output.
std::int64_t row_length(const OperationKind& kind) {
  if (const auto* row = std::get_if<RowOperation>(&kind)) return row->length;
  if (const auto* resize = std::get_if<ResizeOperation>(&kind))
    return resize->axis[2].out * resize->channels;
  if (const auto* pool = std::get_if<PoolOperation>(&kind))
    return pool->shape.out[2] * pool->shape.out_channels;
  return 0;
}

/// Makes floats of bytes, in rows that make up whole pixels of its output.
bool takes_chain(const Program& program, Operation& operation) {
  if (operation.outputs.empty() || chain_slot(operation.kind) == nullptr) return false;
  const StoredTensor& out = program.tensor(operation.outputs[0]);
  if (out.type != ElementType::f32 || operation.precision != Precision::int8) return false;
  const std::int64_t length = row_length(operation.kind);
  return length == 0 ||
         (out.root == no_tensor && out.dense() && rows_of_pixels(length, out.channels()) != 0);
}

/// Element by element to floats, or from floats to bytes.
bool is_link(const OperationKind& kind) {
  if (const auto* table = std::get_if<TableOperation>(&kind)) return !table->floats.empty();
  const OutputStage* stage = nullptr;
  if (const auto* binary = std::get_if<ByteBinaryOperation>(&kind)) stage = &binary->stage;
  if (const auto* affine = std::get_if<AffineOperation>(&kind)) stage = &affine->stage;
  if (stage != nullptr) return stage->output == kernels::Output::f32;
  return std::holds_alternative<FloatUnaryOperation>(kind) ||
         std::holds_alternative<FloatBinaryOperation>(kind) ||
         std::holds_alternative<QuantizeOperation>(kind);
}

/// Who writes and reads each tensor's memory, by root tensor; views count as their root.
struct MemoryUses {
  std::vector<std::vector<std::size_t>> readers, writers;
  std::vector<bool> wanted;  ///< by the caller

  explicit MemoryUses(const Program& program) : wanted(program.tensors.size()) {
    for (std::size_t i = 0; i < program.operations.size(); ++i) add(program, i);
    for (const TensorId id : program.outputs)
      wanted[static_cast<std::size_t>(program.root(id))] = true;
  }

  /// An operation that changes is removed before and added again after.
  void remove(const Program& program, std::size_t operation) {
    for_each(program, operation,
             [&](std::vector<std::size_t>& users) { std::erase(users, operation); });
  }
  void add(const Program& program, std::size_t operation) {
    readers.resize(program.tensors.size());
    writers.resize(program.tensors.size());
    wanted.resize(program.tensors.size());
    for_each(program, operation,
             [&](std::vector<std::size_t>& users) { users.push_back(operation); });
  }

 private:
  /// Calls `change` with the readers or writers of all that the operation reads and writes.
  template <class Change>
  void for_each(const Program& program, std::size_t operation, const Change& change) {
    const auto root = [&](TensorId id) { return static_cast<std::size_t>(program.root(id)); };
    for (const TensorId id : program.operations[operation].inputs) change(readers[root(id)]);
    for (const TensorId id : program.operations[operation].outputs)
      if (id != no_tensor) change(writers[root(id)]);
  }
};

/// Links of one chain; also bounds the work for each operator that could begin one.
constexpr std::size_t most_links = 64;

/// Collects one chain.
class Builder {
 public:
  /// `first`: the product, or the chain's first link.
  Builder(Program& program, MemoryUses& uses, std::size_t first)
      : program_(program),
        uses_(uses),
        first_(first),
        position_(first),
        looked_at_(first),
        like_id_(program.operations[first].outputs[0]),
        like_(program.tensor(like_id_)),
        behind_product_(takes_chain(program, program.operations[first])),
        values_{behind_product_ ? program.operations[first].outputs[0] : no_tensor} {}

  /// Where there is a chain, it is then at the place of its last operator.
  void run() {
    if (behind_product_)
      add_candidates(values_[0]);
    else if (!begin())
      return;
    while (!candidates_.empty()) {
      looked_at_ = *candidates_.begin();
      candidates_.erase(candidates_.begin());
      if (summable(looked_at_))
        means_.push_back(looked_at_);
      else if (chain_.links.size() < most_links && absorbable(looked_at_))
        absorb(looked_at_);
    }
    if ((!chain_.links.empty() || !means_.empty()) && (behind_product_ || saves_floats())) commit();
  }

 private:
  const Operation& operation(std::size_t i) const { return program_.operations[i]; }

  const std::vector<std::size_t>& readers(TensorId id) const {
    return uses_.readers[static_cast<std::size_t>(program_.root(id))];
  }
  const std::vector<std::size_t>& writers(TensorId id) const {
    return uses_.writers[static_cast<std::size_t>(program_.root(id))];
  }

  /// Who reads a value of the chain may be its next link.
  void add_candidates(TensorId value) {
    for (const std::size_t reader : readers(value))
      if (reader > looked_at_) candidates_.insert(reader);
  }

  /// Index among the chain's values; -1 for other tensors.
  int value_of(TensorId id) const {
    const auto found = std::find(values_.begin(), values_.end(), id);
    return found == values_.end() ? -1 : static_cast<int>(found - values_.begin());
  }
  /// Shares memory with a value of the chain, under another shape.
  bool is_view_of_value(TensorId id) const {
    return std::any_of(values_.begin(), values_.end(), [&](TensorId value) {
      return value != no_tensor && value != id && program_.root(value) == program_.root(id);
    });
  }

  /// Elements of the same order in memory as those of the product.
  bool matches(const StoredTensor& tensor) const {
    return tensor.root == no_tensor && tensor.shape == like_.shape && tensor.layout == like_.layout;
  }

  /// Bytes that were made float for this operand are read as they are.
  TensorId stored_form(TensorId id) const {
    if (program_.tensor(id).root != no_tensor || writers(id).size() != 1) return id;
    const Operation& writer = operation(writers(id)[0]);
    if (!std::holds_alternative<DequantizeOperation>(writer.kind)) return id;
    return pixel_walk(program_.tensor(writer.inputs[0]), like_) ? writer.inputs[0] : id;
  }

  /// The chain could run as late as operation `i`: nobody reads what it stores before.
  bool could_move_to(std::size_t i) const {
    return std::all_of(values_.begin(), values_.end(), [&](TensorId value) {
      if (value == no_tensor) return true;
      return std::all_of(readers(value).begin(), readers(value).end(), [&](std::size_t reader) {
        return reader >= i ||
               std::find(absorbed_.begin(), absorbed_.end(), reader) != absorbed_.end();
      });
    });
  }

  bool available(TensorId id, std::size_t position) const {
    return std::all_of(writers(id).begin(), writers(id).end(),
                       [&](std::size_t writer) { return writer < position; });
  }

  /// One element for each channel of a pixel.
  bool has_all_channels(const StoredTensor& tensor) const {
    const auto walk = pixel_walk(tensor, like_);
    return walk && (walk->step == 1 || like_.channels() == 1);
  }

  /// The operation that writes the floats `id`, when the chain of its only reader could do that
  /// itself: element by element, from stored tensors, for all channels of a pixel. Nothing for
  /// others, and for bytes, which links read from stored tensors alone.
  std::optional<std::size_t> pulled(TensorId id) const {
    const StoredTensor& tensor = program_.tensor(id);
    if (tensor.type != ElementType::f32 || tensor.root != no_tensor || tensor.constant.defined() ||
        writers(id).size() != 1 || readers(id).size() != 1 ||
        uses_.wanted[static_cast<std::size_t>(id)])
      return std::nullopt;
    const Operation& writer = operation(writers(id)[0]);
    if (!is_link(writer.kind) || !has_all_channels(tensor)) return std::nullopt;
    for (const TensorId input : writer.inputs) {
      if (value_of(input) >= 0) return std::nullopt;
      if (second_product(input)) continue;
      if (!readable(input)) return std::nullopt;
      if (!std::holds_alternative<FloatBinaryOperation>(writer.kind) &&
          !has_all_channels(program_.tensor(stored_form(input))))
        return std::nullopt;
    }
    return writers(id)[0];
  }

  /// A tensor that a link can read along with the tiles.
  bool readable(TensorId id) const {
    const TensorId stored = stored_form(id);
    return !is_view_of_value(id) && !is_view_of_value(stored) && value_of(stored) < 0 &&
           pixel_walk(program_.tensor(stored), like_).has_value();
  }

  /// The convolution that writes `id` for this chain alone, when the first product's step could
  /// compute it too. Nothing for others.
  std::optional<std::size_t> second_product(TensorId id) const {
    const auto plain = [](const Operation& operation) {
      const auto* conv = std::get_if<ConvOperation>(&operation.kind);
      return conv != nullptr && !conv->zero_point_at_run_time && !conv->scale_at_run_time;
    };
    if (!behind_product_ || second_ != 0 || writers(id).size() != 1 || readers(id).size() != 1 ||
        uses_.wanted[static_cast<std::size_t>(program_.root(id))] ||
        !matches(program_.tensor(id)) || !plain(operation(first_)))
      return std::nullopt;
    Operation& writer = program_.operations[writers(id)[0]];
    // Both are cut along the same axes, whose order depends on the window too (long_axes_last).
    const auto same_outputs = [&] {
      const kernels::ConvShape& a = std::get<ConvOperation>(operation(first_).kind).shape;
      const kernels::ConvShape& b = std::get<ConvOperation>(writer.kind).shape;
      return a.batch == b.batch && a.out == b.out;
    };
    const bool fits = plain(writer) && chain_slot(writer.kind) != nullptr && same_outputs() &&
                      !is_view_of_value(writer.inputs[0]) && value_of(writer.inputs[0]) < 0;
    return fits ? std::optional(writers(id)[0]) : std::nullopt;
  }

  /// What the operation reads besides values of the chain is complete before it, or could be.
  bool absorbable(std::size_t i) const {
    const Operation& next = operation(i);
    if (!is_link(next.kind) || !matches(program_.tensor(next.outputs[0]))) return false;
    bool reads_value = false, in_time = true;
    const auto check = [&](TensorId id) {
      const auto second = second_product(id);
      const TensorId read = second ? operation(*second).inputs[0] : stored_form(id);
      in_time = in_time && available(read, position_);
    };
    for (const TensorId id : next.inputs) {
      if (value_of(id) >= 0) {
        if (program_.tensor(id).type != ElementType::f32) return false;
        reads_value = true;
        continue;
      }
      if (second_product(id)) {
        check(id);
        continue;
      }
      if (!readable(id)) return false;
      if (const auto writer = pulled(id))
        for (const TensorId input : operation(*writer).inputs) check(input);
      else
        check(id);
    }
    return reads_value && (in_time || could_move_to(i));
  }

  /// A mean of one of the chain's values whose sums may come in any order: the step of a
  /// convolution, or of a chain behind nothing, can add them up.
  bool summable(std::size_t i) const {
    const auto* reduce = std::get_if<FloatReduceOperation>(&operation(i).kind);
    return reduce != nullptr && reduce->unit != 0 && value_of(operation(i).inputs[0]) >= 0 &&
           (!behind_product_ || std::holds_alternative<ConvOperation>(operation(first_).kind)) &&
           reduce->channels == like_.channels() && reduce->batch * reduce->window == like_.rows() &&
           reduce->window < std::numeric_limits<int>::max();
  }

  /// The first link of a chain behind nothing.
  bool begin() {
    const Operation& first = operation(first_);
    if (!is_link(first.kind) || std::holds_alternative<QuantizeOperation>(first.kind) ||
        !matches(like_))
      return false;
    for (const TensorId id : first.inputs)
      if (!readable(id)) return false;
    absorb(first_);
    return true;
  }

  void absorb(std::size_t i) {
    for (const TensorId id : operation(i).inputs)
      if (value_of(id) < 0)
        if (const auto writer = pulled(id)) absorb_one(*writer, i);
    absorb_one(i, i);
  }

  /// Makes operation `i` the next link; the chain runs at `latest` if it cannot run earlier.
  void absorb_one(std::size_t i, std::size_t latest) {
    Operation& next = program_.operations[i];
    FloatChain::Link link;
    std::visit(
        [&]<class Kind>(Kind& kind) {
          if constexpr (std::is_constructible_v<decltype(link.kind), Kind>) link.kind = kind;
        },
        next.kind);
    for (const TensorId id : next.inputs) {
      const int value = value_of(id);
      if (const auto second = value < 0 ? second_product(id) : std::nullopt) {
        link.operands.push_back({no_tensor, FloatChain::second_product});
        if (!available(operation(*second).inputs[0], position_)) position_ = latest;
        second_ = *second;
        continue;
      }
      const TensorId stored = value < 0 ? stored_form(id) : no_tensor;
      link.operands.push_back({stored, std::max(value, 0)});
      if (stored != no_tensor && !available(stored, position_)) position_ = latest;
    }
    values_.push_back(next.outputs[0]);
    add_candidates(values_.back());
    absorbed_.push_back(i);
    chain_.links.push_back(std::move(link));
  }

  bool reads_bytes() const {
    return any_operand(
        [&](const FloatChain::Link&, const StoredTensor& tensor) { return is_read(tensor); });
  }
  /// Integers that the run brings.
  static bool is_read(const StoredTensor& tensor) {
    return (tensor.type == ElementType::u8 || tensor.on_grid()) && !tensor.constant.defined();
  }
  /// Whether `holds` for any link and stored operand.
  template <class Holds>
  bool any_operand(const Holds& holds) const {
    for (const FloatChain::Link& link : chain_.links)
      for (const FloatChain::Operand& operand : link.operands)
        if (operand.stored != no_tensor && holds(link, program_.tensor(operand.stored)))
          return true;
    return false;
  }

  /// Several operators that read bytes in one pass; or one, if a step of its own would have to make
  /// the bytes floats first.
  bool saves_floats() const {
    if (chain_.links.size() > 1 || !means_.empty()) return reads_bytes();
    return any_operand([](const FloatChain::Link& link, const StoredTensor& tensor) {
      return is_read(tensor) && std::holds_alternative<FloatBinaryOperation>(link.kind);
    });
  }

  /// Read by an operation outside of the chain, or by the caller.
  bool is_stored(TensorId id) const {
    if (uses_.wanted[static_cast<std::size_t>(program_.root(id))]) return true;
    return std::any_of(readers(id).begin(), readers(id).end(), [&](std::size_t reader) {
      return std::find(absorbed_.begin(), absorbed_.end(), reader) == absorbed_.end() &&
             std::find(means_.begin(), means_.end(), reader) == means_.end();
    });
  }

  /// The mean reads sums that the chain adds up.
  void take_sum(std::size_t i, Operation& step) {
    Operation& mean = program_.operations[i];
    const auto reduce = std::get<FloatReduceOperation>(mean.kind);
    StoredTensor sums;
    sums.name = program_.tensor(mean.inputs[0]).name + " summed";
    sums.type = ElementType::f64;
    sums.shape = {reduce.batch, reduce.channels};
    sums.sums = true;
    program_.tensors.push_back(std::move(sums));
    const auto id = static_cast<TensorId>(program_.tensors.size() - 1);
    chain_.sums.push_back({value_of(mean.inputs[0]), reduce.unit, reduce.window, id});
    step.outputs.push_back(id);
    mean.kind = MeanOperation{reduce.window};
    mean.inputs = {id};
    mean.precision = Precision::int8;
    mean.reason.clear();
  }

  void take_second(Operation& step) {
    Operation& second = program_.operations[second_];
    step.inputs.push_back(second.inputs[0]);
    step.sources.insert(step.sources.end(), second.sources.begin(), second.sources.end());
    step.op += "+" + second.op;
    step.macs = saturating_sum(step.macs, second.macs);
    std::get<ConvOperation>(step.kind).second.push_back(
        std::move(std::get<ConvOperation>(second.kind)));
    second = {};
  }

  /// Every operation that the chain changes, once.
  std::set<std::size_t> changed() const {
    std::set<std::size_t> all(absorbed_.begin(), absorbed_.end());
    all.insert(means_.begin(), means_.end());
    all.insert({first_, position_});
    if (second_ != 0) all.insert(second_);
    return all;
  }

  void commit() {
    const std::set<std::size_t> places = changed();
    for (const std::size_t i : places) uses_.remove(program_, i);
    Operation step = std::move(program_.operations[first_]);
    program_.operations[first_] = {};
    if (!behind_product_) {
      step.kind = ChainOperation{};
      step.inputs.clear();
      step.precision = Precision::int8;
      step.reason.clear();
    }
    step.outputs.clear();
    if (behind_product_ && is_stored(values_[0]))
      step.outputs.push_back(chain_.product = values_[0]);
    if (second_ != 0) take_second(step);
    for (std::size_t k = 0; k < chain_.links.size(); ++k) {
      FloatChain::Link& link = chain_.links[k];
      if (is_stored(values_[k + 1])) step.outputs.push_back(link.output = values_[k + 1]);
      for (const FloatChain::Operand& operand : link.operands)
        if (operand.stored != no_tensor) step.inputs.push_back(operand.stored);
    }
    for (const std::size_t i : means_) take_sum(i, step);
    chain_.like = like_id_;
    for (const std::size_t i : absorbed_) {
      if (i == first_) continue;
      Operation& next = program_.operations[i];
      step.sources.insert(step.sources.end(), next.sources.begin(), next.sources.end());
      if (next.op != "Quantize") step.op += "+" + next.op;
      next = {};
    }
    if (behind_product_)
      *chain_slot(step.kind) = std::move(chain_);
    else
      std::get<ChainOperation>(step.kind).chain = std::move(chain_);
    program_.operations[position_] = std::move(step);
    for (const std::size_t i : places) uses_.add(program_, i);
  }

  Program& program_;
  MemoryUses& uses_;
  std::size_t first_;
  std::size_t position_;   ///< where the chain runs
  std::size_t looked_at_;  ///< the last operation that could have become a link
  TensorId like_id_;
  StoredTensor like_;
  bool behind_product_;
  std::vector<TensorId> values_;  ///< the product or no_tensor, then the result of each link
  std::vector<std::size_t> absorbed_;
  std::set<std::size_t> candidates_;  ///< operations behind it that may become links
  std::vector<std::size_t> means_;    ///< operations whose sums the chain adds up
  std::size_t second_ = 0;            ///< the second product; 0: none
  FloatChain chain_;
};

/// Conversions that nobody reads any more.
void drop_unread_conversions(Program& program) {
  const Uses uses(program);
  for (Operation& operation : program.operations) {
    if (!std::holds_alternative<DequantizeOperation>(operation.kind)) continue;
    const auto id = static_cast<std::size_t>(operation.outputs[0]);
    if (uses.readers[id].empty() && !uses.shared[id]) operation.outputs.clear();
  }
}

}  // namespace

void fuse_chain(Program& program) {
  MemoryUses uses(program);
  for (const bool behind_products : {true, false})
    for (std::size_t i = 0; i < program.operations.size(); ++i) {
      Operation& first = program.operations[i];
      if (behind_products ? takes_chain(program, first) : is_link(first.kind))
        Builder(program, uses, i).run();
    }
  drop_unread_conversions(program);
  erase_empty(program);
}

}  // namespace intact
