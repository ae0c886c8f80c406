// Placement of tensors in the arena.
#include "engine/memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "intact/error.hpp"

namespace intact::testing {
namespace {

class Programs {
 public:
  Program program;

  TensorId tensor(Shape shape, ElementType type = ElementType::u8) {
    StoredTensor tensor;
    tensor.name = "t" + std::to_string(program.tensors.size());
    tensor.shape = std::move(shape);
    tensor.type = type;
    program.tensors.push_back(std::move(tensor));
    return static_cast<TensorId>(program.tensors.size() - 1);
  }
  TensorId view(TensorId root, Shape shape, std::int64_t offset = 0, std::int64_t pitch = 0) {
    const TensorId id = tensor(std::move(shape), program.tensor(root).type);
    program.tensor(id).root = root;
    program.tensor(id).offset = offset;
    program.tensor(id).pitch_elements = pitch;
    return id;
  }
  TensorId input(Shape shape) {
    program.inputs.push_back(tensor(std::move(shape)));
    return program.inputs.back();
  }
  void operation(OperationKind kind, std::vector<TensorId> inputs, TensorId output) {
    Operation operation;
    operation.kind = std::move(kind);
    operation.inputs = std::move(inputs);
    operation.outputs = {output};
    program.operations.push_back(std::move(operation));
  }
};

std::int64_t begin_of(const Program& program, const MemoryPlan& plan, TensorId id) {
  std::int64_t offset = 0;
  const auto width = static_cast<std::int64_t>(element_size(program.tensor(id).type));
  for (; program.tensor(id).root != no_tensor; id = program.tensor(id).root)
    offset += program.tensor(id).offset;
  return plan.offset[static_cast<std::size_t>(id)] + offset * width;
}

/// Runs the plan on labels instead of numbers: every operation writes its own label to the bytes of
/// its result, and each operand's bytes must still carry the label of who wrote it. Element-wise
/// operations may write over what they read.
void expect_sound(const Program& program) {
  const MemoryPlan plan = place_tensors(program);
  std::vector<int> memory(static_cast<std::size_t>(plan.arena_bytes), -1);
  std::map<TensorId, int> writer;
  const auto placed = [&](TensorId id) {
    return plan.offset[static_cast<std::size_t>(program.root(id))] >= 0;
  };
  const auto bytes_of = [&](TensorId id) {
    const StoredTensor& tensor = program.tensor(id);
    const auto width = static_cast<std::int64_t>(element_size(tensor.type));
    std::vector<std::size_t> bytes;
    for (std::int64_t row = 0; row < tensor.rows(); ++row)
      for (std::int64_t i = 0; i < tensor.channels() * width; ++i)
        bytes.push_back(static_cast<std::size_t>(begin_of(program, plan, id) +
                                                 row * tensor.pitch() * width + i));
    return bytes;
  };
  const auto expect_intact = [&](TensorId id, std::size_t time) {
    if (!placed(id) || !writer.contains(program.root(id))) return;
    for (const std::size_t at : bytes_of(id)) {
      ASSERT_LT(at + 64, memory.size() + 1) << "tensor " << id;
      ASSERT_EQ(memory[at], program.root(id)) << "tensor " << id << " at operation " << time;
    }
  };
  for (std::size_t time = 0; time < program.operations.size(); ++time) {
    const Operation& operation = program.operations[time];
    for (const TensorId id : operation.inputs) expect_intact(id, time);
    for (const TensorId id : operation.outputs) {
      ASSERT_TRUE(placed(id));
      EXPECT_EQ(plan.offset[static_cast<std::size_t>(program.root(id))] % 64, 0);
      for (const std::size_t at : bytes_of(id)) memory[at] = program.root(id);
      writer[program.root(id)] = static_cast<int>(time);
    }
  }
  for (const TensorId id : program.outputs) expect_intact(id, program.operations.size());
}

TEST(Memory, DyingOperandsAreReused) {
  Programs p;
  TensorId last = p.input({1000});
  for (int i = 0; i < 10; ++i) {
    const TensorId next = p.tensor({1000});
    p.operation(CopyOperation{}, {last}, next);
    last = next;
  }
  p.program.outputs = {last};
  expect_sound(p.program);
  EXPECT_LE(place_tensors(p.program).arena_bytes, 2 * (1000 + 128));
}

TEST(Memory, ElementwiseResultTakesThePlaceOfAnOperandThatDies) {
  Programs p;
  const TensorId x = p.input({640}), a = p.tensor({640}), b = p.tensor({640}), c = p.tensor({640});
  p.operation(CopyOperation{}, {x}, a);
  p.operation(TableOperation{}, {a}, b);
  p.operation(ByteBinaryOperation{}, {b, b}, c);
  p.program.outputs = {c};
  const MemoryPlan plan = place_tensors(p.program);
  EXPECT_EQ(plan.offset[static_cast<std::size_t>(a)], plan.offset[static_cast<std::size_t>(c)]);
  EXPECT_EQ(plan.arena_bytes, 640 + 128);
}

TEST(Memory, InputsConstantsAndOutputsAreNotWrittenOver) {
  Programs p;
  const TensorId x = p.input({64}), constant = p.tensor({64}), a = p.tensor({64}),
                 b = p.tensor({64});
  p.program.tensor(constant).constant = Tensor(ElementType::u8, {64});
  p.operation(ByteBinaryOperation{}, {x, constant}, a);
  p.operation(TableOperation{}, {a}, b);
  p.program.outputs = {a, b};
  const MemoryPlan plan = place_tensors(p.program);
  EXPECT_EQ(plan.offset[static_cast<std::size_t>(x)], -1);
  EXPECT_EQ(plan.offset[static_cast<std::size_t>(constant)], -1);
  EXPECT_NE(plan.offset[static_cast<std::size_t>(a)], plan.offset[static_cast<std::size_t>(b)]);
  expect_sound(p.program);
}

TEST(Memory, ResidualThatTheConvolutionReadsToo) {
  for (const bool same : {true, false}) {
    Programs p;
    const TensorId x = p.input({64}), a = p.tensor({64}), b = p.tensor({64}), c = p.tensor({64});
    p.operation(CopyOperation{}, {x}, a);
    p.operation(CopyOperation{}, {x}, b);
    ConvOperation conv;
    conv.residual.emplace();
    p.operation(std::move(conv), {same ? b : a, b}, c);
    p.program.outputs = {c};
    const MemoryPlan plan = place_tensors(p.program);
    const bool in_place =
        plan.offset[static_cast<std::size_t>(b)] == plan.offset[static_cast<std::size_t>(c)];
    EXPECT_EQ(in_place, !same);
  }
}

TEST(Memory, ViewsKeepTheirRootAlive) {
  Programs p;
  const TensorId x = p.input({8, 8}), a = p.tensor({8, 8}), flat = p.view(a, {64});
  const TensorId b = p.tensor({8, 8}), c = p.tensor({64});
  p.operation(CopyOperation{}, {x}, a);
  p.operation(CopyOperation{}, {x}, b);
  p.operation(TableOperation{}, {flat}, c);
  p.program.outputs = {b, c};
  expect_sound(p.program);
}

TEST(Memory, ReportsTensorsThatAreTooLarge) {
  Programs p;
  const TensorId x = p.input({1});
  const TensorId huge = p.tensor({std::int64_t{1} << 40, std::int64_t{1} << 40});
  p.operation(CopyOperation{}, {x}, huge);
  EXPECT_THROW(place_tensors(p.program), std::exception);
}

TEST(Memory, ReportsTensorsThatAreTooLargeTogether) {
  Programs p;
  const Shape shape = {std::int64_t{3} << 30, std::int64_t{1} << 30};  // two of them would do
  const TensorId x = p.input({1}), a = p.tensor(shape), b = p.tensor(shape), c = p.tensor(shape);
  for (const TensorId id : {a, b, c}) p.operation(CopyOperation{}, {x}, id);
  p.program.outputs = {a};
  EXPECT_NO_THROW(place_tensors(p.program));
  p.program.outputs = {a, b, c};
  try {
    place_tensors(p.program);
    FAIL() << "9 * 2^60 bytes were placed";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "'t3' of shape [3221225472,1073741824] is too large beside the tensors that are "
                 "alive at the same time");
  }
}

/// Random programs: chains, webs, views, slots of a common tensor, several outputs.
TEST(Memory, NoLiveTensorIsEverWrittenOver) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    Programs p;
    std::vector<TensorId> known = {p.input({4, 16}), p.input({4, 32})};
    const auto any = [&] {
      return known[static_cast<std::size_t>(pick(static_cast<int>(known.size())))];
    };
    for (int i = 0; i < 25; ++i) {
      const TensorId a = any(), b = any();
      const Shape shape = p.program.tensor(a).shape;
      TensorId result = p.tensor(shape, p.program.tensor(a).type);
      switch (pick(7)) {
        case 0:
          p.operation(TableOperation{}, {a}, result);
          break;
        case 1:
          p.operation(ByteBinaryOperation{}, {a, b}, result);
          break;
        case 2:
          p.operation(ByteSumOperation{}, {a, b, any()}, result);
          break;
        case 3:
          p.operation(ConvOperation{}, {b, a}, result);
          break;
        case 4: {
          p.operation(CopyOperation{}, {a}, result);
          known.push_back(p.view(result, {element_count(shape)}));
          break;
        }
        case 5: {  // two slots of one tensor
          const TensorId whole = p.tensor({shape[0], 48});
          p.operation(CopyOperation{}, {a}, p.view(whole, {shape[0], 16}, 0, 48));
          p.operation(CopyOperation{}, {b}, p.view(whole, {shape[0], 32}, 16, 48));
          result = whole;
          break;
        }
        default:
          p.program.tensor(result).type = ElementType::f32;
          p.operation(DequantizeOperation{}, {a}, result);
      }
      if (p.program.operations.back().outputs[0] == result ||
          p.program.tensor(result).shape.size() == 2)
        known.push_back(result);
      if (pick(10) == 0) p.program.outputs.push_back(known.back());
    }
    p.program.outputs.push_back(known.back());
    expect_sound(p.program);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace intact::testing
