#include "netd/identity/fetch_root.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/base/unique_fd.h"
#include "netd/identity/openssl.h"

namespace heddle::identity {
namespace {

using SslContextPtr = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Freed<SSL_free>>;
using AddressesPtr = std::unique_ptr<addrinfo, Freed<::freeaddrinfo>>;

// OpenSSL writes to sockets with write(2): a peer that has closed would raise SIGPIPE, which a
// library must not leave to its caller.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;
  ~WithoutSigpipe() {
    const timespec now{};
    if (::sigismember(&before_, SIGPIPE) == 0) ::sigtimedwait(&pipe_, nullptr, &now);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

std::string where(const RootPin& pin) {
  const bool v6 = pin.host.find(':') != std::string::npos;
  return (v6 ? "[" + pin.host + "]" : pin.host) + ":" + std::to_string(pin.port);
}

Result<> wait_for(int fd, short events, const RootPin& pin, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Errc::timeout, where(pin) + " did not answer in time");
    pollfd poll{fd, events, 0};
    const int ready = ::poll(&poll, 1, static_cast<int>(std::min<long>(left.count(), 60000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "poll");
  }
}

Result<UniqueFd> connect_to(const addrinfo& address, const RootPin& pin, Deadline deadline) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  int sys_errno = errno;
  if (sys_errno == EINPROGRESS) {
    TRY_DO(wait_for(fd.get(), POLLOUT, pin, deadline));
    ::socklen_t size = sizeof sys_errno;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &sys_errno, &size);
    if (sys_errno == 0) return fd;
  }
  return fail(Errc::unavailable, Error::from_errno(sys_errno, "connect to " + where(pin)).text());
}

Result<UniqueFd> connect_any(const RootPin& pin, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(pin.port);
  const int code = ::getaddrinfo(pin.host.c_str(), service.c_str(), &hints, &found);
  if (code != 0) {
    return fail(Errc::unavailable,
                "the manager's name " + pin.host + " does not resolve: " + ::gai_strerror(code));
  }
  const AddressesPtr addresses(found);
  Error last(Errc::unavailable, where(pin) + " has no address");
  for (const addrinfo* each = addresses.get(); each != nullptr; each = each->ai_next) {
    auto fd = connect_to(*each, pin, deadline);
    if (fd) return fd;
    last = fd.error();
    if (last.code() == Errc::timeout) break;
  }
  return std::unexpected(last);
}

Result<> shake_hands(SSL* ssl, int fd, const RootPin& pin, Deadline deadline) {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_connect(ssl);
    if (done == 1) return {};
    const int code = SSL_get_error(ssl, done);
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
      const short events = code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
      TRY_DO(wait_for(fd, events, pin, deadline));
      continue;
    }
    if (code == SSL_ERROR_SYSCALL) {
      return fail(Errc::unavailable, where(pin) + " closed the connection; is it a manager?");
    }
    const Error reason = openssl_error(Errc::unsupported, "TLS with " + where(pin));
    return fail(Errc::unsupported, reason.text() + "; is it a manager's node API (port 7373)?");
  }
}

Result<> check_leaf(X509* leaf, X509* root, const RootPin& pin, const Clock& clock) {
  TRY_DO(verify(leaf, root, clock.wall()).during(where(pin)));
  if (X509_check_host(leaf, pin.server_name.data(), pin.server_name.size(), 0, nullptr) == 1) {
    return {};
  }
  return fail(Errc::denied, where(pin) + " is a node of the swarm but not " + pin.server_name +
                                "; give the address of a manager");
}

// The chain as the server sent it: nothing of it is trusted but by the pin.
Result<std::string> find_pinned(SSL* ssl, const RootPin& pin, const Clock& clock) {
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  const int count = chain != nullptr ? sk_X509_num(chain) : 0;
  if (count == 0) return fail(Errc::denied, where(pin) + " sent no certificate");
  X509* leaf = sk_X509_value(chain, 0);
  for (int i = 0; i < count; ++i) {
    X509* each = sk_X509_value(chain, i);
    if (digest_of(each) != pin.root) continue;
    TRY_DO(check_leaf(leaf, each, pin, clock));
    return to_pem(each);
  }
  return fail(Errc::denied, where(pin) + " belongs to another swarm than the token: its root " +
                                "certificate has a different digest");
}

}  // namespace

Result<std::string> fetch_root(const RootPin& pin, const Clock& clock, Deadline deadline) {
  TRY(const UniqueFd fd, connect_any(pin, deadline));
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) return std::unexpected(openssl_error(Errc::internal, "TLS context"));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // The chain is judged below by the pin, once it is whole.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  const SslPtr ssl(SSL_new(context.get()));
  static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  if (!ssl || SSL_set_fd(ssl.get(), fd.get()) != 1 ||
      SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2) != 0 ||
      SSL_set_tlsext_host_name(ssl.get(), pin.server_name.c_str()) != 1) {
    return std::unexpected(openssl_error(Errc::internal, "TLS session"));
  }
  const WithoutSigpipe quiet;
  TRY_DO(shake_hands(ssl.get(), fd.get(), pin, deadline));
  return find_pinned(ssl.get(), pin, clock);
}

}  // namespace heddle::identity
