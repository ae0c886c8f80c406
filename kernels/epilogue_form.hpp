// The few shapes an epilogue takes, so that vector kernels choose their code once and not per
// output. Plain header with internal linkage only.
#pragma once

#include "kernels/epilogue.hpp"

namespace intact::kernels {

enum class EpilogueForm : std::uint8_t {
  bytes,               ///< requantize
  table,               ///< requantize, table
  rounded_residual,    ///< requantize, table if any, addition
  unrounded_residual,  ///< addition before the only rounding
  floats               ///< output f32
};

[[gnu::always_inline]] static inline EpilogueForm form_of(const Epilogue& epilogue) {
  if (epilogue.output == Output::f32) return EpilogueForm::floats;
  if (epilogue.residual != nullptr)
    return epilogue.residual->rounded ? EpilogueForm::rounded_residual
                                      : EpilogueForm::unrounded_residual;
  return epilogue.table != nullptr ? EpilogueForm::table : EpilogueForm::bytes;
}

/// Where four accumulator vectors go: `rows` pixels of `columns` channels each.
struct EpilogueTarget {
  void* dst = nullptr;  ///< first pixel, first channel; bytes or floats
  std::ptrdiff_t dst_pitch = 0;
  const std::uint8_t* residual = nullptr;  ///< likewise
  std::ptrdiff_t residual_pitch = 0;
  int rows = 1;
  int columns = 0;
};

}  // namespace intact::kernels
