// The etcd engine against Debian's etcd, on loopback.
#include <grpcpp/grpcpp.h>

#include "netd/identity/authority.h"
#include "netd/identity/files.h"
#include "netd/store/etcd.grpc.pb.h"
#include "tests/support/etcd_server.h"
#include "tests/support/store_conformance.h"

namespace heddle::store {
namespace {

// One server for all tests, each with a prefix of its own.
EtcdServer& server() {
  static EtcdServer instance;
  return instance;
}

// An overloaded machine may take long for etcd's fsyncs.
Deadline patient() {
  return after(std::chrono::seconds(30));
}

std::unique_ptr<Store> open_or_die(const EtcdTarget& target) {
  auto opened = open_etcd(target);
  EXPECT_TRUE(opened) << opened.error().text();
  return opened ? std::move(*opened) : nullptr;
}

// An election may still be under way.
void wait_until_ready(Store& store) {
  for (int tries = 0; tries < 60; ++tries) {
    if (store.list("", after(std::chrono::seconds(1)))) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  FAIL() << "etcd does not answer";
}

class EtcdUnderTest final : public EngineUnderTest {
 public:
  EtcdUnderTest() : prefix_("test" + std::to_string(++count_) + "/") {
    reopen();
    wait_until_ready(*store_);
  }
  Store& store() override { return *store_; }
  void reopen() override { store_ = open_or_die({server().endpoint(), "", "", "", prefix_}); }
  void compact() override {
    const auto channel =
        grpc::CreateChannel(server().endpoint(), grpc::InsecureChannelCredentials());
    const auto listing = store_->list("", patient());
    ASSERT_TRUE(listing);
    etcdserverpb::CompactionRequest request;
    request.set_revision(static_cast<std::int64_t>(listing->revision));
    etcdserverpb::CompactionResponse response;
    grpc::ClientContext context;
    const auto status = etcdserverpb::KV::NewStub(channel)->Compact(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

 private:
  static inline int count_ = 0;
  std::string prefix_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Etcd, StoreConformance, testing::Values(EngineFactory([] {
                           return std::make_unique<EtcdUnderTest>();
                         })));

Revision put(Store& store, Object what) {
  auto revision = store.commit({{}, {std::move(what)}, {}}, patient());
  EXPECT_TRUE(revision) << revision.error().text();
  return revision.value_or(0);
}

TEST(EtcdStore, PrefixesDoNotSeeEachOther) {
  const auto one = open_or_die({server().endpoint(), "", "", "", "one/"});
  wait_until_ready(*one);
  const auto two = open_or_die({server().endpoint(), "", "", "", "two/"});
  put(*one, object("a", "1", "x", "n"));
  put(*two, object("a", "1", "y", "n"));
  EXPECT_EQ((*one->get({"a", "1"}, patient()))->payload, "x");
  EXPECT_EQ(two->list("", patient())->objects.size(), 1u);
}

TEST(EtcdStore, NobodyThereIsUnavailable) {
  const auto store = open_or_die({"127.0.0.1:1", "", "", "", "x/"});
  const auto got = store->get({"a", "1"}, after(std::chrono::seconds(1)));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Errc::unavailable) << got.error().text();
}

TEST(EtcdStore, HalfATlsTargetIsRefused) {
  EXPECT_EQ(open_etcd({"127.0.0.1:1", "pem", "", "", "x/"}).error().code(), Errc::invalid);
}

// Goal: a watch loses nothing across etcd's death. Method: kill -9, restart, write, compare.
TEST(EtcdStore, AWatchGoesOnAfterARestartOfEtcd) {
  EtcdServer own;
  const auto store = open_or_die({own.endpoint(), "", "", "", "p/"});
  wait_until_ready(*store);
  const Revision start = put(*store, object("a", "1", "0"));
  Ear ear;
  auto watch = store->watch(start, ear.hear());
  ASSERT_TRUE(watch);
  put(*store, object("a", "1", "1"));
  EXPECT_EQ(ear.wait_for(1).size(), 1u);
  own.kill();
  EXPECT_FALSE(store->get({"a", "1"}, after(std::chrono::milliseconds(500))));
  own.start();
  wait_until_ready(*store);
  for (int i = 2; i < 10; ++i) put(*store, object("a", "1", std::to_string(i)));
  const auto heard = ear.wait_for(9);
  ASSERT_EQ(heard.size(), 9u);
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(heard[i]);
    EXPECT_EQ(heard[i]->front().object->payload, std::to_string(i + 1));
  }
}

class EtcdTls : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/heddle-tls-XXXXXX";
    dir_ = ::mkdtemp(path);
    const auto issued = issue(authority_);
    write("ca.pem", authority_.certificate_pem());
    write("cert.pem", issued.first);
    write("key.pem", issued.second);
    server_ = std::make_unique<EtcdServer>(std::vector<std::string>{
        "--client-cert-auth", "--trusted-ca-file", dir_ + "/ca.pem", "--cert-file",
        dir_ + "/cert.pem", "--key-file", dir_ + "/key.pem"});
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }
  std::pair<std::string, std::string> issue(const identity::Authority& authority) {
    const auto request = identity::make_request("x");
    identity::Profile profile;
    profile.common_name = "etcd";
    profile.addresses = {IpAddr::v4(0x7f000001)};
    profile.lifetime = std::chrono::hours(1);
    auto certificate = authority.issue(request->request_pem, profile, clock_);
    EXPECT_TRUE(certificate) << certificate.error().text();
    return {*certificate, request->key_pem};
  }
  void write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(identity::write_private(dir_ + "/" + name, content));
  }

  SystemClock clock_;
  identity::Authority authority_ = *identity::Authority::create("etcd", clock_);
  std::string dir_;
  std::unique_ptr<EtcdServer> server_;
};

TEST_F(EtcdTls, OnlyCertificatesOfItsOwnAuthorityOpenIt) {
  const auto [certificate, key] = issue(authority_);
  const auto good =
      open_or_die({server_->endpoint(), authority_.certificate_pem(), certificate, key, "p/"});
  wait_until_ready(*good);

  const auto other = identity::Authority::create("etcd", clock_);
  const auto [foreign, foreign_key] = issue(*other);
  const auto stranger =
      open_or_die({server_->endpoint(), authority_.certificate_pem(), foreign, foreign_key, "p/"});
  const auto refused = stranger->list("", after(std::chrono::seconds(1)));
  ASSERT_FALSE(refused);
  const auto fooled =
      open_or_die({server_->endpoint(), other->certificate_pem(), certificate, key, "p/"});
  EXPECT_FALSE(fooled->list("", after(std::chrono::seconds(1))));
}

}  // namespace
}  // namespace heddle::store
