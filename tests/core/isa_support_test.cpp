// The words for instruction sets that cannot be used.
#include "core/isa_support.hpp"

#include <gtest/gtest.h>

namespace intact {
namespace {

TEST(IsaSupport, says_whether_the_cpu_or_the_system_lacks_an_instruction_set) {
  EXPECT_EQ(why_unavailable(Isa::amx, {true, true}, Isa::amx), "");
  EXPECT_EQ(why_unavailable(Isa::amx, {false, false}, Isa::avx512vnni),
            "this machine does not have amx; the best it has is avx512vnni");
  EXPECT_EQ(why_unavailable(Isa::avx512vnni, {false, true}, Isa::avx2),
            "this machine does not have avx512vnni; the best it has is avx2");
  const std::string withheld = why_unavailable(Isa::amx, {true, false}, Isa::avx512vnni);
  EXPECT_NE(withheld.find("the CPU has amx, but the operating system"), std::string::npos);
  EXPECT_NE(withheld.find("5.16"), std::string::npos);
  EXPECT_NE(withheld.find("avx512vnni"), std::string::npos);
}

}  // namespace
}  // namespace intact
