#include "topologies/traffic/probe.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

#include "topologies/traffic/dns.h"
#include "topologies/traffic/http.h"
#include "topologies/traffic/measure.h"
#include "topologies/traffic/report.h"
#include "topologies/traffic/socket.h"

namespace heddle::traffic {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxBody = 64 * 1024;
constexpr std::uint16_t kDnsServerPort = 53;

// Errors of what follows are the look's result: `timeout` is said as what did not happen in time.
Result<> wait_until(int fd, short events, Time deadline, const char* what) {
  for (;;) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) return fail(Errc::timeout, std::string(what) + " timed out");
    pollfd polled{fd, events, 0};
    const int ready =
        ::poll(&polled, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "poll");
  }
}

Error error_of(const char* what, int number) {
  return {Errc::unavailable, std::string(what) + ": " + std::strerror(number)};
}

Result<UniqueFd> connect_within(const SocketAddr& to, Time deadline) {
  auto fd = connect_tcp(to);
  if (!fd) return fail(Errc::unavailable, "connect: " + fd.error().text());
  TRY_DO(wait_until(fd->get(), POLLOUT, deadline, "connect"));
  if (const int error = pending_error(fd->get()))
    return std::unexpected(error_of("connect", error));
  return fd;
}

Result<> send_all(int fd, std::string_view bytes, Time deadline) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0 && errno != EAGAIN && errno != EINTR)
      return std::unexpected(error_of("send", errno));
    if (wrote > 0) bytes.remove_prefix(static_cast<std::size_t>(wrote));
    if (wrote < 0) TRY_DO(wait_until(fd, POLLOUT, deadline, "send"));
  }
  return {};
}

// Nothing: the other side closed.
Result<std::string> receive_some(int fd, Time deadline, const char* what) {
  std::string buffer(16384, '\0');
  for (;;) {
    TRY_DO(wait_until(fd, POLLIN, deadline, what));
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return std::unexpected(error_of("receive", errno));
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
  }
}

std::uint16_t checksum(const unsigned char* bytes, std::size_t size) {  // RFC 1071
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < size; i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8) | bytes[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

// ICMP echoes (RFC 792, RFC 4443). A raw socket sees every answer that comes to the namespace, so
// each is known by its identifier and number. IPv6 ones come without their IP header, and the
// kernel fills in their checksum (RFC 3542, section 3.1).
class Pinger {
 public:
  Result<> look(const PingProbe& probe, Time deadline) {
    TRY(const SocketAddr to, resolve(probe.to, 1));
    v4_ = to.address.is_v4();
    const int protocol = v4_ ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
    const UniqueFd fd(::socket(v4_ ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!fd) return std::unexpected(error_of("open a raw socket", errno));
    sockaddr_storage address;
    const socklen_t length = fill_address(SocketAddr{to.address, 0}, address);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) < 0)
      return std::unexpected(error_of("ping", errno));
    for (int i = 0; i < probe.count; ++i) TRY_DO(echo(fd.get(), deadline));
    return {};
  }

 private:
  // The same form in both.
  struct Message {
    std::uint8_t type;
    std::uint8_t code;
    std::uint16_t checksum;
    std::uint16_t id;
    std::uint16_t number;
  };

  Result<> echo(int fd, Time deadline) {
    Message request{};
    request.type = v4_ ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    request.id = htons(static_cast<std::uint16_t>(::getpid()));
    request.number = htons(++number_);
    if (v4_)
      request.checksum = checksum(reinterpret_cast<const unsigned char*>(&request), sizeof request);
    if (::send(fd, &request, sizeof request, MSG_NOSIGNAL) < 0)
      return std::unexpected(error_of("ping", errno));
    for (;;) {
      TRY(const std::string packet, receive_some(fd, deadline, "ping"));
      const std::size_t head =
          packet.empty() || !v4_ ? 0 : (static_cast<unsigned char>(packet[0]) & 0xf) * 4U;
      Message reply{};
      if (packet.size() < head + sizeof reply) continue;
      std::memcpy(&reply, packet.data() + head, sizeof reply);
      if (reply.type == (v4_ ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) && reply.id == request.id &&
          reply.number == request.number)
        return {};
    }
  }
  std::uint16_t number_ = 0;
  bool v4_ = true;
};

Result<> look_at(const HttpProbe& probe, Time deadline) {
  TRY(const HttpUrl url, parse_http_url(probe.url));
  TRY(const SocketAddr to, resolve(url.host, url.port));
  TRY(const UniqueFd fd, connect_within(to, deadline));
  TRY_DO(send_all(fd.get(),
                  "GET " + url.path + " HTTP/1.1\r\nHost: " + url.authority +
                      "\r\nUser-Agent: heddle-traffic\r\nConnection: close\r\n\r\n",
                  deadline));
  ResponseParser parser(kMaxBody);
  while (!parser.done()) {
    TRY(const std::string bytes, receive_some(fd.get(), deadline, "answer"));
    if (bytes.empty() && !parser.finish_at_close())
      return fail(Errc::unavailable, parser.empty() ? "closed without an answer"
                                                    : "closed in the middle of an answer");
    if (!bytes.empty() && !parser.feed(bytes))
      return fail(Errc::unavailable, "not HTTP: " + parser.problem());
  }
  if (parser.status() != probe.status)
    return fail(Errc::unavailable, "status " + std::to_string(parser.status()) + ", not " +
                                       std::to_string(probe.status));
  if (parser.body().find(probe.contains) == std::string::npos)
    return fail(Errc::unavailable, "\"" + parser.first_line().substr(0, 80) +
                                       "\" does not contain \"" + probe.contains + "\"");
  return {};
}

Result<> look_at(const TcpProbe& probe, Time deadline) {
  TRY(const SocketAddr to, resolve(probe.to));
  TRY_DO(connect_within(to, deadline));
  return {};
}

Result<std::string> own_resolver() {
  std::ifstream file("/etc/resolv.conf");
  for (std::string word; file >> word;) {
    if (word == "nameserver" && file >> word) return word;
  }
  return fail(Errc::not_found, "/etc/resolv.conf names no server");
}

Result<> judge_dns(const DnsProbe& probe, const DnsAnswer& head, const std::string& packet,
                   std::uint16_t type) {
  const auto found = read_dns_addresses(packet, type);
  if (!found) return fail(Errc::unavailable, "the answer is cut short");
  std::set<std::string> addresses;
  std::string shown;
  for (const IpAddr& address : *found) addresses.insert(address.format());
  for (const std::string& address : addresses) shown += (shown.empty() ? "" : ", ") + address;
  if (probe.none) {
    if (addresses.empty()) return {};
    return fail(Errc::unavailable, "it has an answer: " + shown);
  }
  if (head.rcode != 0 || addresses.empty())
    return fail(Errc::unavailable, "no answer, rcode " + std::to_string(head.rcode));
  const std::set<std::string> wanted(probe.answers.begin(), probe.answers.end());
  if (wanted.empty() || wanted == addresses) return {};
  return fail(Errc::unavailable, "it is " + shown);
}

Result<> look_at(const DnsProbe& probe, Time deadline, std::uint16_t id) {
  const std::uint16_t type = probe.type == "AAAA" ? kDnsTypeAaaa : kDnsTypeA;
  TRY(const std::string server,
      probe.server.empty() ? own_resolver() : Result<std::string>(probe.server));
  TRY(const SocketAddr to, resolve(server, kDnsServerPort));
  TRY(const UniqueFd fd, connect_udp(to));
  TRY(const std::string query, encode_dns_query(id, probe.name, type));
  if (::send(fd.get(), query.data(), query.size(), MSG_NOSIGNAL) < 0)
    return std::unexpected(error_of("ask", errno));
  for (;;) {
    TRY(const std::string packet, receive_some(fd.get(), deadline, "answer"));
    const auto head = read_dns_answer(packet);
    if (head && head->id == id) return judge_dns(probe, *head, packet, type);
  }
}

std::string shown_rate(double bits) {
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.3g Mbit/s", bits / 1e6);
  return buffer.data();
}

// The sink's word counts: what is under way when the time is over has not arrived.
Result<> look_at(const ThroughputProbe& probe, Time deadline) {
  TRY(const SocketAddr to, resolve(probe.to));
  TRY(const UniqueFd fd, connect_within(to, deadline));
  // What a slow link takes long to drain would be waited for at the end.
  constexpr int kUnderWay = 256 * 1024;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kUnderWay, sizeof kUnderWay);
  const Time start = SteadyClock::now();
  const Time end = start + probe.time;
  std::string piece(64 * 1024, '\0');
  std::uint64_t sent = 0;
  while (SteadyClock::now() < end) {
    for (std::size_t i = 0; i < piece.size(); ++i)
      piece[i] = static_cast<char>(stream_byte(sent + i));
    const ssize_t wrote = ::send(fd.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (wrote < 0 && errno != EAGAIN && errno != EINTR)
      return std::unexpected(error_of("send", errno));
    if (wrote > 0) sent += static_cast<std::uint64_t>(wrote);
    if (wrote < 0) (void)wait_until(fd.get(), POLLOUT, std::min(end, deadline), "send");
  }
  ::shutdown(fd.get(), SHUT_WR);
  std::string answer;
  while (answer.size() < sizeof(StreamVerdict)) {
    TRY(const std::string more, receive_some(fd.get(), deadline, "the sink's word"));
    if (more.empty()) return fail(Errc::unavailable, "the sink did not say what it got");
    answer += more;
  }
  StreamVerdict verdict;
  std::memcpy(&verdict, answer.data(), sizeof verdict);
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  const double bits = static_cast<double>(verdict.bytes) * 8 / seconds;
  if (verdict.bytes != sent || verdict.wrong > 0)
    return fail(Errc::unavailable, "the bytes did not arrive as they were sent");
  if (bits < probe.at_least)
    return fail(Errc::unavailable,
                shown_rate(bits) + ", not at least " + shown_rate(probe.at_least));
  if (probe.at_most > 0 && bits > probe.at_most)
    return fail(Errc::unavailable, shown_rate(bits) + ", not at most " + shown_rate(probe.at_most));
  return {};
}

std::int64_t microseconds(Time time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

// What never can be: said at once instead of at each look.
Result<> check_probe(const Probe& probe) {
  if (const auto* http = std::get_if<HttpProbe>(&probe.what)) TRY_DO(parse_http_url(http->url));
  if (const auto* dns = std::get_if<DnsProbe>(&probe.what)) TRY_DO(encode_dns_query(0, dns->name));
  return {};
}

}  // namespace

Result<int> run_probe(const Probe& probe) {
  TRY_DO(check_probe(probe));
  Pinger pinger;
  Time begin = SteadyClock::now();
  for (std::uint64_t number = 1;; ++number) {
    const Time from = SteadyClock::now();
    const Time deadline = from + probe.timeout;
    Result<> held;
    if (const auto* ping = std::get_if<PingProbe>(&probe.what)) held = pinger.look(*ping, deadline);
    if (const auto* http = std::get_if<HttpProbe>(&probe.what)) held = look_at(*http, deadline);
    if (const auto* tcp = std::get_if<TcpProbe>(&probe.what)) held = look_at(*tcp, deadline);
    if (const auto* dns = std::get_if<DnsProbe>(&probe.what))
      held = look_at(*dns, deadline, static_cast<std::uint16_t>(number));
    if (const auto* flow = std::get_if<ThroughputProbe>(&probe.what))
      held = look_at(*flow, deadline);
    const Time to = SteadyClock::now();
    if (held && to > deadline) held = fail(Errc::timeout, "took longer than its timeout");
    const boost::json::object line{{"from_us", microseconds(from)},
                                   {"to_us", microseconds(to)},
                                   {"ok", held.has_value()},
                                   {"why", held ? "" : held.error().text()}};
    std::cout << boost::json::serialize(line) << std::endl;
    if (!std::cout) return 1;  // nobody reads any more
    if (number == probe.looks) return held ? 0 : 1;
    begin = std::max(begin + probe.every, SteadyClock::now());
    std::this_thread::sleep_until(begin);
  }
}

}  // namespace heddle::traffic
