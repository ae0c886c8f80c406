// Plans by key: one thread plans while others run, and failures are not remembered.
#include "engine/plan_cache.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "engine/weight_cache.hpp"
#include "intact/error.hpp"

namespace intact {
namespace {

TEST(PlanCache, a_known_plan_does_not_wait_for_one_that_is_being_made) {
  PlanCache cache;
  cache.get("known", [] { return PlanCache::Shared(); });
  std::promise<void> begun, finish;
  std::thread planner([&] {
    cache.get("new", [&] {
      begun.set_value();
      finish.get_future().wait();
      return PlanCache::Shared();
    });
  });
  begun.get_future().wait();
  cache.get("known", []() -> PlanCache::Shared { throw Error("planned twice"); });
  finish.set_value();  // would never be reached if the lookup above waited for the planner
  planner.join();
}

TEST(PlanCache, one_thread_makes_a_plan_that_several_want) {
  PlanCache cache;
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      cache.get("key", [&] {
        ++made;
        return PlanCache::Shared();
      });
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
}

TEST(PlanCache, forgets_a_plan_that_failed) {
  PlanCache cache;
  EXPECT_THROW(cache.get("key", []() -> PlanCache::Shared { throw Error("no"); }), Error);
  bool made = false;
  cache.get("key", [&] {
    made = true;
    return PlanCache::Shared();
  });
  EXPECT_TRUE(made);
}

TEST(WeightCache, knows_the_constants_of_its_graph_by_identity_and_form) {
  Graph graph;
  const Tensor known = Tensor::scalar(1.0f), other = Tensor::scalar(1.0f);
  graph.add_constant("known", known);
  WeightCache cache(graph);
  EXPECT_TRUE(cache.identity(other).empty());
  const std::string key = cache.identity(known);
  EXPECT_FALSE(key.empty());
  EXPECT_NE(key, cache.identity(known.reshaped({1, 1})));

  int fills = 0;
  const auto fill = [&](void*) { ++fills; };
  EXPECT_EQ(cache.get(key, 8, fill), cache.get(key, 8, fill));
  EXPECT_EQ(fills, 1);
  EXPECT_NE(cache.get("", 8, fill), cache.get("", 8, fill));
  EXPECT_EQ(fills, 3);
}

TEST(WeightCache, filled_blocks_lie_in_the_order_of_first_use) {
  const Graph graph;
  WeightCache cache(graph);
  const auto get = [&](const char* key, std::size_t bytes, WeightCache::Room room) {
    return cache.get(
        key, bytes, [&](void* to) { std::memset(to, 7, bytes); }, room);
  };
  using enum WeightCache::Room;
  const auto first = get("first", 100, filled), apart = get("apart", 100, spare),
             second = get("second", 64, filled), third = get("third", 1, filled);
  EXPECT_EQ(second.get(), first.get() + 128);
  EXPECT_EQ(third.get(), second.get() + 64);
  EXPECT_EQ(get("first", 100, filled), first);
  EXPECT_GT(std::abs(apart.get() - first.get()), 192);
  // Too many for what is mapped at a time, and one that is too large for it.
  std::vector<WeightCache::Block> many;
  for (int i = 0; i < 5; ++i)
    many.push_back(get(("many" + std::to_string(i)).c_str(), std::size_t{20} << 20, filled));
  many.push_back(get("large", std::size_t{40} << 20, filled));
  for (const auto& block : many) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.get()) % 64, 0u);
    EXPECT_EQ(*block, std::byte{7});
  }
  EXPECT_EQ(*first, std::byte{7});
}

TEST(WeightCache, rearranged_weights_have_another_identity) {
  const ProductWeights weights("constant", [] { return ProductWeights::Values{1, 2}; });
  const auto reverse = [](ProductWeights::Values values) {
    return ProductWeights::Values(values.rbegin(), values.rend());
  };
  const ProductWeights reversed = weights.rearranged("reversed", reverse);
  EXPECT_EQ(reversed.identity(), "constant/reversed");
  EXPECT_EQ(reversed.values(), (ProductWeights::Values{2, 1}));
  EXPECT_EQ(ProductWeights("", [] { return ProductWeights::Values{}; })
                .rearranged("reversed", reverse)
                .identity(),
            "");
}

}  // namespace
}  // namespace intact
