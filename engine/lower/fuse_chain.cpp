// Float operators, and the Rounds behind them, move into the product that wrote the float tensor
// they read: they then run on each tile of its results, and nothing but the last results is stored.
// The operators keep their kernels and their order, so no bit changes.
#include <algorithm>

#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"
#include "engine/pixel_walk.hpp"

namespace intact {
namespace {

/// The product of an operation that writes floats and can take a chain; null for others.
ConvOperation* product_of(OperationKind& kind) {
  auto* conv = std::get_if<ConvOperation>(&kind);
  if (auto* matmul = std::get_if<ActivationMatMulOperation>(&kind); matmul && !matmul->rows)
    conv = &matmul->product;
  const bool takes = conv != nullptr && conv->stage.output == kernels::Output::f32 &&
                     conv->chain.links.empty() && !conv->residual && !conv->round;
  return takes ? conv : nullptr;
}

/// Collects the chain of one product.
class Builder {
 public:
  Builder(Program& program, std::size_t product)
      : program_(program),
        product_(product),
        position_(product),
        like_(program.tensor(program.operations[product].outputs[0])),
        values_{program.operations[product].outputs[0]} {
    find_uses();
  }

  /// True when there is a chain; it is then part of the product, at the place of its last operator.
  bool run() {
    for (std::size_t i = product_ + 1; i < program_.operations.size(); ++i)
      if (absorbable(i)) absorb(i);
    if (chain_.links.empty()) return false;
    commit();
    return true;
  }

 private:
  const Operation& operation(std::size_t i) const { return program_.operations[i]; }

  void find_uses() {
    const std::size_t count = program_.tensors.size();
    readers_.resize(count);
    writers_.resize(count);
    wanted_.resize(count);
    const auto root = [&](TensorId id) { return static_cast<std::size_t>(program_.root(id)); };
    for (std::size_t i = 0; i < program_.operations.size(); ++i) {
      for (const TensorId id : operation(i).inputs) readers_[root(id)].push_back(i);
      for (const TensorId id : operation(i).outputs)
        if (id != no_tensor) writers_[root(id)].push_back(i);
    }
    for (const TensorId id : program_.outputs) wanted_[root(id)] = true;
  }
  const std::vector<std::size_t>& of(const std::vector<std::vector<std::size_t>>& uses,
                                     TensorId id) const {
    return uses[static_cast<std::size_t>(program_.root(id))];
  }

  int value_of(TensorId id) const {
    const auto found = std::find(values_.begin(), values_.end(), id);
    return found == values_.end() ? -1 : static_cast<int>(found - values_.begin());
  }
  /// Shares memory with a value of the chain, under another shape.
  bool is_view_of_value(TensorId id) const {
    return std::any_of(values_.begin(), values_.end(), [&](TensorId value) {
      return value != id && program_.root(value) == program_.root(id);
    });
  }

  /// Elements of the same order in memory as those of the product.
  bool matches(const StoredTensor& tensor) const {
    return tensor.root == no_tensor && tensor.shape == like_.shape &&
           (tensor.layout == like_.layout || same_order(tensor.shape));
  }

  /// Bytes that were made float for this operand are read as they are.
  TensorId stored_form(TensorId id) const {
    const auto& writers = of(writers_, id);
    if (program_.tensor(id).root != no_tensor || writers.size() != 1) return id;
    const Operation& writer = operation(writers[0]);
    if (!std::holds_alternative<DequantizeOperation>(writer.kind)) return id;
    return pixel_walk(program_.tensor(writer.inputs[0]), like_) ? writer.inputs[0] : id;
  }

  /// The chain could run as late as operation `i`: nobody reads what it stores before.
  bool could_move_to(std::size_t i) const {
    return std::all_of(values_.begin(), values_.end(), [&](TensorId value) {
      const auto& readers = of(readers_, value);
      return std::all_of(readers.begin(), readers.end(), [&](std::size_t reader) {
        return reader >= i ||
               std::find(absorbed_.begin(), absorbed_.end(), reader) != absorbed_.end();
      });
    });
  }

  bool available(TensorId id, std::size_t position) const {
    const auto& writers = of(writers_, id);
    return std::all_of(writers.begin(), writers.end(),
                       [&](std::size_t writer) { return writer < position; });
  }

  bool absorbable(std::size_t i) const {
    const Operation& next = operation(i);
    const bool kind = std::holds_alternative<FloatUnaryOperation>(next.kind) ||
                      std::holds_alternative<FloatBinaryOperation>(next.kind) ||
                      std::holds_alternative<QuantizeOperation>(next.kind);
    if (!kind || !matches(program_.tensor(next.outputs[0]))) return false;
    bool reads_value = false, in_time = true;
    for (const TensorId id : next.inputs) {
      if (value_of(id) >= 0) {
        reads_value = true;
        continue;
      }
      const TensorId stored = stored_form(id);
      if (is_view_of_value(id) || is_view_of_value(stored)) return false;
      if (value_of(stored) >= 0 || !pixel_walk(program_.tensor(stored), like_)) return false;
      in_time = in_time && available(stored, position_);
    }
    return reads_value && (in_time || could_move_to(i));
  }

  void absorb(std::size_t i) {
    Operation& next = program_.operations[i];
    FloatChain::Link link;
    std::visit(
        [&]<class Kind>(Kind& kind) {
          if constexpr (std::is_constructible_v<decltype(link.kind), Kind>) link.kind = kind;
        },
        next.kind);
    for (const TensorId id : next.inputs) {
      const int value = value_of(id);
      const TensorId stored = value < 0 ? stored_form(id) : no_tensor;
      link.operands.push_back({stored, std::max(value, 0)});
      if (stored != no_tensor && !available(stored, position_)) position_ = i;
    }
    values_.push_back(next.outputs[0]);
    absorbed_.push_back(i);
    chain_.links.push_back(std::move(link));
  }

  /// Read by an operation outside of the chain, or by the caller.
  bool is_stored(TensorId id) const {
    if (wanted_[static_cast<std::size_t>(program_.root(id))]) return true;
    const auto& readers = of(readers_, id);
    return std::any_of(readers.begin(), readers.end(), [&](std::size_t reader) {
      return std::find(absorbed_.begin(), absorbed_.end(), reader) == absorbed_.end();
    });
  }

  void commit() {
    Operation product = std::move(program_.operations[product_]);
    program_.operations[product_] = {};
    product.outputs.clear();
    if (is_stored(values_[0])) product.outputs.push_back(chain_.product = values_[0]);
    for (std::size_t k = 0; k < chain_.links.size(); ++k) {
      FloatChain::Link& link = chain_.links[k];
      if (is_stored(values_[k + 1])) product.outputs.push_back(link.output = values_[k + 1]);
      for (const FloatChain::Operand& operand : link.operands)
        if (operand.stored != no_tensor) product.inputs.push_back(operand.stored);
    }
    for (const std::size_t i : absorbed_) {
      Operation& next = program_.operations[i];
      product.sources.insert(product.sources.end(), next.sources.begin(), next.sources.end());
      if (next.op != "Quantize") product.op += "+" + next.op;
      next = {};
    }
    product_of(product.kind)->chain = std::move(chain_);
    program_.operations[position_] = std::move(product);
  }

  Program& program_;
  std::size_t product_;
  std::size_t position_;  ///< where the chain runs
  StoredTensor like_;
  std::vector<TensorId> values_;  ///< the product, then the result of each link
  std::vector<std::size_t> absorbed_;
  FloatChain chain_;
  // By root tensor.
  std::vector<std::vector<std::size_t>> readers_, writers_;
  std::vector<bool> wanted_;
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
  for (std::size_t i = 0; i < program.operations.size(); ++i)
    if (product_of(program.operations[i].kind) != nullptr) Builder(program, i).run();
  drop_unread_conversions(program);
  erase_empty(program);
}

}  // namespace intact
