// Errors of attribute readers.
#include "graph/attributes.hpp"

#include <fmt/format.h>

#include "intact/error.hpp"

namespace intact {

void Attributes::throw_wrong_type(const std::string& name) {
  throw Error(fmt::format(
      "attribute '{}' has another type than the operator defines; check the exporter of the model",
      name));
}

}  // namespace intact
