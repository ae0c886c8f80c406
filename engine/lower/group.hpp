// Operations that become the parts of one.
#pragma once

#include <functional>
#include <vector>

#include "engine/program.hpp"

namespace intact {

/// The operations at these ascending indices as one; they are left empty. `inner`: tensors that
/// nobody else sees.
Operation take_group(Program& program, const std::vector<std::size_t>& members,
                     const std::function<bool(TensorId)>& inner);

}  // namespace intact
