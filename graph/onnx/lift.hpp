// Cuts the raw data of initializers out of an encoded model, so that protobuf does not copy the
// weights into strings of its own: they are then copied once, from the file into their tensors.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace intact {

struct LiftedModel {
  /// The model's encoding without the initializers' raw_data fields.
  std::string encoding;
  /// raw_data of each initializer in file order, pointing into the given bytes; absent when the
  /// initializer has none.
  std::vector<std::optional<std::span<const std::byte>>> raw_data;
};

/// Nothing when the encoding is broken.
std::optional<LiftedModel> lift_raw_data(std::span<const std::byte> model);

}  // namespace intact
