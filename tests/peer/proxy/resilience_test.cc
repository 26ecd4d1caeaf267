#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <fstream>
#include <thread>

#include "tests/peer/proxy/fixture.h"

namespace heddle::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ProxyResilience : public ProxyTest {
 protected:
  // An address where nobody listens.
  static SocketAddr refused() {
    std::uint16_t port = 0;
    listen_on_loopback(&port).reset();
    return {IpAddr::v4(0x7f000001), port};
  }
  void update(pb::TargetGroup group) { control_->put_group(std::move(group)); }
};

TEST_F(ProxyResilience, ATargetThatRefusesIsPassedOver) {
  Backend good(answering("good"));
  start({refused(), good.address()});
  for (int i = 0; i < 10; ++i) EXPECT_THAT(get("/"), EndsWith("good"));
  // The first failure is remembered: the dead target is not asked again for every request.
  EXPECT_LE(proxy_->metric("heddle_proxy_upstream_connect_failures_total{service=\"web\""), 2);
}

TEST_F(ProxyResilience, PostsAreRetriedWhileNothingWasSent) {
  Backend good([](int fd) {
    std::string rest;
    read_head(fd, rest);
    send_all(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  });
  start({refused(), good.address()});
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(exchange(proxy_->port("web"),
                         "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                         "Content-Length: 4\r\n\r\nbody"),
                EndsWith("ok"));
  }
}

TEST_F(ProxyResilience, WithoutATargetTheAnswerIs503AtOnce) {
  start(std::vector<SocketAddr>{});
  const std::string out = get("/");
  EXPECT_THAT(out, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(out, HasSubstr("{\"error\":\"no_ready_target\""));
}

TEST_F(ProxyResilience, WhenAllRefuseTheAnswerIs502) {
  start({refused(), refused()});
  EXPECT_THAT(get("/"), HasSubstr("connect_failed"));
}

TEST_F(ProxyResilience, AStaleConnectionIsReplacedForIdempotentRequestsOnly) {
  // Answers once, then closes each connection on its second request.
  std::atomic<int> seconds_seen = 0;
  Backend backend([&](int fd) {
    std::string rest;
    read_head(fd, rest);
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (!read_head(fd, rest).empty()) ++seconds_seen;
  });
  start({backend.address()});
  EXPECT_THAT(get("/"), EndsWith("ok"));
  EXPECT_THAT(get("/"), EndsWith("ok")) << "repeated on a new connection";
  EXPECT_EQ(seconds_seen, 1);
  EXPECT_EQ(backend.accepted(), 2u);
  const std::string post = exchange(proxy_->port("web"),
                                    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                    "Content-Length: 4\r\n\r\nbody");
  EXPECT_THAT(post, HasSubstr("target_closed")) << "a request with an effect is not sent twice";
}

TEST_F(ProxyResilience, ASilentTargetIs504InTime) {
  Backend silent([](int fd) {
    std::string rest;
    while (!read_head(fd, rest).empty()) {
    }
  });
  pb::TargetGroup group = group_of("web", pb::PROTOCOL_HTTP1, {silent.address()});
  group.set_request_timeout_ms(200);
  start(group);
  const auto begin = steady_clock::now();
  EXPECT_THAT(get("/"), HasSubstr("response_timeout"));
  EXPECT_LT(steady_clock::now() - begin, seconds(2));
}

TEST_F(ProxyResilience, ABlackHoleCostsTheConnectTimeoutOnce) {
  // A full backlog drops SYNs, as a dead host does.
  std::uint16_t port = 0;
  const UniqueFd full = listen_on_loopback(&port);
  ::listen(full.get(), 0);
  std::vector<UniqueFd> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    ::connect(fillers.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  Backend good(answering("good"));
  pb::TargetGroup group =
      group_of("web", pb::PROTOCOL_HTTP1, {{IpAddr::v4(0x7f000001), port}, good.address()});
  group.set_connect_timeout_ms(300);
  start(group);
  const auto begin = steady_clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_THAT(get("/"), EndsWith("good"));
  EXPECT_LT(steady_clock::now() - begin, seconds(2));
}

TEST_F(ProxyResilience, RequestsToATargetThatIsGoneGoElsewhereAtOnce) {
  std::atomic<int> stuck = 0;
  Backend dead([&](int fd) {
    std::string rest;
    while (!read_head(fd, rest).empty()) ++stuck;
  });
  Backend good(answering("good"));
  start({dead.address()});
  std::string answers[2];
  std::thread reader([&] { answers[0] = get("/"); });
  std::thread writer([&] {
    answers[1] = exchange(proxy_->port("web"),
                          "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                          "Content-Length: 4\r\n\r\nbody");
  });
  while (stuck < 2) std::this_thread::sleep_for(milliseconds(5));
  pb::TargetGroup group = group_of("web", pb::PROTOCOL_HTTP1, {dead.address(), good.address()});
  group.mutable_targets(0)->set_state(pb::TARGET_GONE);
  const auto begin = steady_clock::now();
  update(group);
  reader.join();
  writer.join();
  EXPECT_LT(steady_clock::now() - begin, seconds(1));
  EXPECT_THAT(answers[0], EndsWith("good")) << "GET without body: repeated";
  EXPECT_THAT(answers[1], HasSubstr("target_gone")) << "POST: refused at once";
}

TEST_F(ProxyResilience, ADrainingTargetFinishesWhatItHas) {
  std::atomic<int> waiting = 0;
  std::atomic<bool> go = false;
  Backend slow([&](int fd) {
    std::string rest;
    while (!read_head(fd, rest).empty()) {
      ++waiting;
      while (!go) std::this_thread::sleep_for(milliseconds(2));
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
    }
  });
  Backend good(answering("good"));
  start({slow.address()});
  std::string answer;
  std::thread reader([&] { answer = get("/"); });
  while (waiting < 1) std::this_thread::sleep_for(milliseconds(2));
  pb::TargetGroup group = group_of("web", pb::PROTOCOL_HTTP1, {slow.address(), good.address()});
  group.mutable_targets(0)->set_state(pb::TARGET_DRAINING);
  update(group);
  while (get("/").find("good") == std::string::npos) {
  }
  for (int i = 0; i < 5; ++i) EXPECT_THAT(get("/"), EndsWith("good"));
  go = true;
  reader.join();
  EXPECT_THAT(answer, EndsWith("slow"));
  EXPECT_EQ(waiting, 1);
}

TEST_F(ProxyResilience, WorksOnWithoutHeddledAndCatchesUp) {
  Backend a(answering("a"));
  Backend b(answering("b"));
  start({a.address()});
  control_->stop();
  EXPECT_THAT(get("/"), EndsWith("a"));
  ASSERT_TRUE(proxy_->wait_for_metric("heddle_proxy_control_connected", 0));
  EXPECT_THAT(get("/"), EndsWith("a"));
  snapshot_.set_revision(5);
  *snapshot_.mutable_target_groups(0) = group_of("web", pb::PROTOCOL_HTTP1, {b.address()});
  control_->set_snapshot(snapshot_);
  start_control();
  ASSERT_TRUE(control_->wait_for_ack(5, seconds(10)));
  ASSERT_TRUE(proxy_->wait_for_metric("heddle_proxy_config_revision", 5));
  EXPECT_THAT(get("/"), EndsWith("b"));
}

TEST_F(ProxyResilience, ARefusedSnapshotChangesNothing) {
  Backend a(answering("a"));
  start({a.address()});
  pb::Snapshot bad = snapshot_;
  bad.set_revision(2);
  bad.mutable_listeners(0)->set_socket("nowhere");
  bad.clear_target_groups();
  control_->set_snapshot(bad);
  ASSERT_TRUE(control_->wait_for_ack(2, seconds(5)));
  EXPECT_THAT(control_->ack_error(2), HasSubstr("socket nowhere"));
  EXPECT_THAT(get("/"), EndsWith("a"));
  EXPECT_EQ(proxy_->metric("heddle_proxy_config_revision"), 1);
}

TEST_F(ProxyResilience, SigtermLetsRequestsFinishAndExitsZero) {
  std::atomic<int> waiting = 0;
  Backend slow([&](int fd) {
    std::string rest;
    read_head(fd, rest);
    ++waiting;
    std::this_thread::sleep_for(milliseconds(300));
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
  });
  start({slow.address()});
  const UniqueFd idle = connect_to(proxy_->port("web"));
  std::string answer;
  std::thread reader(
      [&] { answer = exchange(proxy_->port("web"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); });
  while (waiting < 1) std::this_thread::sleep_for(milliseconds(2));
  const auto begin = steady_clock::now();
  EXPECT_EQ(proxy_->terminate(), 0);
  EXPECT_LT(steady_clock::now() - begin, seconds(5));
  reader.join();
  EXPECT_THAT(answer, EndsWith("slow"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(receive(idle.get()), "");
}

TEST_F(ProxyResilience, TheAccessLogSaysWhy) {
  const std::string path = directory_ + "/access.json";
  std::ofstream(path).close();
  ::chmod(path.c_str(), 0666);
  start(group_of("web", pb::PROTOCOL_HTTP1, {}), {"--access-log", path});
  (void)get("/x?secret=1");
  EXPECT_EQ(proxy_->terminate(), 0);
  std::ifstream file(path);
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_THAT(line, HasSubstr("\"path\":\"/x\""));
  EXPECT_THAT(line, HasSubstr("\"status\":503"));
  EXPECT_THAT(line, HasSubstr("\"reason\":\"no_ready_target\""));
}

TEST_F(ProxyResilience, ManyClientsOnTwoThreads) {
  std::atomic<int> requests = 0;
  Backend a(answering("ok", &requests));
  Backend b(answering("ok", &requests));
  start(group_of("web", pb::PROTOCOL_HTTP1, {a.address(), b.address()}), {"--threads", "2"});
  std::atomic<int> good = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&] {
      const UniqueFd fd = connect_to(proxy_->port("web"));
      for (int i = 0; i < 50; ++i) {
        if (!send_all(fd.get(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")) return;
        if (receive(fd.get(), "\r\n\r\nok").starts_with("HTTP/1.1 200 ")) ++good;
      }
    });
  }
  // Configuration changes meanwhile must not lose a request.
  for (int i = 0; i < 20; ++i) {
    pb::TargetGroup group = group_of("web", pb::PROTOCOL_HTTP1, {a.address(), b.address()});
    group.mutable_targets(i % 2)->set_state(pb::TARGET_DRAINING);
    update(group);
    std::this_thread::sleep_for(milliseconds(5));
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 400);
  EXPECT_EQ(requests, 400);
  EXPECT_EQ(proxy_->terminate(), 0);
}

TEST_F(ProxyResilience, IdlesUnderTenMegabytes) {
  Backend a(answering("a"));
  start({a.address()});
  for (int i = 0; i < 20; ++i) (void)get("/");
  std::ifstream status("/proc/" + std::to_string(proxy_->pid()) + "/smaps_rollup");
  long rss_kb = 0;
  long pss_kb = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Rss:")) rss_kb = std::atol(line.c_str() + 4);
    if (line.starts_with("Pss:")) pss_kb = std::atol(line.c_str() + 4);
  }
  RecordProperty("rss_kb", static_cast<int>(rss_kb));
  RecordProperty("pss_kb", static_cast<int>(pss_kb));
  std::printf("idle: RSS %ld kB, PSS %ld kB\n", rss_kb, pss_kb);
#ifndef HEDDLE_SANITIZED
  EXPECT_LT(pss_kb, 10 * 1024);
#endif
}

}  // namespace
}  // namespace heddle::testing
