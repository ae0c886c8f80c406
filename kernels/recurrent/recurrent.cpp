// The lists of LSTM kernels, and the share of each thread.
#include "kernels/recurrent/implementations.hpp"

namespace intact::kernels {
namespace {

template <class Sequence, void (*compute)(const LstmArgsOf<Sequence>&, const Sequence&)>
void run_share(const LstmArgsOf<Sequence>& args, Part part) {
  const Range range = split(args.count, part);
  for (long i = range.begin; i < range.end; ++i) compute(args, args.sequences[i]);
}

constexpr LstmKernel list[] = {
    {"lstm_avx512vnni", Isa::avx512vnni, run_share<FloatLstmSequence, avx512_vnni::lstm>},
    {"lstm_avx2", Isa::avx2, run_share<FloatLstmSequence, avx2::lstm>},
    {"lstm_reference", Isa::scalar, run_share<FloatLstmSequence, reference::lstm>},
};
constexpr ByteLstmKernel byte_list[] = {
    {"lstm_bytes_avx512vnni", Isa::avx512vnni, run_share<ByteLstmSequence, avx512_vnni::lstm>},
    {"lstm_bytes_avx2", Isa::avx2, run_share<ByteLstmSequence, avx2::lstm>},
    {"lstm_bytes_reference", Isa::scalar, run_share<ByteLstmSequence, reference::lstm>},
};

}  // namespace

std::span<const LstmKernel> lstm_kernels() {
  return list;
}
std::span<const ByteLstmKernel> byte_lstm_kernels() {
  return byte_list;
}

}  // namespace intact::kernels
