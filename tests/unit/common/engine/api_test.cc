// Goal: what an engine says of itself and of its refusals is read, whatever bytes it sends;
// requests arrive as engines want them. Method: a scripted engine on a socket.
#include "common/engine/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/engine/fake_engine.h"

namespace heddle::engine {
namespace {

using namespace std::chrono_literals;
using test::FakeEngine;
using testing::HasSubstr;

TEST(ParseVersion, AndNothingElse) {
  EXPECT_EQ(parse_version("1.41"), (ApiVersion{1, 41}));
  EXPECT_LT((ApiVersion{1, 9}), (ApiVersion{1, 24}));
  for (const char* bad : {"", "1", "1.", ".4", "1.41x", "-1.2", "1.-2", "v1.41"}) {
    EXPECT_EQ(parse_version(bad), std::nullopt) << bad;
  }
}

TEST(ParseMessage, OneLineOfIt) {
  EXPECT_EQ(parse_message("{\"message\":\"no\\nsuch\\n\"}"), "no such");
  EXPECT_EQ(parse_message("<html>"), "");
  EXPECT_EQ(parse_message(R"({"message":5})"), "");
}

class OfApi : public testing::Test {
 protected:
  FakeEngine engine_;
  Api api_{{.name = "Docker",
            .socket = engine_.socket(),
            .start = "start it",
            .look = "look at it",
            .rights = "be root"},
           -1};
};

TEST_F(OfApi, SendsMethodAndBody) {
  engine_.answer("/containers/create", FakeEngine::http(201, R"({"Id":"x"})"));
  const auto made = api_.post("/containers/create?name=n1", R"({"Image":"box:1"})", after(10s));
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->status, 201);
  EXPECT_EQ(engine_.last_request().method, "POST");
  EXPECT_EQ(engine_.last_request().body, R"({"Image":"box:1"})");
  engine_.answer("/containers/n1?", "HTTP/1.1 204 No Content\r\n\r\n");
  const auto gone = api_.remove("/containers/n1?force=1", after(10s));
  ASSERT_TRUE(gone) << gone.error().text();
  EXPECT_EQ(gone->status, 204);
  EXPECT_EQ(engine_.last_request().method, "DELETE");
}

TEST_F(OfApi, NamesWhatToDoWhenNobodyAnswers) {
  engine_.stop();
  const auto answer = api_.get("/containers/json", after(10s));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::unavailable);
  EXPECT_THAT(answer.error().text(), HasSubstr("Docker at " + engine_.socket()));
  EXPECT_THAT(answer.error().text(), HasSubstr("; start it"));
}

}  // namespace
}  // namespace heddle::engine
