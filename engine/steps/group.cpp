// Operations that run as one step: the phases of each, one after the other, or block by
// block.
#include <algorithm>

#include "engine/steps/block.hpp"

namespace intact {
namespace {

class GroupStep : public Step {
 public:
  GroupStep(StepContext& context, GroupOperation& group) {
    for (Operation& part : group.parts) {
      parts_.push_back(make_step(context, part));
      const Step& step = *parts_.back();
      if (step.brings_threads)
        throw Error("internal: '" + step.name + "' cannot run among others in one step");
      for (int phase = 0; phase < step.phases(); ++phase) phases_.push_back({&step, phase});
      scratch_bytes = std::max(scratch_bytes, step.scratch_bytes);
      isa = std::max(isa, step.isa);
    }
    kernel = fmt::format("vectors_{}", isa == Isa::scalar ? "reference" : isa_name(isa));
  }

  int phases() const override { return static_cast<int>(phases_.size()); }
  void run_phase(int phase, const Frame& frame, Part part) const override {
    const Phase& own = phases_[static_cast<std::size_t>(phase)];
    own.step->run_phase(own.index, frame, part);
  }
  /// Only phase by phase.
  void run(const Frame& frame, Part part) const override {
    for (int phase = 0; phase < phases(); ++phase) run_phase(phase, frame, part);
  }

 private:
  struct Phase {
    const Step* step;
    int index;
  };
  std::vector<std::unique_ptr<Step>> parts_;
  std::vector<Phase> phases_;
};

}  // namespace

std::unique_ptr<Step> make(StepContext& context, const Operation& operation,
                           GroupOperation& group) {
  if (auto blocks = make_blocks(context, operation)) return blocks;
  return std::make_unique<GroupStep>(context, group);
}

}  // namespace intact
