// The reference evaluation of a node, on the first thread.
#include <cstring>

#include "engine/steps/steps.hpp"

namespace intact {
namespace {

class ReferenceStep : public Step {
 public:
  ReferenceStep(ReferenceOperation reference, const Program& program, const Operation& operation)
      : node_(std::move(reference.node)),
        definition_(definition_of(node_)),
        operands_(std::move(reference.operands)) {
    for (const TensorId id : operation.inputs)
      inputs_.push_back({id, program.tensor(id).type, program.tensor(id).shape});
    for (const TensorId id : operation.outputs)
      outputs_.push_back(id == no_tensor
                             ? Operand{}
                             : Operand{id, program.tensor(id).type, program.tensor(id).shape});
  }

  void run(const Frame& frame, Part part) const override {
    if (part.index != 0) return;
    std::vector<Tensor> inputs;
    for (const int operand : operands_) {
      if (operand < 0) {
        inputs.emplace_back();
        continue;
      }
      const Operand& input = inputs_[static_cast<std::size_t>(operand)];
      inputs.push_back(Tensor::borrow(input.type, input.shape, frame.at<void>(input.id)));
    }
    const std::vector<Tensor> results = definition_.evaluate({node_, inputs});
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].id == no_tensor) continue;
      if (results[i].shape() != outputs_[i].shape || results[i].type() != outputs_[i].type)
        throw Error(fmt::format("{}: output {} is {} {} but {} {} was planned", describe(node_), i,
                                element_name(results[i].type()), to_string(results[i].shape()),
                                element_name(outputs_[i].type), to_string(outputs_[i].shape)));
      if (results[i].bytes() != 0)
        std::memcpy(frame.at<void>(outputs_[i].id), results[i].raw(), results[i].bytes());
    }
  }

 private:
  struct Operand {
    TensorId id = no_tensor;
    ElementType type = ElementType::undefined;
    Shape shape;
  };
  Node node_;
  const Definition& definition_;
  std::vector<int> operands_;
  std::vector<Operand> inputs_, outputs_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           ReferenceOperation& reference) {
  auto step = std::make_unique<ReferenceStep>(std::move(reference), context.program, operation);
  step->kernel = "reference";
  return step;
}

}  // namespace intact
