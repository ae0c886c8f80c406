// The quantizer's report as JSON and as a self-contained web page.
#pragma once

#include <string>
#include <vector>

#include "intact/quantize.hpp"
#include "tools/common.hpp"

namespace intact::tools {

/// All operators, those first that gain most in float; then those of which it was not measured, in
/// the model's order.
std::vector<const OperatorReport*> by_gain(const QuantizeReport& report);
/// Field names are those of the structs. Ratios that are infinite (nothing was lost) and figures
/// that were not measured are null.
Json report_json(const QuantizeReport& report);
std::string report_html(const QuantizeReport& report, const std::string& title);

}  // namespace intact::tools
