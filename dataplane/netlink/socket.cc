#include "dataplane/netlink/socket.h"

#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <set>

#include "dataplane/netlink/message.h"
#include "dataplane/netns/netns.h"

namespace heddle::netlink {
namespace {

constexpr int kSocketBuffer = 1 << 20;            // bytes; a batch's acknowledgements must fit
constexpr std::size_t kReceiveBuffer = 64 << 10;  // bytes; the kernel's dumps use at most 32 KiB
constexpr int kDumpTries = 8;  // a dump that a change ran into starts again (NLM_F_DUMP_INTR)

// The kernel's own words, when it gave any (NLMSGERR_ATTR_MSG).
std::string extended_text(const nlmsghdr& header) {
  if (!(header.nlmsg_flags & NLM_F_ACK_TLVS)) return {};
  const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(&header));
  std::size_t skip = sizeof(nlmsgerr);
  if (!(header.nlmsg_flags & NLM_F_CAPPED))
    skip += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
  if (header.nlmsg_len < NLMSG_HDRLEN + skip) return {};
  nlattr* table[NLMSGERR_ATTR_MAX + 1] = {};
  auto* first = reinterpret_cast<nlattr*>(static_cast<char*>(nlmsg_data(&header)) + skip);
  nla_parse(table, NLMSGERR_ATTR_MAX, first,
            static_cast<int>(header.nlmsg_len - NLMSG_HDRLEN - skip), nullptr);
  const nlattr* text = table[NLMSGERR_ATTR_MSG];
  if (!text) return {};
  const auto* data = static_cast<const char*>(nla_data(text));
  return std::string(data, strnlen(data, static_cast<std::size_t>(nla_len(text))));
}

// Nothing, or the error that an NLMSG_ERROR or NLMSG_DONE message carries.
std::optional<Error> error_in(const nlmsghdr& header, const std::string& what) {
  if (header.nlmsg_len < NLMSG_HDRLEN + sizeof(int)) return std::nullopt;
  const int code = *static_cast<const int*>(nlmsg_data(&header));
  if (code >= 0) return std::nullopt;
  const std::string text =
      header.nlmsg_type == NLMSG_ERROR && header.nlmsg_len >= NLMSG_HDRLEN + sizeof(nlmsgerr)
          ? extended_text(header)
          : std::string();
  return Error::from_errno(-code, text.empty() ? what : what + " (" + text + ")");
}

}  // namespace

struct Socket::Impl {
  Impl() : socket(nl_socket_alloc()) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { nl_socket_free(socket); }

  // One datagram of answers, each message of it to `each`.
  Result<> receive(const std::function<void(const nlmsghdr&)>& each) {
    ssize_t size;
    do {
      size = ::recv(nl_socket_get_fd(socket), buffer.data(), buffer.size(), 0);
    } while (size < 0 && errno == EINTR);
    if (size < 0) return fail_errno(errno, "receive from netlink");
    int left = static_cast<int>(size);
    auto* header = reinterpret_cast<nlmsghdr*>(buffer.data());
    for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) each(*header);
    return {};
  }

  // A send must fit into the socket's buffer, with as much again for the kernel's bookkeeping.
  void make_room(std::size_t bytes) {
    if (bytes <= room) return;
    const int wanted = static_cast<int>(bytes);
    if (::setsockopt(nl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &wanted,
                     sizeof wanted) == 0)
      room = bytes;  // the kernel doubles it
  }

  std::uint32_t complete(Message& message, int flags) {
    nlmsghdr* header = nlmsg_hdr(message.raw());
    header->nlmsg_seq = ++sequence;
    header->nlmsg_pid = nl_socket_get_local_port(socket);
    header->nlmsg_flags |= static_cast<std::uint16_t>(flags);
    return header->nlmsg_seq;
  }

  Result<bool> query_once(Message& message, const std::string& what, const Visit& each);

  nl_sock* socket;
  std::uint32_t sequence = 0;
  std::size_t room = 16 << 10;  // bytes; net.core.wmem_default is never less
  std::vector<char> buffer = std::vector<char>(kReceiveBuffer);
};

Socket::Socket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() = default;

Result<Socket> Socket::open() {
  return open_protocol(NETLINK_ROUTE);
}

Result<Socket> Socket::open_netfilter() {
  return open_protocol(NETLINK_NETFILTER);
}

Result<Socket> Socket::open_diag() {
  return open_protocol(NETLINK_SOCK_DIAG);
}

Result<Socket> Socket::open_protocol(int protocol) {
  auto impl = std::make_unique<Impl>();
  if (!impl->socket) return fail(Errc::exhausted, "no memory for a netlink socket");
  if (const int error = nl_connect(impl->socket, protocol); error < 0)
    return fail(Errc::unavailable, std::string("open netlink: ") + nl_geterror(error));
  const int fd = nl_socket_get_fd(impl->socket);
  const int on = 1;
  // Both only improve what the kernel says; older kernels go without.
  ::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  // Strict checking makes dumps honour their filters; since Linux 5.0.
  ::setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  return Socket(std::move(impl));
}

Result<Socket> Socket::open_in(int netns_fd) {
  std::optional<Socket> opened;
  TRY_DO(netns::run_in(netns_fd, [&]() -> Result<> {
    TRY(auto socket, open());
    opened.emplace(std::move(socket));
    return {};
  }));
  return std::move(*opened);
}

Result<> Socket::request(Message& message, const std::string& what) {
  return batch({{&message, what}});
}

Result<> Socket::batch(const std::vector<Step>& steps) {
  if (steps.empty()) return {};
  std::vector<iovec> parts;
  std::uint32_t first_sequence = 0;
  std::size_t expected = 0;
  std::size_t bytes = 0;
  for (const Step& step : steps) {
    const bool acknowledged = step.answer == Answer::always;
    const std::uint32_t sequence = impl_->complete(*step.message, acknowledged ? NLM_F_ACK : 0);
    if (parts.empty()) first_sequence = sequence;
    nlmsghdr* header = nlmsg_hdr(step.message->raw());
    parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
    bytes += parts.back().iov_len;
    expected += acknowledged;
  }
  impl_->make_room(bytes);
  msghdr send{};
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  send.msg_name = &kernel;
  send.msg_namelen = sizeof kernel;
  send.msg_iov = parts.data();
  send.msg_iovlen = parts.size();
  if (::sendmsg(nl_socket_get_fd(impl_->socket), &send, 0) < 0)
    return fail_errno(errno, steps.front().what);

  std::optional<Error> first;
  std::size_t answered = 0;
  bool over = false;
  while (answered < expected && !over) {
    TRY_DO(impl_
               ->receive([&](const nlmsghdr& header) {
                 const std::uint32_t index = header.nlmsg_seq - first_sequence;
                 if (header.nlmsg_type != NLMSG_ERROR || index >= steps.size()) return;
                 if (steps[index].answer == Answer::failure) {
                   over = true;
                 } else {
                   ++answered;
                 }
                 if (!first) first = error_in(header, steps[index].what);
               })
               .during(steps.front().what));
  }
  if (first) return std::unexpected(*std::move(first));
  return {};
}

// False when a change ran into the dump: what was visited may be inconsistent.
Result<bool> Socket::Impl::query_once(Message& message, const std::string& what,
                                      const Visit& each) {
  // NLM_F_DUMP is two bits, of which one alone means other things in requests that create.
  const bool dump = (nlmsg_hdr(message.raw())->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  const std::uint32_t wanted = complete(message, dump ? 0 : NLM_F_ACK);
  nlmsghdr* request = nlmsg_hdr(message.raw());
  if (::send(nl_socket_get_fd(socket), request, request->nlmsg_len, 0) < 0)
    return fail_errno(errno, what);
  bool done = false;
  bool interrupted = false;
  std::optional<Error> error;
  while (!done) {
    TRY_DO(receive([&](const nlmsghdr& header) {
             if (header.nlmsg_seq != wanted) return;
             interrupted |= (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
             if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
               error = error_in(header, what);
               done = true;
             } else {
               each(header);
             }
           }).during(what));
  }
  if (error && error->sys_errno() != EINTR) return std::unexpected(*std::move(error));
  return !interrupted && !error;
}

Result<> Socket::query(Message& message, const std::string& what, const Visit& each) {
  for (int tries = 0; tries < kDumpTries; ++tries) {
    std::vector<std::string> answers;  // copies: a dump that is started again visits nobody twice
    TRY(const bool whole, impl_->query_once(message, what, [&](const nlmsghdr& header) {
      answers.emplace_back(reinterpret_cast<const char*>(&header), header.nlmsg_len);
    }));
    if (!whole) continue;
    for (const std::string& answer : answers) {
      each(*reinterpret_cast<const nlmsghdr*>(answer.data()));
    }
    return {};
  }
  return fail(Errc::unavailable, what + ": the kernel's tables kept changing; try again");
}

}  // namespace heddle::netlink
