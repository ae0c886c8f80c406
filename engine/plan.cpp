// Planning: shapes, passes that need them, lowering, kernels, memory.
#include "engine/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/checked.hpp"
#include "engine/executor.hpp"
#include "engine/lower/lowering.hpp"
#include "engine/openmp_threads.hpp"
#include "graph/definition.hpp"
#include "graph/passes/passes.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

Program lowered(Graph graph, bool fusion, WeightCache& weights) {
  // Plans for other shapes find the parts, and what was packed of them.
  run_shaped_passes(graph, [&](const Tensor& whole, const std::string& part, const auto& cut) {
    std::string key = weights.identity(whole);
    extend_key(key, part);
    return weights.tensor(key, cut);
  });
  return lower(graph, fusion, weights);
}

}  // namespace

Plan::Plan(Graph graph, const SessionOptions& options, Isa isa, int threads, WeightCache& weights)
    : program_(lowered(std::move(graph), options.fusion, weights)), threads_(threads) {
  const OpenMpThreads scope(threads);
  memory_ = place_tensors(program_);
  StepContext context{program_, isa, weights};
  for (Operation& operation : program_.operations) {
    steps_.push_back(make_step(context, operation));
    scratch_stride_ = std::max(scratch_stride_, (steps_.back()->scratch_bytes + 63) / 64 * 64);
  }
  program_.operations.clear();
}

std::unique_ptr<Workspace> Plan::take_workspace() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto workspace = std::move(idle_.back());
      idle_.pop_back();
      return workspace;
    }
  }
  auto workspace = std::make_unique<Workspace>();
  workspace->arena = WeightCache::allocate(static_cast<std::size_t>(memory_.arena_bytes));
  std::int64_t scratch = 0;
  if (!checked_multiply(static_cast<std::int64_t>(scratch_stride_), threads_, &scratch))
    throw Error(fmt::format("no memory for the scratch memory of {} threads", threads_));
  workspace->scratch = WeightCache::allocate(static_cast<std::size_t>(scratch));
  return workspace;
}

void Plan::give_back(std::unique_ptr<Workspace> workspace) const {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(workspace));
}

Frame Plan::make_frame(const Workspace& workspace, std::span<const Tensor> inputs) const {
  Frame frame;
  frame.scratch = workspace.scratch.get();
  frame.scratch_stride = scratch_stride_;
  frame.data.resize(program_.tensors.size());
  const auto bytes_of = [](const Tensor& tensor) {
    return static_cast<std::byte*>(const_cast<void*>(tensor.raw()));
  };
  for (std::size_t i = 0; i < program_.tensors.size(); ++i) {
    if (program_.tensors[i].constant.defined())
      frame.data[i] = bytes_of(program_.tensors[i].constant);
    else if (memory_.offset[i] >= 0)
      frame.data[i] = workspace.arena.get() + memory_.offset[i];
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    frame.data[static_cast<std::size_t>(program_.inputs[i])] = bytes_of(inputs[i]);
  for (std::size_t i = 0; i < program_.tensors.size(); ++i) {
    std::int64_t offset = 0;
    auto id = static_cast<TensorId>(i);
    for (; program_.tensor(id).root != no_tensor; id = program_.tensor(id).root)
      offset += program_.tensor(id).offset;
    if (id != static_cast<TensorId>(i))
      frame.data[i] = frame.data[static_cast<std::size_t>(id)] +
                      offset * static_cast<std::int64_t>(element_size(program_.tensors[i].type));
  }
  return frame;
}

std::vector<Tensor> Plan::run(std::span<const Tensor> inputs,
                              std::vector<StepTime>* profile) const {
  auto workspace = take_workspace();
  const Frame frame = make_frame(*workspace, inputs);
  execute(steps_, frame, threads_, profile);
  std::vector<Tensor> outputs;
  for (const TensorId id : program_.outputs) {
    const StoredTensor& stored = program_.tensor(id);
    Tensor output(stored.type, stored.shape);
    if (output.bytes() != 0) std::memcpy(output.raw(), frame.at<void>(id), output.bytes());
    outputs.push_back(std::move(output));
  }
  give_back(std::move(workspace));
  return outputs;
}

}  // namespace intact
