#include "common/base/error.h"

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "common/observe/log.h"

namespace heddle {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Errc::invalid, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  TRY(const int h, half(n));
  return half(h).during("second step");
}

TEST(Result, TryPassesValuesAndErrors) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(7).error().text(), "odd");
  EXPECT_EQ(quarter(6).error().text(), "second step: odd");
}

TEST(Error, ErrnoBecomesACodeAndIsKept) {
  const Error error = Error::from_errno(EEXIST, "create veth");
  EXPECT_EQ(error.code(), Errc::exists);
  EXPECT_EQ(error.sys_errno(), EEXIST);
  EXPECT_EQ(error.during("attach c1").sys_errno(), EEXIST);
}

TEST(Log, HostileValuesCannotForgeFieldsOrLines) {
  EXPECT_EQ(format_event("joined", {{"node", "h1"}, {"peer", "a b\n\"x\"=1"}, {"n", 3}}),
            "joined node=h1 peer=\"a b\\x0a\\\"x\\\"=1\" n=3");
}

}  // namespace
}  // namespace heddle
