// Runs the steps of a plan on one frame of memory.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/step.hpp"
#include "intact/session.hpp"

namespace intact {

/// Steps run in order; all threads share each step and meet before the next. Consecutive steps form
/// one parallel region; steps that bring their own threads run between regions. Appends to
/// `profile` when given. An exception of a step is rethrown.
void execute(std::span<const std::unique_ptr<Step>> steps, const Frame& frame, int threads,
             std::vector<StepTime>* profile);

}  // namespace intact
