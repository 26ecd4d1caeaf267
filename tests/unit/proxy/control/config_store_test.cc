#include "proxy/control/config_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace heddle::control {
namespace {

using std::chrono::seconds;

const Deadline kNow = Deadline() + std::chrono::hours(1);
const SocketAddr kVip{IpAddr::v4(0x0a200001), 80};

// The events in short: "+g" a group, "-g" its end, "L" listeners, "d=g" and "d-" a destination.
std::string brief(const std::vector<ConfigEvent>& events) {
  std::string out;
  for (const ConfigEvent& event : events) {
    if (!out.empty()) out += ' ';
    if (const auto* put = std::get_if<GroupChanged>(&event)) out += "+" + put->group->name;
    if (const auto* drop = std::get_if<GroupDropped>(&event)) out += "-" + drop->name;
    if (std::holds_alternative<ListenersChanged>(event)) out += "L";
    if (const auto* to = std::get_if<DestinationChanged>(&event)) out += "d=" + to->group;
    if (std::holds_alternative<DestinationDropped>(event)) out += "d-";
  }
  return out;
}

snapshot::TargetGroup group(const std::string& name, int targets = 0) {
  snapshot::TargetGroup out;
  out.name = out.service = name;
  for (int i = 0; i < targets; ++i) {
    snapshot::Target target;
    target.id = std::to_string(i);
    out.targets.push_back(target);
  }
  return out;
}

snapshot::Snapshot snapshot_of(std::vector<snapshot::TargetGroup> groups) {
  snapshot::Snapshot out;
  out.revision = 1;
  snapshot::Listener listener;
  listener.name = "lb";
  listener.socket = "web";
  out.listeners.push_back(listener);
  out.groups = std::move(groups);
  return out;
}

class Store : public ::testing::Test {
 protected:
  std::string apply(snapshot::ConfigMessage message, Deadline now = kNow) {
    auto events = store_.apply(std::move(message), now);
    return events ? brief(*events) : "refused: " + events.error().text();
  }
  ConfigStore store_{Sockets{{"web", nullptr}}};
};

TEST_F(Store, ASnapshotReplacesTheOneBefore) {
  EXPECT_EQ(apply(snapshot_of({group("a"), group("b")})), "+a +b L");
  EXPECT_EQ(apply(snapshot_of({group("b"), group("c")})), "+c L -a") << "b did not change";
}

TEST_F(Store, AnUnknownSocketRefusesTheWhole) {
  auto snapshot = snapshot_of({group("a")});
  snapshot.listeners[0].socket = "other";
  EXPECT_EQ(apply(snapshot),
            "refused: listener 'lb': no socket named 'other' was handed to this proxy");
  EXPECT_TRUE(store_.groups().empty());
}

TEST_F(Store, ASocketIsMissedUntilItIsAddedAndLetGoWithItsLastListener) {
  auto with_other = snapshot_of({});
  with_other.listeners.push_back(with_other.listeners[0]);
  with_other.listeners[1].name = "lb2";
  with_other.listeners[1].socket = "other";
  EXPECT_EQ(store_.missing_sockets(snapshot_of({})), std::vector<std::string>{});
  EXPECT_EQ(store_.missing_sockets(with_other), std::vector<std::string>{"other"});
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const UniqueFd read_end(pipe[0]);
  store_.add_socket("other", UniqueFd(pipe[1]));
  EXPECT_EQ(store_.missing_sockets(with_other), std::vector<std::string>{});
  EXPECT_EQ(apply(with_other), "L");
  char byte;
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  EXPECT_EQ(::read(read_end.get(), &byte, 1), -1) << "the other end is open";
  EXPECT_EQ(apply(snapshot_of({})), "L");
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 0) << "and closed";
  EXPECT_EQ(store_.missing_sockets(with_other), std::vector<std::string>{"other"});
}

TEST_F(Store, ResolvedGroupsOutliveSnapshotsAndReconnects) {
  EXPECT_EQ(apply(snapshot_of({})), "L");
  EXPECT_EQ(apply(snapshot::Resolved{kVip, "web"}), "d=web");
  EXPECT_EQ(apply(group("web", 1)), "+web");
  EXPECT_EQ(apply(snapshot_of({})), "L") << "a snapshot after a reconnect has static groups only";
  EXPECT_EQ(store_.destinations_in_use(), std::vector{kVip});
  EXPECT_EQ(apply(group("web", 1)), "") << "the same again";
  EXPECT_EQ(apply(group("web", 2)), "+web");
}

TEST_F(Store, ARemovedGroupTakesItsDestinationsAlong) {
  (void)apply(snapshot::Resolved{kVip, "web"});
  (void)apply(group("web"));
  EXPECT_EQ(apply(snapshot::GroupRemoved{"web"}), "d- -web");
  EXPECT_TRUE(store_.destinations_in_use().empty());
}

TEST_F(Store, ADestinationThatIsNoServiceAnyMoreDropsItsGroup) {
  (void)apply(group("web"));
  (void)apply(snapshot::Resolved{kVip, "web"});
  EXPECT_EQ(apply(snapshot::Resolved{kVip, ""}), "d= -web");
}

TEST_F(Store, PassThroughAnswersGetOld) {
  EXPECT_EQ(apply(snapshot::Resolved{kVip, ""}), "d=");
  EXPECT_TRUE(store_.destinations_in_use().empty());
  EXPECT_EQ(store_.next_expiry(), kNow + seconds(5));
  EXPECT_EQ(brief(store_.expire(kNow + seconds(4)).events), "");
  EXPECT_EQ(brief(store_.expire(kNow + seconds(5)).events), "d-");
  EXPECT_FALSE(store_.next_expiry());
}

TEST_F(Store, AnUnusedServiceIsReleasedUnlessInUse) {
  auto events = store_.apply(snapshot::Resolved{kVip, "web"}, kNow);
  const auto use = std::get<DestinationChanged>(events->front()).use;
  (void)apply(group("web"));
  use->begin();
  use->touch(kNow);
  EXPECT_TRUE(store_.expire(kNow + std::chrono::hours(1)).groups.empty());
  use->end();
  use->touch(kNow);
  const auto expired = store_.expire(kNow + std::chrono::hours(1));
  EXPECT_EQ(expired.groups, std::vector<std::string>{"web"});
  EXPECT_EQ(brief(expired.events), "d- -web");
}

TEST_F(Store, DestinationsAreBounded) {
  for (std::uint32_t i = 0; i < 4200; ++i) {
    (void)apply(snapshot::Resolved{{IpAddr::v4(i), 80}, ""}, kNow + seconds(i));
  }
  EXPECT_EQ(store_.destinations().size(), 4096u);
  EXPECT_FALSE(store_.destinations().contains({IpAddr::v4(0), 80})) << "the oldest went";
}

}  // namespace
}  // namespace heddle::control
