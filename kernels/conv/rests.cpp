// Divides weights into what 16-bit sums hold and the rest; see rests.hpp.
#include "kernels/conv/rests.hpp"

#include <algorithm>
#include <cstring>

namespace intact::kernels {
namespace {

constexpr int pairs = rest_bytes / 2, panel_bytes = 64;
constexpr int limit = 128;  // 255 * 128 and 255 * -128 fit 16 bits

/// Sums of weights, by sign, of each pair of bytes in a vector.
struct SignedSums {
  std::array<int, pairs> positive = {}, negative = {};

  void add(const std::int8_t* weights) {
    for (int i = 0; i < rest_bytes; ++i) {
      positive[i / 2] += std::max<int>(weights[i], 0);
      negative[i / 2] -= std::min<int>(weights[i], 0);
    }
  }
  bool fit() const {
    int greatest = 0;
    for (int i = 0; i < pairs; ++i) greatest = std::max({greatest, positive[i], negative[i]});
    return greatest <= limit;
  }
};

/// Moves up to `positive` and `negative` of a pair's weights, and takes that off the two.
void move_pair(std::int8_t* from, std::int8_t* to, int& positive, int& negative) {
  for (int i = 0; i < 2; ++i) {
    const int moved =
        from[i] > 0 ? std::min<int>(from[i], positive) : -std::min<int>(-from[i], negative);
    (moved > 0 ? positive : negative) -= std::abs(moved);
    from[i] = static_cast<std::int8_t>(from[i] - moved);
    to[i] = static_cast<std::int8_t>(to[i] + moved);
  }
}

/// Appends to the lists of all vectors.
class Lists {
 public:
  explicit Lists(PackedConv& packed) : packed_(packed) {}

  void start_vector(std::int64_t vector) {
    rests_ = packed_.rests + vector;
    *rests_ = {run_, entry_, 0};
  }
  /// The next entries are reached from the row pointers of `tap`.
  void start_tap(std::int64_t tap) {
    tap_ = tap;
    open_ = false;
  }

  /// Lists weights, in as many entries as fit 16 bits each.
  void add(std::int64_t offset, std::int8_t* weights) {
    constexpr std::array<std::int8_t, rest_bytes> none = {};
    while (std::memcmp(weights, none.data(), rest_bytes) != 0) {
      std::int8_t* const entry = packed_.rest_weights + entry_ * rest_bytes;
      std::memset(entry, 0, rest_bytes);
      for (int pair = 0; pair < rest_bytes; pair += 2) {
        int positive = limit, negative = limit;
        move_pair(weights + pair, entry + pair, positive, negative);
      }
      packed_.rest_offsets[entry_++] = static_cast<std::int32_t>(offset);
      extend_run(entry);
    }
  }

 private:
  void extend_run(const std::int8_t* entry) {
    SignedSums sums = sums_;
    sums.add(entry);
    if (!open_ || !sums.fit()) {
      packed_.rest_runs[run_++] = {static_cast<std::int32_t>(tap_), 0};
      ++rests_->run_count;
      sums = {};
      sums.add(entry);
    }
    open_ = true;
    sums_ = sums;
    ++packed_.rest_runs[run_ - 1].count;
  }

  PackedConv& packed_;
  PackedRests* rests_ = nullptr;
  std::int64_t run_ = 0, entry_ = 0, tap_ = 0;
  bool open_ = false;  ///< the last run takes more entries
  SignedSums sums_;    ///< of the last run
};

/// Bounds a chain of groups and lists its rest, from as few of its groups as possible.
void pack_chain(std::int8_t* weights, int count, std::int64_t offset, Lists& lists) {
  SignedSums sums;
  for (int i = 0; i < count; ++i) sums.add(weights + i * panel_bytes);
  if (sums.fit()) return;
  std::array<int, chain_groups> order = {};
  for (int i = 0; i < count; ++i) order[i] = i;
  // A group that fits alone is better left whole: the others can give all that is too much.
  std::stable_partition(order.begin(), order.begin() + count, [&](int i) {
    SignedSums alone;
    alone.add(weights + i * panel_bytes);
    return !alone.fit();
  });
  alignas(rest_bytes) std::array<std::array<std::int8_t, rest_bytes>, chain_groups> rest = {};
  for (int pair = 0; pair < pairs; ++pair) {
    int positive = std::max(sums.positive[pair] - limit, 0);
    int negative = std::max(sums.negative[pair] - limit, 0);
    for (int i = 0; i < count; ++i)
      move_pair(weights + order[i] * panel_bytes + 2 * pair, rest[order[i]].data() + 2 * pair,
                positive, negative);
  }
  for (int i = 0; i < count; ++i) lists.add(offset + 4 * i, rest[i].data());
}

}  // namespace

void pack_rests(const ConvBlocking& blocking, PackedConv& packed) {
  packed.header->in_16_bits = true;
  Lists lists(packed);
  for (std::int64_t vector = 0; vector < blocking.total_columns() / 8; ++vector) {
    std::int8_t* weights =
        packed.weights + vector / 2 * 16 * blocking.column_bytes() + vector % 2 * rest_bytes;
    lists.start_vector(vector);
    lists.start_tap(0);
    for (std::int64_t tap = 0; tap < blocking.taps; ++tap) {
      if (blocking.tap_step == 0) lists.start_tap(tap);
      for (std::int64_t k = 0; k < blocking.k_groups;) {
        const auto count =
            static_cast<int>(std::min<std::int64_t>(chain_groups, blocking.k_groups - k));
        pack_chain(weights, count, tap * blocking.tap_step + 4 * k, lists);
        weights += count * panel_bytes;
        k += count;
      }
    }
  }
}

ConvRests rests_at(const PackedConv& packed, std::int64_t slot) {
  const PackedRests& rests = packed.rests[slot / 8];
  return {packed.rest_runs + rests.run, rests.run_count, packed.rest_offsets + rests.entry,
          packed.rest_weights + rests.entry * rest_bytes};
}

}  // namespace intact::kernels
