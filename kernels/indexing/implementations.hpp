// What each instruction set implements of this family; indexing.cpp divides the work over threads.
// Plain header.
#pragma once

#include "kernels/indexing/indexing.hpp"

namespace intact::kernels {

/// Part of the work: outer indices [begin, end), of a gather positions [first, last), of an extreme
/// inner elements [first, last).
struct IndexShare {
  std::int64_t begin, end, first, last;
};

namespace avx512_vnni {
void gather(const GatherArgs& args, const IndexShare& share);
void arg_extreme(const ArgExtremeArgs& args, const IndexShare& share);
}  // namespace avx512_vnni
namespace avx2 {
void gather(const GatherArgs& args, const IndexShare& share);
void arg_extreme(const ArgExtremeArgs& args, const IndexShare& share);
}  // namespace avx2
/// The scalar definitions.
namespace reference {
void gather(const GatherArgs& args, const IndexShare& share);
void arg_extreme(const ArgExtremeArgs& args, const IndexShare& share);
void top_bytes(const TopBytesArgs& args, std::int64_t begin, std::int64_t end);
}  // namespace reference

}  // namespace intact::kernels
