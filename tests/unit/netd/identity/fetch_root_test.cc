#include "netd/identity/fetch_root.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "common/base/unique_fd.h"
#include "netd/identity/authority.h"

namespace heddle::identity {
namespace {

using testing::HasSubstr;

X509* x509(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return certificate;
}

struct Served {
  std::string leaf;
  std::string key;
  std::vector<std::string> more;  // of the chain
};

// Listens on loopback and serves one connection: TLS with the given chain, or bytes of its choice.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 8), 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() {
    if (thread_.joinable()) thread_.join();
  }
  std::uint16_t port() const { return port_; }

  void serve_tls(Served served) {
    thread_ = std::thread([this, served = std::move(served)] {
      block_sigpipe();
      const UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      SSL_CTX* context = SSL_CTX_new(TLS_server_method());
      X509* leaf = x509(served.leaf);
      SSL_CTX_use_certificate(context, leaf);
      X509_free(leaf);
      BIO* bio = BIO_new_mem_buf(served.key.data(), static_cast<int>(served.key.size()));
      EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
      BIO_free(bio);
      SSL_CTX_use_PrivateKey(context, key);
      EVP_PKEY_free(key);
      for (const auto& each : served.more) SSL_CTX_add_extra_chain_cert(context, x509(each));
      SSL* ssl = SSL_new(context);
      SSL_set_fd(ssl, peer.get());
      if (SSL_accept(ssl) == 1) {
        char buffer[64];
        heard_ = SSL_read(ssl, buffer, sizeof buffer);
      }
      SSL_free(ssl);
      SSL_CTX_free(context);
    });
  }
  void serve_bytes(std::string bytes) {
    thread_ = std::thread([this, bytes = std::move(bytes)] {
      const UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      (void)!::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ::shutdown(peer.get(), SHUT_WR);
      char buffer[4096];
      while (::recv(peer.get(), buffer, sizeof buffer, 0) > 0) {
      }
    });
  }
  int heard() {  // application bytes that the client sent
    if (thread_.joinable()) thread_.join();
    return heard_;
  }

 private:
  // SSL_accept writes to a client that may have gone.
  static void block_sigpipe() {
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  }

  UniqueFd fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  int heard_ = 0;
};

class FetchRoot : public testing::Test {
 protected:
  FetchRoot() : authority_(*Authority::create("root", clock_)) {}

  Served served_by(const Authority& authority, NodeKind kind) {
    const auto request = make_request("x");
    const auto leaf = authority.issue(request->request_pem, node_profile("s", "n", kind), clock_);
    EXPECT_TRUE(leaf);
    return {*leaf, request->key_pem, {}};
  }
  Served manager() {
    Served served = served_by(authority_, NodeKind::manager);
    served.more = {authority_.certificate_pem()};
    return served;
  }
  Result<std::string> fetch(const Listener& listener,
                            std::chrono::milliseconds budget = std::chrono::seconds(5)) {
    return fetch_root(
        {"127.0.0.1", listener.port(), authority_.digest(), std::string(kManagerName)}, clock_,
        after(budget));
  }
  Error fetch_error(Listener& listener) {
    const auto fetched = fetch(listener);
    EXPECT_FALSE(fetched);
    return fetched ? Error(Errc::internal, "fetched") : fetched.error();
  }

  SystemClock clock_;
  Authority authority_;
};

TEST_F(FetchRoot, ReturnsThePinnedRootAndSendsNothing) {
  Listener listener;
  listener.serve_tls(manager());
  const auto root = fetch(listener);
  ASSERT_TRUE(root) << root.error().text();
  EXPECT_EQ(parse_certificate(*root)->digest, authority_.digest());
  EXPECT_LE(listener.heard(), 0);
}

TEST_F(FetchRoot, AnotherSwarmIsDenied) {
  const auto other = Authority::create("root", clock_);
  Served served = served_by(*other, NodeKind::manager);
  served.more = {other->certificate_pem()};
  Listener listener;
  listener.serve_tls(served);
  const Error error = fetch_error(listener);
  EXPECT_EQ(error.code(), Errc::denied);
  EXPECT_THAT(error.text(), HasSubstr("another swarm"));
}

// An impostor that shows the right root, which is public, with a leaf of its own.
TEST_F(FetchRoot, ABorrowedRootIsDenied) {
  const auto other = Authority::create("root", clock_);
  Served served = served_by(*other, NodeKind::manager);
  served.more = {authority_.certificate_pem()};
  Listener listener;
  listener.serve_tls(served);
  const Error error = fetch_error(listener);
  EXPECT_EQ(error.code(), Errc::denied);
  EXPECT_THAT(error.text(), HasSubstr("does not verify"));
}

TEST_F(FetchRoot, AWorkerOfTheSwarmIsDenied) {
  Served served = served_by(authority_, NodeKind::worker);
  served.more = {authority_.certificate_pem()};
  Listener listener;
  listener.serve_tls(served);
  const Error error = fetch_error(listener);
  EXPECT_EQ(error.code(), Errc::denied);
  EXPECT_THAT(error.text(), HasSubstr("give the address of a manager"));
}

TEST_F(FetchRoot, AServerThatDoesNotSpeakTlsIsNamedAsSuch) {
  Listener listener;
  listener.serve_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  const Error error = fetch_error(listener);
  EXPECT_EQ(error.code(), Errc::unsupported);
  EXPECT_THAT(error.text(), HasSubstr("is it a manager"));
}

TEST_F(FetchRoot, ASilentServerIsATimeoutAndNoneIsUnavailable) {
  const Listener silent;
  const auto waited = fetch(silent, std::chrono::milliseconds(50));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), Errc::timeout);

  const auto nobody = fetch_root({"127.0.0.1", 1, authority_.digest(), std::string(kManagerName)},
                                 clock_, after(std::chrono::seconds(5)));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code(), Errc::unavailable);
  EXPECT_THAT(nobody.error().text(), HasSubstr("connect to 127.0.0.1:1"));
}

}  // namespace
}  // namespace heddle::identity
