// The quantizer's report as JSON.
#pragma once

#include "intact/quantize.hpp"
#include "tools/common.hpp"

namespace intact::tools {

/// Field names are those of the structs. Ratios that are infinite (nothing was lost) and figures
/// that were not measured are null.
Json report_json(const QuantizeReport& report);

}  // namespace intact::tools
