#include "dataplane/bpf/stale_sockets.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>

#include "common/base/unique_fd.h"
#include "ebpf/abi/socket.h"

namespace heddle::bpf {
namespace {

Result<UniqueFd> open_iterator(const Objects& objects) {
  const UniqueFd link(bpf_link_create(objects.stale(), 0, BPF_TRACE_ITER, nullptr));
  if (!link) return fail_errno(errno, "prepare to look at sockets");
  UniqueFd iterator(bpf_iter_create(link.get()));
  if (!iterator) return fail_errno(errno, "begin to look at sockets");
  return iterator;
}

SocketAddr at(__be32 address, __be16 port) {
  return {IpAddr::v4(ntohl(address)), ntohs(port)};
}

Programs::StaleSocket decode(const heddle_stale_socket& seen) {
  return {.netns = seen.netns,
          .cookie = seen.cookie,
          .protocol = static_cast<dataplane::Protocol>(seen.protocol),
          .mapped = seen.family == AF_INET6,
          .own = at(seen.own, seen.own_port),
          .peer = at(seen.peer, seen.peer_port),
          .service = at(seen.vip, seen.vip_port),
          .device = IfIndex{seen.device}};
}

}  // namespace

Result<std::vector<Programs::StaleSocket>> stale_sockets(const Objects& objects) {
  if (objects.stale() < 0) return fail(Errc::unsupported, "this kernel has no iterator over files");
  TRY(const UniqueFd iterator, open_iterator(objects));
  std::vector<Programs::StaleSocket> found;
  std::array<std::byte, 16384> buffer;
  std::set<std::uint64_t> met;  // several processes may have one socket
  std::size_t held = 0;         // the rest of a record that was cut off
  for (;;) {
    const ssize_t got = ::read(iterator.get(), buffer.data() + held, buffer.size() - held);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail_errno(errno, "look at sockets");
    if (got == 0) return found;
    held += static_cast<std::size_t>(got);
    std::size_t taken = 0;
    for (; held - taken >= sizeof(heddle_stale_socket); taken += sizeof(heddle_stale_socket)) {
      heddle_stale_socket seen;
      std::memcpy(&seen, buffer.data() + taken, sizeof seen);
      if (met.insert(seen.cookie).second) found.push_back(decode(seen));
    }
    held -= taken;
    std::memmove(buffer.data(), buffer.data() + taken, held);
  }
}

}  // namespace heddle::bpf
