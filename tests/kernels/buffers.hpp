// Memory for kernel tests: random contents, the same for the same seed, with room before and behind
// the part that a kernel may write. Comparing whole buffers shows every stray write.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "core/thread_team.hpp"
#include "intact/cpu.hpp"

namespace intact::kernels {

template <class Element>
struct Buffer {
  static constexpr std::size_t margin = 80;
  std::vector<Element> storage;

  Buffer(std::size_t elements, unsigned seed) : storage(elements + 2 * margin) {
    std::mt19937 random(seed);
    if constexpr (std::is_integral_v<Element>) {
      for (Element& x : storage) x = static_cast<Element>(random());
    } else {
      std::normal_distribution<float> normal(0, 3);
      for (Element& x : storage) x = static_cast<Element>(normal(random));
    }
  }
  Element* data() { return storage.data() + margin; }
};

/// Equal bits, or both NaN.
inline bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}
template <class Integer>
requires std::is_integral_v<Integer>
bool same(Integer a, Integer b) {
  return a == b;
}

/// Offset of the first difference from the first element after the margin; "equal" is -1000.
constexpr std::ptrdiff_t equal = -1000;
template <class Element>
std::ptrdiff_t first_difference(const Buffer<Element>& a, const Buffer<Element>& b) {
  for (std::size_t i = 0; i < a.storage.size(); ++i) {
    if (!same(a.storage[i], b.storage[i])) {
      return static_cast<std::ptrdiff_t>(i - Buffer<Element>::margin);
    }
  }
  return equal;
}

/// All shares of `parts` threads, one after the other.
template <class Kernel, class Args>
void run_in_parts(const Kernel& kernel, const Args& args, int parts) {
  for (int i = 0; i < parts; ++i) kernel.run(args, Part{i, parts});
}

/// The kernels of a list that this machine runs, the reference included.
template <class Kernels>
auto runnable(const Kernels& kernels) {
  std::vector<typename Kernels::value_type> result;
  for (const auto& kernel : kernels) {
    if (cpu_supports(kernel.isa)) result.push_back(kernel);
  }
  return result;
}

/// Lengths around every vector width, and some long ones.
inline std::vector<std::int64_t> lengths() {
  std::vector<std::int64_t> result;
  for (std::int64_t n = 1; n <= 130; ++n) result.push_back(n);
  result.insert(result.end(), {255, 256, 257, 1000});
  return result;
}

/// Random numbers with zeros of both signs, infinities, NaN, subnormal and huge numbers among them.
inline Buffer<float> with_specials(std::size_t elements, unsigned seed) {
  Buffer<float> buffer(elements, seed);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const float specials[] = {0.0f, -0.0f, infinity, -infinity, nan, 1e-42f, -3e38f, 3e38f, 1.0f};
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < elements; ++i) {
    if (random() % 4 == 0) buffer.data()[i] = specials[random() % std::size(specials)];
  }
  return buffer;
}

}  // namespace intact::kernels
