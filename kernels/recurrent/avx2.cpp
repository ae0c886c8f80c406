// LSTM for avx2.
#include "kernels/elementwise/lanes_avx2.hpp"
#include "kernels/recurrent/implementations.hpp"
// Over the lanes included above.
#include "kernels/recurrent/vector_kernels.hpp"

namespace intact::kernels::avx2 {

void lstm(const LstmArgs& args, const LstmSequence& sequence) {
  run_lstm(args, sequence);
}

}  // namespace intact::kernels::avx2
