// One loop nest: an odometer over the outer axes, a plain loop over the innermost one.
#include "graph/ops/strided.hpp"

#include <cstring>

#include "graph/dispatch.hpp"

namespace intact {

namespace {

template <class T>
void copy_elements(const T* from, const std::vector<std::int64_t>& strides, const Shape& shape,
                   std::int64_t size, T* to) {
  const std::size_t rank = shape.size();
  if (rank == 0) {
    *to = *from;
    return;
  }
  const std::int64_t inner = shape[rank - 1], step = strides[rank - 1];
  std::vector<std::int64_t> index(rank - 1, 0);
  std::int64_t position = 0;
  for (std::int64_t done = 0; done < size; done += inner, to += inner) {
    const T* row = from + position;
    if (step == 1) {
      std::memcpy(to, row, static_cast<std::size_t>(inner) * sizeof(T));
    } else {
      for (std::int64_t i = 0; i < inner; ++i) to[i] = row[i * step];
    }
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      position += strides[axis];
      if (++index[axis] < shape[axis]) break;
      position -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

void copy_strided(const Tensor& from, std::int64_t offset, const std::vector<std::int64_t>& strides,
                  Tensor& to) {
  if (to.size() == 0) return;
  visit_width(to.type(), [&]<class T>(T) {
    copy_elements(static_cast<const T*>(from.raw()) + offset, strides, to.shape(), to.size(),
                  static_cast<T*>(to.raw()));
  });
}

std::vector<std::int64_t> dense_strides(const Shape& shape) {
  // Unsigned, because the product may overflow when another extent is zero; it is not used then.
  std::vector<std::int64_t> strides(shape.size());
  std::uint64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = static_cast<std::int64_t>(step);
    step *= static_cast<std::uint64_t>(shape[i]);
  }
  return strides;
}

}  // namespace intact
