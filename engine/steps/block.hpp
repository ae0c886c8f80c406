// What the steps of groups share that run block by block.
#pragma once

#include <functional>
#include <map>

#include "engine/steps/steps.hpp"

namespace intact {

/// Operations on a part of their tensors, prepared as if it were all that there is.
class Block {
 public:
  /// A tensor of the block.
  struct Place {
    StoredTensor tensor;           ///< its shape in the block; dense or of the whole tensor's pitch
    bool inner = false;            ///< in the scratch memory of a thread; else ...
    std::ptrdiff_t offset = 0;     ///< ... bytes from the whole tensor's first element on,
    std::ptrdiff_t row_bytes = 0;  ///< and so many more for each row that is skipped
  };

  /// `parts`: restricted to the block. `place`: of the tensor with a number in the whole program.
  Block(StepContext& context, std::vector<Operation> parts,
        const std::function<Place(TensorId)>& place);

  std::size_t scratch_bytes() const { return scratch_bytes_; }
  Isa isa() const;
  /// With the memory of `frame` and the scratch memory of one thread.
  void run(const Frame& frame, std::byte* scratch, std::int64_t skipped_rows = 0) const;

 private:
  TensorId number(TensorId id, const std::function<Place(TensorId)>& place);

  struct Memory {
    TensorId whole = no_tensor;  ///< no_tensor: in scratch memory
    std::ptrdiff_t offset = 0, row_bytes = 0;
  };
  std::map<TensorId, TensorId> numbers_;  ///< from those of the whole program
  std::vector<Memory> memory_;            ///< by own number
  Program program_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::size_t inner_bytes_ = 0, scratch_bytes_ = 0;
};

/// The step of a group that can run block by block (engine/row_blocks.hpp, line_blocks.hpp); null
/// for others.
std::unique_ptr<Step> make_blocks(StepContext& context, const Operation& operation);

/// Floats of all inner tensors of a block: few enough to stay in the second-level cache.
inline constexpr std::int64_t most_block_floats = 48 * 1024;

}  // namespace intact
