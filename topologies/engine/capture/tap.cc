#include "topologies/engine/capture/tap.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>

#include "dataplane/netns/netns.h"

namespace heddle::capture {
namespace {

constexpr std::size_t kBatch = 32;
constexpr int kSocketBuffer = 32 << 20;
constexpr std::size_t kTagOffset = 2 * ETH_ALEN;
constexpr std::size_t kTagBytes = 4;
constexpr std::size_t kControlBytes =
    CMSG_SPACE(sizeof(tpacket_auxdata)) + CMSG_SPACE(sizeof(timespec));

// Inside the namespace; this program's own needs no helper.
Result<> inside(const std::string& netns, const std::function<Result<>()>& work) {
  if (netns.empty()) return work();
  TRY(const UniqueFd space, netns::open(netns));
  return netns::run_in(space.get(), work);
}

// A socket that sees nothing until it is bound.
Result<UniqueFd> open_socket() {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "open a packet socket");
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
    return fail_errno(errno, "set up a packet socket");
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer) < 0)
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  return fd;
}

Result<std::uint16_t> link_type_of(int fd, const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd, SIOCGIFHWADDR, &request) < 0) return fail_errno(errno, "look at " + interface);
  switch (request.ifr_hwaddr.sa_family) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return kLinkEthernet;
    case ARPHRD_NONE:
      return kLinkRaw;
  }
  return fail(Errc::unsupported, interface + " is neither an Ethernet nor an IP link (type " +
                                     std::to_string(request.ifr_hwaddr.sa_family) + ")");
}

Result<> bind_to(int fd, const std::string& interface) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) return fail_errno(errno, "find interface " + interface);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return fail_errno(errno, "see the packets of " + interface);
  return {};
}

// Which namespace is pinned at a path; the socket itself would keep it alive.
std::optional<std::pair<dev_t, ino_t>> identity_of(const std::string& netns) {
  struct stat info{};
  if (::stat(netns.c_str(), &info) < 0) return std::nullopt;
  return std::pair(info.st_dev, info.st_ino);
}

// One packet as the kernel hands it over: room for a VLAN tag is left in front.
struct Slot {
  std::vector<std::uint8_t> buffer;
  alignas(cmsghdr) std::array<std::uint8_t, kControlBytes> control;
  sockaddr_ll from;
  iovec part;
};

struct Beside {
  std::uint64_t time_ns = 0;
  std::optional<std::array<std::uint8_t, kTagBytes>> tag;
};

Beside read_beside(msghdr& message) {
  Beside out;
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_TIMESTAMPNS) {
      timespec time{};
      std::memcpy(&time, CMSG_DATA(one), sizeof time);
      out.time_ns = static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                    static_cast<std::uint64_t>(time.tv_nsec);
    }
    if (one->cmsg_level == SOL_PACKET && one->cmsg_type == PACKET_AUXDATA) {
      tpacket_auxdata aux{};
      std::memcpy(&aux, CMSG_DATA(one), sizeof aux);
      if (!(aux.tp_status & TP_STATUS_VLAN_VALID)) continue;
      const std::uint16_t protocol =
          aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q;
      out.tag = {static_cast<std::uint8_t>(protocol >> 8), static_cast<std::uint8_t>(protocol),
                 static_cast<std::uint8_t>(aux.tp_vlan_tci >> 8),
                 static_cast<std::uint8_t>(aux.tp_vlan_tci)};
    }
  }
  return out;
}

}  // namespace

struct Tap::State {
  UniqueFd fd;
  std::string netns;
  std::optional<std::pair<dev_t, ino_t>> space{};
  std::uint16_t link_type = kLinkEthernet;
  std::uint32_t snaplen = 0;
  std::uint64_t dropped = 0;
  std::array<Slot, kBatch> slots;
  std::array<mmsghdr, kBatch> messages;

  void prepare();
  Packet packet_of(std::size_t index);
};

void Tap::State::prepare() {
  for (std::size_t i = 0; i < kBatch; ++i) {
    Slot& slot = slots[i];
    slot.part = {slot.buffer.data() + kTagBytes, snaplen};
    msghdr& message = messages[i].msg_hdr;
    message = {};
    message.msg_name = &slot.from;
    message.msg_namelen = sizeof slot.from;
    message.msg_iov = &slot.part;
    message.msg_iovlen = 1;
    message.msg_control = slot.control.data();
    message.msg_controllen = slot.control.size();
  }
}

Packet Tap::State::packet_of(std::size_t index) {
  Slot& slot = slots[index];
  const Beside beside = read_beside(messages[index].msg_hdr);
  const std::size_t length = messages[index].msg_len;  // of all of it (MSG_TRUNC)
  std::uint8_t* first = slot.buffer.data() + kTagBytes;
  std::size_t kept = std::min<std::size_t>(length, snaplen);
  std::size_t on_link = length;
  if (beside.tag && kept >= kTagOffset) {
    // The addresses move four bytes to the front; the tag goes behind them.
    first -= kTagBytes;
    std::memmove(first, first + kTagBytes, kTagOffset);
    std::memcpy(first + kTagOffset, beside.tag->data(), kTagBytes);
    on_link += kTagBytes;
    kept = std::min<std::size_t>(kept + kTagBytes, snaplen);
  }
  return {.time_ns = beside.time_ns,
          .direction =
              slot.from.sll_pkttype == PACKET_OUTGOING ? Direction::outbound : Direction::inbound,
          .length = static_cast<std::uint32_t>(on_link),
          .bytes = {first, kept}};
}

bool Tap::gone() const {
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &size) < 0 ||
      address.sll_ifindex <= 0)
    return true;
  return !state_->netns.empty() && identity_of(state_->netns) != state_->space;
}

Result<std::vector<std::string>> interfaces_of(const std::string& netns) {
  std::vector<std::string> names;
  TRY_DO(inside(netns, [&]() -> Result<> {
    struct if_nameindex* list = ::if_nameindex();
    if (!list) return fail_errno(errno, "list interfaces");
    for (const struct if_nameindex* one = list; one->if_index; ++one) names.push_back(one->if_name);
    ::if_freenameindex(list);
    return {};
  }));
  return names;
}

Result<Tap> Tap::open(const Place& place, std::uint32_t snaplen) {
  auto state = std::make_unique<State>();
  state->snaplen = snaplen;
  state->netns = place.netns;
  state->space = identity_of(place.netns);
  TRY_DO(inside(place.netns, [&]() -> Result<> {
    TRY(state->fd, open_socket());
    TRY(state->link_type, link_type_of(state->fd.get(), place.interface));
    return bind_to(state->fd.get(), place.interface);
  }));
  for (Slot& slot : state->slots) slot.buffer.resize(kTagBytes + snaplen);
  return Tap(std::move(state));
}

Tap::Tap(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tap::Tap(Tap&&) noexcept = default;
Tap::~Tap() = default;

int Tap::fd() const {
  return state_->fd.get();
}

std::uint16_t Tap::link_type() const {
  return state_->link_type;
}

Result<std::vector<Packet>> Tap::read() {
  state_->prepare();
  const int got = ::recvmmsg(fd(), state_->messages.data(), kBatch, MSG_TRUNC, nullptr);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::vector<Packet>{};
    if (errno == ENETDOWN) return std::vector<Packet>{};  // it may come back
    return fail_errno(errno, "read packets");
  }
  std::vector<Packet> packets;
  for (int i = 0; i < got; ++i) packets.push_back(state_->packet_of(static_cast<std::size_t>(i)));
  return packets;
}

std::uint64_t Tap::dropped() {
  tpacket_stats since{};  // reading sets it to zero
  socklen_t size = sizeof since;
  if (::getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &since, &size) == 0)
    state_->dropped += since.tp_drops;
  return state_->dropped;
}

}  // namespace heddle::capture
