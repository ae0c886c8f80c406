// Shared parts of the float steps.
#include "engine/steps/onednn.hpp"

#include <cmath>
#include <limits>
#include <unordered_map>

namespace intact::onednn {

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

Descriptor dense(const Dims& dims, bool channels_last) {
  Dims strides(dims.size());
  dnnl::memory::dim stride = 1;
  if (channels_last) {
    strides[1] = 1;
    stride = dims[1];
  }
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (channels_last && i == 1) continue;
    strides[i] = stride;
    stride *= dims[i];
  }
  return Descriptor(dims, f32, strides);
}

dnnl::primitive_attr attributes(float lower, float upper) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops ops;
  constexpr float largest = std::numeric_limits<float>::max();
  if (lower == 0 && std::isinf(upper))
    ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  else if (!std::isinf(lower) || !std::isinf(upper))
    ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, std::max(lower, -largest),
                       std::min(upper, largest));
  attr.set_post_ops(ops);
  return attr;
}

WeightCache::Block reordered(WeightCache& cache, const Tensor& constant, const Descriptor& from,
                             const Descriptor& to) {
  std::string key = cache.identity(constant);
  for (const Descriptor* descriptor : {&from, &to})
    extend_key(key, {reinterpret_cast<const char*>(&descriptor->data), sizeof descriptor->data});
  return cache.get(key, to.get_size(), [&](void* target) {
    dnnl::memory source(from, cpu(), const_cast<void*>(constant.raw()));
    dnnl::memory result(to, cpu(), target);
    dnnl::stream stream(cpu());
    dnnl::reorder(source, result).execute(stream, source, result);
    stream.wait();
  });
}

void PrimitiveStep::set(dnnl::primitive primitive, const Descriptor& scratchpad,
                        std::string implementation) {
  primitive_ = std::move(primitive);
  scratchpad_ = scratchpad;
  scratch_bytes = scratchpad.get_size();
  brings_threads = true;
  kernel = "onednn " + std::move(implementation);
  isa = best_isa();
}

void PrimitiveStep::run(const Frame& frame, Part) const {
  thread_local dnnl::stream stream(cpu());
  std::unordered_map<int, dnnl::memory> arguments;
  for (const auto& tensor : tensors_)
    arguments.emplace(tensor.argument,
                      dnnl::memory(tensor.descriptor, cpu(), frame.at<void>(tensor.source)));
  for (const auto& constant : constants_)
    arguments.emplace(constant.argument,
                      dnnl::memory(constant.descriptor, cpu(), constant.source.get()));
  if (scratch_bytes != 0)
    arguments.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad_, cpu(), frame.scratch));
  try {
    primitive_.execute(stream, arguments);
    stream.wait();
  } catch (const dnnl::error& error) {
    throw Error(fmt::format("'{}': oneDNN failed: {}", name, error.what()));
  }
}

}  // namespace intact::onednn
