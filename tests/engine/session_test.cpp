// Sessions: checks of inputs, plans by shape, threads, profiles, failures.
#include "intact/session.hpp"

#include <atomic>
#include <thread>

#include "engine/executor.hpp"
#include "intact/error.hpp"
#include "model_run.hpp"

namespace intact::testing {
namespace {

template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// x -> Round -> Conv -> Relu -> Round -> average -> MatMul.
Graph small_network() {
  ModelBuilder builder;
  const ValueId input = builder.input("image", ElementType::f32, {-1, 3, 8, 8});
  const ValueId x = builder.round("x.round", input, 0.01f, std::uint8_t{128});
  const AttributeList pads = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  const ValueId conv =
      builder.node("Conv", "conv", {x, grid_weights(builder, "w", {16, 3, 3, 3})}, pads);
  const ValueId y =
      builder.round("y", builder.node("Relu", "relu", {conv}), 0.03f, std::uint8_t{0});
  const ValueId mean =
      builder.round("mean", builder.node("GlobalAveragePool", "pool", {y}), 0.01f, std::uint8_t{0});
  const ValueId flat = builder.node("Flatten", "flatten", {mean});
  return builder.build(
      {builder.node("MatMul", "product", {flat, grid_weights(builder, "v", {16, 10})})});
}

TEST(SessionInputs, ErrorsNameWhatIsExpectedAndGiven) {
  const Session session = session_of(small_network());
  const auto error = [&](std::vector<Tensor> inputs) {
    return error_of([&] { session.run(inputs); });
  };
  EXPECT_EQ(error({}), "0 inputs were given, but the model has 1");
  const std::string missing = error({Tensor{}});
  EXPECT_TRUE(contains(missing, "'image'") && contains(missing, "missing") &&
              contains(missing, "f32 [?,3,8,8]"))
      << missing;
  const std::string type = error({Tensor(ElementType::u8, {1, 3, 8, 8})});
  EXPECT_TRUE(contains(type, "'image'") && contains(type, "u8 [1,3,8,8]") &&
              contains(type, "f32 [?,3,8,8]"))
      << type;
  const std::string shape = error({Tensor(ElementType::f32, {1, 3, 8, 9})});
  EXPECT_TRUE(contains(shape, "[1,3,8,9]") && contains(shape, "[?,3,8,8]")) << shape;
  const std::string rank = error({Tensor(ElementType::f32, {3, 8, 8})});
  EXPECT_TRUE(contains(rank, "[3,8,8]") && contains(rank, "[?,3,8,8]")) << rank;
  EXPECT_EQ(session.run(std::vector{Tensor(ElementType::f32, {1, 3, 8, 8})})[0].shape(),
            (Shape{1, 10}));
}

TEST(SessionInputs, NumberOfThreadsAndInstructionSet) {
  const auto file = serialize_onnx(small_network());
  SessionOptions options;
  options.threads = -1;
  EXPECT_TRUE(contains(error_of([&] { Session::parse(file, options); }), "-1"));
  options.threads = 3;
  EXPECT_EQ(Session::parse(file, options).threads(), 3);
  options.isa = Isa::scalar;
  const Session scalar = Session::parse(file, options);
  EXPECT_EQ(scalar.isa(), Isa::scalar);
  for (const FlowNode& node : scalar.flow().nodes) EXPECT_EQ(node.isa, "scalar") << node.name;
  for (const Isa isa : {Isa::avx2, Isa::avxvnni, Isa::avx512vnni, Isa::amx}) {
    if (cpu_supports(isa)) continue;
    options.isa = isa;
    EXPECT_TRUE(
        contains(error_of([&] { Session::parse(file, options); }), std::string(isa_name(isa))));
  }
}

TEST(SessionShapes, BatchIsPlannedAnewAndPlansAreKept) {
  const Session session = session_of(small_network(), 2);
  const Tensor batch = random_floats({5, 3, 8, 8}, 1);
  const Tensors first = session.run(std::vector{batch});
  for (const std::int64_t n : {1, 3, 5}) {
    const Tensor part = Tensor::from<float>({n, 3, 8, 8}, batch.data<float>());
    const Tensor result = session.run(std::vector{part})[0];
    ASSERT_EQ(result.shape(), (Shape{n, 10}));
    for (std::int64_t i = 0; i < n * 10; ++i)
      EXPECT_EQ(result.data<float>()[static_cast<std::size_t>(i)],
                first[0].data<float>()[static_cast<std::size_t>(i)]);
  }
}

TEST(SessionShapes, EmptyBatch) {
  const Session session = session_of(small_network());
  EXPECT_EQ(session.run(std::vector{Tensor(ElementType::f32, {0, 3, 8, 8})})[0].shape(),
            (Shape{0, 10}));
}

TEST(SessionShapes, OneIsNoValidBatch) {
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, {-1, 4});
  const ValueId y =
      builder.node("Reshape", "pairs", {x, builder.vector<std::int64_t>("shape", {2, -1, 4})});
  const Session session = session_of(builder.build({y}));
  EXPECT_EQ(session.run(std::vector{random_floats({6, 4}, 1)})[0].shape(), (Shape{2, 3, 4}));
  EXPECT_TRUE(contains(error_of([&] {
                         session.run(std::vector{random_floats({3, 4}, 1)});
                       }),
                       "'pairs'"));
}

TEST(SessionShapes, InputsThatDetermineShapesArePartOfThePlan) {
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, {2, 6});
  const ValueId shape = builder.input("shape", ElementType::s64, {2});
  const ValueId y = builder.node("Reshape", "reshape", {builder.node("Relu", "relu", {x}), shape});
  const Session session = session_of(builder.build({y}));
  const Tensor data = random_floats({2, 6}, 1, 0, 1);
  for (const Shape& wanted : {Shape{3, 4}, Shape{4, 3}, Shape{12, 1}, Shape{3, 4}}) {
    const Tensors result = session.run(std::vector{data, Tensor::from<std::int64_t>({2}, wanted)});
    EXPECT_EQ(difference(result[0], data.reshaped(wanted)), "");
  }
  EXPECT_NE(error_of([&] {
              session.run(std::vector{data, Tensor::from<std::int64_t>({2}, Shape{5, 5})});
            }),
            "no error");
}

TEST(SessionShapes, BiasMadeFromAShapeBelongsToItsPlan) {
  // The bias is the batch size: a constant of each plan, but not the same one.
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, {-1, 4});
  const ValueId batch =
      builder.node("Gather", "batch",
                   {builder.node("Shape", "shape", {x}), builder.vector<std::int64_t>("i", {0})});
  const ValueId bias =
      builder.node("Expand", "bias",
                   {builder.node("Cast", "cast", {batch}, {{"to", std::int64_t{1}}}),
                    builder.vector<std::int64_t>("width", {3})});
  const ValueId weights = builder.constant("w", Tensor(ElementType::f32, {4, 3}));
  const ValueId y =
      builder.node("Add", "add", {builder.node("MatMul", "product", {x, weights}), bias});
  const Session session = session_of(builder.build({y}));
  for (const std::int64_t n : {2, 5, 2})
    EXPECT_EQ(session.run(std::vector{random_floats({n, 4}, 1)})[0].data<float>()[0],
              static_cast<float>(n));
}

TEST(SessionShapes, CastToFloatBehindAGridIsNothing) {
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, {1, 8});
  const ValueId cast = builder.node(
      "Cast", "cast", {builder.round<std::uint8_t>("x", x, 0.1f, 100)}, {{"to", std::int64_t{1}}});
  const ValueId y =
      builder.round<std::uint8_t>("y", builder.node("Tanh", "tanh", {cast}), 0.01f, 128);
  const Graph graph = builder.build({y});
  EXPECT_EQ(expect_consistent(graph, {random_floats({1, 8}, 1)}, 0.0101).float_round_trips, 0);
}

TEST(SessionShapes, FlowWantsKnownExtents) {
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, {-1, -1});
  const Session session = session_of(builder.build({builder.node("Relu", "relu", {x})}));
  EXPECT_TRUE(contains(error_of([&] { session.flow(); }), "'x'"));
  EXPECT_EQ(session.flow(std::vector<Shape>{{2, 3}}).nodes.size(), 1u);
  EXPECT_NE(error_of([&] { session.flow(std::vector<Shape>{{2, 3}, {1}}); }), "no error");
}

TEST(SessionShapes, FirstResultsMayBeAbsent) {
  ModelBuilder builder;
  const ValueId x = builder.input("x", ElementType::f32, {2, 4});
  const ValueId first =
      builder.node("Split", "split", {x, builder.vector<std::int64_t>("sizes", {1, 3})},
                   {{"axis", std::int64_t{1}}}, "", 2);
  builder.graph().nodes.back().outputs[0] = no_value;
  expect_consistent(builder.build({first + 1}), {random_floats({2, 4}, 1)}, 0);
}

TEST(SessionShapes, ProductsWithoutTermsOrColumns) {
  for (const auto& [k, n] : {std::pair{0, 3}, std::pair{3, 0}}) {
    ModelBuilder builder;
    const ValueId x =
        builder.round("r", builder.input("x", ElementType::f32, {2, k}), 0.1f, std::uint8_t{128});
    const ValueId y = builder.node("MatMul", "product", {x, grid_weights(builder, "w", {k, n})});
    expect_consistent(builder.build({builder.round("y", y, 0.1f, std::uint8_t{3})}),
                      {Tensor(ElementType::f32, {2, k})}, 0);
  }
}

/// The bias is beyond what the integer epilogue rescales.
TEST(SessionShapes, ProductsOfABiasOnly) {
  ModelBuilder builder;
  const ValueId x =
      builder.round("r", builder.input("x", ElementType::f32, {2, 0}), 0.1f, std::uint8_t{128});
  const ValueId y = builder.node("Gemm", "product",
                                 {x, grid_weights(builder, "w", {0, 3}),
                                  builder.vector<float>("bias", {1e30f, -1e30f, 1e-5f})});
  expect_consistent(builder.build({builder.round("y", y, 1e-5f, std::uint8_t{3})}),
                    {Tensor(ElementType::f32, {2, 0})}, 0);
}

TEST(SessionThreads, SeveralCallersShareOneSession) {
  const Graph graph = small_network();
  const Session session = session_of(graph, 2);
  std::vector<Tensor> inputs, expected;
  for (unsigned i = 0; i < 4; ++i) {
    inputs.push_back(random_floats({1 + i % 2, 3, 8, 8}, i));
    expected.push_back(session_of(graph).run(std::vector{inputs.back()})[0]);
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < 4; ++caller)
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i < 25; ++i) {
        const std::size_t which = (caller + i) % inputs.size();
        if (difference(session.run(std::vector{inputs[which]})[0], expected[which]) != "") ++wrong;
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SessionThreads, AnyNumberGivesTheSameBytes) {
  const Graph graph = small_network();
  const Tensor input = random_floats({3, 3, 8, 8}, 5);
  const Tensors expected = session_of(graph, 1).run(std::vector{input});
  for (int threads = 2; threads <= 4; ++threads)
    expect_identical(session_of(graph, threads).run(std::vector{input}), expected,
                     std::to_string(threads));
}

TEST(SessionThreads, InsideAParallelRegionOfTheCaller) {
  // OpenMP gives nested regions one thread: the steps must not wait for the others.
  const Session session = session_of(small_network(), 2);
  const std::vector input{random_floats({1, 3, 8, 8}, 1)};
  const Tensors expected = session.run(input);
  std::vector<Tensors> results(2);
#pragma omp parallel num_threads(2)
  {
#pragma omp critical
    results[0] = session.run(input);
  }
  EXPECT_EQ(difference(results[0][0], expected[0]), "");
}

TEST(SessionObserve, InnerTensorsBecomeOutputsAndChangeNoNumber) {
  const auto file = serialize_onnx(small_network());
  const std::vector<Tensor> inputs = {random_floats({2, 3, 8, 8}, 5)};
  const Session plain = Session::parse(file);
  SessionOptions options;
  std::string names;
  for (const InnerTensor& tensor : plain.info().tensors) {
    options.observe.push_back(tensor.name);
    names += tensor.op + " ";
  }
  EXPECT_TRUE(contains(names, "Conv Relu QuantizeLinear DequantizeLinear ")) << names;
  const Session observing = Session::parse(file, options);
  const std::vector<Tensor> given = observing.run(inputs);
  ASSERT_EQ(observing.outputs().size(), plain.info().tensors.size());
  EXPECT_EQ(observing.outputs()[0].name, plain.outputs()[0].name);
  expect_identical({given[0]}, plain.run(inputs), "the model's own output");
  options.reference = true;
  const std::vector<Tensor> expected = Session::parse(file, options).run(inputs);
  for (std::size_t i = 0; i < given.size(); ++i) {
    ASSERT_EQ(given[i].shape(), expected[i].shape());
    const auto a = numbers(given[i]), e = numbers(expected[i]);
    const double step = given[i].type() == ElementType::u8 ? 1 : 0.03;  // of the widest grid
    for (std::size_t k = 0; k < a.size(); ++k)
      ASSERT_NEAR(a[k], e[k], 1.01 * step) << observing.outputs()[i].name;
  }
  options.observe = {"nowhere"};
  EXPECT_EQ(error_of([&] { Session::parse(file, options); }),
            "no operator of the model writes a tensor 'nowhere' to observe");
}

TEST(SessionProfile, HasOneEntryPerStep) {
  for (const int threads : {1, 3}) {
    const Session session = session_of(small_network(), threads);
    const std::vector<FlowNode> nodes = session.flow().nodes;
    std::vector<StepTime> profile;
    session.run(std::vector{random_floats({1, 3, 8, 8}, 1)}, &profile);
    ASSERT_EQ(profile.size(), nodes.size());
    double end = 0;
    for (std::size_t i = 0; i < profile.size(); ++i) {
      EXPECT_EQ(profile[i].op, nodes[i].op);
      EXPECT_EQ(profile[i].macs, nodes[i].macs);
      EXPECT_GE(profile[i].begin_us, end);
      end = profile[i].end_us;
      EXPECT_GE(end, profile[i].begin_us);
    }
  }
}

/// A step that fails on one thread; another that counts its runs.
struct FailingStep : Step {
  int thread;
  explicit FailingStep(int index) : thread(index) {}
  void run(const Frame&, Part part) const override {
    if (part.index == thread) throw Error("step failed");
  }
};
struct CountingStep : Step {
  std::atomic<int>& count;
  explicit CountingStep(std::atomic<int>& counter) : count(counter) {}
  void run(const Frame&, Part) const override { ++count; }
};

TEST(Executor, AnExceptionOfAnyThreadReachesTheCaller) {
  for (int threads = 1; threads <= 4; ++threads)
    for (int failing = 0; failing < threads; ++failing) {
      std::atomic<int> before{0}, after{0};
      std::vector<std::unique_ptr<Step>> steps;
      steps.push_back(std::make_unique<CountingStep>(before));
      steps.push_back(std::make_unique<FailingStep>(failing));
      steps.push_back(std::make_unique<CountingStep>(after));
      EXPECT_EQ(error_of([&] { execute(steps, Frame{}, threads, nullptr); }), "step failed");
      EXPECT_EQ(before, threads);
      EXPECT_EQ(after, 0);
    }
}

/// The plan survives a failing run: a Gather index out of range.
TEST(SessionFailures, TheNextRunWorks) {
  ModelBuilder builder;
  const ValueId x =
      builder.round("r", builder.input("x", ElementType::f32, {4, 8}), 0.01f, std::uint8_t{128});
  const ValueId index = builder.input("index", ElementType::s64, {2});
  const ValueId picked = builder.node("Gather", "gather", {x, index});
  const ValueId y =
      builder.round("y", builder.node("Sigmoid", "f", {picked}), 0.01f, std::uint8_t{0});
  for (const int threads : {1, 3}) {
    const Session session = session_of(builder.build({y}), threads);
    const Tensor data = random_floats({4, 8}, 1);
    const auto run = [&](std::int64_t i) {
      return session.run(std::vector{data, Tensor::from<std::int64_t>({2}, Shape{0, i})});
    };
    const Tensors good = run(3);
    EXPECT_NE(error_of([&] { run(4); }), "no error");
    expect_identical(run(3), good, "after a failure");
  }
}

}  // namespace
}  // namespace intact::testing
