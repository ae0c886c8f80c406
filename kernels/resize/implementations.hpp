// What each instruction set implements of this family; resize.cpp divides the rows over threads.
// Plain header.
#pragma once

#include "kernels/resize/resize.hpp"

namespace intact::kernels {

// Element rows [begin, end), counted over images, depth and height.
namespace avx512_vnni {
void resize_rows(const ResizeArgs& args, std::int64_t begin, std::int64_t end);
}
namespace avx2 {
void resize_rows(const ResizeArgs& args, std::int64_t begin, std::int64_t end);
}
/// The scalar definition.
namespace reference {
void resize_rows(const ResizeArgs& args, std::int64_t begin, std::int64_t end);
}

}  // namespace intact::kernels
