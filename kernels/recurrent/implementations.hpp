// What each instruction set implements of this family; recurrent.cpp divides the sequences over
// threads. Plain header.
#pragma once

#include "kernels/recurrent/recurrent.hpp"

namespace intact::kernels {

namespace avx512_vnni {
void lstm(const LstmArgs& args, const FloatLstmSequence& sequence);
void lstm(const ByteLstmArgs& args, const ByteLstmSequence& sequence);
}  // namespace avx512_vnni
namespace avx2 {
void lstm(const LstmArgs& args, const FloatLstmSequence& sequence);
void lstm(const ByteLstmArgs& args, const ByteLstmSequence& sequence);
}  // namespace avx2
/// The scalar definition.
namespace reference {
void lstm(const LstmArgs& args, const FloatLstmSequence& sequence);
void lstm(const ByteLstmArgs& args, const ByteLstmSequence& sequence);
}  // namespace reference

}  // namespace intact::kernels
