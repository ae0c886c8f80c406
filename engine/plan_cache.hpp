// The plans of a graph by key (the input shapes), the least recently used dropped first.
#pragma once

#include <functional>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <string>

namespace intact {

struct Stage;

/// Safe from several threads at a time. Planning happens outside of the lock: only threads that
/// want the very plan that is being made wait for it.
class PlanCache {
 public:
  using Shared = std::shared_ptr<const Stage>;

  /// The plan of this key, made by `make` on first use. What `make` throws reaches everyone who
  /// waits, and the key stays unknown.
  Shared get(const std::string& key, const std::function<Shared()>& make);

 private:
  using Entry = std::pair<std::string, std::shared_future<Shared>>;
  void forget(const std::string& key);

  std::mutex mutex_;
  std::list<Entry> plans_;  ///< the last used first
  static constexpr std::size_t most_plans = 32;
};

}  // namespace intact
