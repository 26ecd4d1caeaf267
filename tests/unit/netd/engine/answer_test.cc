#include "netd/engine/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netd/engine/sandbox.h"

namespace heddle::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kId(64, 'a');

// An inspection as Docker 20.10 gives it, shortened.
std::string inspection(const std::string& state, const std::string& rest = "") {
  return R"({"Id":")" + kId + R"(","Created":"2024-01-01T00:00:00Z","State":{)" + state +
         R"(},"Name":"/web.1","HostConfig":{"NetworkMode":"default"},"Config":{"Image":"x"})" +
         rest + "}";
}

TEST(ParseContainer, ReadsWhatCounts) {
  const auto running = parse_container(inspection(
      R"("Status":"running","Running":true,"Paused":false,"Restarting":false,"Pid":4711)"));
  ASSERT_TRUE(running) << running.error().text();
  EXPECT_EQ(running->id, kId);
  EXPECT_EQ(running->name, "web.1");
  EXPECT_TRUE(running->running);
  EXPECT_EQ(running->pid, 4711);
  EXPECT_EQ(running->network_mode, "default");
  EXPECT_EQ(running->stop_signal, 15);
  EXPECT_EQ(running->stop_timeout, std::chrono::seconds(10));
}

TEST(ParseContainer, WhatHasNoProcessDoesNotRun) {
  for (const char* state : {R"("Status":"exited","Running":false,"Pid":0)",
                            R"("Status":"created","Running":false,"Pid":0)",
                            R"("Status":"restarting","Running":true,"Restarting":true,"Pid":0)",
                            R"("Status":"restarting","Running":true,"Restarting":true,"Pid":99)",
                            R"("Status":"stopped","Running":false,"Pid":99)", ""}) {
    const auto container = parse_container(inspection(state));
    ASSERT_TRUE(container) << container.error().text();
    EXPECT_FALSE(container->running) << state;
    EXPECT_EQ(container->pid, 0) << state;
  }
}

TEST(ParseContainer, APausedOneRuns) {
  // Docker's words, then Podman's.
  for (const char* state : {R"("Status":"paused","Running":true,"Paused":true,"Pid":7)",
                            R"("Status":"paused","Running":false,"Paused":true,"Pid":7)"}) {
    const auto container = parse_container(inspection(state));
    ASSERT_TRUE(container) << container.error().text();
    EXPECT_TRUE(container->running && container->paused) << state;
  }
}

TEST(ParseContainer, HowItIsStopped) {
  const std::string state = R"("Running":true,"Pid":7)";
  const auto stop = [&](const std::string& config) {
    auto text = inspection(state);
    text.replace(text.find(R"("Image":"x")"), 11, config);
    return parse_container(text);
  };
  EXPECT_EQ(stop(R"("StopSignal":"SIGWINCH","StopTimeout":30)")->stop_signal, 28);
  EXPECT_EQ(stop(R"("StopSignal":"SIGWINCH","StopTimeout":30)")->stop_timeout,
            std::chrono::seconds(30));
  EXPECT_EQ(stop(R"("StopTimeout":-1)")->stop_timeout, std::chrono::hours(1));
  EXPECT_EQ(stop(R"("StopTimeout":null)")->stop_timeout, std::chrono::seconds(10));
  EXPECT_FALSE(stop(R"("StopTimeout":"soon")"));
}

TEST(ParseContainer, WhatMakesNoSenseIsNamed) {
  const auto said = [](const std::string& text) {
    const auto container = parse_container(text);
    if (container) return std::string("read");
    EXPECT_EQ(container.error().code(), Errc::internal);
    return container.error().text();
  };
  EXPECT_THAT(said(""), HasSubstr("no JSON"));
  EXPECT_THAT(said(inspection("").substr(0, 90)), HasSubstr("no JSON"));
  EXPECT_EQ(said("[]"), "a container is no object");
  EXPECT_EQ(said("{}"), "Id is no id of 64 hexadecimal digits");
  EXPECT_EQ(said(inspection(R"("Pid":"1")")), "State.Pid is no whole number");
  EXPECT_EQ(said(inspection(R"("Pid":-1)")), "State.Pid is no process");
  EXPECT_EQ(said(inspection(R"("Pid":1e18)")), "State.Pid is no process");
  EXPECT_EQ(said(inspection(R"("Pid":1.5)")), "State.Pid is no whole number");
  EXPECT_EQ(said(inspection(R"("Running":"true")")), "State.Running is neither true nor false");
  EXPECT_EQ(said(R"({"Id":")" + kId + R"(","Name":"/a b"})"), "Name is no name");
  EXPECT_EQ(said(R"({"Id":")" + kId + R"(","Name":"/a","State":[]})"), "State is no object");
  EXPECT_EQ(said(R"({"Id":")" + kId + R"(","Name":"/a","HostConfig":{"NetworkMode":"a\u0007"}})"),
            "HostConfig.NetworkMode is no such word");
  EXPECT_THAT(said(std::string(100'000, '[')), HasSubstr("no JSON")) << "nested without end";
}

TEST(ParseList, ReadsNamesAndStates) {
  const auto all = parse_list(R"([{"Id":")" + kId +
                              R"(","Names":["/other/alias","/web"],"State":"running"},{"Id":")" +
                              std::string(64, 'b') + R"(","Names":null}])");
  ASSERT_TRUE(all) << all.error().text();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->front().name, "web");
  EXPECT_EQ(all->front().status, "running");
  EXPECT_EQ(all->back().name, "");
  for (const char* bad : {"{}", "[1]", "[{}]", R"([{"Id":"short"}])"}) {
    EXPECT_FALSE(parse_list(bad)) << bad;
  }
}

TEST(ParseEvent, OfContainersAlone) {
  const auto killed = parse_event(
      R"({"status":"kill","id":"x","Type":"container","Action":"kill","Actor":{"ID":")" + kId +
      R"(","Attributes":{"signal":"15","name":"web"}},"time":1700000001,)"
      R"("timeNano":1700000001000000042})");
  ASSERT_TRUE(killed && *killed);
  EXPECT_EQ((*killed)->action, "kill");
  EXPECT_EQ((*killed)->container, kId);
  EXPECT_EQ((*killed)->signal, 15);
  EXPECT_EQ((*killed)->time, "1700000001.000000042");
  const auto exec = parse_event(
      R"({"Type":"container","Action":"exec_create: sh -c \"echo\n\u00e9\"","Actor":{"ID":")" +
      kId + R"(","Attributes":{"signal":7}}})");
  ASSERT_TRUE(exec && *exec) << "a command may hold anything";
  EXPECT_EQ((*exec)->action, "exec_create");
  EXPECT_EQ((*exec)->signal, 0);
  const auto network = parse_event(R"({"Type":"network","Action":"connect","Actor":{"ID":"n"}})");
  ASSERT_TRUE(network);
  EXPECT_FALSE(network->has_value());
  EXPECT_FALSE(parse_event(R"({"Type":"container","Action":"die"})"));
  EXPECT_FALSE(parse_event("null"));
}

TEST(ParseSignal, AsPeopleWriteThem) {
  EXPECT_EQ(parse_signal("15"), 15);
  EXPECT_EQ(parse_signal("SIGQUIT"), 3);
  EXPECT_EQ(parse_signal("TERM"), 15);
  EXPECT_EQ(parse_signal("SIGRTMIN+3"), 37);
  EXPECT_EQ(parse_signal("RTMAX-1"), 63);
  for (const char* bad : {"", "0", "65", "-1", "SIG", "SIGNOPE", "RTMIN+", "RTMIN+99", "15 "}) {
    EXPECT_EQ(parse_signal(bad), std::nullopt) << bad;
  }
}

TEST(IsReference, NothingThatLeadsElsewhere) {
  for (const char* good : {"web", "a1b2", "Web_1.x-y", "0"})
    EXPECT_TRUE(is_reference(good)) << good;
  for (const char* bad : {"", "/web", "../x", "a/b", "a?b", "a b", "-a", ".a", "a\n", "a%2f"}) {
    EXPECT_FALSE(is_reference(bad)) << bad;
  }
  EXPECT_FALSE(is_reference(std::string(256, 'a')));
}

TEST(DefaultDevices, OfBothFamilies) {
  EXPECT_THAT(
      default_devices(
          "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
          "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
          "eth1\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
          "eth2\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\nshort\n"),
      ElementsAre("eth0"));
  const std::string zeros(32, '0');
  EXPECT_THAT(
      default_devices6(zeros + " 00 " + zeros + " 00 fe80" + std::string(28, '0') +
                       " 00000400 00000001 00000000 00000003 eth0\n" + zeros + " 00 " + zeros +
                       " 00 " + zeros + " ffffffff 00000001 00000000 00200200 lo\n" + "fe80" +
                       std::string(28, '0') + " 40 " + zeros + " 00 " + zeros +
                       " 00000100 00000001 00000000 00000001 eth1\n"),
      ElementsAre("eth0"));
  EXPECT_THAT(default_devices6("nonsense"), IsEmpty());
}

}  // namespace
}  // namespace heddle::engine
