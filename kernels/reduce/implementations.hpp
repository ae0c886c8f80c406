// What each instruction set implements of this family; reduce.cpp divides the work over threads.
// Plain header.
#pragma once

#include "kernels/reduce/reduce.hpp"

namespace intact::kernels {

// Channels [first, last) of the images [begin, end).
struct ReduceShare {
  std::int64_t begin, end, first, last;
};

namespace avx512_vnni {
void reduce(const ReduceArgs& args, const ReduceShare& share);
}
namespace avx2 {
void reduce(const ReduceArgs& args, const ReduceShare& share);
}
/// The scalar definition.
namespace reference {
void reduce(const ReduceArgs& args, const ReduceShare& share);
}

}  // namespace intact::kernels
