// Random models: every instruction set, number of threads, batch and fusion gives the same bytes,
// and the engine agrees with the reference interpreter.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "compare.hpp"
#include "random_graph.hpp"

namespace intact::testing {
namespace {

Tensors run(const std::vector<std::byte>& file, const SessionOptions& options,
            const Tensor& input) {
  return Session::parse(file, options).run(std::vector{input});
}

Tensors reference(const std::vector<std::byte>& file, const Tensor& input) {
  SessionOptions options;
  options.reference = true;
  return run(file, options, input);
}

/// Image `index` of a batch.
Tensor image_of(const Tensor& batch, std::int64_t index) {
  Shape shape = batch.shape();
  const std::size_t bytes = batch.bytes() / static_cast<std::size_t>(shape[0]);
  shape[0] = 1;
  Tensor image(batch.type(), shape);
  if (bytes != 0)
    std::memcpy(
        image.raw(),
        static_cast<const std::byte*>(batch.raw()) + static_cast<std::size_t>(index) * bytes,
        bytes);
  return image;
}

class DeepModel : public ::testing::TestWithParam<unsigned> {};

TEST_P(DeepModel, AllWaysOfRunningGiveTheSameBytes) {
  for (unsigned seed = GetParam() * 16; seed < GetParam() * 16 + 16; ++seed) {
    const RandomModel model = deep_model(seed, 3 + static_cast<int>(seed % 9));
    const std::string what = "seed " + std::to_string(seed) + " (" + model.operators + ")";
    SCOPED_TRACE(what);
    const Tensor batch = model.random_input(3, seed);
    const Session plain = Session::parse(model.file, options_of(1, Isa::scalar, false));
    const Tensors expected = plain.run(std::vector{batch});
    int threads = 1;
    for (const Isa isa : supported_isas()) {
      for (const bool fusion : {false, true}) {
        const SessionOptions options = options_of(threads, isa, fusion);
        threads = threads % 3 + 1;
        const Session session = Session::parse(model.file, options);
        expect_identical(session.run(std::vector{batch}), expected, describe(options));
        if (fusion && isa != Isa::avx2) {
          const Tensors last = session.run(std::vector{image_of(batch, 2)});
          for (std::size_t i = 0; i < last.size(); ++i)
            EXPECT_EQ(difference(last[i], image_of(expected[i], 2)), "")
                << "one image, output " << i;
        }
      }
    }
  }
}

TEST_P(DeepModel, FlowAccountsForEveryNodeOnce) {
  for (unsigned seed = GetParam() * 16; seed < GetParam() * 16 + 16; ++seed) {
    const RandomModel model = deep_model(seed, 3 + static_cast<int>(seed % 9));
    SCOPED_TRACE("seed " + std::to_string(seed) + " (" + model.operators + ")");
    std::map<std::string, int> places;
    const Flow flow = Session::parse(model.file, options_of(1, best_isa(), true)).flow();
    for (const FlowNode& step : flow.nodes)
      for (const std::string& name : step.onnx_nodes) ++places[name];
    for (const FlowRemoved& removed : flow.removed)
      for (const std::string& name : removed.onnx_nodes) ++places[name];
    for (const Node& node : parse_onnx(model.file).nodes)
      EXPECT_EQ(places[node.name], 1) << node.name;
  }
}

/// Rounding differences of one step are rare, and the operators behind them keep them small.
TEST_P(DeepModel, StaysCloseToTheReference) {
  for (unsigned seed = GetParam() * 16; seed < GetParam() * 16 + 16; ++seed) {
    const RandomModel model = deep_model(seed, 3 + static_cast<int>(seed % 9));
    SCOPED_TRACE("seed " + std::to_string(seed) + " (" + model.operators + ")");
    const Tensor batch = model.random_input(2, seed);
    const Tensors actual = run(model.file, options_of(1, best_isa(), true), batch);
    const Tensors expected = reference(model.file, batch);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      ASSERT_EQ(actual[i].shape(), expected[i].shape());
      const auto a = numbers(actual[i]), e = numbers(expected[i]);
      double sum = 0, largest = 1e-6;
      for (std::size_t k = 0; k < a.size(); ++k) {
        sum += std::abs(a[k] - e[k]);
        largest = std::max(largest, std::abs(e[k]));
      }
      EXPECT_LE(sum / static_cast<double>(a.size()), 2e-3 * largest) << "output " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DeepModel, ::testing::Range(0u, 12u));

class SingleOperator : public ::testing::TestWithParam<std::string> {};

/// One step at most, and only where the exact value lies within float rounding of a tie.
TEST_P(SingleOperator, DiffersFromTheReferenceAtTiesOnly) {
  std::int64_t elements = 0, different = 0;
  for (unsigned seed = 0; seed < 24; ++seed) {
    const RandomModel model = single_operator(GetParam(), seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Tensor batch = model.random_input(1 + seed % 2, seed);
    const auto actual =
        numbers(run(model.file, options_of(1, best_isa(), seed % 2 == 0), batch)[0]);
    const auto expected = numbers(reference(model.file, batch)[0]);
    const auto exact = numbers(reference(model.unrounded, batch)[0]);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      ++elements;
      const double steps = std::abs(actual[i] - expected[i]) / model.scale;
      if (steps < 0.01) continue;
      ++different;
      const double t = std::abs(exact[i] / model.scale);
      const double to_tie = std::abs(t - std::floor(t) - 0.5);
      ASSERT_LT(steps, 1.01) << "element " << i << " of " << actual.size() << ": " << actual[i]
                             << " for " << expected[i];
      ASSERT_LT(to_tie, 1e-6 * (t + 256)) << "element " << i << " of " << actual.size();
    }
  }
  EXPECT_LE(different, 2 + elements / 200);
}

INSTANTIATE_TEST_SUITE_P(Operators, SingleOperator, ::testing::ValuesIn(operator_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace intact::testing
