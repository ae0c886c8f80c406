// LSTM for avx512_vnni.
#include "kernels/elementwise/lanes_avx512.hpp"
#include "kernels/recurrent/implementations.hpp"
// Over the lanes included above.
#include "kernels/recurrent/vector_kernels.hpp"

namespace intact::kernels::avx512_vnni {

void lstm(const LstmArgs& args, const LstmSequence& sequence) {
  run_lstm(args, sequence);
}

}  // namespace intact::kernels::avx512_vnni
