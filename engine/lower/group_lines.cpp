// A convolution without a Round and what keeps to the lines of its floats become one step: the
// interpolation or average of them, and what follows pixel by pixel. It takes a few lines through
// all of them, and the floats stay in the cache.
#include <algorithm>
#include <set>
#include <utility>

#include "engine/line_blocks.hpp"
#include "engine/lower/group.hpp"
#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"

namespace intact {
namespace {

class Builder {
 public:
  /// `uses`: of the program, kept current.
  Builder(Program& program, Uses& uses, std::size_t convolution)
      : program_(program), uses_(uses), members_{convolution} {}

  void run() {
    const std::size_t place = first_reader();
    if (place == 0) return;
    if (takes_lines(program_, operation(0), program_.operations[place])) members_.push_back(place);
    add_followers(place);
    drop_unneeded();
    const std::vector<TensorId>& floats = operation(0).outputs;
    if (std::ranges::find(members_, place) == members_.end() ||
        std::ranges::none_of(floats, [&](TensorId id) { return is_inner(id); }))
      return;
    form(place);
  }

 private:
  const Operation& operation(std::size_t member) const {
    return program_.operations[members_[member]];
  }

  /// Of the convolution's results; 0: nobody.
  std::size_t first_reader() const {
    int first = 0;
    for (const TensorId id : operation(0).outputs)
      for (const int reader : uses_.readers[static_cast<std::size_t>(id)])
        first = first == 0 ? reader : std::min(first, reader);
    return static_cast<std::size_t>(first);
  }

  /// Operations behind the last member that compute pixel by pixel, and can run at `place`: all
  /// that they read is written by then, or by the members.
  void add_followers(std::size_t place) {
    const std::size_t convolution = members_.front(), before = members_.back();
    std::set<TensorId> written;
    std::set<std::size_t> candidates;  // behind `before`, readers of what is written
    const auto add_results = [&](std::size_t i) {
      for (const TensorId id : program_.operations[i].outputs) {
        if (id == no_tensor) continue;
        written.insert(id);
        for (const int reader : uses_.readers[static_cast<std::size_t>(id)])
          if (const auto r = static_cast<std::size_t>(reader); r > before) candidates.insert(r);
      }
    };
    const auto in_time = [&](TensorId id) {
      const auto& writers = uses_.writers[static_cast<std::size_t>(program_.root(id))];
      return written.contains(id) || std::ranges::all_of(writers, [&](int writer) {
               return static_cast<std::size_t>(writer) < place;
             });
    };
    for (add_results(before); !candidates.empty();) {
      const std::size_t i = *candidates.begin();
      candidates.erase(candidates.begin());
      const Operation& next = program_.operations[i];
      if (!follows_lines(program_, program_.operations[convolution], program_.operations[before],
                         next) ||
          !std::ranges::all_of(next.inputs, in_time))
        continue;
      members_.push_back(i);
      add_results(i);
    }
  }

  /// Those at the end that read bytes alone can as well run by themselves.
  void drop_unneeded() {
    const auto written = [&](TensorId id) {
      return are_members(uses_.writers[static_cast<std::size_t>(id)]);
    };
    for (std::size_t m = members_.size(); m-- > 1;) {
      const Operation& last = operation(m);
      const bool reads_floats = std::any_of(
          last.inputs.begin(), last.inputs.end(),
          [&](TensorId id) { return program_.tensor(id).type == ElementType::f32 && written(id); });
      const bool is_read = std::any_of(last.outputs.begin(), last.outputs.end(), [&](TensorId id) {
        if (id == no_tensor) return false;
        const auto& readers = uses_.readers[static_cast<std::size_t>(id)];
        return std::any_of(readers.begin(), readers.end(),
                           [&](int reader) { return are_members({reader}); });
      });
      if (!reads_floats && !is_read)
        members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(m));
    }
  }

  bool are_members(const std::vector<int>& operations) const {
    return !operations.empty() &&
           std::all_of(operations.begin(), operations.end(), [&](int operation) {
             return std::find(members_.begin(), members_.end(),
                              static_cast<std::size_t>(operation)) != members_.end();
           });
  }
  /// Nobody else sees it.
  bool is_inner(TensorId id) const {
    const auto at = static_cast<std::size_t>(id);
    return !uses_.shared[at] && are_members(uses_.writers[at]) && are_members(uses_.readers[at]);
  }

  /// Makes the members one operation at `place`, the place of one of them.
  void form(std::size_t place) {
    std::set<TensorId> inner;
    for (std::size_t m = 0; m < members_.size(); ++m)
      for (const TensorId id : operation(m).outputs)
        if (id != no_tensor && is_inner(id)) inner.insert(id);
    for (const std::size_t i : members_) uses_.remove(program_, i);
    program_.operations[place] =
        take_group(program_, members_, [&](TensorId id) { return inner.contains(id); });
    uses_.add(program_, place);
  }

  Program& program_;
  Uses& uses_;
  std::vector<std::size_t> members_;  ///< ascending
};

}  // namespace

void group_lines(Program& program) {
  Uses uses(program);
  for (std::size_t i = 0; i < program.operations.size(); ++i)
    if (!program.operations[i].outputs.empty() && writes_lines(program, program.operations[i]))
      Builder(program, uses, i).run();
  erase_empty(program);
}

}  // namespace intact
