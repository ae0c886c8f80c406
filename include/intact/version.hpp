// Version of the library.
#pragma once

namespace intact {

constexpr const char* version = "0.1.0";

}  // namespace intact
