// Operations between which floats pass row by row, such as a normalization that is spelled out with
// grids at some of its steps, or a matrix product and the softmax behind it, become one step: it
// takes a block of rows through all of them, and the floats stay in the cache. The operations
// themselves and their order remain.
#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/lower/group.hpp"
#include "engine/lower/lowering.hpp"
#include "engine/lower/uses.hpp"
#include "engine/row_blocks.hpp"

namespace intact {
namespace {

/// Of a group: more would not share a cache, and every merge looks at all of them and at what lies
/// between them.
constexpr std::size_t most_members = 64, most_between = 256;
constexpr int no_group = -1;

/// A set of operations that become one step.
struct Group {
  std::set<std::size_t> members;
  std::set<TensorId> inner;
  std::int64_t rows = 0;
};

class Grouping {
 public:
  explicit Grouping(Program& program)
      : program_(program), uses_(program), group_of_(program.operations.size(), no_group) {}

  void run() {
    for (std::size_t i = 0; i < program_.operations.size(); ++i)
      for (const TensorId id : program_.operations[i].outputs)
        if (id != no_tensor && is_inner(id)) join(id);
    for (std::size_t g = groups_.size(); g-- > 0;) {
      Group group = std::exchange(groups_[g], {});
      // A step that has been made may have come to lie between the members.
      if (!group.members.empty() && saves_memory(group) && complete(group)) form(group);
    }
    erase_empty(program_);
  }

 private:
  const Operation& operation(std::size_t i) const { return program_.operations[i]; }

  /// Computed floats of several rows that no one else sees.
  bool is_inner(TensorId id) const {
    const StoredTensor& tensor = program_.tensor(id);
    const auto at = static_cast<std::size_t>(id);
    return tensor.type == ElementType::f32 && !uses_.shared[at] && tensor.dense() &&
           tensor.rows() > 1 && uses_.writers[at].size() == 1 && !uses_.readers[at].empty();
  }

  /// Lets the operations that write and read these floats, and the groups that they belong to, be
  /// one group, if they can run together.
  void join(TensorId id) {
    Group joined;
    joined.rows = program_.tensor(id).rows();
    joined.inner = {id};
    const auto at = static_cast<std::size_t>(id);
    for (const auto* users : {&uses_.writers[at], &uses_.readers[at]})
      for (const int user : *users) joined.members.insert(static_cast<std::size_t>(user));
    const std::set<int> absorbed = groups_of(joined.members);
    for (const int g : absorbed) absorb(joined, groups_[static_cast<std::size_t>(g)]);
    if (!complete(joined)) return;
    for (const int g : absorbed) groups_[static_cast<std::size_t>(g)] = {};
    for (const std::size_t i : joined.members) group_of_[i] = static_cast<int>(groups_.size());
    groups_.push_back(std::move(joined));
  }

  template <class Indices>
  std::set<int> groups_of(const Indices& operations) const {
    std::set<int> groups;
    for (const std::size_t i : operations)
      if (group_of_[i] != no_group) groups.insert(group_of_[i]);
    return groups;
  }
  static void absorb(Group& group, const Group& other) {
    group.members.insert(other.members.begin(), other.members.end());
    group.inner.insert(other.inner.begin(), other.inner.end());
  }

  /// Adds what lies between the members. False when the group cannot run as one.
  bool complete(Group& group) {
    const std::size_t first = *group.members.begin(), last = *group.members.rbegin();
    if (last - first > most_between) return false;
    std::set<TensorId> written;  // by the members, or from what they write
    std::vector<bool> depends(last - first + 1);
    for (std::size_t i = first; i <= last; ++i) {
      depends[i - first] = group.members.contains(i) || touches(operation(i).inputs, written);
      if (depends[i - first]) add(operation(i).outputs, written);
    }
    std::set<TensorId> needed;  // by the members, or for what they read
    for (std::size_t i = last + 1; i-- > first;) {
      const bool member = group.members.contains(i);
      if (!member && !touches(operation(i).outputs, needed)) continue;
      add(operation(i).inputs, needed);
      if (!member && depends[i - first]) group.members.insert(i);
    }
    return group.members.size() <= most_members &&
           std::ranges::all_of(group.members,
                               [&](std::size_t i) {
                                 return runs_by_rows(program_, operation(i), group.rows);
                               }) &&
           std::ranges::all_of(groups_of(group.members), [&](int g) {
             return std::ranges::includes(group.members,
                                          groups_[static_cast<std::size_t>(g)].members);
           });
  }

  bool touches(const std::vector<TensorId>& ids, const std::set<TensorId>& roots) const {
    return std::any_of(ids.begin(), ids.end(), [&](TensorId id) {
      return id != no_tensor && roots.contains(program_.root(id));
    });
  }
  void add(const std::vector<TensorId>& ids, std::set<TensorId>& roots) const {
    for (const TensorId id : ids)
      if (id != no_tensor) roots.insert(program_.root(id));
  }

  /// Reads integers of a grid that are no constants, and keeps more than a number per row.
  bool saves_memory(const Group& group) const {
    if (std::all_of(group.inner.begin(), group.inner.end(),
                    [&](TensorId id) { return program_.tensor(id).channels() == 1; }))
      return false;
    return std::any_of(group.members.begin(), group.members.end(), [&](std::size_t i) {
      return std::any_of(operation(i).inputs.begin(), operation(i).inputs.end(), [&](TensorId id) {
        return program_.tensor(id).on_grid() && !program_.tensor(id).constant.defined();
      });
    });
  }

  /// Makes the members one operation in the place of the last one. What needs their results is
  /// moved behind it.
  void form(const Group& group) {
    const std::size_t first = *group.members.begin(), last = *group.members.rbegin();
    std::set<TensorId> written;
    std::vector<std::size_t> before, behind;
    for (std::size_t i = first; i <= last; ++i) {
      if (group.members.contains(i)) {
        add(operation(i).outputs, written);
      } else if (touches(operation(i).inputs, written)) {
        add(operation(i).outputs, written);
        behind.push_back(i);
      } else {
        before.push_back(i);
      }
    }
    Operation step =
        take_group(program_, {group.members.begin(), group.members.end()},
                   [&](TensorId id) { return group.inner.contains(id); });
    std::vector<std::size_t> order = before;
    order.insert(order.end(), group.members.begin(), group.members.end());
    order.insert(order.end(), behind.begin(), behind.end());
    rearrange(first, order);
    program_.operations[first + before.size() + group.members.size() - 1] = std::move(step);
  }

  /// Lets the operations from `first` on come in this order.
  void rearrange(std::size_t first, const std::vector<std::size_t>& order) {
    const std::set<int> groups = groups_of(order);
    std::vector<Operation> moved;
    std::vector<int> moved_groups;
    std::map<std::size_t, std::size_t> place;
    for (const std::size_t i : order) {
      place[i] = first + moved.size();
      moved.push_back(std::exchange(program_.operations[i], {}));
      moved_groups.push_back(group_of_[i]);
    }
    const auto at = static_cast<std::ptrdiff_t>(first);
    std::ranges::move(moved, program_.operations.begin() + at);
    std::ranges::move(moved_groups, group_of_.begin() + at);
    for (const int g : groups) {
      std::set<std::size_t>& members = groups_[static_cast<std::size_t>(g)].members;
      std::set<std::size_t> found;
      for (const std::size_t i : members) found.insert(place.contains(i) ? place.at(i) : i);
      members = std::move(found);
    }
  }

  Program& program_;
  const Uses uses_;
  std::vector<Group> groups_;   ///< those that another one has absorbed are empty
  std::vector<int> group_of_;   ///< each operation: in groups_, or no_group
};

}  // namespace

void group_rows(Program& program) {
  Grouping(program).run();
}

}  // namespace intact
