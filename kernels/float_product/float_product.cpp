// The list of float product kernels.
#include "kernels/float_product/float_product.hpp"

#include "kernels/float_product/implementations.hpp"

namespace intact::kernels {
namespace {

constexpr FloatProductKernel list[] = {
    {"product_avx512vnni", Isa::avx512vnni, avx512_vnni::float_product},
    {"product_avx2", Isa::avx2, avx2::float_product},
    {"product_reference", Isa::scalar, reference::float_product},
};

}  // namespace

std::span<const FloatProductKernel> float_product_kernels() {
  return list;
}

}  // namespace intact::kernels
