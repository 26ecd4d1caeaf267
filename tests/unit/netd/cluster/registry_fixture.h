#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "netd/cluster/registry.h"

namespace heddle::cluster {

inline Deadline soon() {
  return after(std::chrono::seconds(20));
}
inline Prefix prefix(const std::string& text) {
  return *Prefix::parse(text);
}

class RegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/heddle-registry-XXXXXX";
    dir_ = ::mkdtemp(path);
    store_ = std::move(*store::open_sqlite(dir_ + "/state.db"));
    const model::Swarm swarm{"00000000000000ff", 4789, prefix("10.32.0.0/16"), 20};
    model::Node first = node("aa", "h1", 1);
    first.role = model::NodeRole::manager;
    ASSERT_TRUE(Registry::found(*store_, swarm, first, "key-aa", soon()));
    replica_ = std::move(*Replica::start(*store_, soon()));
    registry_ = std::make_unique<Registry>(*store_, *replica_, clock_);
    admit("bb", "h2", 2);
  }
  void TearDown() override {
    registry_.reset();
    replica_.reset();
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  static model::Node node(const model::Id& id, const std::string& name, std::uint32_t number) {
    model::Node made;
    made.id = id;
    made.name = name;
    made.address = IpAddr::v4(0xc0000200 + number);
    made.data_address = made.address;
    return made;
  }
  void admit(const model::Id& id, const std::string& name, std::uint32_t number) {
    const auto admitted = registry_->admit({node(id, name, number), "key-" + id}, soon());
    ASSERT_TRUE(admitted) << admitted.error().text();
  }
  Result<model::Network> create(const std::string& name, const std::string& subnet = "",
                                std::vector<Prefix> avoid = {}) {
    model::Network draft;
    draft.name = name;
    draft.driver = "overlay";
    draft.scope = model::Scope::swarm;
    if (!subnet.empty()) draft.subnets = {{prefix(subnet), {}}};
    return registry_->create_network(draft, avoid, soon());
  }
  model::Network network(const std::string& name) {
    auto made = create(name);
    EXPECT_TRUE(made) << made.error().text();
    return made.value_or(model::Network{});
  }
  model::AddressBlock claim(const model::Network& in, const model::Id& owner) {
    auto block = registry_->claim_block(in.id, owner, soon());
    EXPECT_TRUE(block) << block.error().text();
    return block.value_or(model::AddressBlock{});
  }
  static model::Endpoint endpoint(const model::Id& id, const model::AddressBlock& block,
                                  const std::string& service = "", std::uint16_t port = 80) {
    model::Endpoint made;
    made.id = id;
    made.network = block.network;
    made.workload = "00000000000000aa";
    made.workload_name = "w-" + id;
    made.address = {block.prefix.at(block.prefix.size() > 1 ? 1 : 0), 20};
    made.interface = "eth0";
    made.service = service;
    if (!service.empty()) made.ports = {{"", port, model::Protocol::tcp, {}}};
    return made;
  }
  // A whole report; gives what was refused.
  std::vector<Registry::Refusal> tell(const model::Id& who, std::vector<model::Endpoint> all,
                                      std::uint64_t epoch = 1) {
    auto outcome =
        registry_->report(who, {epoch, std::move(all), {}, Registry::Whole::yes}, soon());
    EXPECT_TRUE(outcome) << outcome.error().text();
    return outcome ? outcome->refused : std::vector<Registry::Refusal>{};
  }
  Objects objects() {
    EXPECT_TRUE(replica_->catch_up(soon()));
    Objects copy;
    replica_->read([&](const Objects& all) { copy = all; });
    return copy;
  }

  std::string dir_;
  ManualClock clock_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<Registry> registry_;
};

}  // namespace heddle::cluster
