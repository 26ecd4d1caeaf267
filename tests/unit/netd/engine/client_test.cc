// Goal: whatever an engine does, its caller gets an answer or an error that helps, in time.
// Method: a scripted engine on a socket.
#include "netd/engine/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <thread>

#include "netd/engine/engines.h"
#include "tests/support/engine/fake_engine.h"

namespace heddle::engine {
namespace {

using namespace std::chrono_literals;
using test::FakeEngine;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class OfClient : public testing::Test {
 protected:
  std::string refusal(const std::string& container, std::chrono::milliseconds budget = 10s) {
    const auto seen = client_.inspect(container, after(budget));
    return seen ? "no refusal" : seen.error().text();
  }
  FakeEngine engine_;
  Client client_{{model::WorkloadKind::docker, engine_.socket()}, -1};
};

TEST_F(OfClient, FindsByNameIdAndStartOfAnId) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .pid = 7});
  for (const std::string& ref : {std::string("web"), FakeEngine::id('a'), std::string("aaaa")}) {
    const auto seen = client_.inspect(ref, after(10s));
    ASSERT_TRUE(seen) << seen.error().text();
    EXPECT_EQ(seen->id, FakeEngine::id('a'));
  }
  EXPECT_EQ(engine_.requests().front(), "/_ping");
  EXPECT_EQ(engine_.requests().at(1), "/v1.41/containers/web/json");
  EXPECT_EQ(engine_.count("/_ping"), 1u) << "agreed once";
}

TEST_F(OfClient, RefusesWhatIsNotThereOrNotClear) {
  EXPECT_EQ(refusal("web"), "Docker has no container 'web'; see docker ps -a");
  engine_.put({.id = FakeEngine::id('a').replace(63, 1, "0"), .name = "one"});
  engine_.put({.id = FakeEngine::id('a'), .name = "two"});
  EXPECT_EQ(refusal("aaa"), "2 containers have an id that starts with 'aaa'; give more digits");
  const std::size_t before = engine_.requests().size();
  EXPECT_THAT(refusal("../images"), HasSubstr("is no name or id of a container"));
  EXPECT_EQ(engine_.requests().size(), before) << "nothing is asked";
}

TEST_F(OfClient, SpeaksTheNewestVersionOfBoth) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web"});
  const auto ping = [&](const std::string& version) {
    engine_.answer("/_ping", FakeEngine::http(200, "OK", "Api-Version: " + version + "\r\n"));
    Client client({model::WorkloadKind::docker, engine_.socket()}, -1);
    const auto seen = client.inspect("web", after(10s));
    return seen ? engine_.requests().back() : seen.error().text();
  };
  EXPECT_EQ(ping("1.24"), "/v1.24/containers/web/json");
  EXPECT_EQ(ping("1.999"), "/v1.52/containers/web/json");
  EXPECT_THAT(ping("1.23"), HasSubstr("speaks version 1.23 of its API, Heddle 1.24 and newer"));
  EXPECT_THAT(ping("x"), HasSubstr("is it an engine?"));
}

TEST_F(OfClient, AgreesAnewWithAnotherEngine) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web"});
  ASSERT_TRUE(client_.inspect("web", after(10s)));
  engine_.answer("/v1.41/",
                 FakeEngine::http(400, R"({"message":"client version 1.41 is too old"})"));
  engine_.answer("/_ping", FakeEngine::http(200, "OK", "Api-Version: 1.45\r\n"));
  EXPECT_FALSE(client_.inspect("web", after(10s)));
  EXPECT_TRUE(client_.inspect("web", after(10s)));
  EXPECT_EQ(engine_.requests().back(), "/v1.45/containers/web/json");
}

TEST_F(OfClient, AnEngineThatIsNotThereIsNamedWithWhatToDo) {
  engine_.stop();
  EXPECT_EQ(refusal("web"), "Docker at " + engine_.socket() +
                                " does not answer (No such file or directory); start it: systemctl "
                                "enable --now docker.socket, or name its socket: heddled "
                                "--docker-socket PATH");
  Client podman({model::WorkloadKind::podman, engine_.socket()}, -1);
  EXPECT_THAT(podman.inspect("web", after(1s)).error().text(),
              HasSubstr("systemctl enable --now podman.socket"));
  Client far({model::WorkloadKind::docker, "/" + std::string(200, 'x')}, -1);
  EXPECT_THAT(far.inspect("web", after(1s)).error().text(),
              HasSubstr("longer than unix(7) allows"));
}

TEST_F(OfClient, BrokenAnswersAreErrorsAndNoMore) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web"});
  const std::string whole = FakeEngine::http(200, "{}");
  const std::pair<std::string, const char*> broken[] = {
      {"", "hung up without an answer"},
      {whole.substr(0, 20), "cut off"},
      {whole.substr(0, whole.size() - 1), "cut off"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "no HTTP"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", "no HTTP"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", "cut off"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "no HTTP"},
      {FakeEngine::http(200, "{}"), "Id is no id"},
      {FakeEngine::http(200, "[]"), "no object"},
      {FakeEngine::http(500, R"({"message":"disk full"})"), "refuses (status 500): disk full"},
      {FakeEngine::http(500, "<html>"), "refuses (status 500)"},
  };
  for (const auto& [bytes, words] : broken) {
    engine_.answer("/web/json", bytes);
    EXPECT_THAT(refusal("web"), HasSubstr(words)) << bytes.substr(0, 60);
  }
  engine_.answer("/web/json", FakeEngine::http(200, std::string(kMaxBody + 1, ' ')));
  EXPECT_THAT(refusal("web"), HasSubstr("body limit exceeded"));
  engine_.answer("/web/json",
                 FakeEngine::http(200, R"({"Id":")" + FakeEngine::id('a') + R"(","Name":"/web"})"));
  EXPECT_EQ(refusal("web"), "no refusal") << "and the next one is heard";
}

TEST_F(OfClient, AnEngineThatHangsCostsTheBudgetAndNoMore) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web"});
  engine_.answer("/web/json", std::nullopt);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(refusal("web", 100ms), HasSubstr("does not answer in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_F(OfClient, AnEndInterruptsAWait) {
  engine_.answer("/_ping", std::nullopt);
  const UniqueFd end(::eventfd(0, EFD_CLOEXEC));
  Client client({model::WorkloadKind::docker, engine_.socket()}, end.get());
  ASSERT_EQ(::eventfd_write(end.get(), 1), 0);
  EXPECT_EQ(client.inspect("web", after(1h)).error().code(), Errc::cancelled);
}

TEST_F(OfClient, EventsComeLineByLineHoweverTheyAreCut) {
  engine_.answer("/events",
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "2\r\non\r\n3\r\ne\nt\r\n4\r\nwo\n\n\r\n0\r\n\r\n");
  auto stream = client_.events("1700000000.000000001", after(10s));
  ASSERT_TRUE(stream) << stream.error().text();
  std::vector<std::string> lines;
  std::string line;
  for (;;) {
    const auto got = (*stream)->next(line, after(10s), -1);
    if (!got) {
      EXPECT_EQ(got.error().code(), Errc::unavailable) << "the stream ended";
      break;
    }
    lines.push_back(line);
  }
  EXPECT_THAT(engine_.requests().back(), HasSubstr("&since=1700000000.000000001"));
  EXPECT_THAT(lines, ElementsAre("one", "two", ""));
}

TEST_F(OfClient, AStreamOfOneEndlessLineIsCutOff) {
  std::string flood = "HTTP/1.1 200 OK\r\n\r\n" + std::string(LineStream::kMaxLine * 2, 'x');
  engine_.answer("/events", flood);
  auto stream = client_.events("", after(10s));
  ASSERT_TRUE(stream);
  std::string line;
  const auto got = (*stream)->next(line, after(10s), -1);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().text(), HasSubstr("longer than"));
}

TEST_F(OfClient, ARefusalOfEventsIsAnError) {
  engine_.answer("/events", FakeEngine::http(500, "{}"));
  auto stream = client_.events("", after(10s));
  ASSERT_TRUE(stream);
  std::string line;
  EXPECT_THAT((*stream)->next(line, after(10s), -1).error().text(), HasSubstr("status 500"));
}

// What find() refuses, each with what to do.
class OfEngines : public testing::Test {
 protected:
  OfEngines() {
    engines_ = *Engines::start({{model::WorkloadKind::docker, engine_.socket()}}, [](Sighting) {});
  }
  std::string refusal(const std::string& reference) {
    const auto found = engines_->find(reference, after(10s));
    return found ? "found" : found.error().text();
  }
  FakeEngine engine_;
  std::unique_ptr<Engines> engines_;
};

TEST_F(OfEngines, RunningContainersAreListed) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web"});
  engine_.put({.id = FakeEngine::id('b'), .name = "db", .status = "paused"});
  engine_.put({.id = FakeEngine::id('c'), .name = "old", .status = "exited"});
  EXPECT_THAT(engines_->list_running(after(10s)), ElementsAre("docker:db", "docker:web"));
}

// The first is silent, the second not there, the third answers.
TEST_F(OfEngines, ASilentEngineHidesNoOther) {
  FakeEngine silent;
  silent.answer("/", std::nullopt);
  engine_.put({.id = FakeEngine::id('a'), .name = "web"});
  const auto engines = *Engines::start({{model::WorkloadKind::docker, silent.socket()},
                                        {model::WorkloadKind::docker, "/tmp/heddle-no-such.sock"},
                                        {model::WorkloadKind::podman, engine_.socket()}},
                                       [](Sighting) {});
  const auto deadline = after(6s);
  EXPECT_THAT(engines->list_running(deadline), ElementsAre("podman:web"));
  EXPECT_LT(std::chrono::steady_clock::now(), deadline) << "its caller hears of it in time";
}

TEST_F(OfEngines, ContainersThatDoNotRunAreRefused) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .status = "exited"});
  EXPECT_EQ(refusal("docker:web"),
            "docker:web is not running (exited); start it: docker start web");
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .status = "created"});
  EXPECT_EQ(refusal("docker:aaaa"),
            "docker:web is not running (created); start it: docker start web");
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .status = "restarting"});
  EXPECT_THAT(refusal("docker:web"), HasSubstr("docker:web is restarting; connect it when"));
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .status = "removing"});
  EXPECT_EQ(refusal("docker:web"), "docker:web is being removed");
}

TEST_F(OfEngines, SharedNamespacesAreRefused) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .pid = 1, .network_mode = "host"});
  EXPECT_THAT(refusal("docker:web"), HasSubstr("docker:web has host networking"));
  engine_.put({.id = FakeEngine::id('b'), .name = "db", .pid = 1});
  engine_.put({.id = FakeEngine::id('a'),
               .name = "web",
               .pid = 1,
               .network_mode = "container:" + FakeEngine::id('b')});
  EXPECT_EQ(refusal("docker:web"),
            "docker:web has no network of its own: it shares that of 'db'; connect that one: "
            "docker:db");
  // Whatever its mode is called: this test's own namespace.
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .pid = ::getpid()});
  EXPECT_THAT(refusal("docker:web"), HasSubstr("docker:web has host networking"));
}

TEST_F(OfEngines, AContainerThatVanishesMidwayIsRefused) {
  engine_.put({.id = FakeEngine::id('a'), .name = "web", .pid = 1 << 22});
  EXPECT_THAT(refusal("docker:web"), HasSubstr("no process 4194304"));
  EXPECT_THAT(refusal("podman:web"), HasSubstr("no such engine here"));
}

}  // namespace
}  // namespace heddle::engine
