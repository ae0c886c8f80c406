// Fields by name.
#include "tools/quantize_report.hpp"

#include <algorithm>

namespace intact::tools {
namespace {

Json range_json(const ValueRange& range) {
  return {{"min", range.min}, {"max", range.max}};
}

Json tensor_json(const TensorReport& tensor) {
  return {{"name", tensor.name},
          {"values", range_json(tensor.values)},
          {"range", range_json(tensor.range)},
          {"shares_with", tensor.shares_with},
          {"follows", tensor.follows},
          {"type", element_name(tensor.type)},
          {"scale", tensor.scale},
          {"zero_point", tensor.zero_point},
          {"saturated", tensor.saturated},
          {"sqnr_db", number_or_null(tensor.sqnr_db)},
          {"histogram", tensor.histogram}};
}

Json operator_json(const OperatorReport& entry) {
  return {{"name", entry.name},
          {"op", entry.op},
          {"output", entry.output},
          {"integer", entry.integer},
          {"reason", entry.reason},
          {"sqnr_db", number_or_null(entry.sqnr_db)},
          {"float_gain_db", number_or_null(entry.float_gain_db)}};
}

}  // namespace

std::vector<const OperatorReport*> by_gain(const QuantizeReport& report) {
  std::vector<const OperatorReport*> order;
  for (const OperatorReport& entry : report.operators) order.push_back(&entry);
  // Nothing is less than any number.
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->float_gain_db > b->float_gain_db;
  });
  return order;
}

Json report_json(const QuantizeReport& report) {
  Json json = {{"method", report.method},
               {"samples", report.samples},
               {"sqnr_db", number_or_null(report.sqnr_db)},
               {"disagreement", number_or_null(report.disagreement)},
               {"quantized", report.quantized},
               {"kept_float", Json::array()},
               {"kept_apart", Json::array()},
               {"notes", report.notes},
               {"float_bytes", report.float_bytes},
               {"int8_bytes", report.int8_bytes},
               {"tensors", Json::array()},
               {"operators", Json::array()}};
  for (const auto& [name, reason] : report.kept_float)
    json["kept_float"].push_back({{"name", name}, {"reason", reason}});
  for (const auto& [name, reason] : report.kept_apart)
    json["kept_apart"].push_back({{"name", name}, {"reason", reason}});
  for (const TensorReport& tensor : report.tensors) json["tensors"].push_back(tensor_json(tensor));
  for (const OperatorReport& entry : report.operators)
    json["operators"].push_back(operator_json(entry));
  return json;
}

}  // namespace intact::tools
