// The one exception type of the library. Its text is complete: what is wrong, where, and what
// would be right.
#pragma once

#include <stdexcept>
#include <string>

namespace intact {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

/// The model asks for something that Intact does not implement (an operator, a type, a form of
/// one). `what()` names the operator, its domain, its opset and the node.
class Unsupported : public Error {
 public:
  explicit Unsupported(const std::string& message) : Error(message) {}
};

}  // namespace intact
