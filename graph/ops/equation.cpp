// Labels of the axes, term by term.
#include "graph/ops/equation.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "graph/checks.hpp"

namespace intact {
namespace {

std::string without_blanks(std::string text) {
  std::erase(text, ' ');
  return text;
}

std::vector<std::string> split_terms(const std::string& text) {
  std::vector<std::string> terms(1);
  for (const char c : text) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  return terms;
}

/// Axes of an operand beyond the letters of its term; nothing when they cannot be counted.
std::optional<std::size_t> axes_of_ellipsis(const Node& node, const std::string& term,
                                            std::optional<int> rank) {
  const bool open = term.find("...") != std::string::npos;
  const std::size_t letters = term.size() - (open ? 3 : 0);
  if (!rank) return open ? std::nullopt : std::optional<std::size_t>(0);
  const auto axes = static_cast<std::size_t>(*rank);
  if (letters > axes || (!open && letters != axes) || axes - letters > 9)
    refuse(node, "the term '{}' does not fit an operand of rank {}", term, axes);
  return axes - letters;
}

/// Replaces "..." by the last `extra` of `most` digit labels.
std::string expand_ellipsis(const Node& node, std::string term, std::size_t extra,
                            std::size_t most) {
  const std::size_t at = term.find("...");
  std::string labels;
  for (std::size_t i = most - extra; i < most; ++i) labels += static_cast<char>('0' + i);
  if (at != std::string::npos) term.erase(at, 3);
  for (const char label : term)
    if (std::isalpha(static_cast<unsigned char>(label)) == 0)
      refuse(node, "the equation has '{}'; labels must be letters", label);
  if (at != std::string::npos) term.insert(at, labels);
  return term;
}

/// The ellipsis, then the labels that occur once, in alphabetical order.
std::string implicit_result(const std::vector<std::string>& operands) {
  std::array<int, 256> uses{};
  for (const std::string& term : operands)
    for (const char label : term) ++uses[static_cast<unsigned char>(label)];
  std::string result;
  for (std::size_t label = 0; label < uses.size(); ++label)
    if (uses[label] > 0 && (label <= '9' || uses[label] == 1)) result += static_cast<char>(label);
  return result;
}

}  // namespace

std::optional<Equation> parse_equation(const Node& node,
                                       std::span<const std::optional<int>> ranks) {
  const std::string text = without_blanks(node.attributes.text("equation", ""));
  const std::size_t arrow = text.find("->");
  const std::vector<std::string> terms = split_terms(text.substr(0, arrow));
  if (terms.size() != ranks.size())
    refuse(node, "the equation '{}' has {} terms for {} operands", text, terms.size(),
           ranks.size());
  std::vector<std::size_t> extra;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto axes = axes_of_ellipsis(node, terms[i], ranks[i]);
    if (!axes) return std::nullopt;
    extra.push_back(*axes);
  }
  const std::size_t most = *std::max_element(extra.begin(), extra.end());
  Equation equation;
  for (std::size_t i = 0; i < terms.size(); ++i)
    equation.operands.push_back(expand_ellipsis(node, terms[i], extra[i], most));
  equation.result = arrow == std::string::npos
                        ? implicit_result(equation.operands)
                        : expand_ellipsis(node, text.substr(arrow + 2), most, most);
  return equation;
}

}  // namespace intact
