// The service over its real socket, with gRPC's own client in the proxy's place.
#include "netd/mesh/config_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "netd/api/proxy.grpc.pb.h"
#include "tests/unit/netd/mesh/view_builder.h"

namespace heddle::mesh {
namespace {

namespace pb = heddle::proxy::v1;
using Stream = grpc::ClientReaderWriter<pb::ProxyMessage, pb::ConfigMessage>;

class ConfigServerTest : public testing::Test {
 protected:
  ConfigServerTest() {
    char path[] = "/tmp/heddle-config-XXXXXX";
    dir_ = ::mkdtemp(path);
    socket_ = dir_ + "/proxy.sock";
    world_.workload("w1").sidecar("w1").endpoint("e1", "w1", "10.32.0.10");
    world_.endpoint("b1", "x", "10.32.0.11", "web");
    start();
  }
  ~ConfigServerTest() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }
  void start() {
    auto server = ConfigServer::start(
        {.socket = socket_,
         .uid = ::geteuid(),
         .allowed =
             [](const Peer& peer, const model::Id& id) {
               return peer.pid == ::getpid() && peer.uid == ::geteuid() && id == "w1";
             },
         .on_ack =
             [this](const Peer&, const model::Id&, const ConfigServer::Acknowledged& what) {
               acked_.store(what.ack.revision);
             }});
    ASSERT_TRUE(server) << server.error().text();
    server_ = *std::move(server);
  }
  void publish() {
    const auto plans = plan_proxies(world_.view(), {});
    ConfigServer::Plans shared;
    for (const auto& [id, plan] : plans) shared[id] = std::make_shared<ProxyPlan>(plan);
    server_->update(std::make_shared<Catalog>(world_.share()), std::move(shared));
  }

  struct Client {
    explicit Client(const std::string& socket)
        : stub(pb::ProxyConfig::NewStub(
              grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials()))) {
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
      stream = stub->Subscribe(&context);
    }
    ~Client() {
      context.TryCancel();
      if (!finished) stream->Finish();
    }
    void hello(const std::string& id) {
      pb::ProxyMessage message;
      message.mutable_hello()->set_proxy_id(id);
      stream->Write(message);
    }
    void resolve(const std::string& bytes, std::uint32_t port) {
      pb::ProxyMessage message;
      message.mutable_resolve()->mutable_destination()->set_address(bytes);
      message.mutable_resolve()->mutable_destination()->set_port(port);
      stream->Write(message);
    }
    pb::ConfigMessage read() {
      pb::ConfigMessage message;
      EXPECT_TRUE(stream->Read(&message));
      return message;
    }
    grpc::Status end() {
      pb::ConfigMessage message;
      while (stream->Read(&message)) {
      }
      finished = true;
      return stream->Finish();
    }
    std::unique_ptr<pb::ProxyConfig::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<Stream> stream;
    bool finished = false;
  };

  std::string dir_, socket_;
  ViewBuilder world_;
  std::atomic<std::uint64_t> acked_{0};
  std::unique_ptr<ConfigServer> server_;
};

const std::string kVip("\x0a\x20\0\x02", 4);

TEST_F(ConfigServerTest, HelloBringsTheSnapshotOnceThereIsAView) {
  Client proxy(socket_);
  proxy.hello("w1");
  auto first = std::async(std::launch::async, [&] { return proxy.read(); });
  publish();
  const pb::ConfigMessage message = first.get();
  ASSERT_TRUE(message.has_snapshot());
  EXPECT_EQ(message.snapshot().listeners_size(), 2);
}

TEST_F(ConfigServerTest, ResolveIsAnsweredAndChangesFollow) {
  publish();
  Client proxy(socket_);
  proxy.hello("w1");
  proxy.read();
  proxy.resolve(kVip, 8080);
  EXPECT_EQ(proxy.read().target_group().put().targets(0).id(), "b1");
  EXPECT_EQ(proxy.read().resolved().target_group(), "web.app:8080");
  world_.view().unreachable = {"node1"};
  publish();
  EXPECT_EQ(proxy.read().target_group().put().targets(0).state(), pb::TARGET_GONE);
}

TEST_F(ConfigServerTest, AcknowledgementIsReported) {
  publish();
  Client proxy(socket_);
  proxy.hello("w1");
  pb::ProxyMessage ack;
  ack.mutable_ack()->set_revision(proxy.read().snapshot().revision());
  proxy.stream->Write(ack);
  proxy.resolve(kVip, 8080);  // answered after the acknowledgement is taken
  proxy.read();
  EXPECT_EQ(acked_.load(), 1u);
}

TEST_F(ConfigServerTest, AnotherProxysNameIsRefused) {
  publish();
  Client proxy(socket_);
  proxy.hello("w2");
  EXPECT_EQ(proxy.end().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ConfigServerTest, MalformedOrUnexpectedMessagesEndTheStreamWithAReason) {
  publish();
  {
    Client proxy(socket_);
    proxy.resolve(kVip, 8080);
    EXPECT_EQ(proxy.end().error_code(), grpc::StatusCode::INVALID_ARGUMENT) << "no hello";
  }
  {
    Client proxy(socket_);
    proxy.hello("w1");
    proxy.hello("w1");
    EXPECT_EQ(proxy.end().error_code(), grpc::StatusCode::INVALID_ARGUMENT) << "two hellos";
  }
  {
    Client proxy(socket_);
    proxy.hello("w1");
    proxy.resolve("abc", 1);
    EXPECT_EQ(proxy.end().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  {
    Client proxy(socket_);
    proxy.hello(std::string(100'000, 'x'));
    EXPECT_EQ(proxy.end().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << "oversized";
  }
}

TEST_F(ConfigServerTest, NewSubscriptionOfTheSameProxyReplacesTheOld) {
  publish();
  Client old(socket_);
  old.hello("w1");
  old.read();
  Client fresh(socket_);
  fresh.hello("w1");
  EXPECT_TRUE(fresh.read().has_snapshot());
  EXPECT_EQ(old.end().error_code(), grpc::StatusCode::ABORTED);
  world_.view().endpoints["e1"].service = "web";
  world_.view().endpoints["e1"].ports = {{"", 81, model::Protocol::tcp, {}}};
  publish();
  EXPECT_EQ(fresh.read().snapshot().revision(), 2u);
}

TEST_F(ConfigServerTest, RestartedServerServesAtTheSamePlace) {
  publish();
  {
    Client proxy(socket_);
    proxy.hello("w1");
    proxy.read();
    server_.reset();
    EXPECT_FALSE(proxy.end().ok());
  }
  start();
  publish();
  Client again(socket_);
  again.hello("w1");
  EXPECT_TRUE(again.read().has_snapshot());
}

TEST_F(ConfigServerTest, SocketIsForTheProxiesUserAlone) {
  struct stat info{};
  ASSERT_EQ(::stat(socket_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ConfigServerTest, ManyChangesReachASlowReaderAsTheLatest) {
  publish();
  Client proxy(socket_);
  proxy.hello("w1");
  proxy.read();
  proxy.resolve(kVip, 8080);
  proxy.read();
  proxy.read();
  for (std::uint32_t weight = 2; weight <= 5000; ++weight) {
    world_.view().endpoints["b1"].weight = weight;
    publish();
  }
  std::uint32_t seen = 0;
  int messages = 0;
  while (seen != 5000) {
    seen = proxy.read().target_group().put().targets(0).weight();
    ASSERT_NE(seen, 0u);
    ++messages;
  }
  EXPECT_LE(messages, 5000);
}

}  // namespace
}  // namespace heddle::mesh
