// The lists of kernels, and the share of each thread.
#include "kernels/recurrent/implementations.hpp"

namespace intact::kernels {
namespace {

template <class Form, void (*compute)(const RecurrentArgsOf<Form>&, const Form&)>
void run_share(const RecurrentArgsOf<Form>& args, Part part) {
  const Range range = split(args.count, part);
  for (long i = range.begin; i < range.end; ++i) compute(args, args.sequences[i]);
}

constexpr RecurrentKernel list[] = {
    {"recurrent_avx512vnni", Isa::avx512vnni, run_share<FloatSequence, avx512_vnni::recur>},
    {"recurrent_avx2", Isa::avx2, run_share<FloatSequence, avx2::recur>},
    {"recurrent_reference", Isa::scalar, run_share<FloatSequence, reference::recur>},
};
constexpr ByteLstmKernel byte_list[] = {
    {"lstm_bytes_avx512vnni", Isa::avx512vnni,
     run_share<ByteLstmSequence, avx512_vnni::lstm_bytes>},
    {"lstm_bytes_avx2", Isa::avx2, run_share<ByteLstmSequence, avx2::lstm_bytes>},
    {"lstm_bytes_reference", Isa::scalar, run_share<ByteLstmSequence, reference::lstm_bytes>},
};

}  // namespace

std::span<const RecurrentKernel> recurrent_kernels() {
  return list;
}
std::span<const ByteLstmKernel> byte_lstm_kernels() {
  return byte_list;
}

}  // namespace intact::kernels
