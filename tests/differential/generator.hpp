// How random models are made: a list of tensors known so far, and one function per operator that
// picks operands from it and returns its result.
#pragma once

#include "random_graph.hpp"

namespace intact::testing {

/// A tensor of the model under construction; `shape` for a batch of 1.
struct Live {
  ValueId id = no_value;
  Shape shape;
  float range = 1;  ///< about the largest magnitude
  bool on_grid = false;
  int uses = 0;
  ValueId integers = no_value;  ///< the QuantizeLinear's output
};

class Generator {
 public:
  explicit Generator(unsigned seed) : builder_(17), random_(seed) {}

  using Maker = Live (Generator::*)();
  struct Named {
    const char* name;
    Maker make;
  };
  static const std::vector<Named>& makers();

  RandomModel single(Maker make);
  RandomModel deep(int operators);

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  float real(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }
  std::string name(const std::string& op) { return op + std::to_string(count_++); }

  void start(RandomModel& model, bool single);
  Live round(const Live& x);
  Live named(const std::string& op, std::vector<ValueId> inputs, Shape shape, float range,
             const AttributeList& attributes = {});
  /// Any tensor, the latest more often; any_grid() puts a Round behind it where it has no grid.
  std::size_t any();
  std::size_t any_grid();
  Live& use(std::size_t index) {
    ++live_[index].uses;
    return live_[index];
  }
  /// One on a grid with spatial axes.
  Live image();
  Live operand_like(const Shape& shape);
  ValueId weights(const Shape& shape, int axis, float& range);
  ValueId bias(std::int64_t channels, float range);
  Shape spatial_shape(std::int64_t channels, const std::vector<std::int64_t>& spatial) {
    Shape shape = {1, channels};
    shape.insert(shape.end(), spatial.begin(), spatial.end());
    return shape;
  }

  Live conv(int groups_kind);
  Live conv_dense() { return conv(0); }
  Live conv_depthwise() { return conv(1); }
  Live conv_grouped() { return conv(2); }
  Live residual();
  Live matmul();
  Live gemm();
  Live add() { return binary("Add"); }
  Live sub() { return binary("Sub"); }
  Live mul() { return binary("Mul"); }
  Live binary(const std::string& op);
  Live add_constant();
  Live sum();
  Live concat();
  Live max_pool() { return pool("MaxPool"); }
  Live average_pool() { return pool("AveragePool"); }
  Live pool(const std::string& op);
  Live global_average();
  Live reduce_mean();
  Live unary();
  Live silu();
  Live silu_rounded();
  Live scaled();
  Live flatten();
  Live reshape();
  Live transpose();
  Live pad();
  Live slice();
  Live split();
  Live resize();
  Live softmax();

  ModelBuilder builder_;
  std::mt19937 random_;
  std::vector<Live> live_;
  int count_ = 0;
  std::string operators_;
};

}  // namespace intact::testing
