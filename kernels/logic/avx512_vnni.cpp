// Comparisons, choices and conversions for avx512_vnni.
#include "kernels/logic/implementations.hpp"
#include "kernels/logic/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void compare(const CompareArgs& args) {
  compare_all(args);
}
void select(const SelectArgs& args) {
  select_all(args);
}
void cast(const CastArgs& args) {
  cast_all(args);
}

}  // namespace intact::kernels::avx512_vnni
