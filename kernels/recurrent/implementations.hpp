// What each instruction set implements of this family; recurrent.cpp divides the sequences over
// threads. Plain header.
#pragma once

#include "kernels/recurrent/recurrent.hpp"

namespace intact::kernels {

namespace avx512_vnni {
void recur(const RecurrentArgs& args, const FloatSequence& sequence);
void lstm_bytes(const ByteLstmArgs& args, const ByteLstmSequence& sequence);
}  // namespace avx512_vnni
namespace avx2 {
void recur(const RecurrentArgs& args, const FloatSequence& sequence);
void lstm_bytes(const ByteLstmArgs& args, const ByteLstmSequence& sequence);
}  // namespace avx2
/// The scalar definition.
namespace reference {
void recur(const RecurrentArgs& args, const FloatSequence& sequence);
void lstm_bytes(const ByteLstmArgs& args, const ByteLstmSequence& sequence);
}  // namespace reference

}  // namespace intact::kernels
