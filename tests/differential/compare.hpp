// Runs of one model under different options, and how their outputs compare.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "intact/cpu.hpp"
#include "intact/session.hpp"

namespace intact::testing {

using Tensors = std::vector<Tensor>;

inline std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avxvnni, Isa::avx512vnni, Isa::amx})
    if (cpu_supports(isa)) isas.push_back(isa);
  return isas;
}

inline SessionOptions options_of(int threads, Isa isa, bool fusion) {
  SessionOptions options;
  options.threads = threads;
  options.isa = isa;
  options.fusion = fusion;
  return options;
}

inline std::string describe(const SessionOptions& options) {
  return std::string(isa_name(*options.isa)) + ", " + std::to_string(options.threads) +
         " threads, " + (options.fusion ? "fused" : "not fused");
}

/// "" when type, shape and every byte agree, else where they differ first.
inline std::string difference(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type() || a.shape() != b.shape())
    return std::string(element_name(a.type())) + to_string(a.shape()) + " and " +
           std::string(element_name(b.type())) + to_string(b.shape());
  const auto* x = static_cast<const unsigned char*>(a.raw());
  const auto* y = static_cast<const unsigned char*>(b.raw());
  const std::size_t width = element_size(a.type());
  std::size_t count = 0, first = 0;
  for (std::size_t i = 0; i < a.bytes(); i += width)
    if (std::memcmp(x + i, y + i, width) != 0 && count++ == 0) first = i / width;
  if (count == 0) return "";
  return std::to_string(count) + " of " + std::to_string(a.size()) + " elements of " +
         to_string(a.shape()) + " differ, the first at " + std::to_string(first);
}

inline void expect_identical(const Tensors& a, const Tensors& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_EQ(difference(a[i], b[i]), "") << what << ", output " << i;
}

/// Elements as double, whatever their type (f32, u8, s8).
inline std::vector<double> numbers(const Tensor& tensor) {
  std::vector<double> result;
  const auto append = [&](const auto& data) { result.assign(data.begin(), data.end()); };
  if (tensor.type() == ElementType::u8)
    append(tensor.data<std::uint8_t>());
  else if (tensor.type() == ElementType::s8)
    append(tensor.data<std::int8_t>());
  else
    append(tensor.data<float>());
  return result;
}

}  // namespace intact::testing
