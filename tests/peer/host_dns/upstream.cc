#include "tests/peer/host_dns/upstream.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/base/check.h"
#include "dataplane/netns/netns.h"
#include "tests/support/dns/digger.h"

namespace heddle::peer {

Upstream::Upstream(const std::string& sandbox, const SocketAddr& address, std::string answer)
    : answer_(std::move(answer)) {
  const auto netns = netns::open(sandbox);
  CHECK(netns.has_value());
  auto socket = netns::bind_udp(netns->get(), address);
  CHECK(socket.has_value());
  socket_ = *std::move(socket);
  thread_ = std::thread([this] { run(); });
}

Upstream::~Upstream() {
  stop_ = true;
  thread_.join();
}

bool Upstream::was_asked(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return asked_.contains(name);
}

void Upstream::run() {
  while (!stop_) {
    pollfd ready{socket_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 20) <= 0) continue;
    dns::Bytes query(dns::kMaxMessage);
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const ssize_t got = ::recvfrom(socket_.get(), query.data(), query.size(), 0,
                                   reinterpret_cast<sockaddr*>(&peer), &size);
    if (got < 0) continue;
    query.resize(static_cast<std::size_t>(got));
    const auto parsed = dns::parse_query(query);
    if (!parsed.query) continue;
    {
      const std::lock_guard lock(mutex_);
      asked_.insert(parsed.query->name);
    }
    const dns::Bytes reply = parsed.query->is(dns::Type::a)
                                 ? tests::make_reply(query, answer_)
                                 : tests::make_denial(query, dns::Rcode::no_error, 60);
    ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&peer),
             size);
  }
}

}  // namespace heddle::peer
