// A proxy that ends, or a listener that is dropped, loses no request. Method: the real program;
// clients that cannot know of the end, on new connections and on kept ones.
#include <signal.h>

#include "tests/peer/proxy/fixture.h"
#include "tests/support/proxy/clients.h"

namespace heddle::testing {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kAnswerEnd = "\r\n\r\nok";

class ProxyDrain : public ProxyTest {
 protected:
  static std::string ask(int fd) { return send_all(fd, kRequest) ? receive(fd, kAnswerEnd) : ""; }
  // Until the proxy ends connections that it kept: it has begun to drain.
  void begin_drain() {
    const UniqueFd probe = connect_to(proxy_->port("web"));
    ::kill(proxy_->pid(), SIGTERM);
    const auto deadline = steady_clock::now() + seconds(20);
    while (steady_clock::now() < deadline) {
      const std::string answer = ask(probe.get());
      if (answer.find("Connection: close\r\n") != std::string::npos) return;
      if (answer.empty()) break;
    }
    ADD_FAILURE() << "no last answer";
  }
};

TEST_F(ProxyDrain, AConnectionThatHasCarriedNothingYetIsServed) {
  Backend backend(answering("ok"));
  start({backend.address()});
  const UniqueFd fresh = connect_to(proxy_->port("web"));
  begin_drain();
  const std::string answer = ask(fresh.get());
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(receive(fresh.get()), "") << "and ended";
  EXPECT_EQ(proxy_->terminate(), 0);
}

TEST_F(ProxyDrain, AKeptConnectionsNextRequestIsItsLast) {
  Backend backend(answering("ok"));
  start({backend.address()});
  const UniqueFd kept = connect_to(proxy_->port("web"));
  EXPECT_THAT(ask(kept.get()), EndsWith("ok"));
  begin_drain();
  EXPECT_THAT(ask(kept.get()), HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(proxy_->terminate(), 0);
}

TEST_F(ProxyDrain, RequestsThatWereSentAtOnceAreAllAnswered) {
  Backend backend(answering("ok"));
  start({backend.address()});
  const UniqueFd kept = connect_to(proxy_->port("web"));
  begin_drain();
  std::string three;
  for (int i = 0; i < 3; ++i) three += kRequest;
  ASSERT_TRUE(send_all(kept.get(), three));
  const std::string answers = receive(kept.get());
  std::size_t count = 0;
  for (auto at = answers.find("200 OK"); at != std::string::npos;
       at = answers.find("200 OK", at + 1))
    ++count;
  EXPECT_EQ(count, 3u) << answers;
  EXPECT_THAT(answers, EndsWith("ok"));
  EXPECT_EQ(proxy_->terminate(), 0);
}

TEST_F(ProxyDrain, SilentConnectionsDoNotHoldItUp) {
  Backend backend(answering("ok"));
  start({backend.address()});
  const UniqueFd fresh = connect_to(proxy_->port("web"));
  const UniqueFd kept = connect_to(proxy_->port("web"));
  EXPECT_THAT(ask(kept.get()), EndsWith("ok"));
  const auto begin = steady_clock::now();
  EXPECT_EQ(proxy_->terminate(), 0);
  EXPECT_LT(steady_clock::now() - begin, seconds(9)) << "the drain's limit is 10 s";
  EXPECT_EQ(receive(fresh.get()), "");
  EXPECT_EQ(receive(kept.get()), "");
}

TEST_F(ProxyDrain, ReplacementsUnderLoadLoseNothing) {
  Backend backend(answering("ok"));
  start(group_of("web", pb::PROTOCOL_HTTP1, {backend.address()}), {"--threads", "2"});
  Clients clients(proxy_->port("web"));
  for (int i = 0; i < 3; ++i) {
    clients.add_fresh();
    clients.add_kept();
  }
  for (int round = 0; round < 8; ++round) {
    const pid_t last = proxy_->replace();
    EXPECT_TRUE(clients.wait_for(200));
    EXPECT_EQ(ProxyProcess::wait(last), 0);
  }
  clients.stop();
  std::printf("%d answered\n", clients.count.answered.load());
  EXPECT_EQ(clients.count.lost, 0);
  EXPECT_EQ(clients.count.refused, 0);
}

TEST_F(ProxyDrain, AListenerThatIsDroppedServesItsQueue) {
  Backend backend(answering("ok"));
  *snapshot_.add_listeners() = http_listener("one", "one", "web");
  *snapshot_.add_listeners() = http_listener("two", "two", "web");
  *snapshot_.add_target_groups() = group_of("web", pb::PROTOCOL_HTTP1, {backend.address()});
  snapshot_.set_revision(1);
  start_with_snapshot({"one", "two"});
  Clients others(proxy_->port("one"));
  others.add_fresh();
  others.add_kept();
  const UniqueFd kept = connect_to(proxy_->port("two"));
  EXPECT_THAT(ask(kept.get()), EndsWith("ok"));
  std::vector<UniqueFd> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(connect_to(proxy_->port("two")));
  snapshot_.mutable_listeners()->RemoveLast();
  snapshot_.set_revision(2);
  control_->set_snapshot(snapshot_);
  ASSERT_TRUE(control_->wait_for_ack(2, seconds(60)));
  EXPECT_EQ(control_->ack_error(2), "");
  EXPECT_THAT(ask(kept.get()), HasSubstr("Connection: close\r\n"));
  for (const UniqueFd& fd : queued) EXPECT_THAT(ask(fd.get()), EndsWith("ok"));
  others.stop();
  EXPECT_GT(others.count.answered, 0);
  EXPECT_EQ(others.count.lost, 0);
  EXPECT_EQ(others.count.refused, 0);
}

}  // namespace
}  // namespace heddle::testing
