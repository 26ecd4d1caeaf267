#include "tests/bench/netd/dns/roles.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/dns/message.h"
#include "netd/dns/server.h"
#include "netd/dns/udp_batch.h"
#include "tests/support/views.h"

namespace heddle::bench {
namespace {

UniqueFd bound(int type, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  CHECK(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// `answer` makes a reply of a message; with the system calls of the server.
template <class AnswerWith>
int answer_all(std::uint16_t port, AnswerWith answer) {
  const UniqueFd fd = bound(SOCK_DGRAM, port);
  dns::UdpBatch batch(dns::kMaxQuery);
  for (;;) {
    pollfd waiting{fd.get(), POLLIN, 0};
    ::poll(&waiting, 1, -1);
    const int count = batch.receive(fd.get());
    for (int i = 0; i < count; ++i) batch.reply(i, answer(batch.message(i)));
    batch.send(fd.get());
  }
}

}  // namespace

std::string address_of(int n) {
  return "10.40." + std::to_string(n / 250 + 1) + "." + std::to_string(n % 250 + 1);
}

int serve(std::uint16_t port, std::uint16_t upstream_port) {
  tests::ViewBuilder build;
  build.network("app", "bridge", "10.40.0.0/16");
  for (int n = 0; n < kNames; ++n) {
    const std::string name = "c" + std::to_string(n);
    build.workload(name);
    build.endpoint(name, "app", address_of(n));
  }
  dns::DnsServer::Settings settings;
  settings.upstreams = {{tests::ip("127.0.0.1"), upstream_port}};
  const auto server = dns::DnsServer::start(settings);
  CHECK(server.has_value());
  dns::DnsServer::Sockets sockets{bound(SOCK_DGRAM, port), bound(SOCK_STREAM, port)};
  CHECK(::listen(sockets.tcp.get(), 16) == 0);
  auto zone = dns::build_zones(build.view()).at("c0");
  CHECK((*server)->add("c0", std::move(sockets), std::move(zone)).has_value());
  for (;;) ::pause();
}

int echo(std::uint16_t port) {
  return answer_all(port, [](dns::ByteView message) {
    dns::Bytes bytes(message.begin(), message.end());
    if (bytes.size() > 2) bytes[2] |= dns::kResponse;
    return bytes;
  });
}

int upstream(std::uint16_t port) {
  return answer_all(port, [](dns::ByteView message) {
    const auto parsed = dns::parse_query(message);
    if (!parsed.query) return dns::Bytes();
    dns::Reply reply;
    if (parsed.query->is(dns::Type::a)) reply.answers.push_back({"", 3600, tests::ip("192.0.2.1")});
    return dns::encode(message, *parsed.query, reply, dns::kMaxMessage);
  });
}

}  // namespace heddle::bench
