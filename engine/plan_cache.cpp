// Plans by key.
#include "engine/plan_cache.hpp"

#include <algorithm>

namespace intact {

PlanCache::Shared PlanCache::get(const std::string& key, const std::function<Shared()>& make) {
  std::promise<Shared> promise;
  std::shared_future<Shared> future;
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(plans_.begin(), plans_.end(),
                                    [&](const Entry& entry) { return entry.first == key; });
    if (known != plans_.end()) {
      plans_.splice(plans_.begin(), plans_, known);
      future = known->second;
    } else {
      plans_.emplace_front(key, promise.get_future().share());
      if (plans_.size() > most_plans) plans_.pop_back();
    }
  }
  if (future.valid()) return future.get();
  try {
    Shared plan = make();
    promise.set_value(plan);
    return plan;
  } catch (...) {
    promise.set_exception(std::current_exception());
    forget(key);
    throw;
  }
}

void PlanCache::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  std::erase_if(plans_, [&](const Entry& entry) { return entry.first == key; });
}

}  // namespace intact
