// Swarms of several managers, each with an etcd of its own, and what they are there for: one of
// them may be lost. All in one process, in a network namespace of its own.
#include <signal.h>
#include <sys/types.h>

#include <thread>

#include "netd/identity/certificate.h"
#include "netd/identity/files.h"
#include "netd/store/etcd_members.h"
#include "tests/peer/cluster/swarm_node.h"

namespace heddle::cluster {
namespace {

using testing::HasSubstr;
using Standing = Cluster::ManagerState::Standing;

class ManagersTest : public testing::Test {
 protected:
  void SetUp() override {
    first_.open();
    const auto made = first_.init();
    ASSERT_TRUE(made) << made.error().text();
    ASSERT_TRUE(first_.wait_session(true));
  }

  void join(SwarmNode& node, model::NodeRole role) {
    node.open();
    const auto token = first_->join_token(role, Cluster::Rotate::no, {}, soon());
    ASSERT_TRUE(token) << token.error().text();
    const Step step(role == model::NodeRole::manager ? "join as a manager" : "join as a worker");
    const auto joined = node.join(token->token, token->manager);
    ASSERT_TRUE(joined) << joined.error().text();
    ASSERT_TRUE(node.wait_session(true));
  }
  void join_all() {
    join(second_, model::NodeRole::manager);
    join(third_, model::NodeRole::manager);
    join(worker_, model::NodeRole::worker);
  }

  // Standings in the order of the nodes given; absent ones are no managers.
  static std::vector<std::optional<Standing>> standings(SwarmNode& asked,
                                                        std::initializer_list<SwarmNode*> nodes) {
    const auto states = asked->managers(soon());
    std::vector<std::optional<Standing>> result;
    for (SwarmNode* node : nodes) {
      const auto found = std::ranges::find(states, node->id(), &Cluster::ManagerState::node);
      result.push_back(found == states.end() ? std::nullopt : std::optional(found->standing));
    }
    return result;
  }
  SwarmNode* leader(std::initializer_list<SwarmNode*> among) {
    for (SwarmNode* node : among) {
      for (const auto& state : (*node)->managers(soon())) {
        if (state.node == node->id() && state.standing == Standing::leader) return node;
      }
    }
    return nullptr;
  }
  // Etcd's members as one manager has them, by node.
  static std::map<model::Id, bool> voters(SwarmNode& node) {
    const std::string dir = node.dir() + "/swarm/";
    const auto members = store::open_members(
        {node.at().format() + ":7379", *identity::read_private(dir + "etcd-root.pem"),
         *identity::read_private(dir + "etcd.pem"), *identity::read_private(dir + "etcd.key"), ""});
    std::map<model::Id, bool> votes;
    const auto listed = (*members)->list(soon());
    if (!listed) return votes;
    for (const auto& each : *listed) votes[each.name] = !each.learner;
    return votes;
  }
  static bool has_network(const SwarmState& state, const std::string& name) {
    return std::ranges::find(state.networks, name, &model::Network::name) != state.networks.end();
  }
  // A change through one manager, seen by all.
  void write(SwarmNode& through, const std::string& name, std::initializer_list<SwarmNode*> seen) {
    const Step step("write " + name + " until all have it");
    Result<model::Network> made = fail(Errc::unavailable, "not tried");
    EXPECT_TRUE(wait_for([&] {
      made = through->create_network(draft(name), {}, soon());
      return made || made.error().code() != Errc::unavailable;
    }));
    ASSERT_TRUE(made) << made.error().text();
    for (SwarmNode* node : seen) {
      EXPECT_TRUE(node->wait([&](const SwarmState& state) { return has_network(state, name); }));
    }
  }
  static bool holds_keys(const SwarmNode& node) {
    return std::filesystem::exists(node.dir() + "/swarm/root.key") ||
           std::filesystem::exists(node.dir() + "/swarm/etcd-root.key") ||
           std::filesystem::exists(node.dir() + "/swarm/etcd");
  }

  SwarmNode first_{"h1", "127.0.1.1"};
  SwarmNode second_{"h2", "127.0.1.2"};
  SwarmNode third_{"h3", "127.0.1.3"};
  SwarmNode worker_{"h4", "127.0.1.4"};
};

TEST_F(ManagersTest, AManagersTokenMakesAManager) {
  join_all();
  EXPECT_EQ(second_->role(), Cluster::Role::manager);
  EXPECT_EQ(third_->role(), Cluster::Role::manager);
  EXPECT_EQ(worker_->role(), Cluster::Role::worker);
  EXPECT_TRUE(holds_keys(second_));
  EXPECT_FALSE(holds_keys(worker_));
  const std::map<model::Id, bool> all{
      {first_.id(), true}, {second_.id(), true}, {third_.id(), true}};
  EXPECT_EQ(voters(third_), all);
  // Any of them writes, and a worker may ask who leads.
  write(first_, "one", {&second_, &third_, &worker_});
  write(second_, "two", {&first_, &third_, &worker_});
  write(third_, "three", {&first_, &second_, &worker_});
  auto seen = standings(worker_, {&first_, &second_, &third_, &worker_});
  EXPECT_EQ(std::ranges::count(seen, Standing::leader), 1);
  EXPECT_EQ(std::ranges::count(seen, Standing::reachable), 2);
  EXPECT_EQ(seen.back(), std::nullopt);
  // A token of one manager is another's, too.
  const auto here = first_->join_token(model::NodeRole::worker, Cluster::Rotate::yes, {}, soon());
  const auto there = third_->join_token(model::NodeRole::worker, Cluster::Rotate::no, {}, soon());
  ASSERT_TRUE(here && there);
  EXPECT_EQ(here->token, there->token);
  EXPECT_EQ(there->manager, "127.0.1.3:7373");
}

// Goal: what was acknowledged survives the loss of the leader, and everybody goes on.
TEST_F(ManagersTest, TheLossOfTheLeaderCostsNothing) {
  join_all();
  write(second_, "before", {&first_, &second_, &third_, &worker_});
  SwarmNode* lost = leader({&first_, &second_, &third_});
  ASSERT_NE(lost, nullptr);
  std::vector<SwarmNode*> left;
  for (SwarmNode* node : {&first_, &second_, &third_}) {
    if (node != lost) left.push_back(node);
  }
  const model::Id lost_id = lost->id();
  lost->close();
  write(*left[0], "without", {left[0], left[1], &worker_});
  EXPECT_TRUE(has_network(left[1]->state(), "before"));
  EXPECT_TRUE(worker_.wait_session(true));
  const auto states = worker_->managers(soon());
  EXPECT_EQ(std::ranges::find(states, lost_id, &Cluster::ManagerState::node)->standing,
            Standing::unreachable);
  // Its own session ended with it; a manager says so although the one that held it may be gone.
  EXPECT_TRUE(worker_.wait([&](const SwarmState& state) {
    return find_node(state, lost_id)->status == model::NodeStatus::down;
  }));
  const Step step("the lost one is back");
  lost->open();
  EXPECT_TRUE(lost->wait([&](const SwarmState& state) { return has_network(state, "without"); }));
  write(*lost, "again", {left[0], left[1], &worker_});
}

TEST_F(ManagersTest, AKilledEtcdIsStartedAgain) {
  join_all();
  for (SwarmNode* node : {&first_, &second_, &third_}) {
    for (const ::pid_t etcd : find_etcd(node->dir())) ::kill(etcd, SIGKILL);
    SwarmNode& other = node == &first_ ? second_ : first_;
    write(other, "after-" + node->id(), {&first_, &second_, &third_, &worker_});
  }
  EXPECT_TRUE(wait_for([&] { return voters(first_).size() == 3; }));
}

TEST_F(ManagersTest, NodesArePromotedAndDemoted) {
  join(second_, model::NodeRole::worker);
  join(third_, model::NodeRole::worker);
  for (SwarmNode* node : {&second_, &third_}) {
    const Step step("promote");
    const auto promoted = first_->set_role(node->id(), model::NodeRole::manager, soon());
    ASSERT_TRUE(promoted) << promoted.error().text();
    EXPECT_TRUE(wait_for([&] { return (*node)->role() == Cluster::Role::manager; }));
  }
  write(third_, "by-the-third", {&first_, &second_});
  const auto certificate = [](SwarmNode& node) {
    return *identity::parse_certificate(*identity::read_private(node.dir() + "/swarm/node.pem"));
  };
  EXPECT_EQ(certificate(second_).dns_names.size(), 2u);
  {
    const Step step("demote");
    const auto demoted = first_->set_role(second_.id(), model::NodeRole::worker, soon());
    ASSERT_TRUE(demoted) << demoted.error().text();
  }
  EXPECT_TRUE(wait_for([&] { return second_->role() == Cluster::Role::worker; }));
  EXPECT_TRUE(wait_for([&] { return !holds_keys(second_); }));
  EXPECT_EQ(certificate(second_).dns_names.size(), 1u);
  EXPECT_EQ(voters(first_), (std::map<model::Id, bool>{{first_.id(), true}, {third_.id(), true}}));
  EXPECT_TRUE(second_.wait_session(true));
  const auto refused = second_->create_network(draft("no"), {}, soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::denied);

  // One that demotes itself, the leader or not, and the last, which cannot.
  SwarmNode* lead = leader({&first_, &third_});
  ASSERT_NE(lead, nullptr);
  SwarmNode* last = lead == &first_ ? &third_ : &first_;
  const auto self = (*lead)->set_role(lead->id(), model::NodeRole::worker, soon());
  ASSERT_TRUE(self) << self.error().text();
  EXPECT_TRUE(wait_for([&] { return (*lead)->role() == Cluster::Role::worker; }));
  EXPECT_EQ(voters(*last), (std::map<model::Id, bool>{{last->id(), true}}));
  const auto none = (*last)->set_role(last->id(), model::NodeRole::worker, soon());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::in_use);
  EXPECT_THAT(none.error().text(), HasSubstr("last manager"));
  write(*last, "alone", {&first_, &second_, &third_});
}

TEST_F(ManagersTest, TwoThatAreDemotedAtOnceLeaveAManager) {
  join_all();
  Result<model::Node> one = fail(Errc::internal, "");
  Result<model::Node> two = fail(Errc::internal, "");
  std::thread other([&] { two = third_->set_role(second_.id(), model::NodeRole::worker, soon()); });
  one = first_->set_role(third_.id(), model::NodeRole::worker, soon());
  other.join();
  EXPECT_TRUE(one) << one.error().text();
  EXPECT_TRUE(wait_for([&] { return third_->role() == Cluster::Role::worker; }));
  // Its own end may keep the third from telling how the second's went, or from beginning it.
  EXPECT_TRUE(wait_for([&] {
    const auto* node = find_node(first_.state(), second_.id());
    const bool manages = node->role == model::NodeRole::manager;
    return manages == (second_->role() == Cluster::Role::manager) &&
           voters(first_).size() == (manages ? 2u : 1u);
  }));
  write(first_, "after", {&first_, &second_, &third_, &worker_});
}

TEST_F(ManagersTest, AManagerLeavesUnlessTheQuorumGoesWithIt) {
  join(second_, model::NodeRole::manager);
  join(third_, model::NodeRole::manager);
  third_.close();
  // Two of three vote; without the second it would be one of two.
  EXPECT_TRUE(
      wait_for([&] { return standings(first_, {&second_}).front() != Standing::unreachable; }));
  const auto refused = second_->leave(Cluster::Force::no, soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::in_use);
  EXPECT_THAT(refused.error().text(), HasSubstr("h3 would be missing"));
  EXPECT_THAT(refused.error().text(), HasSubstr("heddle node rm --force"));
  EXPECT_EQ(second_->role(), Cluster::Role::manager);

  // The way that it names.
  const auto up = first_->remove_node(second_.id(), Cluster::Force::no, soon());
  ASSERT_FALSE(up);
  EXPECT_THAT(up.error().text(), HasSubstr("h2 is up"));
  const auto removed = first_->remove_node(third_.id(), Cluster::Force::yes, soon());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_EQ(voters(first_).size(), 2u);
  const auto left = second_->leave(Cluster::Force::no, soon());
  ASSERT_TRUE(left) << left.error().text();
  EXPECT_EQ(voters(first_).size(), 1u);
  EXPECT_TRUE(std::filesystem::is_empty(second_.dir() + "/swarm"));
  write(first_, "alone", {&first_});
}

// Goal: a lost quorum is said in words, what is known stays known, and there is a way back.
TEST_F(ManagersTest, ALostQuorumHasAWayBack) {
  join_all();
  write(first_, "before", {&first_, &worker_});
  const auto early = first_->force_new_cluster(soon());
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), Errc::conflict);
  second_.close();
  third_.close();
  Result<model::Network> made = fail(Errc::internal, "");
  EXPECT_TRUE(wait_for([&] {
    made = first_->create_network(draft("none"), {}, after(std::chrono::seconds(2)));
    return !made && made.error().text().find("quorum") != std::string::npos;
  })) << made.error().text();
  EXPECT_THAT(made.error().text(), HasSubstr("of its 3 managers h2, h3 do not answer"));
  EXPECT_THAT(made.error().text(), HasSubstr("--force-new-cluster"));
  EXPECT_EQ(made.error().code(), Errc::unavailable);
  EXPECT_TRUE(has_network(first_.state(), "before"));
  EXPECT_TRUE(worker_.wait_session(false));
  {
    const Step step("force a new cluster");
    const auto forced = first_->force_new_cluster(soon());
    ASSERT_TRUE(forced) << forced.error().text();
  }
  write(first_, "after", {&first_, &worker_});
  EXPECT_TRUE(has_network(first_.state(), "before"));
  EXPECT_EQ(voters(first_).size(), 1u);
  // And it holds: etcd's next start forgets nobody.
  second_.open();
  EXPECT_TRUE(wait_for([&] { return second_->role() == Cluster::Role::worker; }));
  EXPECT_TRUE(second_.wait_session(true));
  const auto promoted = first_->set_role(second_.id(), model::NodeRole::manager, soon());
  ASSERT_TRUE(promoted) << promoted.error().text();
  EXPECT_TRUE(wait_for([&] { return voters(first_).size() == 2; }));
  for (const ::pid_t etcd : find_etcd(first_.dir())) ::kill(etcd, SIGKILL);
  write(first_, "later", {&first_, &second_, &worker_});
  EXPECT_EQ(voters(first_).size(), 2u);
}

TEST_F(ManagersTest, AManagerThatLostItsStoreGetsItBack) {
  join_all();
  write(third_, "before", {&first_, &second_});
  second_.close();
  std::filesystem::remove_all(second_.dir() + "/swarm/etcd");
  second_.open();
  EXPECT_TRUE(
      wait_for([&] { return standings(first_, {&second_}).front() != Standing::unreachable; }));
  write(second_, "after", {&first_, &third_, &worker_});
  EXPECT_EQ(voters(first_).size(), 3u);
  EXPECT_TRUE(has_network(second_.state(), "before"));
}

}  // namespace
}  // namespace heddle::cluster
