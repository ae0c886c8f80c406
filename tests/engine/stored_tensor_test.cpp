// Extents and strides of stored tensors.
#include <gtest/gtest.h>

#include "engine/program.hpp"

namespace intact::testing {
namespace {

using Strides = std::vector<std::int64_t>;

StoredTensor stored(Shape shape, Layout layout = Layout::plain) {
  StoredTensor tensor;
  tensor.shape = std::move(shape);
  tensor.layout = layout;
  return tensor;
}

TEST(StoredTensor, PlainIsRowMajor) {
  const StoredTensor tensor = stored({2, 3, 4, 5});
  EXPECT_EQ(tensor.strides(), (Strides{60, 20, 5, 1}));
  EXPECT_EQ(tensor.channels(), 5);
  EXPECT_EQ(tensor.rows(), 24);
  EXPECT_TRUE(tensor.dense());
}

TEST(StoredTensor, ChannelsLastHasAxisOneInnermost) {
  const StoredTensor tensor = stored({2, 3, 4, 5}, Layout::channels_last);
  EXPECT_EQ(tensor.strides(), (Strides{60, 1, 15, 3}));
  EXPECT_EQ(tensor.channels(), 3);
  EXPECT_EQ(tensor.rows(), 40);
}

TEST(StoredTensor, PitchSeparatesPixels) {
  StoredTensor tensor = stored({2, 3, 4, 5}, Layout::channels_last);
  tensor.pitch_elements = 10;
  EXPECT_EQ(tensor.strides(), (Strides{200, 1, 50, 10}));
  EXPECT_FALSE(tensor.dense());
}

TEST(StoredTensor, ScalarsAndVectors) {
  EXPECT_EQ(stored({}).channels(), 1);
  EXPECT_EQ(stored({}).rows(), 1);
  EXPECT_TRUE(stored({}).strides().empty());
  EXPECT_EQ(stored({7}).channels(), 7);
  EXPECT_EQ(stored({7}).rows(), 1);
  EXPECT_EQ(stored({7}).strides(), (Strides{1}));
}

TEST(StoredTensor, SignedGridsAreRaised) {
  StoredTensor tensor = stored({1});
  tensor.grid = Grid{ElementType::s8, {0.5f}, {-3}, std::nullopt};
  EXPECT_EQ(tensor.zero_point(), 125);
  tensor.grid->type = ElementType::u8;
  tensor.grid->zero_point = {3};
  EXPECT_EQ(tensor.zero_point(), 3);
}

TEST(Program, RootFollowsViewsOfViews) {
  Program program;
  for (const TensorId root : {no_tensor, 0, 1}) {
    program.tensors.push_back(stored({4}));
    program.tensors.back().root = root;
  }
  EXPECT_EQ(program.root(2), 0);
  EXPECT_EQ(program.root(0), 0);
}

}  // namespace
}  // namespace intact::testing
