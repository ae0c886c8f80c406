// The range of a tensor, which decides its grid where that is known at run time only. Plain header.
#pragma once

namespace intact::kernels {

/// The numbers from `low` to `high`. Begins as 0 alone, because every grid holds 0.
struct ValueRange {
  float low = 0, high = 0;
};

}  // namespace intact::kernels
