#include "proxy/listener/body_pace.h"

#include <gtest/gtest.h>

namespace heddle::listener {
namespace {

using std::chrono::seconds;

BodyPace pace() {
  return {seconds(30), seconds(40), 100, 0, {}};
}

TEST(BodyPace, ABodyThatComesFastIsOnlyHeldToTheIdleTime) {
  BodyPace body = pace();
  EXPECT_EQ(body.patience(), seconds(30));
  body.bytes = 1'000'000;
  body.waited = seconds(500);
  EXPECT_EQ(body.patience(), seconds(30));
}

TEST(BodyPace, ATrickleRunsOutOfPatience) {
  BodyPace body = pace();
  body.bytes = 100;  // one second's worth
  body.waited = seconds(20);
  EXPECT_EQ(body.patience(), seconds(21));
  body.waited = seconds(60);
  EXPECT_EQ(body.patience(), seconds(0));
}

TEST(BodyPace, AHugeBodyDoesNotOverflow) {
  BodyPace body = pace();
  body.bytes = UINT64_MAX;
  EXPECT_EQ(body.patience(), seconds(30));
}

}  // namespace
}  // namespace heddle::listener
