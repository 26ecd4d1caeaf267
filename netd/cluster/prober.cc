#include "netd/cluster/prober.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "common/base/unique_fd.h"
#include "ebpf/abi/probe.h"
#include "netd/cluster/probe_table.h"

namespace heddle::cluster {
namespace {

struct Address {
  sockaddr_storage storage{};
  ::socklen_t size = 0;
};

Address to_sockaddr(const SocketAddr& from) {
  Address out;
  if (from.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port);
    v4.sin_addr.s_addr = from.address.v4_be();
    out.size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(from.port);
    std::memcpy(&v6.sin6_addr, from.address.bytes().data(), 16);
    out.size = sizeof v6;
  }
  return out;
}

SocketAddr from_sockaddr(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return {IpAddr::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, 16);
  return {IpAddr::v6(bytes), ntohs(v6.sin6_port)};
}

heddle_probe_packet make_request(std::uint64_t nonce) {
  heddle_probe_packet packet{};
  packet.vxlan.flags = HEDDLE_VXLAN_FLAG_VNI;
  packet.probe.magic = htonl(HEDDLE_PROBE_MAGIC);
  packet.probe.version = HEDDLE_PROBE_VERSION;
  packet.probe.kind = HEDDLE_PROBE_REQUEST;
  packet.probe.nonce = htobe64(nonce);
  return packet;
}

std::optional<ProbeTable::Answer> read_reply(const heddle_probe_packet& packet,
                                             const IpAddr& from) {
  const heddle_probe& probe = packet.probe;
  if (probe.magic != htonl(HEDDLE_PROBE_MAGIC) || probe.version != HEDDLE_PROBE_VERSION ||
      probe.kind != HEDDLE_PROBE_REPLY) {
    return std::nullopt;
  }
  return ProbeTable::Answer{from, be64toh(probe.nonce), be64toh(probe.epoch)};
}

class ProberImpl final : public Prober {
 public:
  using OnChange = std::function<void(std::set<model::Id>)>;
  ProberImpl(Settings settings, OnChange on_change, UniqueFd socket, UniqueFd wake)
      : settings_(settings),
        on_change_(std::move(on_change)),
        socket_(std::move(socket)),
        wake_(std::move(wake)),
        table_(settings),
        thread_([this] { run(); }) {}
  ~ProberImpl() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake();
    thread_.join();
  }

  void set_peers(std::vector<Peer> peers) override {
    {
      const std::lock_guard lock(mutex_);
      peers_ = std::move(peers);
    }
    wake();
  }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }
  void run();
  bool take_orders();
  void send_due();
  void receive_all();
  void wait();

  const Settings settings_;
  const OnChange on_change_;
  const UniqueFd socket_;
  const UniqueFd wake_;

  std::mutex mutex_;
  std::optional<std::vector<Peer>> peers_;  // new ones
  bool stopping_ = false;
  ProbeTable table_;  // the thread's
  std::thread thread_;
};

void ProberImpl::run() {
  while (take_orders()) {
    receive_all();
    send_due();
    if (auto changed = table_.take_change()) on_change_(std::move(*changed));
    wait();
  }
}

bool ProberImpl::take_orders() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  if (peers_) {
    table_.set_peers(*peers_, std::chrono::steady_clock::now());
    peers_.reset();
  }
  return true;
}

// A probe that cannot be sent is one that gets no answer.
void ProberImpl::send_due() {
  for (const auto& probe : table_.take_due(std::chrono::steady_clock::now())) {
    const heddle_probe_packet packet = make_request(probe.nonce);
    const Address to = to_sockaddr({probe.address, settings_.vxlan_port});
    (void)!::sendto(socket_.get(), &packet, sizeof packet, MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&to.storage), to.size);
  }
}

void ProberImpl::receive_all() {
  for (;;) {
    heddle_probe_packet packet{};
    sockaddr_storage from{};
    ::socklen_t size = sizeof from;
    const ::ssize_t count = ::recvfrom(socket_.get(), &packet, sizeof packet, MSG_TRUNC,
                                       reinterpret_cast<sockaddr*>(&from), &size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;
    if (count != static_cast<::ssize_t>(sizeof packet)) continue;
    const SocketAddr sender = from_sockaddr(from);
    if (sender.port != settings_.vxlan_port) continue;
    if (const auto answer = read_reply(packet, sender.address)) table_.take(*answer);
  }
}

void ProberImpl::wait() {
  pollfd polls[] = {{socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
  int milliseconds = -1;
  if (const auto due = table_.next_due()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*due - std::chrono::steady_clock::now());
    milliseconds = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }
  (void)::poll(polls, 2, milliseconds);
  std::uint64_t count = 0;
  if ((polls[1].revents & POLLIN) != 0) (void)!::read(wake_.get(), &count, sizeof count);
}

}  // namespace

Result<std::unique_ptr<Prober>> Prober::start(Settings settings,
                                              std::function<void(std::set<model::Id>)> on_change) {
  if (settings.interval.count() <= 0 || settings.fall < 1 || settings.rise < 1) {
    return fail(Errc::invalid, "a prober's interval, fall and rise must be positive");
  }
  const int family = settings.source.is_v4() ? AF_INET : AF_INET6;
  UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(errno, "prober socket");
  const Address source = to_sockaddr({settings.source, 0});
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&source.storage), source.size) != 0) {
    return fail_errno(errno, "bind the prober to " + settings.source.format());
  }
  const int buffer = 1 << 20;  // answers of a thousand peers while this thread waits for its turn
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "eventfd");
  return std::make_unique<ProberImpl>(settings, std::move(on_change), std::move(socket),
                                      std::move(wake));
}

}  // namespace heddle::cluster
