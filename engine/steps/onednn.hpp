// What the float steps share: the oneDNN engine, streams, post-ops and constant reordering.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "engine/steps/steps.hpp"

namespace intact::onednn {

using Dims = dnnl::memory::dims;
using Descriptor = dnnl::memory::desc;
constexpr auto f32 = dnnl::memory::data_type::f32;

const dnnl::engine& cpu();

/// Row-major, or with the channels (axis 1) innermost.
Descriptor dense(const Dims& dims, bool channels_last);

/// Attributes with the scratchpad from the caller and a clamp after the product. Nothing else is
/// fused: other post-ops make oneDNN choose kernels that sum in another order, and results must not
/// depend on fusion.
dnnl::primitive_attr attributes(float lower, float upper);

/// A constant in the form that a primitive wants, shared through the session's weight cache.
WeightCache::Block reordered(WeightCache& cache, const Tensor& constant, const Descriptor& from,
                             const Descriptor& to);

/// A primitive with its arguments: tensors of the frame, and constants.
class PrimitiveStep : public Step {
 public:
  void run(const Frame& frame, Part part) const override;
  void bind(int argument, const Descriptor& descriptor, TensorId tensor) {
    tensors_.push_back({argument, descriptor, tensor});
  }
  void bind(int argument, const Descriptor& descriptor, WeightCache::Block data) {
    constants_.push_back({argument, descriptor, std::move(data)});
  }
  void set(dnnl::primitive primitive, const Descriptor& scratchpad, std::string implementation);

 private:
  template <class Source>
  struct Argument {
    int argument;
    Descriptor descriptor;
    Source source;
  };
  dnnl::primitive primitive_;
  Descriptor scratchpad_;
  std::vector<Argument<TensorId>> tensors_;
  std::vector<Argument<WeightCache::Block>> constants_;
};

}  // namespace intact::onednn
