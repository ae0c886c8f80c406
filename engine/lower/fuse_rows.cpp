// What leads to a softmax or normalization moves into its step: a product with or a quotient by one
// number, the addition of a tensor that is broadcast along the rows (the scale and the mask of
// attention), the conversion from bytes, and the matrix product itself, whose rows are then float
// in the scratch memory of a thread only. Each operator keeps its one rounding, so no bit changes.
#include <algorithm>
#include <cmath>

#include "core/checked.hpp"
#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"
#include "graph/convert.hpp"

namespace intact {
namespace {

/// With an addend, a plan lists where each row's begins.
constexpr std::int64_t most_listed_rows = std::int64_t{1} << 22;

/// Elements in the order of the shape, without gaps between rows.
bool is_plain(const StoredTensor& tensor) {
  return tensor.dense() && (tensor.layout == Layout::plain || same_order(tensor.shape));
}

/// The only element of a constant.
std::optional<float> number(const StoredTensor& tensor) {
  if (!tensor.constant.defined() || tensor.constant.type() != ElementType::f32 ||
      tensor.constant.size() != 1)
    return std::nullopt;
  return tensor.constant.data<float>()[0];
}

/// Grows one row operation backwards.
class Builder {
 public:
  Builder(Program& program, std::size_t index, Uses& uses)
      : program_(program), index_(index), uses_(uses) {}

  void run() {
    int writer = uses_.writer_of_single_use(source());
    while (writer >= 0 && absorb(static_cast<std::size_t>(writer)))
      writer = uses_.writer_of_single_use(source());
  }

 private:
  Operation& operation() { return program_.operations[index_]; }
  RowOperation& row() { return std::get<RowOperation>(operation().kind); }
  TensorId source() { return operation().inputs[0]; }
  /// The operation reads what tensor `id` holds in the shape and order of its present source.
  bool fits(TensorId id) {
    return program_.tensor(id).shape == program_.tensor(source()).shape &&
           is_plain(program_.tensor(id));
  }

  /// False when nothing more can be taken.
  bool absorb(std::size_t writer) {
    const OperationKind& kind = program_.operations[writer].kind;
    const StoredTensor& x = program_.tensor(source());
    if (x.type == ElementType::f32 && !x.shape.empty() && x.shape.back() == row().length) {
      if (const auto* binary = std::get_if<FloatBinaryOperation>(&kind))
        return absorb_scale(writer, *binary) || absorb_addend(writer, *binary);
      if (const auto* table = std::get_if<TableOperation>(&kind))
        return absorb_table(writer, *table);
      if (std::holds_alternative<SelectOperation>(kind)) return absorb_mask(writer);
      if (std::holds_alternative<DequantizeOperation>(kind)) return absorb_conversion(writer);
      if (std::holds_alternative<ActivationMatMulOperation>(kind)) absorb_product(writer);
    }
    return false;
  }

  bool absorb_scale(std::size_t writer, const FloatBinaryOperation& binary) {
    const bool divide = binary.operation == kernels::FloatBinary::div;
    if (row().scale != kernels::RowScale::none || std::isfinite(binary.lower) ||
        std::isfinite(binary.upper) || (!divide && binary.operation != kernels::FloatBinary::mul))
      return false;
    const std::vector<TensorId> inputs = program_.operations[writer].inputs;
    for (const std::size_t i : {0u, 1u}) {
      const std::optional<float> factor = number(program_.tensor(inputs[1 - i]));
      if (!factor || (divide && i == 1) || !fits(inputs[i])) continue;
      row().scale = divide ? kernels::RowScale::divide : kernels::RowScale::multiply;
      row().factor = *factor;
      take(writer, inputs[i]);
      return true;
    }
    return false;
  }

  bool absorb_addend(std::size_t writer, const FloatBinaryOperation& binary) {
    if (row().scale != kernels::RowScale::none || row().has_addend ||
        row().rows > most_listed_rows || binary.operation != kernels::FloatBinary::add ||
        std::isfinite(binary.lower) || std::isfinite(binary.upper))
      return false;
    const std::vector<TensorId> inputs = program_.operations[writer].inputs;
    // Of two tensors of the full shape, the one that leads on is the source.
    const bool second = fits(inputs[1]) && uses_.writer_of_single_use(inputs[1]) >= 0 &&
                        !(fits(inputs[0]) && uses_.writer_of_single_use(inputs[0]) >= 0);
    for (const std::size_t i : {second ? 1u : 0u, second ? 0u : 1u}) {
      const StoredTensor& addend = program_.tensor(inputs[1 - i]);
      if (!fits(inputs[i]) || !is_plain(addend) || addend.shape.empty() ||
          addend.shape.back() != program_.tensor(source()).shape.back())
        continue;
      row().has_addend = true;
      uses_.remove(program_, index_);
      operation().inputs.push_back(inputs[1 - i]);
      uses_.add(program_, index_);
      take(writer, inputs[i]);
      return true;
    }
    return false;
  }

  /// Where with a number: the condition, as ones and zeros, takes the place of an addend.
  bool absorb_mask(std::size_t writer) {
    if (row().scale != kernels::RowScale::none || row().has_addend || row().rows > most_listed_rows)
      return false;
    const std::vector<TensorId> inputs = program_.operations[writer].inputs;
    const StoredTensor condition = program_.tensor(inputs[0]);
    if (!is_plain(condition) || condition.shape.empty() ||
        condition.shape.back() != program_.tensor(source()).shape.back())
      return false;
    for (const std::size_t i : {1u, 2u}) {
      const std::optional<float> replacement = number(program_.tensor(inputs[i]));
      if (!replacement || !fits(inputs[3 - i])) continue;
      row().has_addend = true;
      row().addend_use =
          i == 1 ? kernels::RowAddend::replaces_at_one : kernels::RowAddend::replaces_at_zero;
      row().replacement = *replacement;
      take(writer, inputs[3 - i]);
      const TensorId mask = numbers_of(condition, inputs[0], writer);
      uses_.remove(program_, index_);
      operation().inputs.push_back(mask);
      uses_.add(program_, index_);
      return true;
    }
    return false;
  }

  /// A condition as ones and zeros; where it is not constant, the emptied operation at `place`
  /// makes them.
  TensorId numbers_of(const StoredTensor& condition, TensorId id, std::size_t place) {
    StoredTensor numbers = condition;
    numbers.name += " as numbers";
    numbers.type = ElementType::f32;
    numbers.root = no_tensor;
    numbers.offset = 0;
    const bool constant = condition.constant.defined();
    if (constant) numbers.constant = convert(condition.constant, ElementType::f32);
    program_.tensors.push_back(numbers);
    const auto result = static_cast<TensorId>(program_.tensors.size() - 1);
    if (constant) return result;
    Operation cast;
    cast.kind = CastOperation{};
    cast.inputs = {id};
    cast.outputs = {result};
    cast.name = numbers.name;
    cast.op = "Cast";
    cast.precision = Precision::shape;
    program_.operations[place] = std::move(cast);
    uses_.add(program_, place);
    return result;
  }

  bool absorb_table(std::size_t writer, const TableOperation& table) {
    const TensorId bytes = program_.operations[writer].inputs[0];
    if (table.floats.empty() || program_.tensor(bytes).type != ElementType::u8 || !fits(bytes))
      return false;
    row().table = table.floats;
    take(writer, bytes);
    return true;
  }

  bool absorb_conversion(std::size_t writer) {
    const TensorId bytes = program_.operations[writer].inputs[0];
    if (!fits(bytes)) return false;
    take(writer, bytes);
    return true;
  }

  /// The product takes the operation in, and its place.
  void absorb_product(std::size_t writer) {
    Operation& before = program_.operations[writer];
    auto& matmul = std::get<ActivationMatMulOperation>(before.kind);
    const StoredTensor& result = program_.tensor(operation().outputs[0]);
    if (matmul.rows || !fits(source()) || result.shape != program_.tensor(source()).shape ||
        result.layout != Layout::plain ||
        matmul.product.shape.out_channels != program_.tensor(source()).shape.back())
      return;
    Operation& here = operation();
    ActivationMatMulOperation whole = std::move(matmul);
    whole.rows = std::move(row());
    std::vector<TensorId> inputs = before.inputs;
    inputs.insert(inputs.end(), here.inputs.begin() + 1, here.inputs.end());
    take_description(before);
    here.macs = saturating_sum(here.macs, before.macs);
    here.kind = std::move(whole);
    here.inputs = std::move(inputs);
    before.outputs.clear();
  }

  void take_description(const Operation& before) {
    Operation& here = operation();
    here.op = before.op + "+" + here.op;
    here.sources.insert(here.sources.begin(), before.sources.begin(), before.sources.end());
    here.precision = Precision::int8;
    here.reason.clear();
  }

  /// `source` takes the place of what the operation at `writer` made of it.
  void take(std::size_t writer, TensorId source) {
    Operation& before = program_.operations[writer];
    const bool converts = std::holds_alternative<DequantizeOperation>(before.kind);
    const bool bytes = program_.tensor(source).type != ElementType::f32;
    Operation& here = operation();
    const Precision precision = here.precision;
    std::string reason = std::move(here.reason);
    if (!converts) take_description(before);
    if (!bytes) {
      here.precision = precision;
      here.reason = before.reason.empty() ? std::move(reason) : before.reason;
    } else {
      here.precision = Precision::int8;
      here.reason.clear();
    }
    uses_.remove(program_, writer);
    uses_.remove(program_, index_);
    here.inputs[0] = source;
    before.outputs.clear();
    before.inputs.clear();
    uses_.add(program_, index_);
  }

  Program& program_;
  std::size_t index_;
  Uses& uses_;
};

}  // namespace

void fuse_rows(Program& program) {
  Uses uses(program);
  for (std::size_t i = 0; i < program.operations.size(); ++i)
    if (std::holds_alternative<RowOperation>(program.operations[i].kind))
      Builder(program, i, uses).run();
  erase_empty(program);
}

}  // namespace intact
