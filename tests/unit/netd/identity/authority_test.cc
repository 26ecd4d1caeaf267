#include "netd/identity/authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "netd/identity/join_token.h"

namespace heddle::identity {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kNode[] = "00112233aabbccdd";

class AuthorityTest : public testing::Test {
 protected:
  AuthorityTest() : authority_(*Authority::create("heddle swarm 1234", clock_)) {}

  std::string issue(const Profile& profile) {
    const auto request = make_request("ignored");
    EXPECT_TRUE(request);
    auto leaf = authority_.issue(request->request_pem, profile, clock_);
    EXPECT_TRUE(leaf) << leaf.error().text();
    return leaf.value_or("");
  }

  ManualClock clock_;
  Authority authority_;
};

TEST_F(AuthorityTest, ANodeCertificateSaysWhoTheNodeIs) {
  const std::string leaf = issue(node_profile("5566", kNode, NodeKind::worker));
  const auto read = parse_certificate(leaf);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->common_name, kNode);
  EXPECT_THAT(read->dns_names, ElementsAre("node-00112233aabbccdd.heddle.internal"));
  EXPECT_THAT(read->uris, ElementsAre("spiffe://5566/node/00112233aabbccdd"));
  EXPECT_EQ(read->not_after - clock_.wall(), kNodeLifetime);
  EXPECT_TRUE(check_signed_by(leaf, authority_.certificate_pem(), clock_.wall()));
}

TEST_F(AuthorityTest, OnlyManagersCarryTheManagersName) {
  const auto read = parse_certificate(issue(node_profile("5566", kNode, NodeKind::manager)));
  ASSERT_TRUE(read);
  EXPECT_THAT(read->dns_names,
              ElementsAre("node-00112233aabbccdd.heddle.internal", "manager.heddle.internal"));
}

TEST_F(AuthorityTest, CertificatesEndInTimeAndWithTheirAuthority) {
  const std::string leaf = issue(node_profile("5566", kNode, NodeKind::worker));
  clock_.advance(kNodeLifetime + std::chrono::seconds(1));
  const auto late = check_signed_by(leaf, authority_.certificate_pem(), clock_.wall());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::denied);
  EXPECT_THAT(late.error().text(), HasSubstr("expired"));

  clock_.advance(kAuthorityLifetime - kNodeLifetime - std::chrono::hours(24));
  const auto last = parse_certificate(issue(node_profile("5566", kNode, NodeKind::worker)));
  const auto root = parse_certificate(authority_.certificate_pem());
  EXPECT_EQ(last->not_after, root->not_after);
  clock_.advance(std::chrono::hours(25));
  const auto request = make_request("x");
  EXPECT_EQ(authority_.issue(request->request_pem, {}, clock_).error().code(), Errc::denied);
}

TEST_F(AuthorityTest, AnotherAuthorityOfTheSameNameDoesNotVerify) {
  const auto other = Authority::create("heddle swarm 1234", clock_);
  ASSERT_TRUE(other);
  const std::string leaf = issue(node_profile("5566", kNode, NodeKind::worker));
  EXPECT_EQ(check_signed_by(leaf, other->certificate_pem(), clock_.wall()).error().code(),
            Errc::denied);
}

TEST_F(AuthorityTest, ALeafIsNoAuthority) {
  const auto request = make_request("leaf");
  const auto leaf =
      authority_.issue(request->request_pem, node_profile("5566", kNode, NodeKind::worker), clock_);
  const auto loaded = Authority::load(*leaf, request->key_pem);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), Errc::invalid);
}

TEST_F(AuthorityTest, LoadsWhatItMadeAndRefusesAForeignKey) {
  const auto again = Authority::load(authority_.certificate_pem(), authority_.key_pem());
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->digest(), authority_.digest());
  const auto other = Authority::create("other", clock_);
  EXPECT_EQ(Authority::load(authority_.certificate_pem(), other->key_pem()).error().code(),
            Errc::invalid);
  EXPECT_EQ(Authority::load("", "").error().code(), Errc::invalid);
  EXPECT_EQ(Authority::load(authority_.certificate_pem(), "").error().code(), Errc::invalid);
}

TEST_F(AuthorityTest, NamesWithCommasStayOneName) {
  Profile profile = node_profile("5566", kNode, NodeKind::worker);
  profile.dns_names = {"a,DNS:manager.heddle.internal"};
  const auto read = parse_certificate(issue(profile));
  EXPECT_THAT(read->dns_names, ElementsAre("a,DNS:manager.heddle.internal"));
}

TEST_F(AuthorityTest, MalformedRequestsAreRefused) {
  const Profile profile = node_profile("5566", kNode, NodeKind::worker);
  const auto request = make_request("x");
  std::string cut = request->request_pem;
  cut.resize(cut.size() / 2);
  for (const std::string& bad :
       {std::string(), std::string("x"), cut, request->key_pem, authority_.certificate_pem()}) {
    const auto issued = authority_.issue(bad, profile, clock_);
    ASSERT_FALSE(issued);
    EXPECT_EQ(issued.error().code(), Errc::invalid);
  }
}

// A request for somebody else's public key: its signature does not fit.
TEST_F(AuthorityTest, ARequestMustProveItsKey) {
  const auto mine = make_request("x");
  std::string tampered = mine->request_pem;
  const std::size_t end = tampered.find("\n-----END");
  for (std::size_t at = end - 1; at > end - 40; --at) {
    std::string flipped = tampered;
    flipped[at] = flipped[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(authority_.issue(flipped, {}, clock_));
  }
}

TEST_F(AuthorityTest, RsaKeysAreRefused) {
  EVP_PKEY* key = EVP_RSA_gen(2048);
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key);
  X509_REQ_sign(request, key, EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(bio, request);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  const std::string pem(data, size);
  BIO_free(bio);
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  const auto issued = authority_.issue(pem, {}, clock_);
  ASSERT_FALSE(issued);
  EXPECT_THAT(issued.error().text(), HasSubstr("P-256"));
}

}  // namespace
}  // namespace heddle::identity
