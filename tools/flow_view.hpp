// A flow as JSON, graphviz text and a self-contained web page.
#pragma once

#include <string>

#include "intact/session.hpp"
#include "tools/common.hpp"

namespace intact::tools {

Json flow_json(const Flow& flow);
std::string flow_dot(const Flow& flow);
std::string flow_html(const Flow& flow, const std::string& title);
/// "52 operators on int8, 1 on float, 0 float round trips"
std::string flow_summary(const Flow& flow);

}  // namespace intact::tools
