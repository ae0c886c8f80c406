// Orders weights into chains and divides them into what 16-bit sums hold and the rest; see
// rests.hpp.
#include "kernels/conv/rests.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace intact::kernels {
namespace {

constexpr int pairs = rest_bytes / 2, panel_bytes = 64, panel_vectors = 2;
constexpr int limit = 128;  // 255 * 128 and 255 * -128 fit 16 bits

/// Sums of weights of each pair of bytes in a vector: of the positive ones, and of the negative.
struct SignedSums {
  std::array<std::int16_t, pairs> positive = {}, negative = {};

  void add(const std::int8_t* weights) {
    for (int i = 0; i < pairs; ++i) {
      const int a = weights[2 * i], b = weights[2 * i + 1];
      positive[i] = static_cast<std::int16_t>(positive[i] + std::max(a, 0) + std::max(b, 0));
      negative[i] = static_cast<std::int16_t>(negative[i] - std::min(a, 0) - std::min(b, 0));
    }
  }
  bool fit_with(const SignedSums& other) const {
    std::int16_t greatest = 0;
    for (int i = 0; i < pairs; ++i) {
      const auto up = static_cast<std::int16_t>(positive[i] + other.positive[i]);
      const auto down = static_cast<std::int16_t>(negative[i] + other.negative[i]);
      greatest = std::max({greatest, up, down});
    }
    return greatest <= limit;
  }
  bool fit() const { return fit_with({}); }
};

/// Makes chains of the groups of one tap in a panel: of the first that is left and, among the next
/// ones, that which leaves the least rest.
class ChainMaker {
 public:
  ChainMaker(std::int8_t* weights, std::int64_t k_groups)
      : weights_(weights), k_groups_(k_groups) {}

  /// Reorders the weights; offsets[i] becomes 4 times the k_group that comes i-th.
  void operator()(std::int32_t* offsets) {
    for (read_ahead(); held_ > 0; read_ahead()) {
      const int partner = held_ > 1 ? find_partner() : 0;
      write(0, offsets);
      if (partner > 0) write(partner, offsets);
      drop(partner);
    }
  }

 private:
  static constexpr int most = 17;
  struct Group {
    std::int64_t k_group;
    std::array<std::int8_t, panel_bytes> weights;
    std::array<SignedSums, panel_vectors> sums;
    std::array<bool, panel_vectors> fits;
  };

  void read_ahead() {
    for (; held_ < most && read_ < k_groups_; ++read_) {
      Group& group = groups_[order_[held_++]];
      group.k_group = read_;
      std::memcpy(group.weights.data(), weights_ + read_ * panel_bytes, panel_bytes);
      for (int v = 0; v < panel_vectors; ++v) {
        group.sums[v] = {};
        group.sums[v].add(group.weights.data() + v * rest_bytes);
        group.fits[v] = group.sums[v].fit();
      }
    }
  }

  int find_partner() const {
    int best = 1, least = panel_vectors * chain_groups + 1;
    for (int i = 1; i < held_ && least > 0; ++i) {
      const int rests = count_rests(groups_[order_[0]], groups_[order_[i]]);
      if (rests < least) best = i;
      least = std::min(least, rests);
    }
    return best;
  }
  static int count_rests(const Group& a, const Group& b) {
    int count = 0;
    for (int v = 0; v < panel_vectors; ++v)
      if (!a.sums[v].fit_with(b.sums[v])) count += a.fits[v] || b.fits[v] ? 1 : 2;
    return count;
  }

  void write(int index, std::int32_t* offsets) {
    const Group& group = groups_[order_[index]];
    std::memcpy(weights_ + written_ * panel_bytes, group.weights.data(), panel_bytes);
    offsets[written_++] = static_cast<std::int32_t>(4 * group.k_group);
  }

  /// Frees the places of the first group and its partner.
  void drop(int partner) {
    if (partner > 0) {
      std::rotate(order_.begin() + partner, order_.begin() + partner + 1, order_.begin() + held_);
      --held_;
    }
    std::rotate(order_.begin(), order_.begin() + 1, order_.begin() + held_);
    --held_;
  }

  std::int8_t* weights_;
  std::int64_t k_groups_, read_ = 0, written_ = 0;
  int held_ = 0;
  std::array<Group, most> groups_;
  std::array<int, most> order_ = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
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

  /// How much there is in all.
  struct Size {
    std::int64_t runs = 0, entries = 0;
  };
  Size size() const { return {run_, entry_}; }
  /// Takes back what came after there was so much.
  void shrink(const Size& size) {
    run_ = size.runs;
    entry_ = size.entries;
  }

  void start_vector(std::int64_t vector) {
    rests_ = packed_.rests + vector;
    *rests_ = {run_, entry_, 0};
  }
  /// Makes room for `count` entries that no run has.
  std::int8_t* skip(std::int64_t count) {
    std::int8_t* const entries = packed_.rest_weights + entry_ * rest_bytes;
    entry_ += count;
    return entries;
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

/// Bounds a chain of groups and lists its rest, from as few of its groups as possible. `offsets`:
/// of each group's bytes of input.
void pack_chain(std::int8_t* weights, int count, std::array<std::int64_t, chain_groups> offsets,
                Lists& lists) {
  SignedSums sums;
  for (int i = 0; i < count; ++i) sums.add(weights + i * panel_bytes);
  if (sums.fit()) return;
  // A group that fits alone is better left whole: the other can give all that is too much.
  std::array<int, chain_groups> order = {0, 1};
  SignedSums first;
  first.add(weights);
  if (count > 1 && first.fit()) order = {1, 0};
  std::array<std::array<std::int8_t, rest_bytes>, chain_groups> rest = {};
  for (int pair = 0; pair < pairs; ++pair) {
    int positive = std::max(sums.positive[pair] - limit, 0);
    int negative = std::max(sums.negative[pair] - limit, 0);
    if (positive + negative == 0) continue;
    for (int i = 0; i < count; ++i)
      move_pair(weights + order[i] * panel_bytes + 2 * pair, rest[order[i]].data() + 2 * pair,
                positive, negative);
  }
  for (int i = 0; i < count; ++i) lists.add(offsets[i], rest[i].data());
}

/// A vector of a panel, whose groups are in chains.
void pack_vector(const ConvBlocking& blocking, std::int8_t* weights, const std::int32_t* k_offsets,
                 Lists& lists) {
  const bool crosses = rests_cross_taps(blocking);
  lists.start_tap(0);
  for (std::int64_t tap = 0; tap < blocking.taps; ++tap) {
    if (!crosses) lists.start_tap(tap);
    const std::int64_t at = crosses ? tap << ConvRests::tap_shift : 0;
    for (std::int64_t k = 0; k < blocking.k_groups;) {
      const int count = blocking.k_groups - k < chain_groups ? 1 : chain_groups;
      pack_chain(weights, count, {at + k_offsets[0], at + k_offsets[count - 1]}, lists);
      weights += count * panel_bytes;
      k_offsets += count;
      k += count;
    }
  }
}

/// Whether chains and their rests take less time than words. For a row and a vector an
/// entry has 4 instructions, a run 7. That a group of words takes as long as 2 more than one in a
/// chain, and that having rests at all takes as long as 64, is what layers took least time with:
/// sums go through memory, and branches miss.
bool chains_pay(std::int64_t groups, std::int64_t runs, std::int64_t entries) {
  const std::int64_t rests = runs > 0 ? 4 * entries + 7 * runs + 64 : 0;
  return rests <= 2 * panel_vectors * groups;
}

}  // namespace

bool rests_cross_taps(const ConvBlocking& blocking) {
  constexpr std::int64_t most = std::int64_t{1} << ConvRests::tap_shift;
  return blocking.tap_step != 0 && 4 * blocking.k_groups < most && blocking.taps < most / 2;
}

void pack_rests(const ConvBlocking& blocking, PackedConv& packed) {
  static_assert(chain_groups == 2);
  Lists lists(packed);
  const std::int64_t groups = blocking.taps * blocking.k_groups;
  std::vector<std::int8_t> original(static_cast<std::size_t>(groups * panel_bytes));
  constexpr int word_entries = word_group_bytes / rest_bytes;
  for (std::int64_t panel = 0; panel < blocking.total_columns() / 16; ++panel) {
    std::int8_t* const weights = packed.weights + panel * groups * panel_bytes;
    std::int32_t* const k_offsets = packed.k_offsets + panel * groups;
    std::copy_n(weights, original.size(), original.data());
    const Lists::Size before = lists.size();
    for (std::int64_t group = 0; group < groups; group += blocking.k_groups)
      ChainMaker(weights + group * panel_bytes, blocking.k_groups)(k_offsets + group);
    for (int v = 0; v < panel_vectors; ++v) {
      lists.start_vector(panel * panel_vectors + v);
      pack_vector(blocking, weights + v * rest_bytes, k_offsets, lists);
    }
    if (chains_pay(groups, lists.size().runs - before.runs, lists.size().entries - before.entries))
      continue;
    k_offsets[0] = no_chains;
    lists.shrink(before);
    for (int v = 0; v < panel_vectors; ++v) lists.start_vector(panel * panel_vectors + v);
    widen_panel(original.data(), groups, lists.skip(word_entries * groups));
  }
}

void widen_panel(const std::int8_t* from, std::int64_t groups, std::int8_t* to) {
  constexpr int words = panel_bytes / 2;
  for (; groups > 0; --groups, from += panel_bytes, to += word_group_bytes) {
    std::array<std::int16_t, words> low, high;
    std::memcpy(high.data(), from, panel_bytes);
    for (int i = 0; i < words; ++i) {
      low[i] = static_cast<std::int16_t>(static_cast<std::int16_t>(high[i] << 8) >> 8);
      high[i] = static_cast<std::int16_t>(high[i] >> 8);
    }
    std::memcpy(to, low.data(), panel_bytes);
    std::memcpy(to + panel_bytes, high.data(), panel_bytes);
  }
}

ConvRests rests_at(const PackedConv& packed, std::int64_t slot) {
  const PackedRests& rests = packed.rests[slot / 8];
  return {packed.rest_runs + rests.run, rests.run_count, packed.rest_offsets + rests.entry,
          packed.rest_weights + rests.entry * rest_bytes};
}

}  // namespace intact::kernels
