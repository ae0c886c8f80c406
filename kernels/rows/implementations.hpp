// What each instruction set implements of this family; rows.cpp divides the rows over threads.
// Plain header.
#pragma once

#include "kernels/rows/rows.hpp"

namespace intact::kernels {

namespace avx512_vnni {
void rows(const RowArgs& args);
}
namespace avx2 {
void rows(const RowArgs& args);
}
/// The scalar definition.
namespace reference {
void rows(const RowArgs& args);
}

}  // namespace intact::kernels
