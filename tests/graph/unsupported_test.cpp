// Operators that are left out on purpose.
#include "graph/ops/unsupported.hpp"

#include "evaluate.hpp"

namespace intact::testing {
namespace {

TEST(Unsupported, operators_that_are_left_out_say_why) {
  EXPECT_NE(error_of([] { Op("StringConcat")(list({1})); }).find("strings"), std::string::npos);
  for (const UnsupportedOperator& other : unsupported_operators())
    EXPECT_EQ(find_definition(other.op, other.domain), nullptr)
        << other.op << " has a definition; remove it from graph/ops/unsupported.cpp";
}

}  // namespace
}  // namespace intact::testing
