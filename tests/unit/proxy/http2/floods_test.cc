#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/proxy/http2/server_fixture.h"

namespace heddle::http2 {
namespace {

using ::testing::ElementsAre;

// A header list that is small on the wire and large when it is taken apart: one entry of the
// dynamic table, again and again.
TEST_F(Http2Server, AnHpackBombEndsTheConnection) {
  std::string bomb = h2::block(h2::get());
  bomb += "\x40\x01x\x7f\xd1\x1e" + std::string(4048, 'y');  // indexed literal
  bomb += std::string(4000, '\xbe');                         // that entry
  (void)say(h2::frame(h2::kHeaders, kWhole, 1, bomb));
  EXPECT_EQ(goaway(), 11u);
  EXPECT_THAT(floods, ElementsAre(Flood::header_list));
}

TEST_F(Http2Server, AContinuationFloodEndsTheConnection) {
  (void)say(h2::headers(1, h2::get(), h2::kEndStream));
  for (std::size_t i = 0; i <= limits.continuations && !broken; ++i) {
    (void)say(h2::frame(h2::kContinuation, 0, 1, h2::literal("x", "y")));
  }
  EXPECT_EQ(goaway(), 11u);
  EXPECT_THAT(floods, ElementsAre(Flood::continuation));
}

struct FloodCase {
  const char* what;
  Flood flood;
  std::string bytes;  // sent again and again on a connection where stream 1 is open
};

class Http2Floods : public Http2Server, public ::testing::WithParamInterface<FloodCase> {};

TEST_P(Http2Floods, EndsTheConnection) {
  ASSERT_TRUE(open(1, h2::post(), h2::kEndHeaders));
  for (int i = 0; i < 2000 && !broken; ++i) (void)say(GetParam().bytes);
  EXPECT_EQ(goaway(), 11u) << GetParam().what;
  EXPECT_THAT(floods, ElementsAre(GetParam().flood));
  EXPECT_LT(output.size(), 64u << 10);
}

TEST_P(Http2Floods, ButNotAtAHarmlessRate) {
  ASSERT_TRUE(open(1, h2::post(), h2::kEndHeaders));
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(say(GetParam().bytes)) << GetParam().what;
    now += std::chrono::seconds(1);
    output.clear();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Http2Floods,
    ::testing::Values(FloodCase{"PING", Flood::ping, h2::frame(h2::kPing, 0, 0, "12345678")},
                      FloodCase{"SETTINGS", Flood::settings, h2::frame(h2::kSettings, 0, 0, "")},
                      FloodCase{"PRIORITY", Flood::priority,
                                h2::frame(h2::kPriority, 0, 1, h2::number(0) + "x")},
                      FloodCase{"empty DATA", Flood::empty_data, h2::frame(h2::kData, 0, 1, "")},
                      FloodCase{"WINDOW_UPDATE", Flood::window_update,
                                h2::frame(h2::kWindowUpdate, 0, 0, h2::number(1))},
                      FloodCase{"unknown frames", Flood::unknown, h2::frame(0x77, 0, 0, "x")}));

// CVE-2023-44487.
TEST_F(Http2Server, RapidResetsEndTheConnection) {
  for (std::uint32_t id = 1; id < 4000 && !broken; id += 2) {
    (void)say(h2::headers(id, h2::get()) + h2::frame(h2::kRstStream, 0, id, h2::number(8)));
  }
  EXPECT_EQ(goaway(), 11u);
  EXPECT_LE(requests.size(), limits.floods[0].burst + 1);
}

// CVE-2025-8671: the client makes the server reset, each time in another way.
TEST_F(Http2Server, ResetsThatTheServerIsMadeToSendCountAsWell) {
  const auto provoke = [](std::uint32_t id, std::uint32_t how) {
    switch (how) {
      case 0:
        return h2::frame(h2::kWindowUpdate, 0, id, h2::number(0x7fffffff));
      case 1:
        return h2::frame(h2::kData, 0, id, "more than was announced");
      case 2:
        return h2::headers(id, {{"X", "y"}});
      default:
        return h2::headers(id, {{"x", "y"}}, h2::kEndHeaders);
    }
  };
  for (std::uint32_t how = 0; how < 4; ++how) {
    output.clear();
    Session fresh(Session::Role::server, limits, *this);
    ASSERT_TRUE(fresh.receive(h2::preface(), now));
    const h2::Fields fields = h2::with(h2::post(), "content-length", "3");
    bool alive = true;
    std::uint32_t id = 1;
    for (; id < 4000 && alive; id += 2) {
      const std::string bytes = h2::headers(id, fields, h2::kEndHeaders) + provoke(id, how);
      alive = fresh.receive(bytes, now).has_value();
      fresh.take_output(output, std::string::npos);
      requests.clear();
    }
    EXPECT_EQ(h2::goaway(h2::parse(output)), 11u) << how;
    EXPECT_LE(id / 2, limits.floods[0].burst + 2) << how;
  }
}

TEST_F(Http2Server, ResetsAreEarnedByRequestsThatEndWell) {
  FieldBlock ok;
  ok.add(":status", "200");
  std::uint32_t id = 1;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(open(id, h2::get(), kWhole));
    session.respond(*requests.back(), ok, Session::Body::none);
    id += 2;
    ASSERT_TRUE(say(h2::headers(id, h2::get()) + h2::frame(h2::kRstStream, 0, id, h2::number(8))));
    id += 2;
    requests.clear();
    output.clear();
  }
}

}  // namespace
}  // namespace heddle::http2
