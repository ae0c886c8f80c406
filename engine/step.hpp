// One step of a plan: a kernel with everything it needs, ready to run on any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/thread_team.hpp"
#include "engine/program.hpp"
#include "engine/weight_cache.hpp"
#include "intact/isa.hpp"

namespace intact {

/// Memory of one inference.
struct Frame {
  std::vector<std::byte*> data;  ///< by TensorId: address of the tensor's first element
  std::byte* scratch = nullptr;  ///< of all threads
  std::size_t scratch_stride = 0;

  template <class T>
  T* at(TensorId id) const {
    return reinterpret_cast<T*>(data[static_cast<std::size_t>(id)]);
  }
  std::byte* scratch_of(Part part) const {
    return scratch + static_cast<std::size_t>(part.index) * scratch_stride;
  }
};

class Step {
 public:
  virtual ~Step() = default;
  /// Computes one thread's share; const, so that inferences may run at the same time.
  virtual void run(const Frame& frame, Part part) const = 0;
  /// What all threads must have done before any runs; only where `prepares`. The threads' scratch
  /// memory keeps what it leaves there.
  virtual void prepare(const Frame& /*frame*/, Part /*part*/) const {}
  /// What runs one after the other: all threads complete a phase before any begins the next.
  virtual int phases() const { return prepares ? 2 : 1; }
  virtual void run_phase(int phase, const Frame& frame, Part part) const {
    if (prepares && phase == 0)
      prepare(frame, part);
    else
      run(frame, part);
  }

  // What flow and profile show.
  std::string name, op, kernel, reason;
  std::vector<std::string> sources;
  Precision precision = Precision::int8;
  Isa isa = Isa::scalar;
  std::int64_t macs = 0;
  std::int64_t bytes = 0;  ///< of activations read and written
  std::vector<TensorId> inputs, outputs;

  /// Runs outside of the parallel region because it brings its own threads (oneDNN).
  bool brings_threads = false;
  bool prepares = false;
  std::size_t scratch_bytes = 0;  ///< per thread
};

struct StepContext {
  const Program& program;
  Isa isa;  ///< cap
  WeightCache& weights;
};

/// Chooses the kernel and prepares it. The operation's vectors are moved from.
std::unique_ptr<Step> make_step(StepContext& context, Operation& operation);

}  // namespace intact
