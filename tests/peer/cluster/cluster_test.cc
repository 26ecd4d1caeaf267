// Swarms of several nodes in one process, in a network namespace of their own, with Debian's etcd
// and mTLS between them. What each step takes is printed.
#include "netd/cluster/cluster.h"

#include <thread>

#include "netd/identity/authority.h"
#include "netd/identity/files.h"
#include "netd/identity/join_token.h"
#include "netd/store/store.h"
#include "tests/peer/cluster/swarm_node.h"
#include "tests/support/private_netns.h"

namespace heddle::cluster {
namespace {

using testing::HasSubstr;

const auto* const kNetns = testing::AddGlobalTestEnvironment(new PrivateNetns);

class ClusterTest : public testing::Test {
 protected:
  void SetUp() override {
    manager_.open();
    const Step step("init");
    const auto made = manager_.init();
    ASSERT_TRUE(made) << made.error().text();
    manager_id_ = made->id;
  }

  std::string token(Cluster::Rotate rotate = Cluster::Rotate::no,
                    std::optional<std::chrono::seconds> ttl = {}) {
    const auto made = manager_->join_token(model::NodeRole::worker, rotate, ttl, soon());
    EXPECT_TRUE(made) << made.error().text();
    return made ? made->token : "";
  }
  std::string target() const { return manager_.at().format() + ":7373"; }

  void join(SwarmNode& node) {
    if (!*node_opened(node)) return;
    const Step step("join");
    const auto joined = node.join(token(), target());
    ASSERT_TRUE(joined) << joined.error().text();
    ASSERT_TRUE(node.wait_session(true));
  }
  std::unique_ptr<bool> node_opened(SwarmNode& node) {
    node.open();
    return std::make_unique<bool>(!HasFatalFailure());
  }
  Error join_error(SwarmNode& node, const std::string& with, const std::string& at) {
    const auto joined = node.join(with, at);
    EXPECT_FALSE(joined);
    EXPECT_EQ(node->role(), Cluster::Role::none);
    return joined ? Error(Errc::internal, "joined") : joined.error();
  }
  model::Network network(const std::string& name) {
    const Step step("create network");
    const auto made = manager_->create_network(draft(name), {}, soon());
    EXPECT_TRUE(made) << made.error().text();
    return made.value_or(model::Network{});
  }
  std::unique_ptr<store::Store> open_store() {
    const std::string dir = manager_.dir() + "/swarm/";
    auto opened = store::open_etcd({manager_.at().format() + ":7379",
                                    *identity::read_private(dir + "etcd-root.pem"),
                                    *identity::read_private(dir + "etcd.pem"),
                                    *identity::read_private(dir + "etcd.key"), "heddle/v1/"});
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }

  SwarmNode manager_{"h1", "127.0.1.1"};
  SwarmNode worker_{"h2", "127.0.1.2"};
  SwarmNode other_{"h3", "127.0.1.3"};
  model::Id manager_id_;
};

TEST_F(ClusterTest, NodesJoinAndSeeEachOthersEndpointsAndServices) {
  EXPECT_EQ(manager_->role(), Cluster::Role::manager);
  ASSERT_TRUE(manager_.wait_session(true));
  join(worker_);
  join(other_);
  EXPECT_EQ(worker_->role(), Cluster::Role::worker);
  for (SwarmNode* node : {&manager_, &worker_, &other_}) {
    EXPECT_TRUE(node->wait([](const SwarmState& state) {
      return state.nodes.size() == 3 &&
             std::ranges::all_of(state.nodes, [](const model::Node& each) {
               return each.status == model::NodeStatus::ready;
             });
    }));
  }
  const model::Network app = network("app");
  EXPECT_EQ(app.subnets.front().prefix.format(), "10.32.0.0/20");
  EXPECT_TRUE(worker_.wait([](const SwarmState& state) { return state.networks.size() == 1; }));

  Result<model::AddressBlock> block;
  {
    const Step step("claim a block");
    block = worker_->claim_block(app.id, soon());
  }
  ASSERT_TRUE(block) << block.error().text();
  EXPECT_EQ(block->prefix.length(), 26);
  // All hear of it: each node vouches for its own addresses.
  for (SwarmNode* node : {&manager_, &worker_, &other_}) {
    EXPECT_TRUE(node->wait([&](const SwarmState& state) {
      return state.blocks.of(app.id) == std::vector<model::AddressBlock>{*block};
    }));
  }

  model::Endpoint web = endpoint("00000000000000e1", app, block->prefix.at(1));
  web.service = "web";
  web.ports = {{"http", 8080, model::Protocol::tcp, model::AppProtocol::http1}};
  {
    const Step step("report an endpoint until a third node knows it");
    worker_->report({7, {web}});
    ASSERT_TRUE(other_.wait([&](const SwarmState& state) {
      return find_endpoint(state, web.id) != nullptr && state.services.size() == 1;
    }));
  }
  const SwarmState seen = other_.state();
  EXPECT_EQ(find_endpoint(seen, web.id)->node, worker_.state().self);
  EXPECT_EQ(find_node(seen, worker_.state().self)->epoch, 7u);
  EXPECT_EQ(seen.services.front().name, "web");
  EXPECT_EQ(seen.services.front().ports, web.ports);
  EXPECT_TRUE(app.subnets.front().prefix.contains(seen.services.front().vip));

  const auto in_use = manager_->remove_network(app.id, soon());
  ASSERT_FALSE(in_use);
  EXPECT_EQ(in_use.error().code(), Errc::in_use);
  EXPECT_THAT(in_use.error().text(), HasSubstr(web.workload_name + " on h2"));

  worker_->report({7, {}});
  EXPECT_TRUE(other_.wait(
      [&](const SwarmState& state) { return state.endpoints.empty() && state.services.empty(); }));
  const auto removed = manager_->remove_network(app.id, soon());
  EXPECT_TRUE(removed) << removed.error().text();
  EXPECT_TRUE(other_.wait([](const SwarmState& state) { return state.networks.empty(); }));
}

TEST_F(ClusterTest, BadTokensAndTargetsAreRefusedAndChangeNothing) {
  worker_.open();
  const std::string good = token();
  EXPECT_EQ(join_error(worker_, good.substr(0, 60), target()).code(), Errc::invalid);
  EXPECT_EQ(join_error(worker_, "", target()).code(), Errc::invalid);

  std::string wrong = good;
  wrong.replace(wrong.size() - 4, 4, wrong.ends_with("aaaa") ? "bbbb" : "aaaa");
  const Error secret = join_error(worker_, wrong, target());
  EXPECT_EQ(secret.code(), Errc::denied);
  EXPECT_THAT(secret.text(), HasSubstr("wrong or was rotated"));

  std::string digest = good;
  digest[10] = digest[10] == '0' ? '1' : '0';
  const Error foreign = join_error(worker_, digest, target());
  EXPECT_EQ(foreign.code(), Errc::denied);
  EXPECT_THAT(foreign.text(), HasSubstr("another swarm"));

  const Error nobody = join_error(worker_, good, "127.0.1.9:7373");
  EXPECT_EQ(nobody.code(), Errc::unavailable);
  EXPECT_THAT(nobody.text(), HasSubstr("127.0.1.9:7373"));
  for (const std::string bad : {"", "127.0.1.1", "127.0.1.1:", "127.0.1.1:0", "127.0.1.1:99999",
                                "127.0.1.1:73x3", ":7373", "::1:7373"}) {
    EXPECT_EQ(join_error(worker_, good, bad).code(), Errc::invalid) << bad;
  }
  // etcd's peer port speaks TLS, but is no node API of the swarm.
  EXPECT_EQ(join_error(worker_, good, "127.0.1.1:7380").code(), Errc::denied);

  EXPECT_EQ(manager_.state().nodes.size(), 1u);
}

TEST_F(ClusterTest, RotatedAndExpiredTokensAreDenied) {
  worker_.open();
  const std::string old = token();
  EXPECT_EQ(token(), old);
  const std::string fresh = token(Cluster::Rotate::yes);
  EXPECT_NE(fresh, old);
  EXPECT_EQ(join_error(worker_, old, target()).code(), Errc::denied);
  const std::string brief = token(Cluster::Rotate::yes, std::chrono::seconds(0));
  const Error expired = join_error(worker_, brief, target());
  EXPECT_EQ(expired.code(), Errc::denied);
  EXPECT_THAT(expired.text(), HasSubstr("expired"));
  const auto mixed = manager_->join_token(model::NodeRole::worker, Cluster::Rotate::no,
                                          std::chrono::seconds(5), soon());
  EXPECT_EQ(mixed.error().code(), Errc::invalid);
  const auto joined = worker_.join(token(Cluster::Rotate::yes, std::chrono::hours(1)), target());
  EXPECT_TRUE(joined) << joined.error().text();
}

TEST_F(ClusterTest, JoiningTwiceAndTakenNamesAreConflicts) {
  join(worker_);
  const auto again = worker_.join(token(), target());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::conflict);
  EXPECT_THAT(again.error().text(), HasSubstr("already"));
  EXPECT_EQ(worker_.init().error().code(), Errc::conflict);

  SwarmNode same_name("h2", "127.0.1.4");
  same_name.open();
  const Error taken = join_error(same_name, token(), target());
  EXPECT_EQ(taken.code(), Errc::conflict);
  EXPECT_THAT(taken.text(), HasSubstr("named 'h2' already"));
  SwarmNode same_address("h5", "127.0.1.2");
  same_address.open();
  EXPECT_THAT(join_error(same_address, token(), target()).text(), HasSubstr("data address"));

  // A worker is no manager: nobody listens there.
  SwarmNode lost("h6", "127.0.1.6");
  lost.open();
  EXPECT_EQ(join_error(lost, token(), "127.0.1.2:7373").code(), Errc::unavailable);
}

TEST_F(ClusterTest, WorkersAreToldToAskAManager) {
  join(worker_);
  const auto created = worker_->create_network(draft("x"), {}, soon());
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code(), Errc::denied);
  EXPECT_THAT(created.error().text(), HasSubstr("127.0.1.1:7373"));
  SwarmNode alone("h7", "127.0.1.7");
  alone.open();
  EXPECT_EQ(alone->create_network(draft("x"), {}, soon()).error().code(), Errc::conflict);
  EXPECT_EQ(alone->claim_block("x", soon()).error().code(), Errc::conflict);
  EXPECT_EQ(alone->leave(Cluster::Force::no, soon()).error().code(), Errc::conflict);
}

TEST_F(ClusterTest, ARemovedNodeIsCutOff) {
  join(worker_);
  const model::Id id = worker_.state().self;
  const auto store = open_store();
  ASSERT_TRUE(store->commit({{}, {}, {{"node", id}}}, soon()));
  EXPECT_TRUE(worker_.wait_session(false));
  EXPECT_EQ(worker_->claim_block("0000000000000001", soon()).error().code(), Errc::denied);
  const auto left = worker_->leave(Cluster::Force::no, soon());
  EXPECT_TRUE(left) << left.error().text();
  EXPECT_EQ(worker_->role(), Cluster::Role::none);
}

TEST_F(ClusterTest, AWorkerKeepsItsStateAndComesBack) {
  join(worker_);
  const model::Network app = network("app");
  ASSERT_TRUE(worker_.wait([](const SwarmState& state) { return state.networks.size() == 1; }));
  const auto block = worker_->claim_block(app.id, soon());
  ASSERT_TRUE(block);
  worker_->report({3, {endpoint("00000000000000e1", app, block->prefix.at(1))}});
  ASSERT_TRUE(manager_.wait([](const SwarmState& state) { return state.endpoints.size() == 1; }));
  {
    const Step step("stop a manager");
    manager_.close();
  }
  EXPECT_TRUE(worker_.wait_session(false));
  EXPECT_EQ(worker_->claim_block(app.id, after(std::chrono::seconds(1))).error().code(),
            Errc::unavailable);
  // The worker restarts with no manager in reach.
  worker_.close();
  worker_.open();
  EXPECT_TRUE(worker_.wait([&](const SwarmState& state) {
    return state.networks.size() == 1 && state.blocks.of(app.id).size() == 1;
  }));
  {
    const Step step("open a manager until its session is up");
    manager_.open();
    EXPECT_TRUE(manager_.wait_session(true));
  }
  {
    const Step step("then until the worker's session is up");
    EXPECT_TRUE(worker_.wait_session(true));
  }
  // It has not reported yet: what it said before still holds.
  EXPECT_TRUE(manager_.wait([](const SwarmState& state) { return state.endpoints.size() == 1; }));
  worker_->report({4, {}});
  EXPECT_TRUE(manager_.wait([](const SwarmState& state) { return state.endpoints.empty(); }));
}

TEST_F(ClusterTest, ANodeWithoutASessionIsDown) {
  join(worker_);
  const model::Id id = worker_.state().self;
  ASSERT_TRUE(manager_.wait([&](const SwarmState& state) {
    const auto* node = find_node(state, id);
    return node != nullptr && node->status == model::NodeStatus::ready;
  }));
  const Step step("stop a node until it is marked down");
  worker_.close();
  EXPECT_TRUE(manager_.wait([&](const SwarmState& state) {
    const auto* node = find_node(state, id);
    return node != nullptr && node->status == model::NodeStatus::down;
  }));
}

TEST_F(ClusterTest, LeavingTakesEverythingWithIt) {
  join(worker_);
  const model::Network app = network("app");
  const auto block = worker_->claim_block(app.id, soon());
  ASSERT_TRUE(block);
  worker_->report({3, {endpoint("00000000000000e1", app, block->prefix.at(1))}});
  ASSERT_TRUE(manager_.wait([](const SwarmState& state) { return state.endpoints.size() == 1; }));
  {
    const Step step("leave");
    ASSERT_TRUE(worker_->leave(Cluster::Force::no, soon()));
  }
  EXPECT_EQ(worker_->role(), Cluster::Role::none);
  EXPECT_TRUE(std::filesystem::is_empty(worker_.dir() + "/swarm"));
  EXPECT_TRUE(manager_.wait(
      [](const SwarmState& state) { return state.endpoints.empty() && state.nodes.size() == 1; }));
  const auto store = open_store();
  EXPECT_TRUE(store->list("block", soon())->objects.empty());
  // And may come again, under its name.
  const auto joined = worker_.join(token(), target());
  EXPECT_TRUE(joined) << joined.error().text();

  const auto last = manager_->leave(Cluster::Force::no, soon());
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code(), Errc::in_use);
  ASSERT_TRUE(manager_->leave(Cluster::Force::yes, soon()));
  EXPECT_TRUE(std::filesystem::is_empty(manager_.dir() + "/swarm"));
  const auto stuck = worker_->leave(Cluster::Force::no, after(std::chrono::seconds(1)));
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code(), Errc::unavailable);
  EXPECT_TRUE(worker_->leave(Cluster::Force::yes, after(std::chrono::seconds(1))));
}

// Goal: a busy node's first report fits one transaction and one message. Method: a thousand
// endpoints of a hundred services, told at once, and told again after a reconnection.
TEST_F(ClusterTest, AThousandEndpointsAreOneReport) {
  join(worker_);
  const model::Network app = network("app");
  std::vector<model::Endpoint> all;
  while (all.size() < 1000) {
    const auto block = worker_->claim_block(app.id, soon());
    ASSERT_TRUE(block) << block.error().text();
    for (std::uint64_t i = 1; i + 1 < block->prefix.size() && all.size() < 1000; ++i) {
      const std::string number = std::to_string(10000 + all.size());
      model::Endpoint each = endpoint("000000000" + number + "ee", app, block->prefix.at(i));
      each.service = "s" + std::to_string(all.size() % 100);
      each.ports = {{"", 80, model::Protocol::tcp, {}}};
      all.push_back(each);
    }
  }
  const auto told = [](const SwarmState& state) {
    return state.endpoints.size() == 1000 && state.services.size() == 100;
  };
  {
    const Step step("report 1000 endpoints of 100 services");
    worker_->report({1, all});
    ASSERT_TRUE(manager_.wait(told));
  }
  worker_.close();
  worker_.open();
  EXPECT_TRUE(worker_.wait(told));
  worker_->report({1, all});
  EXPECT_TRUE(worker_.wait_session(true));
  {
    const Step step("change one of 1000 endpoints");
    all[500].state = model::EndpointState::draining;
    worker_->report({1, all});
    ASSERT_TRUE(manager_.wait([&](const SwarmState& state) {
      const auto* found = find_endpoint(state, all[500].id);
      return found != nullptr && found->state == model::EndpointState::draining;
    }));
  }
  const Step step("take 1000 endpoints away");
  worker_->report({1, {}});
  EXPECT_TRUE(manager_.wait(
      [](const SwarmState& state) { return state.endpoints.empty() && state.services.empty(); }));
}

TEST_F(ClusterTest, ANodeThatDiedWithItsManagerIsDownAfterTheManagersReturn) {
  join(worker_);
  const model::Id id = worker_.state().self;
  manager_.close();
  worker_.close();
  manager_.open();
  ASSERT_TRUE(manager_.wait_session(true));
  EXPECT_EQ(find_node(manager_.state(), id)->status, model::NodeStatus::ready);
  EXPECT_TRUE(manager_.wait([&](const SwarmState& state) {
    return find_node(state, id)->status == model::NodeStatus::down &&
           find_node(state, manager_id_)->status == model::NodeStatus::ready;
  }));
}

// Goal: certificates that are about to end are renewed. Method: ones of a day put in their place
// while the nodes are stopped.
TEST_F(ClusterTest, CertificatesAreRenewedInTime) {
  join(worker_);
  const std::string swarm = worker_.state().swarm.id;
  const SystemClock clock;
  const auto authority =
      identity::Authority::load(*identity::read_private(manager_.dir() + "/swarm/root.pem"),
                                *identity::read_private(manager_.dir() + "/swarm/root.key"));
  ASSERT_TRUE(authority);
  const auto shorten = [&](SwarmNode& node, const model::Id& id, identity::NodeKind kind) {
    node.close();
    const auto request =
        identity::make_request("x", *identity::read_private(node.dir() + "/swarm/node.key"));
    auto profile = identity::node_profile(swarm, id, kind);
    profile.lifetime = std::chrono::hours(24);
    const auto brief = authority->issue(request->request_pem, profile, clock);
    ASSERT_TRUE(identity::write_private(node.dir() + "/swarm/node.pem", *brief));
  };
  const auto days_left = [&](SwarmNode& node) {
    const auto pem = identity::read_private(node.dir() + "/swarm/node.pem");
    return (identity::parse_certificate(*pem)->not_after - clock.wall()) / std::chrono::hours(24);
  };
  shorten(worker_, worker_.state().self, identity::NodeKind::worker);
  shorten(manager_, manager_id_, identity::NodeKind::manager);
  EXPECT_LT(days_left(worker_), 2);
  manager_.open();
  worker_.open();
  EXPECT_TRUE(manager_.wait_session(true));
  for (int i = 0; i < 200 && days_left(worker_) < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_GT(days_left(worker_), 80);
  EXPECT_GT(days_left(manager_), 80);
  EXPECT_TRUE(worker_.wait_session(true));
}

TEST_F(ClusterTest, RefusedEndpointsAreReportedBack) {
  join(worker_);
  const model::Network app = network("app");
  worker_->report({3, {endpoint("00000000000000e1", app, address("10.32.9.9"))}});
  const auto why = worker_.wait_refusal();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code(), Errc::denied);
  EXPECT_THAT(why->text(), HasSubstr("10.32.9.9 is in no block of this node"));
}

}  // namespace
}  // namespace heddle::cluster
