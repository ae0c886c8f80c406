// What each instruction set implements of this family; logic.cpp divides the elements over threads.
// Plain header.
#pragma once

#include "kernels/logic/logic.hpp"

namespace intact::kernels {

namespace avx512_vnni {
void compare(const CompareArgs& args);
void select(const SelectArgs& args);
void cast(const CastArgs& args);
}  // namespace avx512_vnni
namespace avx2 {
void compare(const CompareArgs& args);
void select(const SelectArgs& args);
void cast(const CastArgs& args);
}  // namespace avx2
/// The scalar definitions.
namespace reference {
void compare(const CompareArgs& args);
void select(const SelectArgs& args);
void cast(const CastArgs& args);
}  // namespace reference

}  // namespace intact::kernels
