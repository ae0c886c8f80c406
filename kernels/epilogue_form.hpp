// The few shapes an epilogue takes, so that vector kernels choose their code once and not per
// output. Plain header with internal linkage only.
#pragma once

#include "kernels/epilogue.hpp"

namespace intact::kernels {

enum class EpilogueForm : std::uint8_t {
  bytes,     ///< requantize
  table,     ///< requantize, table
  residual,  ///< requantize, table if any, addition
  floats,    ///< output f32
  range,     ///< output range
  quotient   ///< output quotient
};

[[gnu::always_inline]] static inline EpilogueForm form_of(const Epilogue& epilogue) {
  if (epilogue.output == Output::f32) return EpilogueForm::floats;
  if (epilogue.output == Output::range) return EpilogueForm::range;
  if (epilogue.output == Output::quotient) return EpilogueForm::quotient;
  if (epilogue.residual != nullptr) return EpilogueForm::residual;
  return epilogue.table != nullptr ? EpilogueForm::table : EpilogueForm::bytes;
}

/// Bytes from one output to the next; 0 where nothing is written, so that offsets stay 0.
[[gnu::always_inline]] static inline std::ptrdiff_t output_bytes(Output output) {
  return output == Output::f32 ? sizeof(float) : output == Output::range ? 0 : 1;
}
[[gnu::always_inline]] static inline constexpr std::ptrdiff_t output_bytes(EpilogueForm form) {
  return form == EpilogueForm::floats ? sizeof(float) : form == EpilogueForm::range ? 0 : 1;
}

/// Whether the float bias is added to the rounded product.
[[gnu::always_inline]] static inline bool adds_bias_apart(const Epilogue& epilogue) {
  return epilogue.output == Output::f32 ? epilogue.bias_apart : epilogue.output != Output::u8;
}

/// Calls body.operator()<form>() for the form of the epilogue.
template <class Body>
[[gnu::always_inline]] static inline void with_form(const Epilogue& epilogue, const Body& body) {
  switch (form_of(epilogue)) {
    case EpilogueForm::bytes:
      return body.template operator()<EpilogueForm::bytes>();
    case EpilogueForm::table:
      return body.template operator()<EpilogueForm::table>();
    case EpilogueForm::residual:
      return body.template operator()<EpilogueForm::residual>();
    case EpilogueForm::floats:
      return body.template operator()<EpilogueForm::floats>();
    case EpilogueForm::range:
      return body.template operator()<EpilogueForm::range>();
    case EpilogueForm::quotient:
      return body.template operator()<EpilogueForm::quotient>();
  }
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
