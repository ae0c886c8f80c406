// Where the mean of a product's floats scales the floats themselves (squeeze-and-excite without
// Rounds in between), they are needed twice, the second time when all of them are known. The
// product, or the function of bytes, is computed twice then, if that costs less than storing the
// floats: once for the sums, once for what is made of it.
#include <algorithm>
#include <set>

#include "engine/lower/lowering.hpp"
#include "engine/lower/twice.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

/// The product, or the function of bytes, and the functions behind it that write `floats`, in
/// execution order; empty where something else writes it, or where anyone else reads a result in
/// between.
std::vector<std::size_t> product_of(const Program& program, const Uses& uses, TensorId floats) {
  std::vector<std::size_t> operations;
  for (TensorId id = floats;;) {
    const auto& writers = uses.writers[static_cast<std::size_t>(id)];
    if (writers.size() != 1 || uses.shared[static_cast<std::size_t>(id)]) return {};
    if (id != floats && uses.readers[static_cast<std::size_t>(id)].size() != 1) return {};
    const auto index = static_cast<std::size_t>(writers[0]);
    operations.insert(operations.begin(), index);
    const Operation& operation = program.operations[index];
    if (const auto* table = std::get_if<TableOperation>(&operation.kind))
      return table->floats.empty() ? std::vector<std::size_t>{} : operations;
    if (const auto* conv = std::get_if<ConvOperation>(&operation.kind))
      return conv->round || conv->scale_at_run_time || !twice_is_cheaper(*conv)
                 ? std::vector<std::size_t>{}
                 : operations;
    const auto computed = [&](TensorId input) { return !program.tensor(input).constant.defined(); };
    const bool function = std::holds_alternative<FloatUnaryOperation>(operation.kind) ||
                          std::holds_alternative<FloatBinaryOperation>(operation.kind);
    if (!function || std::count_if(operation.inputs.begin(), operation.inputs.end(), computed) != 1)
      return {};
    id = *std::find_if(operation.inputs.begin(), operation.inputs.end(), computed);
  }
}

/// Whether operation `late` needs what operation `early` writes.
bool depends_on(const Program& program, std::size_t late, std::size_t early) {
  std::set<TensorId> needed;
  const auto need = [&](const Operation& operation) {
    for (const TensorId id : operation.inputs) needed.insert(program.root(id));
  };
  need(program.operations[late]);
  for (std::size_t i = late; i-- > early;) {
    const Operation& operation = program.operations[i];
    const bool writes = std::any_of(
        operation.outputs.begin(), operation.outputs.end(),
        [&](TensorId id) { return id != no_tensor && needed.contains(program.root(id)); });
    if (!writes) continue;
    if (i == early) return true;
    need(operation);
  }
  return false;
}

class Repetition {
 public:
  explicit Repetition(Program& program)
      : program_(program), uses_(program), in_front_(program.operations.size() + 1) {}

  void run() {
    for (std::size_t i = 0; i < program_.operations.size(); ++i) {
      const auto* reduce = std::get_if<FloatReduceOperation>(&program_.operations[i].kind);
      if (reduce != nullptr && reduce->unit != 0) repeat(i);
    }
    insert_operations(program_, std::move(in_front_));
  }

 private:
  /// Lets the arithmetic that waits for the mean `mean` read a second product of its own.
  void repeat(std::size_t mean) {
    const TensorId floats = program_.operations[mean].inputs[0];
    const std::vector<std::size_t> product = product_of(program_, uses_, floats);
    if (product.empty()) return;
    std::vector<std::size_t> waiting;
    for (const int reader : uses_.readers[static_cast<std::size_t>(floats)])
      if (const auto i = static_cast<std::size_t>(reader);
          i > mean && depends_on(program_, i, mean)) {
        if (!std::holds_alternative<FloatBinaryOperation>(program_.operations[i].kind)) return;
        waiting.push_back(i);
      }
    if (waiting.empty()) return;
    const TensorId again = copy(product);
    for (const std::size_t i : waiting) {
      uses_.remove(program_, i);
      std::ranges::replace(program_.operations[i].inputs, floats, again);
      uses_.add(program_, i);
    }
  }

  /// Another product with results of its own, to run behind the first; the floats that it writes.
  TensorId copy(const std::vector<std::size_t>& product) {
    TensorId from = no_tensor, to = no_tensor;
    for (const std::size_t i : product) {
      Operation copy = program_.operations[i];
      std::ranges::replace(copy.inputs, from, to);
      from = copy.outputs[0];
      program_.tensors.push_back(StoredTensor(program_.tensor(from)));
      to = static_cast<TensorId>(program_.tensors.size() - 1);
      copy.outputs = {to};
      copy.name += " again";
      copy.sources.clear();
      copy.macs = 0;  // the model has them once
      in_front_[product.back() + 1].push_back(std::move(copy));
    }
    return to;
  }

  Program& program_;
  Uses uses_;
  std::vector<std::vector<Operation>> in_front_;  ///< each operation: to be inserted before it
};

}  // namespace

void repeat_products(Program& program) {
  Repetition(program).run();
}

}  // namespace intact
