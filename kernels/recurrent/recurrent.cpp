// The list of LSTM kernels, and the share of each thread.
#include "kernels/recurrent/implementations.hpp"

namespace intact::kernels {
namespace {

template <void (*compute)(const LstmArgs&, const LstmSequence&)>
void run_share(const LstmArgs& args, Part part) {
  const Range range = split(args.count, part);
  for (long i = range.begin; i < range.end; ++i) compute(args, args.sequences[i]);
}

constexpr LstmKernel list[] = {
    {"lstm_avx512vnni", Isa::avx512vnni, run_share<avx512_vnni::lstm>},
    {"lstm_avx2", Isa::avx2, run_share<avx2::lstm>},
    {"lstm_reference", Isa::scalar, run_share<reference::lstm>},
};

}  // namespace

std::span<const LstmKernel> lstm_kernels() {
  return list;
}

}  // namespace intact::kernels
