#include "topologies/engine/relay/schedule.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace heddle::relay {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint32_t kDevice = 7;

heddle_wire_settings delayed(std::uint64_t delay_ns, std::uint64_t jitter_ns = 0) {
  heddle_wire_settings settings{};
  settings.key = 3;
  settings.to = 8;
  settings.delay_ns = delay_ns;
  settings.jitter_ns = jitter_ns;
  return settings;
}

void give(Schedule& schedule, std::uint64_t number, std::uint64_t at, const std::string& text,
          std::uint32_t copies = 1) {
  heddle_wire_record record{};
  record.arrived_ns = at;
  record.number = number;
  record.from = kDevice;
  record.bytes = static_cast<std::uint32_t>(text.size());
  record.copies = copies;
  schedule.accept(record, reinterpret_cast<const std::byte*>(text.data()));
}

std::vector<std::string> take(Schedule& schedule, std::uint64_t now) {
  std::vector<Schedule::Due> due;
  schedule.take_due(now, 1000, due);
  std::vector<std::string> out;
  for (const auto& one : due)
    out.emplace_back(reinterpret_cast<const char*>(one.frame.data.get()), one.frame.bytes);
  return out;
}

using Texts = std::vector<std::string>;

TEST(Schedule, APacketLeavesWhenItsDelayIsOver) {
  Schedule schedule;
  schedule.put(kDevice, {.settings = delayed(50 * kMs)});
  give(schedule, 0, 10 * kMs, "one");
  EXPECT_EQ(schedule.next_due(), 60 * kMs);
  EXPECT_EQ(take(schedule, 60 * kMs - 1), Texts{});
  EXPECT_EQ(take(schedule, 60 * kMs), Texts{"one"});
  EXPECT_TRUE(schedule.empty());
}

TEST(Schedule, EqualDelaysKeepTheOrderAndJitterDoesNot) {
  Schedule schedule;
  schedule.put(kDevice, {.settings = delayed(5 * kMs)});
  for (int i = 0; i < 100; ++i) give(schedule, i, 1, std::to_string(i));
  Texts in_order;
  for (int i = 0; i < 100; ++i) in_order.push_back(std::to_string(i));
  EXPECT_EQ(take(schedule, 10 * kMs), in_order);

  schedule.put(kDevice, {.settings = delayed(5 * kMs, 5 * kMs)});
  for (int i = 0; i < 100; ++i) give(schedule, i, 1, std::to_string(i));
  const Texts mixed = take(schedule, 11 * kMs);
  EXPECT_EQ(mixed.size(), 100U);
  EXPECT_NE(mixed, in_order);
  for (int i = 0; i < 100; ++i) give(schedule, i, 1, std::to_string(i));
  EXPECT_EQ(take(schedule, 11 * kMs), mixed) << "decided by the numbers";
}

TEST(Schedule, MoreThanTheLimitAreDroppedUntilOneLeaves) {
  Schedule schedule;
  schedule.put(kDevice, {.settings = delayed(kMs), .limit = 2});
  give(schedule, 0, 0, "a");
  give(schedule, 1, 0, "b");
  give(schedule, 2, 0, "c");
  EXPECT_EQ(schedule.counts(kDevice).dropped, 1U);
  EXPECT_EQ(schedule.counts(kDevice).waiting, 2U);
  EXPECT_EQ(take(schedule, kMs), (Texts{"a", "b"}));
  EXPECT_EQ(schedule.counts(kDevice).waiting, 0U);
  give(schedule, 3, kMs, "d");
  EXPECT_EQ(take(schedule, 2 * kMs), Texts{"d"});
}

TEST(Schedule, ACopyFollowsRightBehind) {
  Schedule schedule;
  schedule.put(kDevice, {.settings = delayed(kMs)});
  give(schedule, 0, 0, "a", 2);
  give(schedule, 1, 0, "b");
  EXPECT_EQ(take(schedule, kMs), (Texts{"a", "a", "b"}));
}

TEST(Schedule, ATagThatTheKernelTookOffIsPutBack) {
  Schedule schedule;
  schedule.put(kDevice, {.settings = delayed(0)});
  heddle_wire_record record{};
  const std::string frame = "ttttttffffffPPpayload";
  record.from = kDevice;
  record.bytes = static_cast<std::uint32_t>(frame.size());
  record.copies = 1;
  record.vlan_tag = 0x6123;
  const std::uint8_t tpid[2] = {0x81, 0x00};
  std::memcpy(&record.vlan_protocol, tpid, 2);
  schedule.accept(record, reinterpret_cast<const std::byte*>(frame.data()));
  const std::string tag{'\x81', '\x00', '\x61', '\x23'};
  EXPECT_EQ(take(schedule, 1), Texts{"ttttttffffff" + tag + "PPpayload"});
}

TEST(Schedule, WhatIsOnItsWayArrivesWhenTheLinkChangesOrGoes) {
  Schedule schedule;
  schedule.put(kDevice, {.settings = delayed(5 * kMs)});
  give(schedule, 0, 0, "a");
  schedule.put(kDevice, {.settings = delayed(kMs)});
  give(schedule, 1, 0, "b");
  schedule.remove(kDevice);
  give(schedule, 2, 0, "nobody's");
  EXPECT_EQ(take(schedule, 5 * kMs), (Texts{"b", "a"}));
}

}  // namespace
}  // namespace heddle::relay
